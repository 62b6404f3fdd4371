// An IP address of either family as plain bytes, for rings between threads and for shared tables.
#pragma once

#include <array>
#include <compare>
#include <cstdint>

#include "lib/base/ip_address.h"

namespace podlane {

/// An address of either family as plain bytes, for rings.
struct RawAddress {
    std::array<uint8_t, 16> bytes{};  ///< IPv4: the first four
    bool is_v6 = false;

    RawAddress() = default;
    RawAddress(const Ipv4Address& a) noexcept {  // NOLINT(google-explicit-constructor)
        __builtin_memcpy(bytes.data(), &a, sizeof(a));
    }
    RawAddress(const Ipv6Address& a) noexcept : bytes(a.bytes), is_v6(true) {}  // NOLINT
    [[nodiscard]] IpAddress to_ip() const noexcept {
        if (is_v6) return Ipv6Address{bytes};
        Ipv4Address a{};
        __builtin_memcpy(&a, bytes.data(), sizeof(a));
        return a;
    }
    friend auto operator<=>(const RawAddress&, const RawAddress&) noexcept = default;
    [[nodiscard]] static RawAddress from(const IpAddress& a) noexcept {
        return a.is_v4() ? RawAddress(a.as<V4>()) : RawAddress(a.as<V6>());
    }
};

}  // namespace podlane
