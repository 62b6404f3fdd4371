#include "control/node/own_frontends.h"

#include "tests/unit/node/node_fixture.h"

namespace podlane::control {
namespace {

constexpr uint8_t kTcp = 6, kUdp = 17;

HostRule rule(const char* own, uint8_t protocol, uint16_t port) {
    return {address(own), protocol, port, port};
}

constexpr const char* kExternal = R"(
apiVersion: v1
kind: Service
metadata: {name: external, namespace: default}
spec:
  type: LoadBalancer
  clusterIP: 10.96.0.11
  externalIPs: [192.168.50.1, 192.0.2.7, "fd50::1"]
  ports: [{port: 53, protocol: UDP}]
status: {loadBalancer: {ingress: [{ip: 192.168.50.1}, {ip: 192.0.2.8}]}}
)";

constexpr const char* kHostPorts = R"(
apiVersion: v1
kind: Pod
metadata: {name: web, namespace: default}
spec:
  nodeName: node-a
  containers:
    - name: c
      image: none
      ports:
        - {containerPort: 80, hostPort: 8080}
        - {containerPort: 81, hostPort: 8081, hostIP: 127.0.0.1}
        - {containerPort: 82, hostPort: 8082, hostIP: 192.168.50.1}
        - {containerPort: 83, hostPort: 8083, hostIP: 192.168.50.9}
status: {phase: Running, podIP: 10.244.1.10, podIPs: [{ip: 10.244.1.10}]}
)";

class OwnFrontends : public NodeFixture {};

TEST_F(OwnFrontends, NodePortsAreLedOutAtEachNodeAddressAndGoWithTheirService) {
    start();
    EXPECT_TRUE(taps_.rules.empty());
    apply(kWebService);
    EXPECT_EQ(taps_.rules, std::set<HostRule>{rule("192.168.50.1", kTcp, 30080)})
        << "the Service has IPv4 alone";
    const unsigned changes = taps_.rule_changes;
    add_pod("default/web", {"10.244.1.10"});
    EXPECT_EQ(taps_.rule_changes, changes) << "what does not concern them does not touch them";
    ok(node_->remove("service", "default/web"));
    EXPECT_TRUE(taps_.rules.empty());
}

TEST_F(OwnFrontends, OnlyAddressesWithNodePortsHaveThem) {
    config_.cluster.node_port_addresses = {prefix("10.0.0.0/8")};
    start();
    apply(kWebService);
    EXPECT_TRUE(taps_.rules.empty());
}

TEST_F(OwnFrontends, ExternalAndLoadBalancerAddressesCountWhereTheyAreTheNodes) {
    start();
    apply(kExternal);
    EXPECT_TRUE(taps_.rules.contains(rule("192.168.50.1", kUdp, 53)));
    for (const HostRule& each : taps_.rules) {
        EXPECT_TRUE(each.address == address("192.168.50.1") || each.address == address("fd50::1"));
    }
}

TEST_F(OwnFrontends, HostPortsAreAtTheirAddressOrAtAllAndAtLoopbackWhereTheySaySo) {
    start();
    apply(kHostPorts);
    EXPECT_EQ(taps_.rules,
              (std::set<HostRule>{rule("127.0.0.1", kTcp, 8081), rule("192.168.50.1", kTcp, 8080),
                                  rule("192.168.50.1", kTcp, 8082)}));
}

}  // namespace
}  // namespace podlane::control
