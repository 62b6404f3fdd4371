// Writes the parser's seed corpus: make_parse_corpus FOLDER. Run it after a change to
// sample_frames(); it keeps files that a fuzzer found.
#include <cstdio>
#include <fstream>

#include "tests/support/parse_check.h"

int main(int argc, char** argv) {
    if (argc != 2) {
        std::fprintf(stderr, "usage: %s FOLDER\n", argv[0]);
        return 2;
    }
    for (const auto& [name, bytes] : podlane::test::sample_frames()) {
        const std::string path = std::string(argv[1]) + '/' + name;
        std::ofstream out(path, std::ios::binary);
        for (const uint8_t byte : bytes) out.put(static_cast<char>(byte));
        out.close();
        if (!out) {
            std::fprintf(stderr, "%s: cannot write %s\n", argv[0], path.c_str());
            return 1;
        }
    }
    return 0;
}
