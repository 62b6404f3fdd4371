// Ranges of addresses, as the pools of LoadBalancer Services are written: "192.168.50.200/29" or
// "192.168.50.200-192.168.50.220". Plain values; the configuration and the allocator use them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "lib/base/ip_address.h"

namespace podlane::control {

/// Addresses of one family, both ends included; first <= last.
struct AddressRange {
    IpAddress first;
    IpAddress last;

    friend constexpr auto operator<=>(const AddressRange&, const AddressRange&) noexcept = default;
    [[nodiscard]] bool contains(const IpAddress& address) const noexcept {
        return first.is_v4() == address.is_v4() && first <= address && address <= last;
    }
    [[nodiscard]] bool overlaps(const AddressRange& other) const noexcept {
        return first.is_v4() == other.first.is_v4() && first <= other.last && other.first <= last;
    }
    /// The number of addresses, at most 2^31, which is far more than there can be Services.
    [[nodiscard]] uint64_t count() const noexcept;
};

/// All addresses of the prefix.
[[nodiscard]] AddressRange range_of(const IpPrefix& prefix) noexcept;

/// A prefix without bits behind its length, "FIRST-LAST", or one address.
[[nodiscard]] std::optional<AddressRange> parse_address_range(std::string_view text) noexcept;

/// "FIRST-LAST", or the address if there is only one.
[[nodiscard]] std::string to_string(const AddressRange& range);

}  // namespace podlane::control
