// A worker and its pipeline against the model: frames of random connections, and what comes out.
#include "tests/property/contract/pipeline.h"

#include <fmt/format.h>

#include "tests/property/contract/options.h"

namespace podlane::contract {
namespace {

/// A cluster lives for this many changes, each followed by this many new connections, and by this
/// many packets of earlier ones.
constexpr unsigned kPipelineSteps = 20, kOpened = 20, kContinued = 10;

TEST(Contract, TheWorkersFramesAreWhatTheModelExpects) {
    uint64_t judged = 0, continued = 0, repicked = 0, untold = 0;
    for (uint64_t seed = options.seed; judged < options.cases; ++seed) {
        Subject subject(seed);
        Pipeline pipeline(subject);
        for (unsigned step = 0; step < kPipelineSteps; ++step) {
            subject.step();
            pipeline.follow();
            for (unsigned i = 0; i < kOpened + kContinued; ++i) {
                const bool is_new = i >= kContinued;
                const auto wrong = is_new ? pipeline.open(subject.packet()) : pipeline.go_on();
                ASSERT_EQ(wrong.value_or(""), "")
                    << "--seed " << seed << ", after change " << step << (is_new ? "" : ", later");
                judged += wrong.has_value();
                continued += wrong.has_value() && !is_new;
            }
        }
        repicked += pipeline.repicked();
        untold += pipeline.untold();
    }
    fmt::print(
        "{} packets through the worker from seed {}: {} of connections that there were, {} "
        "datagram flows got another endpoint, {} refusals over the limit of ICMP errors\n",
        judged, options.seed, continued, repicked, untold);
    EXPECT_LT(untold, judged / 4);
    EXPECT_GT(continued, judged / 5);
    EXPECT_GT(repicked, judged / 1000);
}

/// Between two packets the workers are stopped once in so many times.
constexpr unsigned kRestartOneIn = 6;

TEST(Contract, ConnectionsAreWhatTheModelExpectsOverRestarts) {
    uint64_t judged = 0, continued = 0, restarts = 0;
    for (uint64_t seed = options.seed; judged < options.cases / 10; ++seed) {
        Subject subject(seed);
        Pipeline pipeline(subject);
        for (unsigned step = 0; step < kPipelineSteps; ++step) {
            subject.step();
            pipeline.follow();
            for (unsigned i = 0; i < kOpened + kContinued; ++i) {
                if (subject.random().below(kRestartOneIn) == 0) {
                    pipeline.restart();
                    ++restarts;
                }
                const bool is_new = i % 2 == 0;
                const auto wrong = is_new ? pipeline.open(subject.packet()) : pipeline.go_on();
                ASSERT_EQ(wrong.value_or(""), "")
                    << "--seed " << seed << ", after change " << step << ", restart " << restarts
                    << (is_new ? "" : ", later");
                judged += wrong.has_value();
                continued += wrong.has_value() && !is_new;
            }
        }
    }
    fmt::print("{} packets, {} of connections that there were, over {} restarts, from seed {}\n",
               judged, continued, restarts, options.seed);
    EXPECT_GT(continued, judged / 5);
    EXPECT_GT(restarts, judged / 20);
}

}  // namespace
}  // namespace podlane::contract
