// A hash that is the same on every machine and in every release: for choices that nodes must make
// alike without talking to each other, and that outlive a restart. Not for hash tables with keys
// from strangers. Any thread.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace podlane {

/// FNV-1a, 64 bits. `hash`: the hash of the bytes before. Its upper bits depend little on the last
/// bytes, see stable_hash(); for values that must not change, such as MAC addresses made from
/// names.
[[nodiscard]] constexpr uint64_t fnv1a(std::span<const uint8_t> bytes,
                                       uint64_t hash = 0xcbf29ce484222325u) noexcept {
    for (const uint8_t byte : bytes) hash = (hash ^ byte) * 0x100000001b3u;
    return hash;
}

[[nodiscard]] inline uint64_t fnv1a(std::string_view text,
                                    uint64_t hash = 0xcbf29ce484222325u) noexcept {
    return fnv1a(std::span(reinterpret_cast<const uint8_t*>(text.data()), text.size()), hash);
}

/// FNV-1a over the bytes, then mixed (MurmurHash3's finalizer), so that each bit depends on every
/// byte. `seed`: the hash of the bytes before.
[[nodiscard]] constexpr uint64_t stable_hash(std::span<const uint8_t> bytes,
                                             uint64_t seed = 0) noexcept {
    uint64_t hash = fnv1a(bytes, 0xcbf29ce484222325u ^ seed);
    hash = (hash ^ (hash >> 33)) * 0xff51afd7ed558ccdu;
    hash = (hash ^ (hash >> 33)) * 0xc4ceb9fe1a85ec53u;
    return hash ^ (hash >> 33);
}

[[nodiscard]] inline uint64_t stable_hash(std::string_view text, uint64_t seed = 0) noexcept {
    return stable_hash(std::span(reinterpret_cast<const uint8_t*>(text.data()), text.size()), seed);
}

}  // namespace podlane
