#include "control/node/announcements.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>

#include "control/node/own_frontends.h"

namespace podlane::control {

namespace {

/// RFC 5227 section 1.1: ANNOUNCE_NUM and ANNOUNCE_INTERVAL. The second announcement is for links
/// that were not up yet at the first one, and for hosts that asked in between and got an answer
/// from a node that did not know yet that it no longer has the address.
constexpr unsigned kAnnouncements = 2;
constexpr uint64_t kAgainMs = 2000;

Command announcement(CommandKind kind, PortId port, const MacAddress& mac,
                     const IpAddress& address) {
    Command command;
    command.kind = kind;
    command.port = port;
    command.our_mac = mac;
    command.address = RawAddress::from(address);
    command.source = command.address;
    return command;
}

}  // namespace

void Announcements::set_kernel(SetRoute set_route, SetRules set_rules) {
    set_route_ = std::move(set_route);
    set_rules_ = std::move(set_rules);
}

void Announcements::announce(PortId port, const IpAddress& address) const {
    const MacAddress mac = dataplane_.current()->port(port).mac;
    (void)dataplane_.command(announcement(CommandKind::kAnnounce, port, mac, address));
}

void Announcements::announce_own(uint64_t now_ms) {
    ++own_announced_;
    own_again_ms_ = now_ms + kAgainMs;
    for (const auto& [port, uplink] : links_.uplinks()) {
        for (const InterfaceAddress& own : uplink->addresses) announce(port, own.address);
    }
}

bool Announcements::announce_pod(PortId port, const MacAddress& mac,
                                 const std::vector<IpAddress>& addresses) const {
    bool all_told = true;
    for (const IpAddress& address : addresses) {
        all_told &= dataplane_.command(announcement(CommandKind::kAnnouncePod, port, mac, address));
    }
    return all_told;
}

void Announcements::tick(uint64_t now_ms) {
    const bool has_begun = own_announced_ > 0;
    if (has_begun && own_announced_ < kAnnouncements && now_ms >= own_again_ms_) {
        announce_own(now_ms);
    }
    std::erase_if(again_, [&](const auto& each) {
        if (now_ms < each.second) return false;
        announce_load_balancer(each.first);
        return true;
    });
}

std::vector<Announcements::Moved> Announcements::follow(const Announcer& announcer,
                                                        uint64_t now_ms) {
    std::vector<Moved> moved;
    if (announcer.version() == announcer_version_) return moved;
    announcer_version_ = announcer.version();
    std::set<IpAddress> here, possible;
    for (const auto& [address, announced] : announcer.addresses()) {
        if (announced.can_be) possible.insert(address);
        if (announced.is_here) here.insert(address);
        if (announced.is_here == here_.contains(address)) continue;
        moved.push_back({address, to_string(announced.service),
                         (announced.is_here        ? "this node"
                          : announced.node.empty() ? "no node"
                                                   : "node " + announced.node) +
                             " answers for it now"});
        spdlog::info("address {} of Service {}: {}", to_string(address), moved.back().service,
                     moved.back().text);
    }
    for (const IpAddress& address : here) {
        if (here_.contains(address)) continue;
        announce_load_balancer(address);
        again_[address] = now_ms + kAgainMs;
    }
    std::erase_if(again_, [&](const auto& each) { return !here.contains(each.first); });
    here_ = std::move(here);
    follow_routes(possible);
    return moved;
}

void Announcements::announce_load_balancer(const IpAddress& address) const {
    const auto covers = [&](const UplinkConfig& uplink) {
        return std::ranges::any_of(uplink.addresses, [&](const InterfaceAddress& own) {
            return own.subnet().contains(address);
        });
    };
    const bool is_on_link = std::ranges::any_of(
        links_.uplinks(), [&](const auto& each) { return covers(*each.second); });
    for (const auto& [port, uplink] : links_.uplinks()) {
        if (!is_on_link || covers(*uplink)) announce(port, address);
    }
}

void Announcements::follow_routes(const std::set<IpAddress>& wanted) {
    if (!set_route_) return;
    const auto change = [this](const IpAddress& address, bool there) {
        const auto done = set_route_(address, there);
        if (!done.ok()) spdlog::warn("{}", done.error().message);
        return done.ok();
    };
    std::erase_if(routed_, [&](const IpAddress& address) {
        return !wanted.contains(address) && change(address, false);
    });
    for (const IpAddress& address : wanted) {
        if (!routed_.contains(address) && change(address, true)) routed_.insert(address);
    }
}

void Announcements::follow_own_frontends(const ServiceCompiler& services, const Snapshot& live) {
    if (!set_rules_ || services.external_epoch() == external_epoch_) return;
    external_epoch_ = services.external_epoch();
    const auto done = set_rules_(own_frontends(services, live));
    if (done.ok()) return;
    spdlog::warn("processes on the node do not reach Services at its own addresses: {}",
                 done.error().message);
}

}  // namespace podlane::control
