#include "control/netdev/host_rules.h"

#include <fmt/format.h>
#include <linux/fib_rules.h>
#include <linux/rtnetlink.h>
#include <netlink/errno.h>
#include <netlink/netlink.h>
#include <netlink/route/rule.h>
#include <netlink/socket.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstring>
#include <optional>
#include <utility>

#include "control/netdev/host_route.h"
#include "control/netdev/rtnl.h"
#include "control/netdev/sysctl.h"

namespace podlane::control {

namespace {

struct PutRule {
    void operator()(rtnl_rule* rule) const noexcept { rtnl_rule_put(rule); }
};
using NlRule = std::unique_ptr<rtnl_rule, PutRule>;

NlRule new_rule(int family, uint32_t preference, uint32_t table) {
    NlRule rule(rtnl_rule_alloc());
    if (!rule) return rule;
    rtnl_rule_set_family(rule.get(), family);
    rtnl_rule_set_prio(rule.get(), preference);
    rtnl_rule_set_table(rule.get(), table);
    rtnl_rule_set_action(rule.get(), FR_ACT_TO_TBL);
    return rule;
}

NlRule make_rule(const HostRule& of) {
    NlRule rule = new_rule(family_of(of.address), kHostRulePreference, kHostRuleTable);
    nl_addr* destination = of.address.is_v4()
                               ? nl_addr_build(AF_INET, &of.address.as<V4>(), sizeof(Ipv4Address))
                               : nl_addr_build(AF_INET6, &of.address.as<V6>(), sizeof(Ipv6Address));
    if (!rule || destination == nullptr) {
        nl_addr_put(destination);
        return nullptr;
    }
    rtnl_rule_set_dst(rule.get(), destination);
    nl_addr_put(destination);
    // Only packets that this kernel sends itself, not those it receives or forwards.
    rtnl_rule_set_iif(rule.get(), "lo");
    rtnl_rule_set_protocol(rule.get(), kRouteProtocol);
    rtnl_rule_set_ipproto(rule.get(), of.protocol);
    rtnl_rule_set_dport_range(rule.get(), of.first, of.last);
    return rule;
}

std::optional<IpAddress> source_of(const nl_addr* address) {
    const size_t bytes = address == nullptr ? 0 : nl_addr_get_len(address);
    if (bytes == sizeof(Ipv4Address)) {
        Ipv4Address v4;
        std::memcpy(&v4, nl_addr_get_binary_addr(address), bytes);
        return v4;
    }
    if (bytes != sizeof(Ipv6Address)) return std::nullopt;
    Ipv6Address v6;
    std::memcpy(&v6, nl_addr_get_binary_addr(address), bytes);
    return v6;
}

/// Our own next hops, which nobody has to answer for: a server's TAP has them.
IpAddress next_hop(bool v4) {
    return *parse_ip(v4 ? "169.254.1.1" : "fe80::1");
}

}  // namespace

std::vector<HostRule> merge_rules(const std::set<HostRule>& rules, size_t most) {
    const auto joined = [&](auto may_join) {
        std::vector<HostRule> out;
        for (const HostRule& rule : rules) {
            const bool same = !out.empty() && out.back().address == rule.address &&
                              out.back().protocol == rule.protocol;
            if (same && may_join(out.back(), rule)) {
                out.back().last = std::max(out.back().last, rule.last);
            } else {
                out.push_back(rule);
            }
        }
        return out;
    };
    auto out = joined([](const HostRule& a, const HostRule& b) { return b.first <= a.last + 1; });
    if (out.size() <= most) return out;
    return joined([](const HostRule&, const HostRule&) { return true; });
}

void HostRules::Close::operator()(nl_sock* socket) const noexcept {
    nl_socket_free(socket);
}

HostRules::HostRules(std::string ifname, std::vector<InterfaceAddress> addresses, MacAddress mac)
    : ifname_(std::move(ifname)), addresses_(std::move(addresses)), mac_(mac) {}

HostRules::~HostRules() {
    if (!socket_) return;
    for (const int family : {AF_INET, AF_INET6}) remove_all(family);
}

Result<void> HostRules::connect() {
    std::unique_ptr<nl_sock, Close> socket(nl_socket_alloc());
    if (!socket) return netlink_failure("netlink socket", -NLE_NOMEM);
    if (const int rc = nl_connect(socket.get(), NETLINK_ROUTE); rc < 0) {
        return netlink_failure("netlink socket", rc);
    }
    socket_ = std::move(socket);
    return {};
}

void HostRules::remove_left() noexcept {
    HostRules left({}, {}, {});
    static_cast<void>(left.connect());  // its destructor removes them
}

Result<void> HostRules::prepare() {
    if (auto done = connect(); !done.ok()) return done;
    // Answers have an address of this node, or 127.0.0.1, as their source. rp_filter 2 is the loose
    // mode, and wins over a conf.all of 1, the strict mode: the higher number counts.
    for (const auto& [key, value] :
         {std::pair("accept_local", "1"), std::pair("route_localnet", "1"),
          std::pair("rp_filter", "2")}) {
        if (auto done = write_sysctl(interface_sysctl("ipv4", ifname_, key), value); !done.ok()) {
            return done;
        }
    }
    auto rtnl = Rtnl::open();
    if (!rtnl.ok()) return rtnl.error();
    const auto link = rtnl->find_link(ifname_);
    if (!link.ok()) return link.error();
    if (!link->has_value()) return Error{"it is gone"};
    for (const bool v4 : {true, false}) {
        const auto own = std::ranges::find_if(addresses_, [&](const InterfaceAddress& each) {
            return each.address.is_v4() == v4 &&
                   !(each.address.is_v6() && each.address.as<V6>().is_link_local());
        });
        if (own == addresses_.end()) continue;
        const int family = v4 ? AF_INET : AF_INET6;
        take_over(family);
        const int ifindex = (*link)->ifindex;
        if (auto done = rtnl->add_neighbor(ifindex, next_hop(v4), mac_); !done.ok()) return done;
        const IpAddress any = v4 ? IpAddress(Ipv4Address{}) : IpAddress(Ipv6Address{});
        const KernelRoute route{.destination = {any, 0},
                                .via = next_hop(v4),
                                .onlink = true,
                                .preferred_source = own->address,
                                .protocol = kRouteProtocol,
                                .table = kHostRuleTable};
        if (auto added = rtnl->add_route(ifindex, route); !added.ok()) return added.error();
        if (auto done = move_local_behind(family); !done.ok()) return done;
    }
    return {};
}

Result<void> HostRules::set(const std::set<HostRule>& wanted) {
    if (!socket_ && wanted.empty()) return {};
    const auto failed = [&](const Error& error) {
        return Error{fmt::format("interface {}: {}", ifname_, error.message)};
    };
    if (!socket_) {
        if (auto done = prepare(); !done.ok()) return failed(done.error());
    }
    const auto merged = merge_rules(wanted, kMostRules);
    const std::set<HostRule> next(merged.begin(), merged.end());
    // New rules first, so that traffic covered by both old and new ones always has a rule.
    for (const HostRule& rule : next) {
        if (set_.contains(rule)) continue;
        if (auto done = change(rule, true); !done.ok()) return failed(done.error());
        set_.insert(rule);
    }
    for (auto at = set_.begin(); at != set_.end();) {
        if (next.contains(*at)) {
            ++at;
            continue;
        }
        if (auto done = change(*at, false); !done.ok()) return failed(done.error());
        at = set_.erase(at);
    }
    return {};
}

Result<void> HostRules::change(const HostRule& of, bool there) {
    const std::string what = fmt::format("{} rule to {} ports {}-{}", there ? "add" : "delete",
                                         to_string(of.address), of.first, of.last);
    const NlRule rule = make_rule(of);
    if (!rule) return netlink_failure(what, -NLE_NOMEM);
    const int rc = there ? rtnl_rule_add(socket_.get(), rule.get(), NLM_F_EXCL)
                         : rtnl_rule_delete(socket_.get(), rule.get(), 0);
    const bool is_so = rc == (there ? -NLE_EXIST : -NLE_OBJ_NOTFOUND);
    return rc < 0 && !is_so ? Result<void>(netlink_failure(what, rc)) : Result<void>();
}

Result<void> HostRules::move_local_behind(int family) {
    // The new place first, so that there is always a rule for the node's own addresses. If somebody
    // else moved it before, it is not marked as ours, and stays.
    const NlRule behind = new_rule(family, kLocalPreference, RT_TABLE_LOCAL);
    const NlRule first = new_rule(family, 0, RT_TABLE_LOCAL);
    if (!behind || !first) return netlink_failure("rule for local", -NLE_NOMEM);
    rtnl_rule_set_protocol(behind.get(), kRouteProtocol);
    int rc = rtnl_rule_add(socket_.get(), behind.get(), NLM_F_EXCL);
    if (rc == 0 || rc == -NLE_EXIST) rc = rtnl_rule_delete(socket_.get(), first.get(), 0);
    if (rc < 0 && rc != -NLE_OBJ_NOTFOUND) return netlink_failure("rule for local", rc);
    return {};
}

void HostRules::take_over(int family) {
    nl_cache* cache = nullptr;
    if (rtnl_rule_alloc_cache(socket_.get(), family, &cache) < 0) return;
    for (nl_object* each = nl_cache_get_first(cache); each; each = nl_cache_get_next(each)) {
        auto* rule = reinterpret_cast<rtnl_rule*>(each);
        uint8_t protocol = 0;
        HostRule left;
        if (rtnl_rule_get_family(rule) != family || rtnl_rule_get_protocol(rule, &protocol) < 0 ||
            protocol != kRouteProtocol || rtnl_rule_get_table(rule) != kHostRuleTable ||
            rtnl_rule_get_ipproto(rule, &left.protocol) < 0 ||
            rtnl_rule_get_dport(rule, &left.first, &left.last) < 0) {
            continue;
        }
        const auto address = source_of(rtnl_rule_get_dst(rule));
        if (!address) continue;
        left.address = *address;
        set_.insert(left);
    }
    nl_cache_free(cache);
}

void HostRules::remove_all(int family) noexcept {
    nl_cache* cache = nullptr;
    if (rtnl_rule_alloc_cache(socket_.get(), family, &cache) < 0) return;
    for (nl_object* each = nl_cache_get_first(cache); each; each = nl_cache_get_next(each)) {
        auto* rule = reinterpret_cast<rtnl_rule*>(each);
        if (rtnl_rule_get_family(rule) != family) continue;  // the list contains all families
        uint8_t protocol = 0;
        if (rtnl_rule_get_protocol(rule, &protocol) < 0 || protocol != kRouteProtocol) continue;
        const uint32_t table = rtnl_rule_get_table(rule);
        if (table == RT_TABLE_LOCAL) {
            const NlRule first = new_rule(family, 0, RT_TABLE_LOCAL);
            if (!first) continue;
            rtnl_rule_set_protocol(first.get(), RTPROT_KERNEL);
            const int rc = rtnl_rule_add(socket_.get(), first.get(), NLM_F_EXCL);
            if (rc < 0 && rc != -NLE_EXIST) continue;
        } else if (table != kHostRuleTable) {
            continue;
        }
        static_cast<void>(rtnl_rule_delete(socket_.get(), rule, 0));
    }
    nl_cache_free(cache);
}

}  // namespace podlane::control
