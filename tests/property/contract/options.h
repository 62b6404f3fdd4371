// What the command line says to the tests of the contract.
#pragma once

#include <cstdint>

namespace podlane::contract {

struct Options {
    uint64_t cases = 100'000;  ///< packets for each test
    uint64_t seed = 0;         ///< of the first cluster; the next ones follow
};
inline Options options;

}  // namespace podlane::contract
