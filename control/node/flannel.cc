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
    // Of each family that an uplink has an address of; the VTEP's MAC is one for both.
    FlannelData data{.backend_type = vtep.enabled ? "vxlan" : "host-gw"};
    data.public_ip = first_address(config, false);
    data.public_ipv6 = first_address(config, true);
    if (vtep.enabled) {
        data.vni = config.overlay.vni;
        if (data.public_ip) data.vtep_mac = vtep.mac;
        if (data.public_ipv6) data.vtep_mac_v6 = vtep.mac;
    }
    Node node{.flannel = data};
    node.meta.name = config.node;
    Json annotations = to_json(node).at("metadata").at("annotations");
    // What flannel's own host-gw nodes have there.
    if (!vtep.enabled) annotations["flannel.alpha.coreos.com/backend-data"] = "null";
    // flannel's nodes pass over Node objects without it.
    annotations["flannel.alpha.coreos.com/kube-subnet-manager"] = "true";
    Json cidrs = Json::array();
    for (const IpPrefix& cidr : config.pods.cidrs) cidrs.push_back(to_string(cidr));
    Json facts{{"node", config.node}, {"backend", data.backend_type}};
    if (vtep.enabled) {
        facts["vtepMac"] = to_string(vtep.mac);
        facts["vni"] = config.overlay.vni;
        facts["port"] = config.overlay.port;
    }
    facts["podCidrs"] = std::move(cidrs);
    facts["annotations"] = std::move(annotations);
    return facts;
}

}  // namespace podlane::control
