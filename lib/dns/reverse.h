// Names that stand for addresses: in-addr.arpa (RFC 1035 section 3.5), ip6.arpa (RFC 3596 section
// 2.5), and the Kubernetes specification's pod names with dashes. For the packet path; no
// allocation.
#pragma once

#include <optional>
#include <string_view>

#include "lib/base/ip_address.h"
#include "lib/dns/name.h"

namespace podlane {

/// What a name below in-addr.arpa or ip6.arpa stands for.
struct ReverseName {
    IpAddress address;     ///< bits not in the name are zero
    unsigned bits = 0;     ///< how many bits the name has; all of them for a whole address
    bool is_more = false;  ///< there are labels in front that belong to no address

    [[nodiscard]] bool is_whole() const noexcept {
        return !is_more && bits == (address.is_v4() ? 32u : 128u);
    }
};

/// None for a name in another domain.
[[nodiscard]] std::optional<ReverseName> parse_reverse_name(const DnsName& name) noexcept;

/// How many address bits the labels of a reverse zone for `prefix` hold: its length, rounded up to
/// whole labels.
[[nodiscard]] constexpr unsigned reverse_zone_bits(const IpPrefix& prefix) noexcept {
    const unsigned step = prefix.address.is_v4() ? 8 : 4;
    return (prefix.length + step - 1) / step * step;
}

/// An address from a label such as "10-244-1-5" or "fd00-10--5", with dashes for dots or colons;
/// none for another label.
[[nodiscard]] std::optional<IpAddress> parse_dashed_address(std::string_view label) noexcept;

}  // namespace podlane
