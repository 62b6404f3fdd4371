#include "control/netdev/link_record.h"

#include <linux/fib_rules.h>
#include <linux/if_addr.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>
#include <time.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <span>
#include <utility>

namespace podlane::control {

namespace {

using Bytes = std::span<const uint8_t>;

constexpr uint32_t kForEver = 0xffffffff;
/// The kernel counts what is left of an IPv6 route in these (USER_HZ).
constexpr uint32_t kTicksPerSecond = 100;
/// The flags of a next hop that say what to do; others say how it fares.
constexpr unsigned kAskedFlags = RTNH_F_ONLINK | RTNH_F_PERVASIVE;
constexpr uint32_t kAddressState =
    IFA_F_TENTATIVE | IFA_F_DADFAILED | IFA_F_DEPRECATED | IFA_F_PERMANENT | IFA_F_SECONDARY;

template <class T>
T read_as(Bytes bytes) {
    T value{};
    std::memcpy(&value, bytes.data(), std::min(sizeof(T), bytes.size()));
    return value;
}

template <class T>
void write_as(std::vector<uint8_t>& out, size_t at, const T& value) {
    std::memcpy(out.data() + at, &value, sizeof(T));
}

size_t header_bytes(uint16_t type) {
    switch (type) {
        case RTM_NEWADDR:
            return sizeof(ifaddrmsg);
        case RTM_NEWROUTE:
            return sizeof(rtmsg);
        case RTM_NEWNEIGH:
            return sizeof(ndmsg);
        case RTM_NEWRULE:
            return sizeof(fib_rule_hdr);
        default:
            return SIZE_MAX;
    }
}

bool is_kind(const LinkRecord& record, uint16_t type) {
    return record.type == type && record.body.size() >= header_bytes(type);
}

template <class Header>
Header header_of(const LinkRecord& record) {
    return read_as<Header>(Bytes(record.body).first(sizeof(Header)));
}

/// Calls `each(type, payload)` for each attribute.
template <class Each>
void for_attributes(Bytes rest, Each each) {
    while (rest.size() >= sizeof(rtattr)) {
        const auto head = read_as<rtattr>(rest.first(sizeof(rtattr)));
        if (head.rta_len < sizeof(rtattr) || head.rta_len > rest.size()) return;
        each(static_cast<uint16_t>(head.rta_type & NLA_TYPE_MASK),
             rest.subspan(sizeof(rtattr), head.rta_len - sizeof(rtattr)));
        rest = rest.subspan(std::min<size_t>(RTA_ALIGN(head.rta_len), rest.size()));
    }
}

template <class Each>
void for_attributes(const LinkRecord& record, Each each) {
    const size_t head = header_bytes(record.type);
    if (head <= record.body.size()) for_attributes(Bytes(record.body).subspan(head), each);
}

void add_attribute(std::vector<uint8_t>& out, uint16_t type, Bytes payload) {
    const rtattr head{static_cast<uint16_t>(sizeof(rtattr) + payload.size()), type};
    const size_t at = out.size();
    out.resize(at + RTA_ALIGN(head.rta_len));
    write_as(out, at, head);
    std::ranges::copy(payload, out.begin() + static_cast<std::ptrdiff_t>(at + sizeof(rtattr)));
}

template <class T>
void add_value(std::vector<uint8_t>& out, uint16_t type, const T& value) {
    std::array<uint8_t, sizeof(T)> bytes{};
    std::memcpy(bytes.data(), &value, sizeof(T));
    add_attribute(out, type, bytes);
}

std::string_view text_in(Bytes payload) {
    const std::string_view all(reinterpret_cast<const char*>(payload.data()), payload.size());
    return all.substr(0, all.find('\0'));
}

std::optional<IpAddress> ip_in(uint8_t family, Bytes bytes) {
    if (family == AF_INET && bytes.size() == sizeof(Ipv4Address)) {
        return read_as<Ipv4Address>(bytes);
    }
    if (family == AF_INET6 && bytes.size() == sizeof(Ipv6Address)) {
        return read_as<Ipv6Address>(bytes);
    }
    return std::nullopt;
}

/// What is left of a lifetime after `passed`.
uint32_t left_of(uint32_t lifetime, uint64_t passed) {
    return lifetime == kForEver
               ? kForEver
               : static_cast<uint32_t>(lifetime - std::min<uint64_t>(lifetime, passed));
}

/// The next hops of RTA_MULTIPATH, each with its header.
template <class Each>
void for_hops(Bytes rest, Each each) {
    while (rest.size() >= sizeof(rtnexthop)) {
        const auto head = read_as<rtnexthop>(rest.first(sizeof(rtnexthop)));
        if (head.rtnh_len < sizeof(rtnexthop) || head.rtnh_len > rest.size()) return;
        each(head, rest.subspan(sizeof(rtnexthop), head.rtnh_len - sizeof(rtnexthop)));
        rest = rest.subspan(std::min<size_t>(RTNH_ALIGN(head.rtnh_len), rest.size()));
    }
}

/// What changes an attribute of any kind to fit the other interface; false: it is as it was.
bool move_address_attribute(const LinkMove& move, uint64_t passed, uint16_t type, Bytes payload,
                            std::vector<uint8_t>& out) {
    if (type == IFA_CACHEINFO) {
        auto info = read_as<ifa_cacheinfo>(payload);
        const bool ends = info.ifa_valid != kForEver;
        info.ifa_valid = left_of(info.ifa_valid, passed);
        info.ifa_prefered = left_of(info.ifa_prefered, passed);
        if (ends) info.ifa_valid = std::max(info.ifa_valid, kLeastLifetimeSeconds);
        add_value(out, type, info);
        return true;
    }
    if (type == IFA_FLAGS) {
        const uint32_t flags = read_as<uint32_t>(payload) & ~kAddressState;
        const bool adds =
            move.skips_detection && out.front() == AF_INET6;  // the header's first byte
        add_value(out, type, flags | (adds ? uint32_t{IFA_F_NODAD} : 0));
        return true;
    }
    // A label begins with the interface's name.
    return type == IFA_LABEL && move.from != move.to.ifname;
}

bool move_route_attribute(const LinkMove& move, uint64_t passed, bool is_behind, uint16_t type,
                          Bytes payload, std::vector<uint8_t>& out) {
    switch (type) {
        case RTA_OIF:
            add_value(out, type, move.to.ifindex);
            return true;
        case RTA_PRIORITY:
            add_value(out, type, read_as<uint32_t>(payload) + (is_behind ? 1 : 0));
            return true;
        case RTA_CACHEINFO:
            if (const auto info = read_as<rta_cacheinfo>(payload); info.rta_expires > 0) {
                const auto had = static_cast<uint32_t>(info.rta_expires) / kTicksPerSecond;
                add_value(out, RTA_EXPIRES, std::max(left_of(had, passed), kLeastLifetimeSeconds));
            }
            return true;
        case RTA_MULTIPATH: {
            std::vector<uint8_t> hops;
            for_hops(payload, [&](rtnexthop head, Bytes attributes) {
                head.rtnh_ifindex = move.to.ifindex;
                head.rtnh_flags &= kAskedFlags;
                const size_t at = hops.size();
                hops.resize(at + RTNH_ALIGN(head.rtnh_len));
                write_as(hops, at, head);
                std::ranges::copy(
                    attributes, hops.begin() + static_cast<std::ptrdiff_t>(at + sizeof(rtnexthop)));
            });
            add_attribute(out, type, hops);
            return true;
        }
        default:
            // The next hop itself is given as well, and the kernel takes only one of the two.
            return type == RTA_NH_ID;
    }
}

bool move_rule_attribute(const LinkMove& move, uint16_t type, Bytes payload,
                         std::vector<uint8_t>& out) {
    if (type != FRA_IIFNAME && type != FRA_OIFNAME) return false;
    if (text_in(payload) != move.from) return false;
    const std::string& name = move.to.ifname;
    add_attribute(out, type, {reinterpret_cast<const uint8_t*>(name.c_str()), name.size() + 1});
    return true;
}

void move_header(const LinkRecord& record, const LinkMove& move, std::vector<uint8_t>& out) {
    if (record.type == RTM_NEWADDR) {
        auto head = header_of<ifaddrmsg>(record);
        head.ifa_index = static_cast<uint32_t>(move.to.ifindex);
        head.ifa_flags = 0;  // IFA_FLAGS has them all
        write_as(out, 0, head);
    } else if (record.type == RTM_NEWNEIGH) {
        auto head = header_of<ndmsg>(record);
        head.ndm_ifindex = move.to.ifindex;
        write_as(out, 0, head);
    } else if (record.type == RTM_NEWROUTE) {
        auto head = header_of<rtmsg>(record);
        head.rtm_flags &= kAskedFlags;
        write_as(out, 0, head);
    }
}

}  // namespace

uint64_t boot_seconds() {
    timespec now{};
    ::clock_gettime(CLOCK_BOOTTIME, &now);
    return static_cast<uint64_t>(now.tv_sec);
}

std::optional<AddressView> address_view(const LinkRecord& record) {
    if (!is_kind(record, RTM_NEWADDR)) return std::nullopt;
    const auto head = header_of<ifaddrmsg>(record);
    std::optional<IpAddress> own, peer;
    AddressView view;
    for_attributes(record, [&](uint16_t type, Bytes payload) {
        if (type == IFA_LOCAL) own = ip_in(head.ifa_family, payload);
        if (type == IFA_ADDRESS) peer = ip_in(head.ifa_family, payload);
        if (type == IFA_FLAGS) {
            view.is_secondary =
                head.ifa_family == AF_INET && (read_as<uint32_t>(payload) & IFA_F_SECONDARY) != 0;
        }
        if (type != IFA_CACHEINFO) return;
        const auto info = read_as<ifa_cacheinfo>(payload);
        if (info.ifa_valid != kForEver) view.valid_s = info.ifa_valid;
        if (info.ifa_prefered != kForEver) view.preferred_s = info.ifa_prefered;
    });
    if (!own) own = peer;
    if (!own) return std::nullopt;
    view.address = {*own, head.ifa_prefixlen};
    return view;
}

std::optional<RouteView> route_view(const LinkRecord& record) {
    if (!is_kind(record, RTM_NEWROUTE)) return std::nullopt;
    const auto head = header_of<rtmsg>(record);
    const uint8_t family = head.rtm_family;
    if (family != AF_INET && family != AF_INET6) return std::nullopt;
    const IpAddress any = family == AF_INET ? IpAddress(Ipv4Address{}) : IpAddress(Ipv6Address{});
    RouteView view;
    view.destination = {any, head.rtm_dst_len};
    view.table = head.rtm_table;
    view.protocol = head.rtm_protocol;
    view.type = head.rtm_type;
    for_attributes(record, [&](uint16_t type, Bytes payload) {
        if (type == RTA_DST) view.destination.address = ip_in(family, payload).value_or(any);
        if (type == RTA_SRC) view.from = {ip_in(family, payload).value_or(any), head.rtm_src_len};
        if (type == RTA_GATEWAY) view.via = ip_in(family, payload);
        if (type == RTA_PREFSRC) view.preferred_source = ip_in(family, payload);
        if (type == RTA_TABLE) view.table = read_as<uint32_t>(payload);
        if (type == RTA_PRIORITY) view.metric = read_as<uint32_t>(payload);
        if (type == RTA_OIF) view.out.push_back(read_as<int>(payload));
        if (type == RTA_MULTIPATH) {
            for_hops(payload,
                     [&](const rtnexthop& hop, Bytes) { view.out.push_back(hop.rtnh_ifindex); });
        }
        if (type == RTA_VIA && payload.size() > sizeof(uint16_t)) {
            view.via = ip_in(static_cast<uint8_t>(read_as<uint16_t>(payload)),
                             payload.subspan(sizeof(uint16_t)));
        }
        if (type == RTA_CACHEINFO) {
            const auto info = read_as<rta_cacheinfo>(payload);
            if (info.rta_expires > 0) {
                view.lasts_s = static_cast<uint32_t>(info.rta_expires) / kTicksPerSecond;
            }
        }
    });
    return view;
}

std::optional<LinkNeighbour> neighbour_view(const LinkRecord& record) {
    if (!is_kind(record, RTM_NEWNEIGH)) return std::nullopt;
    const auto head = header_of<ndmsg>(record);
    std::optional<IpAddress> address;
    LinkNeighbour view;
    bool has_mac = false;
    for_attributes(record, [&](uint16_t type, Bytes payload) {
        if (type == NDA_DST) address = ip_in(head.ndm_family, payload);
        if (type != NDA_LLADDR || payload.size() != sizeof(MacAddress)) return;
        view.mac = read_as<MacAddress>(payload);
        has_mac = true;
    });
    if (!address || !has_mac) return std::nullopt;
    view.address = *address;
    view.is_permanent = (head.ndm_state & NUD_PERMANENT) != 0;
    return view;
}

int interface_of(const LinkRecord& record) {
    if (is_kind(record, RTM_NEWADDR)) {
        return static_cast<int>(header_of<ifaddrmsg>(record).ifa_index);
    }
    return is_kind(record, RTM_NEWNEIGH) ? header_of<ndmsg>(record).ndm_ifindex : 0;
}

bool is_rule_of(const LinkRecord& record, const std::string& ifname) {
    bool names = false;
    if (!is_kind(record, RTM_NEWRULE)) return false;
    for_attributes(record, [&](uint16_t type, Bytes payload) {
        names =
            names || ((type == FRA_IIFNAME || type == FRA_OIFNAME) && text_in(payload) == ifname);
    });
    return names;
}

bool is_same_object(const LinkRecord& one, const LinkRecord& other) {
    if (one.type != other.type) return false;
    if (const auto a = address_view(one), b = address_view(other); a && b) {
        return a->address == b->address;
    }
    if (const auto a = neighbour_view(one), b = neighbour_view(other); a && b) {
        return a->address == b->address;
    }
    if (const auto a = route_view(one), b = route_view(other); a && b) {
        return a->destination == b->destination && a->from == b->from && a->table == b->table &&
               a->metric == b->metric && a->via == b->via;
    }
    return one.body == other.body;
}

std::vector<uint8_t> moved_body(const LinkRecord& record, const LinkMove& move) {
    const size_t head = header_bytes(record.type);
    if (head > record.body.size()) return {};
    std::vector<uint8_t> out(record.body.begin(),
                             record.body.begin() + static_cast<std::ptrdiff_t>(head));
    move_header(record, move, out);
    const uint64_t passed = move.now_s - std::min(move.now_s, record.taken_s);
    const auto route = route_view(record);
    const bool is_behind = route && route->protocol == RTPROT_RA && move.behind_own_ra;
    for_attributes(record, [&](uint16_t type, Bytes payload) {
        const bool is_moved =
            record.type == RTM_NEWADDR ? move_address_attribute(move, passed, type, payload, out)
            : record.type == RTM_NEWROUTE
                ? move_route_attribute(move, passed, is_behind, type, payload, out)
                : record.type == RTM_NEWRULE && move_rule_attribute(move, type, payload, out);
        if (!is_moved) add_attribute(out, type, payload);
    });
    return out;
}

}  // namespace podlane::control
