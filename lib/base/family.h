// The address families as types: everything on the packet path that differs between IPv4 and IPv6
// is a template over V4 or V6.
#pragma once

#include <array>
#include <compare>
#include <concepts>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include "lib/base/bytes.h"

namespace podlane {

/// An IPv4 address in wire order.
struct Ipv4Address {
    be32 value;

    friend constexpr auto operator<=>(const Ipv4Address&, const Ipv4Address&) noexcept = default;

    [[nodiscard]] constexpr bool is_zero() const noexcept { return value.raw == 0; }
    /// 224.0.0.0/4, RFC 5771.
    [[nodiscard]] constexpr bool is_multicast() const noexcept {
        return (value.host() >> 28) == 0xe;
    }
    [[nodiscard]] constexpr bool is_loopback() const noexcept {
        return (value.host() >> 24) == 127;
    }
    /// 169.254.0.0/16, RFC 3927.
    [[nodiscard]] constexpr bool is_link_local() const noexcept {
        return (value.host() >> 16) == 0xa9fe;
    }
    /// The address with all but its first `length` bits cleared; 0 <= length <= 32.
    [[nodiscard]] constexpr Ipv4Address masked(unsigned length) const noexcept {
        const uint32_t mask = length == 0 ? 0 : ~uint32_t{0} << (32 - length);
        return {be32(value.host() & mask)};
    }
};

/// An IPv6 address in wire order.
struct Ipv6Address {
    std::array<uint8_t, 16> bytes;

    friend constexpr auto operator<=>(const Ipv6Address&, const Ipv6Address&) noexcept = default;

    [[nodiscard]] constexpr bool is_zero() const noexcept { return *this == Ipv6Address{}; }
    [[nodiscard]] constexpr bool is_multicast() const noexcept { return bytes[0] == 0xff; }
    [[nodiscard]] constexpr bool is_loopback() const noexcept {
        Ipv6Address one{};
        one.bytes[15] = 1;
        return *this == one;
    }
    /// fe80::/10, RFC 4291 section 2.5.6.
    [[nodiscard]] constexpr bool is_link_local() const noexcept {
        return bytes[0] == 0xfe && (bytes[1] & 0xc0) == 0x80;
    }
    /// The address with all but its first `length` bits cleared; 0 <= length <= 128.
    [[nodiscard]] constexpr Ipv6Address masked(unsigned length) const noexcept {
        Ipv6Address out{};
        for (unsigned i = 0; i < 16; ++i) {
            const unsigned bits = length > i * 8 ? (length - i * 8 < 8 ? length - i * 8 : 8) : 0;
            out.bytes[i] = static_cast<uint8_t>(bytes[i] & static_cast<uint8_t>(0xff00u >> bits));
        }
        return out;
    }
};
static_assert(sizeof(Ipv4Address) == 4 && std::has_unique_object_representations_v<Ipv4Address>);
static_assert(sizeof(Ipv6Address) == 16 && std::has_unique_object_representations_v<Ipv6Address>);

/// IPv4's constants.
struct V4 {
    using Address = Ipv4Address;
    static constexpr int kVersion = 4;
    static constexpr uint16_t kEtherType = 0x0800;
    static constexpr unsigned kAddressBits = 32;
    static constexpr unsigned kMinHeaderBytes = 20;  // without options
    static constexpr uint8_t kIcmpProtocol = 1;
    static constexpr const char* kName = "ipv4";
};

/// IPv6's constants.
struct V6 {
    using Address = Ipv6Address;
    static constexpr int kVersion = 6;
    static constexpr uint16_t kEtherType = 0x86dd;
    static constexpr unsigned kAddressBits = 128;
    static constexpr unsigned kMinHeaderBytes = 40;  // without extension headers
    static constexpr uint8_t kIcmpProtocol = 58;
    static constexpr const char* kName = "ipv6";
};

template <class F>
concept Family = std::same_as<F, V4> || std::same_as<F, V6>;

/// An address prefix of one family; bits beyond `length` are zero.
template <Family F>
struct Prefix {
    typename F::Address address;
    uint8_t length;

    friend constexpr auto operator<=>(const Prefix&, const Prefix&) noexcept = default;
    [[nodiscard]] constexpr bool contains(const typename F::Address& a) const noexcept {
        return a.masked(length) == address;
    }
};

}  // namespace podlane
