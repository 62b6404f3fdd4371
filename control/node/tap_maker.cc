#include "control/node/tap_maker.h"

#include <spdlog/spdlog.h>

#include <memory>
#include <utility>

#include "control/netdev/host_route.h"
#include "control/netdev/netns.h"

namespace podlane::control {

namespace {

MadeTap taken_over(TapDevice device) {
    const auto shared = std::make_shared<TapDevice>(std::move(device));
    return {.queue_fds = shared->release_queue_fds(), .remove = [shared] { shared->remove(); }};
}

}  // namespace

Result<MadeTap> KernelTapMaker::make_pod_tap(const PodTapRequest& request) {
    auto tap = pods_.make(request, false);
    if (!tap.ok()) return tap.error();
    return MadeTap{.queue_fds = std::move(tap->queue_fds),
                   .remove = std::move(tap->remove),
                   .node_end = tap->node_end};
}

Result<MadeTap> KernelTapMaker::make_host_tap(const HostTapRequest& request) {
    HostTapRequest with_taken = request;
    with_taken.taken = taken_;
    auto device = create_host_tap(with_taken);
    if (!device.ok()) return device.error();
    move_all_to_host(taken_, {device->ifindex(), request.ifname});
    MadeTap made = taken_over(std::move(device).value());
    made.node_end = shortcut_of_host(pods_, request);
    made.set_route = [ifname = request.ifname](const IpAddress& address, bool there) {
        return set_host_route(ifname, address, there);
    };
    if (request.routers.empty()) return made;
    // Gateways of both families have the workers' MAC address.
    const auto rules =
        std::make_shared<HostRules>(request.ifname, request.addresses, request.routers.front().mac);
    made.set_rules = [rules](const std::set<HostRule>& wanted) { return rules->set(wanted); };
    return made;
}

int shortcut_of_host(PodAttacher& pods, const HostTapRequest& request) {
    const auto done = pods.host(request.ifname, request.shortcut);
    if (done.ok()) return *done;
    spdlog::warn("interface {}: {}; podlaned carries what the node says to pods", request.ifname,
                 done.error().message);
    return 0;
}

void move_all_to_host(const std::vector<TakenLink>& taken, const LinkPlace& host) {
    for (const TakenLink& link : taken) {
        for (const std::string& failure : move_to_host(link, host)) {
            spdlog::warn("interface {}: not moved to {}: {}", link.place.ifname, host.ifname,
                         failure);
        }
    }
}

Result<MadeServerTap> KernelTapMaker::make_server_tap(const ServerTapRequest& request) {
    auto netns = new_network_namespace();
    if (!netns.ok()) return netns.error();
    const std::string path = namespace_path(*netns);
    auto device = create_server_tap(path, request);
    if (!device.ok()) return device.error();
    MadeServerTap made{taken_over(std::move(device).value()), path};
    made.tap.remove = [remove = std::move(made.tap.remove),
                       held = std::make_shared<UniqueFd>(std::move(netns).value())] {
        remove();
        held->reset();
    };
    return made;
}

Result<MadeTap> KernelTapMaker::make_uplink_tap(const std::string& nic, uint16_t mtu,
                                                unsigned queues) {
    auto tap = pods_.uplink(nic, mtu, queues);
    if (!tap.ok()) return tap.error();
    return MadeTap{.queue_fds = std::move(tap->queue_fds), .node_end = tap->ifindex};
}

NetnsId KernelTapMaker::netns_id(const std::string& path) {
    bool is_hidden = false;
    const NetnsId seen = control::netns_id(path, &is_hidden);
    return is_hidden ? pods_.netns_id(path) : seen;
}

}  // namespace podlane::control
