// Names that stand for addresses: in-addr.arpa (RFC 1035 section 3.5), ip6.arpa (RFC 3596 section
// 2.5), and the Kubernetes specification's pod names with dashes. Packet's way; no allocation.
#pragma once

#include <optional>
#include <string_view>

#include "lib/base/ip_address.h"
#include "lib/dns/name.h"

namespace podlane {

/// What a name below in-addr.arpa or ip6.arpa says.
struct ReverseName {
    IpAddress address;     ///< unsaid bits are zero
    unsigned bits = 0;     ///< how many are said: all of them, for a whole address
    bool is_more = false;  ///< labels stand before it that belong to no address

    [[nodiscard]] bool is_whole() const noexcept {
        return !is_more && bits == (address.is_v4() ? 32u : 128u);
    }
};

/// None for a name of another domain.
[[nodiscard]] std::optional<ReverseName> parse_reverse_name(const DnsName& name) noexcept;

/// The bits that the labels of a reverse zone for `prefix` say: its length, to the next label.
[[nodiscard]] constexpr unsigned reverse_zone_bits(const IpPrefix& prefix) noexcept {
    const unsigned step = prefix.address.is_v4() ? 8 : 4;
    return (prefix.length + step - 1) / step * step;
}

/// "10-244-1-5" or "fd00-10--5": an address with dashes for its dots or colons. None otherwise.
[[nodiscard]] std::optional<IpAddress> parse_dashed_address(std::string_view label) noexcept;

}  // namespace podlane
