// What the kernel has configured on a network interface (addresses, routes, permanent neighbours,
// rules that name it), as the netlink messages themselves: what is put back has every attribute,
// also those that nothing here knows.
//
// The guard of uplink interfaces takes them, the maker of the host interface moves them there
// (link_objects.h). Control thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "lib/base/ip_address.h"
#include "lib/base/mac.h"

namespace podlane::control {

/// An interface by its number and its name, which a rule has.
struct LinkPlace {
    int ifindex = 0;
    std::string ifname;

    friend bool operator==(const LinkPlace&, const LinkPlace&) = default;
};

/// One message of the kernel, without its netlink header.
struct LinkRecord {
    uint16_t type = 0;          ///< RTM_NEWADDR, RTM_NEWROUTE, RTM_NEWNEIGH or RTM_NEWRULE
    uint64_t taken_s = 0;       ///< when it was read, on boot_seconds(): lifetimes count from there
    std::vector<uint8_t> body;  ///< the family's header and attributes

    friend bool operator==(const LinkRecord&, const LinkRecord&) = default;
};

/// An address as a record has it. Lifetimes are those when it was read.
struct AddressView {
    InterfaceAddress address;
    std::optional<uint32_t> valid_s;      ///< none: for ever
    std::optional<uint32_t> preferred_s;  ///< the same
    bool is_secondary = false;            ///< another one of its subnet comes before it (IPv4)
};

struct RouteView {
    IpPrefix destination;
    std::optional<IpPrefix> from;               ///< of a route for some sources only (IPv6)
    std::optional<IpAddress> via;               ///< none: on the link, or several next hops
    std::optional<IpAddress> preferred_source;  ///< `src`
    uint32_t table = 0;
    uint32_t metric = 0;
    uint8_t protocol = 0;
    uint8_t type = 0;                 ///< RTN_*
    std::vector<int> out;             ///< indexes of the interfaces by which it leads
    std::optional<uint32_t> lasts_s;  ///< of a route that expires, when it was read
};

struct LinkNeighbour {
    IpAddress address;
    MacAddress mac{};
    bool is_permanent = false;
};

/// Seconds since the machine was booted, sleep included.
[[nodiscard]] uint64_t boot_seconds();

/// None if the record is of another kind, or is damaged.
[[nodiscard]] std::optional<AddressView> address_view(const LinkRecord& record);
[[nodiscard]] std::optional<RouteView> route_view(const LinkRecord& record);
[[nodiscard]] std::optional<LinkNeighbour> neighbour_view(const LinkRecord& record);
/// The interface of an address or a neighbour; 0 for other kinds.
[[nodiscard]] int interface_of(const LinkRecord& record);
/// Whether it is a rule for packets from or to the interface.
[[nodiscard]] bool is_rule_of(const LinkRecord& record, const std::string& ifname);
/// Whether both are the same object, though lifetimes and counters may differ.
[[nodiscard]] bool is_same_object(const LinkRecord& one, const LinkRecord& other);

/// How to change a record on its way to the kernel.
struct LinkMove {
    std::string from;  ///< the interface's name, as rules and labels have it
    LinkPlace to;
    uint64_t now_s = 0;          ///< boot_seconds(): what has passed of lifetimes is taken off
    bool behind_own_ra = false;  ///< routes by router advertisements give way to the kernel's own
    bool skips_detection =
        false;  ///< IPv6 addresses are usable at once, without a search for others
};

/// The body of the message that makes the object on the other interface. An address or route whose
/// time is over lasts kLeastLifetimeSeconds: whoever renews it has that long to do so.
[[nodiscard]] std::vector<uint8_t> moved_body(const LinkRecord& record, const LinkMove& move);
inline constexpr uint32_t kLeastLifetimeSeconds = 60;

/// In the words of ip(8): "default via 192.0.2.1 metric 100".
[[nodiscard]] std::string to_text(const LinkRecord& record);

}  // namespace podlane::control
