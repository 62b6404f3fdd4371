#include "control/netdev/rtnl.h"

#include <fmt/format.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netlink/errno.h>
#include <netlink/netlink.h>
#include <netlink/route/addr.h>
#include <netlink/route/link.h>
#include <netlink/route/link/veth.h>
#include <netlink/route/neighbour.h>
#include <netlink/route/nexthop.h>
#include <netlink/route/qdisc.h>
#include <netlink/route/route.h>
#include <netlink/route/tc.h>
#include <netlink/socket.h>

#include <cstring>

namespace podlane::control {

namespace {

/// Owns a libnl object and releases it with `Put`.
template <class T, auto Put>
struct PutObject {
    void operator()(T* object) const noexcept { Put(object); }
};
template <class T, auto Put>
using Owned = std::unique_ptr<T, PutObject<T, Put>>;

using NlAddress = Owned<nl_addr, nl_addr_put>;
using NlCache = Owned<nl_cache, nl_cache_free>;
using NlLink = Owned<rtnl_link, rtnl_link_put>;

NlAddress make_address(const IpAddress& address, unsigned length) {
    NlAddress out(address.is_v4()
                      ? nl_addr_build(AF_INET, &address.as<V4>(), sizeof(Ipv4Address))
                      : nl_addr_build(AF_INET6, &address.as<V6>(), sizeof(Ipv6Address)));
    if (out) nl_addr_set_prefixlen(out.get(), static_cast<int>(length));
    return out;
}

NlAddress make_address(const IpAddress& address) {
    return make_address(address, address.is_v4() ? V4::kAddressBits : V6::kAddressBits);
}

NlAddress make_address(const MacAddress& mac) {
    return NlAddress(nl_addr_build(AF_LLC, mac.bytes.data(), mac.bytes.size()));
}

std::optional<IpAddress> read_address(const nl_addr* address) {
    if (address == nullptr) return std::nullopt;
    const auto family = nl_addr_get_family(address);
    const auto bytes = nl_addr_get_len(address);
    const bool is_v4 = family == AF_INET;
    if ((!is_v4 && family != AF_INET6) || (bytes != 0 && bytes != (is_v4 ? 4u : 16u))) {
        return std::nullopt;
    }
    if (is_v4) {
        Ipv4Address value{};
        std::memcpy(&value, nl_addr_get_binary_addr(address), bytes);
        return IpAddress(value);
    }
    Ipv6Address value{};
    std::memcpy(&value, nl_addr_get_binary_addr(address), bytes);
    return IpAddress(value);
}

Error out_of_memory(const std::string& what) {
    return netlink_failure(what, -NLE_NOMEM);
}

}  // namespace

int family_of(const IpAddress& address) {
    return address.is_v4() ? AF_INET : AF_INET6;
}

Error netlink_failure(const std::string& what, int code) {
    return Error{fmt::format("{}: {}", what, nl_geterror(code))};
}

void Rtnl::Close::operator()(nl_sock* socket) const noexcept {
    nl_socket_free(socket);
}

Result<Rtnl> Rtnl::open() {
    Rtnl rtnl;
    rtnl.socket_.reset(nl_socket_alloc());
    if (!rtnl.socket_) return out_of_memory("netlink socket");
    const int rc = nl_connect(rtnl.socket_.get(), NETLINK_ROUTE);
    if (rc < 0) return netlink_failure("netlink socket", rc);
    return rtnl;
}

Result<std::optional<LinkInfo>> Rtnl::find_link(const std::string& ifname) {
    rtnl_link* raw = nullptr;
    const int rc = rtnl_link_get_kernel(socket_.get(), 0, ifname.c_str(), &raw);
    if (rc == -NLE_OBJ_NOTFOUND || rc == -NLE_NODEV) return std::optional<LinkInfo>{};
    if (rc < 0) return netlink_failure("look up", rc);
    const NlLink link(raw);
    LinkInfo info;
    info.ifindex = rtnl_link_get_ifindex(raw);
    if (const char* kind = rtnl_link_get_type(raw)) info.kind = kind;
    if (const nl_addr* mac = rtnl_link_get_addr(raw); mac && nl_addr_get_len(mac) == 6) {
        std::memcpy(info.mac.bytes.data(), nl_addr_get_binary_addr(mac), 6);
    }
    info.mtu = rtnl_link_get_mtu(raw);
    info.up = (rtnl_link_get_flags(raw) & IFF_UP) != 0;
    info.promiscuous = (rtnl_link_get_flags(raw) & IFF_PROMISC) != 0;
    info.carrier = rtnl_link_get_carrier(raw) != 0;
    if (const char* alias = rtnl_link_get_ifalias(raw)) info.alias = alias;
    if (info.kind == "veth") info.peer = rtnl_link_get_link(raw);
    return std::optional<LinkInfo>{info};
}

Result<std::vector<std::string>> Rtnl::link_names() {
    nl_cache* raw = nullptr;
    const int rc = rtnl_link_alloc_cache(socket_.get(), AF_UNSPEC, &raw);
    if (rc < 0) return netlink_failure("list interfaces", rc);
    const NlCache cache(raw);
    std::vector<std::string> out;
    for (nl_object* each = nl_cache_get_first(raw); each != nullptr;
         each = nl_cache_get_next(each)) {
        if (const char* name = rtnl_link_get_name(reinterpret_cast<rtnl_link*>(each))) {
            out.emplace_back(name);
        }
    }
    return out;
}

Result<void> Rtnl::change_link(const std::string& ifname, const LinkChange& change) {
    auto link = find_link(ifname);
    if (!link.ok()) return link.error();
    if (!link->has_value()) return netlink_failure("look up", -NLE_NODEV);
    return change_link((*link)->ifindex, change);
}

Result<void> Rtnl::change_link(int ifindex, const LinkChange& change) {
    const NlLink before(rtnl_link_alloc());
    const NlLink after(rtnl_link_alloc());
    if (!before || !after) return out_of_memory("change");
    // Only the index counts there: the kernel is told which flags are to change.
    rtnl_link_set_ifindex(before.get(), ifindex);
    std::string what;
    if (change.name) {
        rtnl_link_set_name(after.get(), change.name->c_str());
        what += fmt::format("name {} ", *change.name);
    }
    if (change.mac) {
        const NlAddress mac = make_address(*change.mac);
        rtnl_link_set_addr(after.get(), mac.get());  // takes its own reference
        what += fmt::format("MAC {} ", to_string(*change.mac));
    }
    if (change.mtu) {
        rtnl_link_set_mtu(after.get(), *change.mtu);
        what += fmt::format("MTU {} ", *change.mtu);
    }
    if (change.tx_queue_length) {
        rtnl_link_set_txqlen(after.get(), *change.tx_queue_length);
        what += fmt::format("txqueuelen {} ", *change.tx_queue_length);
    }
    if (change.up) {
        if (*change.up) {
            rtnl_link_set_flags(after.get(), IFF_UP);
        } else {
            rtnl_link_unset_flags(after.get(), IFF_UP);
        }
        what += *change.up ? "up " : "down ";
    }
    if (change.promiscuous) {
        if (*change.promiscuous) {
            rtnl_link_set_flags(after.get(), IFF_PROMISC);
        } else {
            rtnl_link_unset_flags(after.get(), IFF_PROMISC);
        }
        what += *change.promiscuous ? "promiscuous " : "not promiscuous ";
    }
    if (change.alias) {
        rtnl_link_set_ifalias(after.get(), change.alias->c_str());
        what += "alias ";
    }
    if (change.netns_fd) {
        rtnl_link_set_ns_fd(after.get(), *change.netns_fd);
        what += "namespace ";
    }
    const int rc = rtnl_link_change(socket_.get(), before.get(), after.get(), 0);
    if (rc < 0) return netlink_failure(fmt::format("set {}", what.substr(0, what.size() - 1)), rc);
    return {};
}

Result<void> Rtnl::delete_link(int ifindex) {
    const NlLink link(rtnl_link_alloc());
    if (!link) return out_of_memory("delete");
    rtnl_link_set_ifindex(link.get(), ifindex);
    const int rc = rtnl_link_delete(socket_.get(), link.get());
    if (rc < 0) return netlink_failure("delete", rc);
    return {};
}

Result<void> Rtnl::send_unqueued(int ifindex) {
    const Owned<rtnl_qdisc, rtnl_qdisc_put> queueing(rtnl_qdisc_alloc());
    if (!queueing) return out_of_memory("noqueue");
    rtnl_tc* const tc = TC_CAST(queueing.get());
    rtnl_tc_set_ifindex(tc, ifindex);
    rtnl_tc_set_parent(tc, TC_H_ROOT);
    int rc = rtnl_tc_set_kind(tc, "noqueue");
    if (rc >= 0) rc = rtnl_qdisc_add(socket_.get(), queueing.get(), NLM_F_CREATE | NLM_F_REPLACE);
    if (rc < 0) return netlink_failure("set noqueue", rc);
    return {};
}

Result<bool> Rtnl::has_ingress(int ifindex) {
    nl_cache* all = nullptr;
    if (const int rc = rtnl_qdisc_alloc_cache(socket_.get(), &all); rc < 0) {
        return netlink_failure("list queueing disciplines", rc);
    }
    const NlCache owned(all);
    const Owned<rtnl_qdisc, rtnl_qdisc_put> found(
        rtnl_qdisc_get_by_parent(all, ifindex, TC_H_INGRESS));
    return found != nullptr;
}

Result<void> Rtnl::remove_ingress(int ifindex) {
    const Owned<rtnl_qdisc, rtnl_qdisc_put> ingress(rtnl_qdisc_alloc());
    if (!ingress) return out_of_memory("remove programs");
    rtnl_tc_set_ifindex(TC_CAST(ingress.get()), ifindex);
    rtnl_tc_set_parent(TC_CAST(ingress.get()), TC_H_INGRESS);
    const int rc = rtnl_qdisc_delete(socket_.get(), ingress.get());
    // The kernel's word for none is EINVAL or ENOENT, by version.
    const bool is_gone = rc == -NLE_OBJ_NOTFOUND || rc == -NLE_INVAL;
    return rc < 0 && !is_gone ? netlink_failure("remove programs", rc) : Result<void>{};
}

Result<void> Rtnl::add_veth(const std::string& ifname, const std::string& peer,
                            std::optional<int> peer_netns_fd) {
    const NlLink link(rtnl_link_veth_alloc());
    if (!link) return out_of_memory("make a veth");
    const NlLink other(rtnl_link_veth_get_peer(link.get()));
    rtnl_link_set_name(link.get(), ifname.c_str());
    rtnl_link_set_name(other.get(), peer.c_str());
    if (peer_netns_fd) rtnl_link_set_ns_fd(other.get(), *peer_netns_fd);
    const int rc = rtnl_link_add(socket_.get(), link.get(), NLM_F_CREATE | NLM_F_EXCL);
    if (rc < 0) return netlink_failure("make a veth", rc);
    return {};
}

Result<void> Rtnl::add_address(int ifindex, const InterfaceAddress& address) {
    const std::string what = fmt::format("add address {}", to_string(address));
    const Owned<rtnl_addr, rtnl_addr_put> entry(rtnl_addr_alloc());
    const NlAddress local = make_address(address.address, address.length);
    if (!entry || !local) return out_of_memory(what);
    rtnl_addr_set_ifindex(entry.get(), ifindex);
    rtnl_addr_set_local(entry.get(), local.get());
    if (address.address.is_v6()) rtnl_addr_set_flags(entry.get(), IFA_F_NODAD);
    const int rc = rtnl_addr_add(socket_.get(), entry.get(), 0);
    if (rc < 0) return netlink_failure(what, rc);
    return {};
}

Result<void> Rtnl::delete_address(int ifindex, const InterfaceAddress& address) {
    const std::string what = fmt::format("delete address {}", to_string(address));
    const Owned<rtnl_addr, rtnl_addr_put> entry(rtnl_addr_alloc());
    const NlAddress local = make_address(address.address, address.length);
    if (!entry || !local) return out_of_memory(what);
    rtnl_addr_set_ifindex(entry.get(), ifindex);
    rtnl_addr_set_local(entry.get(), local.get());
    const int rc = rtnl_addr_delete(socket_.get(), entry.get(), 0);
    if (rc < 0 && rc != -NLE_NOADDR && rc != -NLE_OBJ_NOTFOUND) return netlink_failure(what, rc);
    return {};
}

Result<std::vector<InterfaceAddress>> Rtnl::addresses(int ifindex) {
    nl_cache* raw = nullptr;
    const int rc = rtnl_addr_alloc_cache(socket_.get(), &raw);
    if (rc < 0) return netlink_failure("list addresses", rc);
    const NlCache cache(raw);
    std::vector<InterfaceAddress> out;
    for (nl_object* object = nl_cache_get_first(raw); object; object = nl_cache_get_next(object)) {
        auto* entry = reinterpret_cast<rtnl_addr*>(object);
        if (rtnl_addr_get_ifindex(entry) != ifindex) continue;
        const auto address = read_address(rtnl_addr_get_local(entry));
        if (!address) continue;
        out.push_back({*address, static_cast<uint8_t>(rtnl_addr_get_prefixlen(entry))});
    }
    return out;
}

namespace {

using NlRoute = Owned<rtnl_route, rtnl_route_put>;

/// Null if out of memory.
NlRoute make_route(int ifindex, const KernelRoute& route) {
    NlRoute entry(rtnl_route_alloc());
    const NlAddress destination = make_address(route.destination.address, route.destination.length);
    Owned<rtnl_nexthop, rtnl_route_nh_free> hop(rtnl_route_nh_alloc());
    if (!entry || !destination || !hop) return nullptr;
    rtnl_route_set_family(entry.get(), static_cast<uint8_t>(family_of(route.destination.address)));
    rtnl_route_set_table(entry.get(), route.table);
    rtnl_route_set_protocol(entry.get(), route.protocol);
    rtnl_route_set_type(entry.get(), RTN_UNICAST);
    rtnl_route_set_scope(entry.get(), route.via || route.destination.address.is_v6()
                                          ? RT_SCOPE_UNIVERSE
                                          : RT_SCOPE_LINK);
    rtnl_route_set_dst(entry.get(), destination.get());
    if (route.metric != 0) rtnl_route_set_priority(entry.get(), route.metric);
    if (route.preferred_source) {
        const NlAddress source = make_address(*route.preferred_source);
        if (!source) return nullptr;
        rtnl_route_set_pref_src(entry.get(), source.get());
    }
    rtnl_route_nh_set_ifindex(hop.get(), ifindex);
    if (route.via) {
        const NlAddress gateway = make_address(*route.via);
        if (!gateway) return nullptr;
        rtnl_route_nh_set_gateway(hop.get(), gateway.get());
        if (route.onlink) rtnl_route_nh_set_flags(hop.get(), RTNH_F_ONLINK);
    }
    rtnl_route_add_nexthop(entry.get(), hop.release());  // the route owns it now
    return entry;
}

}  // namespace

Result<bool> Rtnl::add_route(int ifindex, const KernelRoute& route) {
    const std::string what = fmt::format("add route {}", to_string(route.destination));
    const NlRoute entry = make_route(ifindex, route);
    if (!entry) return out_of_memory(what);
    const int rc = rtnl_route_add(socket_.get(), entry.get(), NLM_F_EXCL);
    if (rc == -NLE_EXIST) return false;
    if (rc < 0) return netlink_failure(what, rc);
    return true;
}

Result<bool> Rtnl::delete_route(int ifindex, const KernelRoute& route) {
    const std::string what = fmt::format("delete route {}", to_string(route.destination));
    const NlRoute entry = make_route(ifindex, route);
    if (!entry) return out_of_memory(what);
    const int rc = rtnl_route_delete(socket_.get(), entry.get(), 0);
    if (rc == -NLE_OBJ_NOTFOUND) return false;
    if (rc < 0) return netlink_failure(what, rc);
    return true;
}

Result<std::vector<KernelRoute>> Rtnl::routes(int ifindex) {
    nl_cache* raw = nullptr;
    const int rc = rtnl_route_alloc_cache(socket_.get(), AF_UNSPEC, 0, &raw);
    if (rc < 0) return netlink_failure("list routes", rc);
    const NlCache cache(raw);
    std::vector<KernelRoute> out;
    for (nl_object* object = nl_cache_get_first(raw); object; object = nl_cache_get_next(object)) {
        auto* entry = reinterpret_cast<rtnl_route*>(object);
        if (rtnl_route_get_table(entry) != RT_TABLE_MAIN) continue;
        if (rtnl_route_get_nnexthops(entry) != 1) continue;
        rtnl_nexthop* hop = rtnl_route_nexthop_n(entry, 0);
        if (rtnl_route_nh_get_ifindex(hop) != ifindex) continue;
        const nl_addr* destination = rtnl_route_get_dst(entry);
        const auto address = read_address(destination);
        if (!address) continue;
        KernelRoute route;
        route.destination = {*address, static_cast<uint8_t>(nl_addr_get_prefixlen(destination))};
        route.via = read_address(rtnl_route_nh_get_gateway(hop));
        route.onlink = (rtnl_route_nh_get_flags(hop) & RTNH_F_ONLINK) != 0;
        route.preferred_source = read_address(rtnl_route_get_pref_src(entry));
        route.metric = rtnl_route_get_priority(entry);
        route.protocol = rtnl_route_get_protocol(entry);
        out.push_back(route);
    }
    return out;
}

Result<void> Rtnl::add_neighbor(int ifindex, const IpAddress& address, const MacAddress& mac) {
    const std::string what = fmt::format("add neighbour {}", to_string(address));
    const Owned<rtnl_neigh, rtnl_neigh_put> entry(rtnl_neigh_alloc());
    const NlAddress destination = make_address(address);
    const NlAddress lladdr = make_address(mac);
    if (!entry || !destination || !lladdr) return out_of_memory(what);
    rtnl_neigh_set_ifindex(entry.get(), ifindex);
    rtnl_neigh_set_state(entry.get(), NUD_PERMANENT);
    rtnl_neigh_set_dst(entry.get(), destination.get());
    rtnl_neigh_set_lladdr(entry.get(), lladdr.get());
    const int rc = rtnl_neigh_add(socket_.get(), entry.get(), NLM_F_CREATE | NLM_F_REPLACE);
    if (rc < 0) return netlink_failure(what, rc);
    return {};
}

}  // namespace podlane::control
