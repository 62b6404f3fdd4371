// The hash of a flow key: 64 well-mixed bits under a secret of the table's own.
//
// Two folded 64x64->128-bit multiplications (IPv4) under secret words. Not CRC32c, although
// x86-64-v2 has it: a CRC is linear, so two keys that collide under one seed collide under every
// seed, and an attacker can fill one bucket from outside. The product is as fast and yields 64 bits
// at once, so tag and buckets are independent.
#pragma once

#include <cstdint>

#include "lib/base/family.h"
#include "lib/proto/flow_key.h"

namespace podlane {

/// A table's hash secret; drawn at start, never shown to the network.
struct HashSecret {
    uint64_t word[3];
};

/// A secret from the kernel's random numbers (getrandom(2)). With a nonzero `seed`, it is derived
/// from that alone, for tests and benchmarks that must repeat.
[[nodiscard]] HashSecret make_hash_secret(uint64_t seed = 0) noexcept;

/// Both halves of the product folded into one word.
[[nodiscard]] inline uint64_t fold_product(uint64_t a, uint64_t b) noexcept {
    __extension__ using Wide = unsigned __int128;
    const Wide product = static_cast<Wide>(a) * b;
    return static_cast<uint64_t>(product) ^ static_cast<uint64_t>(product >> 64);
}

/// Hashes a key's bytes. About ten cycles for IPv4.
template <Family F>
[[nodiscard]] inline uint64_t flow_hash(const FlowKey<F>& key, const HashSecret& secret) noexcept {
    uint64_t mixed;
    if constexpr (std::same_as<F, V4>) {
        mixed = fold_product(key.word(0) ^ secret.word[0], key.word(1) ^ secret.word[1]);
    } else {
        mixed = fold_product(key.word(0) ^ secret.word[0], key.word(1) ^ secret.word[1]) +
                fold_product(key.word(2) ^ secret.word[1], key.word(3) ^ secret.word[2]);
        mixed = fold_product(mixed ^ key.word(4), secret.word[0]);
    }
    // The first product alone leaves the low bits of a weak input weak.
    return fold_product(mixed ^ secret.word[2], 0x9e3779b97f4a7c15u);
}

}  // namespace podlane
