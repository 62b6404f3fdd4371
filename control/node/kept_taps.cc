#include "control/node/kept_taps.h"

#include <algorithm>
#include <utility>

#include "control/netdev/host_route.h"
#include "control/netdev/unique_fd.h"

namespace podlane::control {

KeptTapMaker::KeptTapMaker(std::string owner, PodAttacher& pods, Queues handed)
    : owner_(std::move(owner)),
      pods_(pods),
      handed_(std::move(handed)),
      leaving_(std::make_shared<Leaving>()),
      others_(pods) {}

MadeTap KeptTapMaker::made_of(KeptTap tap) const {
    return {.queue_fds = std::move(tap.queue_fds),
            .remove =
                [remove = std::move(tap.remove), was_there = tap.was_there, leaving = leaving_] {
                    if (!leaving->all && !(leaving->former && was_there)) remove();
                },
            .node_end = tap.node_end};
}

Result<MadeTap> KeptTapMaker::make_pod_tap(const PodTapRequest& request) {
    auto tap = pods_.make(request, true);
    if (!tap.ok()) return tap.error();
    return made_of(std::move(tap).value());
}

std::vector<UniqueFd> KeptTapMaker::take_handed(const std::string& netns,
                                                const std::string& ifname) {
    auto found = handed_.extract({netns, ifname});
    return found.empty() ? std::vector<UniqueFd>{} : std::move(found.mapped());
}

void KeptTapMaker::attach_ahead(std::vector<PodTapRequest> requests) {
    asked_ahead_ = std::move(requests);
    if (asked_ahead_.empty()) return;
    ahead_ = std::async(std::launch::async,
                        [this] { return pods_.attach(asked_ahead_, /*in_use=*/{}); });
}

std::vector<std::optional<KeptTap>> KeptTapMaker::take_ahead(
    const std::vector<PodTapRequest>& requests) {
    std::vector<std::optional<KeptTap>> taken(requests.size());
    if (!ahead_.valid()) return taken;
    auto attached = ahead_.get();
    for (size_t i = 0; i < attached.size(); ++i) {
        if (!attached[i].ok()) continue;  // asked for again, it has the reason
        const auto asked = std::ranges::find(requests, asked_ahead_[i]);
        if (asked != requests.end()) {
            taken[static_cast<size_t>(asked - requests.begin())] = std::move(attached[i]).value();
        } else {
            for (const int fd : attached[i]->queue_fds) static_cast<void>(UniqueFd(fd));
        }
    }
    return taken;
}

std::vector<Result<MadeTap>> KeptTapMaker::attach_pod_taps(
    const std::vector<PodTapRequest>& requests) {
    auto ahead = take_ahead(requests);
    std::vector<std::vector<UniqueFd>> queues;
    std::vector<bool> in_use;
    std::vector<PodTapRequest> left;
    for (size_t i = 0; i < requests.size(); ++i) {
        if (ahead[i]) continue;
        left.push_back(requests[i]);
        queues.push_back(take_handed(requests[i].netns_path, requests[i].ifname));
        in_use.push_back(!queues.back().empty());
    }
    auto taps = pods_.attach(left, in_use);
    for (size_t i = 0; i < taps.size(); ++i) {
        if (!taps[i].ok()) continue;
        for (UniqueFd& queue : queues[i]) taps[i]->queue_fds.push_back(queue.release());
    }
    std::vector<Result<MadeTap>> made;
    size_t next = 0;
    for (std::optional<KeptTap>& tap : ahead) {
        if (tap) {
            made.emplace_back(made_of(std::move(*tap)));
            continue;
        }
        Result<KeptTap>& attached = taps[next++];
        made.push_back(attached.ok() ? Result<MadeTap>(made_of(std::move(attached).value()))
                                     : Result<MadeTap>(attached.error()));
    }
    return made;
}

Result<MadeTap> KeptTapMaker::make_host_tap(const HostTapRequest& request) {
    HostTapRequest with_taken = request;
    with_taken.taken = taken_;
    auto tap = keep_host_tap(with_taken, owner_, take_handed("", request.ifname));
    if (!tap.ok()) return tap.error();
    move_all_to_host(taken_, {tap->ifindex, request.ifname});
    MadeTap made = made_of(std::move(tap).value());
    if (ahead_.valid()) ahead_.wait();  // one asks the other process at a time
    made.node_end = shortcut_of_host(pods_, request);
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
    // Its server ends with the process, so the TAP may end as well.
    return others_.make_server_tap(request);
}

Result<MadeTap> KeptTapMaker::make_uplink_tap(const std::string& nic, uint16_t mtu,
                                              unsigned queues) {
    return others_.make_uplink_tap(nic, mtu, queues);
}

void KeptTapMaker::leave(bool former_ones_only) noexcept {
    leaving_->former = true;
    leaving_->all = leaving_->all || !former_ones_only;
    if (leaving_->all && rules_) rules_->leave();
}

NetnsId KeptTapMaker::netns_id(const std::string& path) {
    if (ahead_.valid()) ahead_.wait();  // one asks the other process at a time
    return others_.netns_id(path);
}

}  // namespace podlane::control
