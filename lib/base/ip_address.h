// Addresses and prefixes of either family, for the control side: configuration, objects, text. The
// packet path uses the types of one family (family.h).
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "lib/base/family.h"

namespace podlane {

/// An IPv4 or IPv6 address. Ordered: all IPv4 before all IPv6, then numerically.
class IpAddress {
  public:
    constexpr IpAddress() noexcept : value_(Ipv4Address{}) {}
    constexpr IpAddress(Ipv4Address a) noexcept
        : value_(a) {}  // NOLINT(google-explicit-constructor)
    constexpr IpAddress(Ipv6Address a) noexcept
        : value_(a) {}  // NOLINT(google-explicit-constructor)

    [[nodiscard]] constexpr bool is_v4() const noexcept { return value_.index() == 0; }
    [[nodiscard]] constexpr bool is_v6() const noexcept { return value_.index() == 1; }
    /// The address as a type of family F; it must be of that family.
    template <Family F>
    [[nodiscard]] constexpr const typename F::Address& as() const {
        return std::get<typename F::Address>(value_);
    }
    template <Family F>
    [[nodiscard]] constexpr bool is() const noexcept {
        return std::holds_alternative<typename F::Address>(value_);
    }
    friend constexpr auto operator<=>(const IpAddress&, const IpAddress&) noexcept = default;

  private:
    std::variant<Ipv4Address, Ipv6Address> value_;
};

/// A prefix of either family; host bits are zero.
struct IpPrefix {
    IpAddress address;
    uint8_t length = 0;

    friend constexpr auto operator<=>(const IpPrefix&, const IpPrefix&) noexcept = default;
    template <Family F>
    [[nodiscard]] constexpr Prefix<F> as() const {
        return {address.as<F>(), length};
    }
    /// False for an address of the other family.
    [[nodiscard]] bool contains(const IpAddress& a) const noexcept;
};

/// An interface address: "192.168.50.1/24" keeps both the address and its subnet.
struct InterfaceAddress {
    IpAddress address;
    uint8_t length = 0;

    friend constexpr auto operator<=>(const InterfaceAddress&,
                                      const InterfaceAddress&) noexcept = default;
    [[nodiscard]] IpPrefix subnet() const noexcept;
};

/// Parses dotted quad or RFC 4291 text; no zone, no brackets, no leading zeros in a quad.
[[nodiscard]] std::optional<IpAddress> parse_ip(std::string_view text) noexcept;
/// Parses "10.0.0.0/8"; host bits must be zero.
[[nodiscard]] std::optional<IpPrefix> parse_prefix(std::string_view text) noexcept;
/// Parses "192.168.50.1/24"; host bits may be set.
[[nodiscard]] std::optional<InterfaceAddress> parse_interface_address(
    std::string_view text) noexcept;

/// RFC 5952 text for IPv6, dotted quad for IPv4.
[[nodiscard]] std::string to_string(const IpAddress& address);
[[nodiscard]] std::string to_string(const IpPrefix& prefix);
[[nodiscard]] std::string to_string(const InterfaceAddress& address);
/// "10.0.0.1:80" or "[fd00::1]:80"; port in host order.
[[nodiscard]] std::string to_string(const IpAddress& address, uint16_t port);

/// The n-th address after `base` (n added to the address as a number, wrapping).
[[nodiscard]] IpAddress address_plus(const IpAddress& base, uint64_t n) noexcept;

}  // namespace podlane
