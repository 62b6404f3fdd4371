// Big-endian integers as types, so that byte order cannot be mixed up.
//
// Wire structs are made of these. There is no implicit conversion either way: host() reads a value,
// an explicit constructor makes one.
#pragma once

#include <bit>
#include <compare>
#include <concepts>
#include <cstdint>
#include <type_traits>

namespace podlane {

/// Reverses the bytes of `value` (std::byteswap is C++23).
template <std::unsigned_integral T>
[[nodiscard]] constexpr T byte_swap(T value) noexcept {
    if constexpr (sizeof(T) == 1) {
        return value;
    } else if constexpr (sizeof(T) == 2) {
        return static_cast<T>(__builtin_bswap16(value));
    } else if constexpr (sizeof(T) == 4) {
        return __builtin_bswap32(value);
    } else {
        static_assert(sizeof(T) == 8);
        return __builtin_bswap64(value);
    }
}

/// An unsigned integer in network byte order.
template <std::unsigned_integral T>
struct BigEndian {
    T raw;  ///< the bytes as they stand on the wire

    BigEndian() = default;
    /// From a host-order value.
    explicit constexpr BigEndian(T host) noexcept : raw(convert(host)) {}
    /// From the bytes as they stand on the wire.
    [[nodiscard]] static constexpr BigEndian from_raw(T wire) noexcept {
        BigEndian value{};
        value.raw = wire;
        return value;
    }
    /// The value in host byte order.
    [[nodiscard]] constexpr T host() const noexcept { return convert(raw); }

    friend constexpr bool operator==(BigEndian, BigEndian) noexcept = default;
    friend constexpr auto operator<=>(BigEndian a, BigEndian b) noexcept {
        return a.host() <=> b.host();
    }

  private:
    static constexpr T convert(T value) noexcept {
        return std::endian::native == std::endian::big ? value : byte_swap(value);
    }
};

using be16 = BigEndian<uint16_t>;
using be32 = BigEndian<uint32_t>;
using be64 = BigEndian<uint64_t>;

static_assert(sizeof(be16) == 2 && std::is_trivially_copyable_v<be16>);
static_assert(std::is_trivially_default_constructible_v<be32>);
static_assert(std::has_unique_object_representations_v<be32>);

/// Bytes in a cache line of every machine we run on. Fixed, so that layouts do not depend on flags.
inline constexpr std::size_t kCacheLine = 64;

}  // namespace podlane
