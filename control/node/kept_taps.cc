#include "control/node/kept_taps.h"

#include <utility>

#include "control/netdev/host_route.h"

namespace podlane::control {

KeptTapMaker::KeptTapMaker(std::string owner, PodAttacher& pods)
    : owner_(std::move(owner)), pods_(pods), leaving_(std::make_shared<Leaving>()), others_(pods) {}

MadeTap KeptTapMaker::made_of(KeptTap tap) const {
    return {std::move(tap.queue_fds),
            [remove = std::move(tap.remove), was_there = tap.was_there, leaving = leaving_] {
                if (!leaving->all && !(leaving->former && was_there)) remove();
            }};
}

Result<MadeTap> KeptTapMaker::make_pod_tap(const PodTapRequest& request) {
    auto tap = pods_.make(request, true);
    if (!tap.ok()) return tap.error();
    return made_of(std::move(tap).value());
}

std::vector<Result<MadeTap>> KeptTapMaker::attach_pod_taps(
    const std::vector<PodTapRequest>& requests) {
    std::vector<Result<MadeTap>> made;
    for (Result<KeptTap>& tap : pods_.attach(requests)) {
        if (tap.ok()) {
            made.emplace_back(made_of(std::move(tap).value()));
        } else {
            made.emplace_back(tap.error());
        }
    }
    return made;
}

Result<MadeTap> KeptTapMaker::make_host_tap(const HostTapRequest& request) {
    auto tap = keep_host_tap(request, owner_);
    if (!tap.ok()) return tap.error();
    MadeTap made = made_of(std::move(tap).value());
    made.set_route = [ifname = request.ifname](const IpAddress& address, bool there) {
        return set_host_route(ifname, address, there);
    };
    if (request.routers.empty()) return made;
    rules_ =
        std::make_shared<HostRules>(request.ifname, request.addresses, request.routers.front().mac);
    made.set_rules = [rules = rules_](const std::set<HostRule>& wanted) {
        return rules->set(wanted);
    };
    return made;
}

Result<MadeServerTap> KeptTapMaker::make_server_tap(const ServerTapRequest& request) {
    // What it serves ends with the process, and so may it.
    return others_.make_server_tap(request);
}

void KeptTapMaker::leave(bool former_ones_only) noexcept {
    leaving_->former = true;
    leaving_->all = leaving_->all || !former_ones_only;
    if (leaving_->all && rules_) rules_->leave();
}

NetnsId KeptTapMaker::netns_id(const std::string& path) {
    return others_.netns_id(path);
}

}  // namespace podlane::control
