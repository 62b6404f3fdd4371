// Command line options of the contract tests.
#pragma once

#include <cstdint>

namespace podlane::contract {

struct Options {
    uint64_t cases = 100'000;  ///< packets for each test
    uint64_t seed = 0;         ///< for the first cluster; later ones count up
};
inline Options options;

}  // namespace podlane::contract
