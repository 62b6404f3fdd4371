// Runs a libFuzzer target without libFuzzer, so that every build tests it: once on each file of its
// corpus, then on random mutations of them.
//
//   replay_X [--rounds N] [--seed N] FILE|FOLDER...
//
// Each input is in a heap block of its exact size. The present input is kept in a file; its name is
// printed first. After a crash the file holds the input that crashed, ready for the corpus.
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <vector>

#include "tests/support/mutate.h"
#include "tests/support/seed.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace {

using Bytes = std::vector<uint8_t>;
namespace fs = std::filesystem;

Bytes read_file(const fs::path& path) {
    std::ifstream in(path, std::ios::binary);
    return Bytes(std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>());
}

// Sorted by name, so that a seed means the same on every machine.
std::vector<fs::path> files_under(const fs::path& path) {
    std::vector<fs::path> out;
    if (!fs::is_directory(path)) return {path};
    for (const auto& entry : fs::directory_iterator(path)) {
        if (entry.is_regular_file()) out.push_back(entry.path());
    }
    std::sort(out.begin(), out.end());
    return out;
}

// Runs the target, with the present input on disk.
class Runner {
  public:
    Runner()
        : path_(fs::temp_directory_path() / ("podlane-replay-" + std::to_string(::getpid()))),
          fd_(::open(path_.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600)) {}
    Runner(const Runner&) = delete;
    Runner& operator=(const Runner&) = delete;
    ~Runner() {
        ::close(fd_);
        std::error_code ignored;
        fs::remove(path_, ignored);
    }

    [[nodiscard]] bool is_ready() const { return fd_ >= 0; }
    [[nodiscard]] const fs::path& path() const { return path_; }

    [[nodiscard]] bool run(const Bytes& input) {
        const auto bytes = static_cast<ssize_t>(input.size());
        if (::ftruncate(fd_, 0) != 0 || ::pwrite(fd_, input.data(), input.size(), 0) != bytes) {
            return false;
        }
        const auto block = std::make_unique_for_overwrite<uint8_t[]>(input.size());
        std::copy(input.begin(), input.end(), block.get());
        LLVMFuzzerTestOneInput(block.get(), input.size());
        return true;
    }

  private:
    fs::path path_;
    int fd_;
};

struct Options {
    uint64_t rounds = 20'000;
    uint64_t seed = podlane::test::test_seed();
    std::vector<fs::path> inputs;
};

Options read_options(int argc, char** argv) {
    Options out;
    for (int i = 1; i < argc; ++i) {
        const std::string argument = argv[i];
        if (argument == "--rounds" && i + 1 < argc) {
            out.rounds = std::strtoull(argv[++i], nullptr, 10);
        } else if (argument == "--seed" && i + 1 < argc) {
            out.seed = std::strtoull(argv[++i], nullptr, 10);
        } else {
            const auto files = files_under(argument);
            out.inputs.insert(out.inputs.end(), files.begin(), files.end());
        }
    }
    return out;
}

}  // namespace

int main(int argc, char** argv) {
    const Options options = read_options(argc, argv);
    std::vector<Bytes> corpus;
    for (const auto& path : options.inputs) corpus.push_back(read_file(path));
    Runner runner;
    if (corpus.empty() || !runner.is_ready()) {
        std::fprintf(stderr, "%s: no input, or no place to keep one\n", argv[0]);
        return 1;
    }
    std::printf("%zu files, %llu rounds, --seed %llu, input at work: %s\n", corpus.size(),
                static_cast<unsigned long long>(options.rounds),
                static_cast<unsigned long long>(options.seed), runner.path().c_str());
    std::fflush(stdout);

    bool kept = runner.run({});
    for (const Bytes& input : corpus) kept = runner.run(input) && kept;
    podlane::test::Random random(options.seed);
    for (uint64_t round = 0; round < options.rounds && kept; ++round) {
        const Bytes& one = corpus[random() % corpus.size()];
        const Bytes& other = corpus[random() % corpus.size()];
        kept = runner.run(podlane::test::mutated(one, other, random));
    }
    if (!kept) std::fprintf(stderr, "%s: cannot write %s\n", argv[0], runner.path().c_str());
    return kept ? 0 : 1;
}
