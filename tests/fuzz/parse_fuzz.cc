// Fuzz target: the frame parser, and all that the packet path does with the frames it accepts.
#include <cstdio>
#include <cstdlib>

#include "tests/support/parse_check.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    const std::span<const uint8_t> frame(data, size);
    const std::string wrong = podlane::test::check_parse(frame);
    if (!wrong.empty()) {
        std::fprintf(stderr, "%s: %s\n", wrong.c_str(), podlane::test::describe(frame).c_str());
        std::abort();
    }
    return 0;
}
