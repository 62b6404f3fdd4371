#include "control/node/pod_interface.h"

#include <algorithm>

namespace podlane::control {

const IpPrefix* pod_cidr_of(const NodeConfig& config, const IpAddress& address) {
    for (const IpPrefix& cidr : config.pods.cidrs) {
        if (cidr.contains(address)) return &cidr;
    }
    return nullptr;
}

std::vector<IpAddress> pod_gateways(const NodeConfig& config,
                                    const std::vector<IpAddress>& addresses) {
    std::vector<IpAddress> gateways;
    for (const IpAddress& address : addresses) {
        const IpPrefix* cidr = pod_cidr_of(config, address);
        if (cidr == nullptr) continue;
        const bool has_one =
            std::any_of(gateways.begin(), gateways.end(),
                        [&](const IpAddress& other) { return other.is_v4() == address.is_v4(); });
        if (!has_one) gateways.push_back(address_plus(cidr->address, 1));
    }
    return gateways;
}

unsigned tap_queues_for(size_t workers) noexcept {
    return static_cast<unsigned>(std::clamp<size_t>(workers, 1, kMaxTapQueues));
}

std::optional<PodTapRequest> kept_interface(const NodeConfig& config, const KeptPod& pod,
                                            unsigned queues) {
    if (pod.socket.is_socket()) return std::nullopt;
    PodTapRequest request{.netns_path = pod.netns,
                          .ifname = pod.ifname,
                          .mac = pod.mac,
                          .mtu = config.pods.mtu,
                          .queues = queues,
                          .addresses = {},
                          .gateways = {},
                          .offloads = {},
                          .shortcut = config.pods.shortcut};
    for (const IpAddress& address : pod.addresses) {
        const IpPrefix* cidr = pod_cidr_of(config, address);
        if (cidr == nullptr) return std::nullopt;
        request.addresses.push_back({address, cidr->length});
    }
    std::vector<IpAddress> sorted = pod.addresses;
    std::sort(sorted.begin(), sorted.end());
    request.gateways = pod_gateways(config, sorted);
    return request;
}

}  // namespace podlane::control
