#include "control/node/flannel.h"

#include <gtest/gtest.h>

#include "control/compile/topology.h"
#include "control/kube/parse.h"
#include "control/show/answers.h"
#include "control/show/answers_json.h"

namespace podlane::control {
namespace {

using nlohmann::ordered_json;

NodeConfig config() {
    NodeConfig config;
    config.node = "node-a";
    UplinkConfig uplink;
    uplink.addresses = {*parse_interface_address("192.168.50.1/24")};
    config.uplinks = {uplink};
    config.pods.cidrs = {*parse_prefix("10.244.1.0/24")};
    config.pods.mtu = 1450;
    config.cluster.pod_cidrs = {*parse_prefix("10.244.0.0/16")};
    return config;
}

// The names and forms are those of flannel's pkg/subnet/kube/annotations.go and of what its vxlan
// backend writes (pkg/backend/vxlan, vxlanLeaseAttrs).
TEST(Flannel, TheVtepIsSaidAsAnnotations) {
    const auto facts = to_json(flannel_facts(config()));
    EXPECT_EQ(facts.dump(), R"({"node":"node-a","backend":"vxlan","vtepMac":"02:6d:2b:2f:c3:2f",)"
                            R"("vni":1,"port":8472,)"
                            R"("podCidrs":["10.244.1.0/24"],"annotations":{)"
                            R"("flannel.alpha.coreos.com/backend-type":"vxlan",)"
                            R"("flannel.alpha.coreos.com/backend-data":)"
                            R"("{\"VNI\":1,\"VtepMAC\":\"02:6d:2b:2f:c3:2f\"}",)"
                            R"("flannel.alpha.coreos.com/public-ip":"192.168.50.1",)"
                            R"("flannel.alpha.coreos.com/kube-subnet-manager":"true"},)"
                            R"("subnetFile":"FLANNEL_NETWORK=10.244.0.0/16\n)"
                            R"(FLANNEL_SUBNET=10.244.1.1/24\nFLANNEL_MTU=1450\n)"
                            R"(FLANNEL_IPMASQ=true\n"})");
}

// What a podlane node reads of a Node object with them is this node's VTEP again.
TEST(Flannel, AnotherNodeReadsTheAnnotationsBack) {
    NodeConfig both = config();
    both.uplinks[0].addresses.push_back(*parse_interface_address("fd00:50::1/64"));
    const auto facts = to_json(flannel_facts(both));
    const ordered_json object{
        {"apiVersion", "v1"},
        {"kind", "Node"},
        {"metadata", {{"name", "node-a"}, {"annotations", facts.at("annotations")}}}};
    const auto parsed = parse_objects(object.dump(), "node");
    ASSERT_TRUE(parsed.ok());
    const auto& node = *std::get<ObjectPtr<Node>>(parsed->objects.at(0));
    ASSERT_TRUE(node.flannel);
    EXPECT_EQ(node.flannel->vtep_mac, vtep_of(both).mac);
    EXPECT_EQ(node.flannel->vtep_mac_v6, vtep_of(both).mac);
    EXPECT_EQ(node.flannel->public_ip, parse_ip("192.168.50.1"));
    EXPECT_EQ(node.flannel->public_ipv6, parse_ip("fd00:50::1"));
    EXPECT_EQ(node.flannel->vni, 1U);
}

// Which flannel's own nodes pass over, and podlane's read.
TEST(Flannel, AnotherFormatIsNamedAsTheBackend) {
    NodeConfig geneve = config();
    geneve.overlay.format = OverlayFormat::kGeneve;
    const auto facts = to_json(flannel_facts(geneve));
    EXPECT_EQ(facts.at("backend"), "geneve");
    EXPECT_EQ(facts.at("annotations").at("flannel.alpha.coreos.com/backend-type"), "geneve");
    EXPECT_EQ(facts.at("vtepMac"), "02:6d:2b:2f:c3:2f");
}

// As flannel's pkg/subnet/kube/kube.go writes a lease without backend data.
TEST(Flannel, WithoutATunnelItIsAHostGwNode) {
    NodeConfig direct = config();
    direct.overlay.format = std::nullopt;
    const auto facts = to_json(flannel_facts(direct));
    EXPECT_FALSE(facts.contains("vtepMac"));
    EXPECT_EQ(facts.at("annotations").dump(),
              R"({"flannel.alpha.coreos.com/backend-type":"host-gw",)"
              R"("flannel.alpha.coreos.com/public-ip":"192.168.50.1",)"
              R"("flannel.alpha.coreos.com/backend-data":"null",)"
              R"("flannel.alpha.coreos.com/kube-subnet-manager":"true"})");
}

}  // namespace
}  // namespace podlane::control
