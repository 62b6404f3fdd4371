#include "control/node/flannel.h"

#include <optional>

#include "control/compile/topology.h"
#include "control/kube/json.h"

namespace podlane::control {
namespace {

using Json = nlohmann::ordered_json;

std::optional<IpAddress> first_address(const NodeConfig& config, bool is_v6) {
    for (const UplinkConfig& uplink : config.uplinks) {
        for (const InterfaceAddress& own : uplink.addresses) {
            if (own.address.is_v6() == is_v6) return own.address;
        }
    }
    return std::nullopt;
}

}  // namespace

RpcResult flannel_facts(const NodeConfig& config) {
    const Vtep vtep = vtep_of(config);
    if (!vtep.enabled) {
        return RpcFailure{
            rpc_code::kFailed,
            "overlay.type: is not vxlan, so that flannel's nodes cannot reach this one", nullptr};
    }
    // Of each family that an uplink has an address of; the VTEP's MAC is one for both.
    FlannelData data{.backend_type = "vxlan", .vni = config.overlay.vni};
    data.public_ip = first_address(config, false);
    data.public_ipv6 = first_address(config, true);
    if (data.public_ip) data.vtep_mac = vtep.mac;
    if (data.public_ipv6) data.vtep_mac_v6 = vtep.mac;
    Node node{.flannel = data};
    node.meta.name = config.node;
    Json annotations = to_json(node).at("metadata").at("annotations");
    // flannel's nodes pass over Node objects without it.
    annotations["flannel.alpha.coreos.com/kube-subnet-manager"] = "true";
    Json cidrs = Json::array();
    for (const IpPrefix& cidr : config.pods.cidrs) cidrs.push_back(to_string(cidr));
    return Json{{"node", config.node},          {"vtepMac", to_string(vtep.mac)},
                {"vni", config.overlay.vni},    {"port", config.overlay.port},
                {"podCidrs", std::move(cidrs)}, {"annotations", std::move(annotations)}};
}

}  // namespace podlane::control
