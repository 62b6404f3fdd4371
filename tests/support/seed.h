// The seed of a test with random inputs: PODLANE_TEST_SEED to repeat a failure, else a new one.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <random>

namespace podlane::test {

/// Print it where the test fails: SCOPED_TRACE("PODLANE_TEST_SEED=" + std::to_string(seed)).
[[nodiscard]] inline uint64_t test_seed() {
    if (const char* given = std::getenv("PODLANE_TEST_SEED")) {
        return std::strtoull(given, nullptr, 10);
    }
    return std::random_device{}();
}

}  // namespace podlane::test
