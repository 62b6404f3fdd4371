#include "control/node/kept_taps.h"

#include <algorithm>
#include <atomic>
#include <system_error>
#include <thread>
#include <utility>

#include "control/netdev/host_route.h"

namespace podlane::control {

namespace {

/// Threads that attach to TAPs: most of it is waiting for the kernel.
constexpr size_t kAtOnce = 8;

}  // namespace

KeptTapMaker::KeptTapMaker(std::string owner, Queues handed)
    : owner_(std::move(owner)), handed_(std::move(handed)), leaving_(std::make_shared<Leaving>()) {}

MadeTap KeptTapMaker::made_of(KeptTap tap) const {
    return {std::move(tap.queue_fds),
            [remove = std::move(tap.remove), was_there = tap.was_there, leaving = leaving_] {
                if (!leaving->all && !(leaving->former && was_there)) remove();
            }};
}

Result<MadeTap> KeptTapMaker::make_pod_tap(const PodTapRequest& request) {
    auto tap = keep_pod_tap(request, owner_);
    if (!tap.ok()) return tap.error();
    return made_of(std::move(tap).value());
}

std::vector<UniqueFd> KeptTapMaker::take_handed(const std::string& netns,
                                                const std::string& ifname) {
    auto found = handed_.extract({netns, ifname});
    return found.empty() ? std::vector<UniqueFd>{} : std::move(found.mapped());
}

std::vector<Result<MadeTap>> KeptTapMaker::attach_pod_taps(
    const std::vector<PodTapRequest>& requests) {
    std::vector<std::vector<UniqueFd>> queues;
    for (const PodTapRequest& each : requests) {
        queues.push_back(take_handed(each.netns_path, each.ifname));
    }
    std::vector<Result<KeptTap>> taps(requests.size(), Error{"not attached"});
    std::atomic<size_t> next{0};
    const auto work = [&] {
        for (size_t i = next++; i < requests.size(); i = next++) {
            taps[i] = attach_pod_tap(requests[i], owner_, std::move(queues[i]));
        }
    };
    std::vector<std::thread> helpers;
    try {
        while (helpers.size() + 1 < std::min(kAtOnce, requests.size())) helpers.emplace_back(work);
    } catch (const std::system_error&) {
        // Fewer do as well.
    }
    work();
    for (std::thread& helper : helpers) helper.join();
    std::vector<Result<MadeTap>> made;
    for (Result<KeptTap>& tap : taps) {
        if (tap.ok()) {
            made.emplace_back(made_of(std::move(tap).value()));
        } else {
            made.emplace_back(tap.error());
        }
    }
    return made;
}

Result<MadeTap> KeptTapMaker::make_host_tap(const HostTapRequest& request) {
    auto tap = keep_host_tap(request, owner_, take_handed("", request.ifname));
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

}  // namespace podlane::control
