// Load balancer addresses: telling the links that they are here, and the kernel that it can tell
// others.
#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>

#include "control/node/node_model.h"

namespace podlane::control {

namespace {

/// RFC 5227 section 1.1, ANNOUNCE_INTERVAL. The second one is for who has asked meanwhile and got
/// the answer of a node that did not know yet that it has the address no more.
constexpr uint64_t kAgainMs = 2000;

}  // namespace

void NodeModel::follow_announcements() {
    const Announcer& announcer = compiler_.announcer();
    if (announcer.version() == announcer_version_) return;
    announcer_version_ = announcer.version();
    std::set<IpAddress> here;
    std::set<IpAddress> possible;
    for (const auto& [address, announced] : announcer.addresses()) {
        if (announced.can_be) possible.insert(address);
        if (announced.is_here) here.insert(address);
        if (announced.is_here == announced_.contains(address)) continue;
        tell("addresses", NewsType::kModified, to_string(address));
        spdlog::info("address {} of Service {}: {} answers for it now", to_string(address),
                     to_string(announced.service),
                     announced.is_here        ? "this node"
                     : announced.node.empty() ? "nobody"
                                              : "node " + announced.node);
    }
    for (const IpAddress& address : here) {
        if (announced_.contains(address)) continue;
        announce_load_balancer(address);
        announce_again_[address] = now_ms_() + kAgainMs;
    }
    std::erase_if(announce_again_, [&](const auto& each) { return !here.contains(each.first); });
    announced_ = std::move(here);
    follow_routes(possible);
}

void NodeModel::announce_load_balancer(const IpAddress& address) {
    const auto covers = [&](const UplinkConfig& uplink) {
        return std::ranges::any_of(uplink.addresses, [&](const InterfaceAddress& own) {
            return own.subnet().contains(address);
        });
    };
    const bool is_on_link =
        std::ranges::any_of(uplinks_, [&](const auto& each) { return covers(*each.second); });
    for (const auto& [port, uplink] : uplinks_) {
        if (!is_on_link || covers(*uplink)) announce(port, address);
    }
}

void NodeModel::repeat_announcements(uint64_t now_ms) {
    std::erase_if(announce_again_, [&](const auto& each) {
        if (now_ms < each.second) return false;
        announce_load_balancer(each.first);
        return true;
    });
}

void NodeModel::follow_routes(const std::set<IpAddress>& wanted) {
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

}  // namespace podlane::control
