// The whole contract of Services, as a differential test: random clusters, changes and packets;
// Podlane must decide what the model expects.
//
//   tests/property/property_contract [--cases N] [--seed N]
//
// N packets for each test. A failure prints its seed, which repeats it.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <charconv>
#include <map>
#include <string_view>

#include "tests/property/contract/judge.h"
#include "tests/property/contract/options.h"
#include "tests/property/contract/subject.h"
#include "tests/support/seed.h"

namespace podlane::contract {
namespace {

/// A cluster lives for this many changes, each followed by this many packets.
constexpr unsigned kContractSteps = 20, kPackets = 50;

TEST(Contract, PodlaneDecidesAsTheModelExpects) {
    std::map<What, uint64_t> met;
    uint64_t judged = 0;
    uint64_t affinities = 0;
    for (uint64_t seed = options.seed; judged < options.cases; ++seed) {
        Subject subject(seed);
        Judge judge;
        for (unsigned step = 0; step < kContractSteps; ++step) {
            subject.step();
            for (unsigned i = 0; i < kPackets; ++i, ++judged) {
                const Packet packet = subject.packet();
                const std::string wrong = judge.compare(subject.cluster(), subject.snapshot(),
                                                        packet, subject.random().below(3));
                ASSERT_EQ(wrong, "") << "--seed " << seed << ", after change " << step;
                ++met[expect(subject.cluster(), packet).what];
            }
        }
        affinities += judge.affinities_met();
    }
    fmt::print("{} cases from seed {}:", judged, options.seed);
    for (const auto& [what, count] : met) {
        fmt::print(" {} {}%", to_string(Expected{what, {}, {}, 0, {}}), count * 100 / judged);
        EXPECT_GT(count, judged / 50) << "hardly ever met: the test is to see all that can happen";
    }
    fmt::print(", {} bound by session affinity\n", affinities);
    EXPECT_GT(affinities, judged / 1000);
    EXPECT_EQ(met.size(), 4u);
}

uint64_t number(std::string_view text) {
    uint64_t value = 0;
    std::from_chars(text.data(), text.data() + text.size(), value);
    return value;
}

}  // namespace
}  // namespace podlane::contract

int main(int argc, char** argv) {
    testing::InitGoogleTest(&argc, argv);
    podlane::contract::options.seed = podlane::test::test_seed() % 1'000'000'000;
    for (int i = 1; i + 1 < argc; i += 2) {
        const std::string_view option = argv[i];
        const uint64_t value = podlane::contract::number(argv[i + 1]);
        if (option == "--cases") podlane::contract::options.cases = value;
        if (option == "--seed") podlane::contract::options.seed = value;
    }
    return RUN_ALL_TESTS();
}
