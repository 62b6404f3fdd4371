// Random damage to bytes, as networks and attackers do it: for property tests and fuzz replays.
#pragma once

#include <cstdint>
#include <random>
#include <span>
#include <vector>

namespace podlane::test {

using Random = std::mt19937_64;

/// A copy of `input` with one to eight changes: bits, bytes, special values in one or two bytes,
/// pieces removed, repeated or taken from `other`, the end cut off. At most 64 bytes more than
/// twice the input.
[[nodiscard]] std::vector<uint8_t> mutated(std::span<const uint8_t> input,
                                           std::span<const uint8_t> other, Random& random);

}  // namespace podlane::test
