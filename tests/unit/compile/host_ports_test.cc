// Ports of the node that lead to its pods: of Pod objects, and those that a runtime asks for.
#include <gmock/gmock.h>

#include "tests/unit/compile/world.h"

namespace podlane::control::test {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

TEST(HostPorts, AHostPortLeadsToThePodOfThisNode) {
    World world;
    const auto host_port = [](std::string_view name, std::string_view address,
                              std::string_view node) {
        return fmt::format(R"(---
apiVersion: v1
kind: Pod
metadata: {{name: {}}}
spec:
  nodeName: {}
  containers: [{{name: c, ports: [{{name: http, containerPort: 80, hostPort: 8080}}, {{containerPort: 53, protocol: UDP, hostPort: 53, hostIP: 192.168.50.1}}]}}]
status: {{phase: Running, podIP: {}}}
)",
                           name, node, address);
    };
    ASSERT_EQ(world.apply(host_port("here", "10.244.1.20", "node-a") +
                          host_port("there", "10.244.2.20", "node-b")),
              "");
    EXPECT_THAT(world.frontends(),
                ElementsAre("default/here HostPort *:8080/TCP in=10.244.1.20:80 "
                            "out=10.244.1.20:80 reject",
                            "default/here HostPort 192.168.50.1:53/UDP in=10.244.1.20:53 "
                            "out=10.244.1.20:53 reject"));
    ASSERT_EQ(world.remove(Kind::kPod, "default", "here"), "");
    EXPECT_THAT(world.frontends(), IsEmpty());
}

TEST(HostPorts, HostPortsThatTheRuntimeAsksForAreServedBesideThoseOfThePodObject) {
    World world;
    TopologyInput input = plugged_in();
    input.pods.at(0).addresses.resize(1);
    const std::string pod = input.pods[0].name;
    const std::string address = to_string(input.pods[0].addresses[0]);
    input.pods[0].host_ports = {{"", 80, 8080, std::nullopt, Protocol::kTcp},
                                {"", 53, 53, ip("192.168.50.1"), Protocol::kUdp}};
    world.plug(input);
    const auto both = ::testing::UnorderedElementsAre(
        HasSubstr(fmt::format("{} HostPort *:8080/TCP in={}:80 out={}:80", pod, address, address)),
        HasSubstr(fmt::format("{} HostPort 192.168.50.1:53/UDP in={}:53", pod, address)));
    EXPECT_THAT(world.frontends(), both);
    // The object says the same and something else of its own.
    ASSERT_EQ(world.apply(fmt::format(R"(---
apiVersion: v1
kind: Pod
metadata: {{name: {}}}
spec:
  nodeName: node-a
  containers: [{{name: c, ports: [{{containerPort: 80, hostPort: 8080}}, {{containerPort: 81, hostPort: 8081}}]}}]
status: {{phase: Running, podIP: {}}}
)",
                                      pod.substr(pod.find('/') + 1), address)),
              "");
    EXPECT_THAT(world.frontends(),
                ::testing::UnorderedElementsAre(HasSubstr("*:8080/TCP"), HasSubstr("*:8081/TCP"),
                                                HasSubstr("192.168.50.1:53/UDP")));
    input.pods[0].host_ports.pop_back();
    world.plug(input);
    EXPECT_THAT(world.frontends(),
                ::testing::UnorderedElementsAre(HasSubstr("*:8080/TCP"), HasSubstr("*:8081/TCP")));
    ASSERT_EQ(world.remove(Kind::kPod, "default", pod.substr(pod.find('/') + 1)), "");
    EXPECT_THAT(world.frontends(), ElementsAre(HasSubstr("*:8080/TCP")));
    world.plug({});
    EXPECT_THAT(world.frontends(), IsEmpty());
}

TEST(HostPorts, TheSandboxThatIsHereComesBeforeTheAddressThatThePodObjectStillHas) {
    World world;
    ASSERT_EQ(world.apply(R"(---
apiVersion: v1
kind: Pod
metadata: {name: web}
spec:
  nodeName: node-a
  containers: [{name: c, ports: [{name: http, containerPort: 80, hostPort: 8080}]}]
status: {phase: Running, podIP: 10.244.1.99}
)"),
              "");
    EXPECT_THAT(world.frontends(), ElementsAre(HasSubstr("*:8080/TCP in=10.244.1.99:80")));
    TopologyInput input = plugged_in();
    PodPort& port = input.pods.at(0);
    port.name = "default/web";
    port.addresses = {ip("10.244.1.10"), ip("fd00:10:244:1::a")};
    port.host_ports = {{"", 80, 8080, std::nullopt, Protocol::kTcp}};
    world.plug(input);
    EXPECT_THAT(world.frontends(),
                ::testing::UnorderedElementsAre(HasSubstr("*:8080/TCP in=10.244.1.10:80"),
                                                HasSubstr("*:8080/TCP in=[fd00:10:244:1::a]:80")));
    // Another interface of the pod, with ports of its own.
    PodPort second = port;
    second.port = PortId{3};
    second.mac.bytes[5] ^= 1;
    second.addresses = {ip("10.244.1.11")};
    second.host_ports = {{"", 80, 8081, std::nullopt, Protocol::kSctp}};
    input.pods.push_back(second);
    input.ports.push_back(
        {second.port, "default/web:net1", PortKind::kPod, "tap3", second.mac, 1450, {}});
    world.plug(input);
    EXPECT_THAT(world.frontends(), ::testing::Contains(HasSubstr("*:8081/SCTP in=10.244.1.11:80")));
    world.plug({});
    EXPECT_THAT(world.frontends(), ElementsAre(HasSubstr("*:8080/TCP in=10.244.1.99:80")));
}

TEST(HostPorts, AHostPortWithAHostIpIsServedThereBesideTheOneForAllAddresses) {
    World world;
    ASSERT_EQ(world.apply(R"(---
apiVersion: v1
kind: Pod
metadata: {name: p}
spec:
  nodeName: node-a
  containers: [{name: c, ports: [{containerPort: 80, hostPort: 8080}, {containerPort: 81, hostPort: 8080, hostIP: 192.168.50.1}]}]
status: {phase: Running, podIP: 10.244.1.20}
)"),
              "");
    EXPECT_THAT(world.frontends(), ::testing::UnorderedElementsAre(
                                       HasSubstr("*:8080/TCP in=10.244.1.20:80 "),
                                       HasSubstr("192.168.50.1:8080/TCP in=10.244.1.20:81 ")));
}

}  // namespace
}  // namespace podlane::control::test
