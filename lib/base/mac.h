// An Ethernet MAC address and its text form.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>

namespace podlane {

/// A 48-bit MAC address, bytes in wire order.
struct MacAddress {
    std::array<uint8_t, 6> bytes;

    friend constexpr auto operator<=>(const MacAddress&, const MacAddress&) noexcept = default;

    [[nodiscard]] constexpr bool is_multicast() const noexcept { return (bytes[0] & 1) != 0; }
    [[nodiscard]] constexpr bool is_zero() const noexcept { return *this == MacAddress{}; }
    /// The six bytes as a number, the first one lowest: for hashing, comparing and table keys.
    [[nodiscard]] constexpr uint64_t as_u64() const noexcept {
        // Two numbers: six bytes written one by one could not be read back as one word at once.
        const auto number = [this](unsigned from, unsigned count) {
            uint64_t value = 0;
            for (unsigned i = 0; i < count; ++i) value |= uint64_t{bytes[from + i]} << (8 * i);
            return value;
        };
        return number(0, 4) | number(4, 2) << 32;
    }
};
static_assert(sizeof(MacAddress) == 6);

inline constexpr MacAddress kBroadcastMac{{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}};

/// Parses "02:42:ac:11:00:02" (either case); nothing else is a MAC address.
[[nodiscard]] std::optional<MacAddress> parse_mac(std::string_view text) noexcept;

/// "02:42:ac:11:00:02".
[[nodiscard]] std::string to_string(const MacAddress& mac);

}  // namespace podlane
