#include "control/node/flannel.h"

#include <optional>
#include <utility>

#include "control/compile/topology.h"
#include "control/config/subnet_file.h"

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

FlannelFacts flannel_facts(const NodeConfig& config) {
    const Vtep vtep = vtep_of(config);
    // For each family of an uplink address; both share the VTEP's MAC address.
    FlannelData data;
    data.backend_type = vtep.enabled ? overlay_info(*config.overlay.format).word : "host-gw";
    data.public_ip = first_address(config, false);
    data.public_ipv6 = first_address(config, true);
    if (vtep.enabled) {
        data.vni = config.overlay.vni;
        if (data.public_ip) data.vtep_mac = vtep.mac;
        if (data.public_ipv6) data.vtep_mac_v6 = vtep.mac;
    }
    return {.node = config.node,
            .has_tunnel = vtep.enabled,
            .vtep_mac = vtep.mac,
            .vni = config.overlay.vni,
            .port = config.overlay.port,
            .pod_cidrs = config.pods.cidrs,
            .annotations = std::move(data),
            .subnet_file =
                subnet_file_text({config.cluster.pod_cidrs, config.pods.cidrs, config.pods.mtu})};
}

}  // namespace podlane::control
