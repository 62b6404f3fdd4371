#include "control/node/flannel.h"

#include <optional>

#include "control/compile/topology.h"

namespace podlane::control {
namespace {

std::optional<IpAddress> first_address(const NodeConfig& config, bool is_v6) {
    for (const UplinkConfig& uplink : config.uplinks) {
        for (const InterfaceAddress& own : uplink.addresses) {
            if (own.address.is_v6() == is_v6) return own.address;
        }
    }
    return std::nullopt;
}

}  // namespace

Outcome<FlannelFacts> flannel_facts(const NodeConfig& config) {
    const Vtep vtep = vtep_of(config);
    if (!vtep.enabled) {
        return refusal(RefusalKind::kFailed,
                       "overlay.type: is not vxlan, so that flannel's nodes cannot reach this one");
    }
    // Of each family that an uplink has an address of; the VTEP's MAC is one for both.
    FlannelData data{.backend_type = "vxlan", .vni = config.overlay.vni};
    data.public_ip = first_address(config, false);
    data.public_ipv6 = first_address(config, true);
    if (data.public_ip) data.vtep_mac = vtep.mac;
    if (data.public_ipv6) data.vtep_mac_v6 = vtep.mac;
    return FlannelFacts{config.node,         vtep.mac,          config.overlay.vni,
                        config.overlay.port, config.pods.cidrs, data};
}

}  // namespace podlane::control
