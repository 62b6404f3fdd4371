#include <algorithm>

#include "control/node/local_ports.h"
#include "tests/unit/node/node_fixture.h"

namespace podlane::control {
namespace {

class Pods : public NodeFixture {
  protected:
    Pods() : NodeFixture(2) { start(); }
    RpcFailure refused(PodAddRequest request) { return failure(node_->add_pod(request)); }
    PodAddRequest web() const { return {"default/web", "/run/netns/web", {"10.244.1.10"}, "eth0"}; }
    bool has_route_to(const std::string& pod_address) const {
        const auto* route = live().v4.routes->find(address(pod_address).as<V4>());
        return route != nullptr && route->kind == RouteKind::kAdjacency;
    }
};

TEST_F(Pods, AddMakesATapAPortAndARoute) {
    const uint64_t before = generation();
    const Json port = add_pod("default/web", {"10.244.1.10", "fd00:10:244:1::a"}).at("port");
    EXPECT_EQ(port.at("name"), "default/web");
    EXPECT_EQ(port.at("addresses"), (Json{"10.244.1.10", "fd00:10:244:1::a"}));
    EXPECT_EQ(port.at("gateways"), (Json{"10.244.1.1", "fd00:10:244:1::1"}));
    EXPECT_EQ(port.at("mtu"), 1450);
    EXPECT_EQ(port.at("netns"), "/run/netns/web");
    EXPECT_EQ(port.at("ifname"), "eth0");
    EXPECT_EQ(port.at("id"), index_of(port_of("default/web")));

    ASSERT_EQ(taps_.pods.size(), 1u);
    const PodTapRequest& tap = taps_.pods[0];
    EXPECT_EQ(tap.queues, 2u);
    EXPECT_EQ(tap.mtu, 1450);
    EXPECT_EQ(to_string(tap.mac), port.at("mac"));
    EXPECT_EQ(tap.mac.bytes[0] & 3, 2);
    EXPECT_EQ(to_string(tap.addresses.at(0)), "10.244.1.10/24");
    EXPECT_EQ(to_string(tap.addresses.at(1)), "fd00:10:244:1::a/64");
    EXPECT_EQ(generation(), before + 1);
    EXPECT_TRUE(has_route_to("10.244.1.10"));
    EXPECT_EQ(live().fdb->find(tap.mac), index_of(port_of("default/web")));
}

TEST_F(Pods, ANewPodsAddressesAreAnnouncedToTheOthers) {
    add_pod("default/b", {"10.244.1.10", "fd00:10:244:1::a"});
    const MacAddress former = taps_.pods.back().mac;
    EXPECT_EQ(ok(node_->remove_pod({.pod = "default/b"})), (Json{{"removed", true}}));
    const size_t before = dataplane_.commands_of(CommandKind::kAnnouncePod).size();
    add_pod("default/c", {"10.244.1.10", "fd00:10:244:1::a"});
    const auto told = dataplane_.commands_of(CommandKind::kAnnouncePod);
    ASSERT_EQ(told.size(), before + 2) << "each of its addresses";
    for (size_t i = before; i < told.size(); ++i) {
        EXPECT_EQ(told[i].port, port_of("default/c"));
        EXPECT_EQ(told[i].our_mac, taps_.pods.back().mac);
        EXPECT_NE(told[i].our_mac, former);
    }
    EXPECT_EQ(to_string(told[before].address.to_ip()), "10.244.1.10");
    EXPECT_EQ(to_string(told[before + 1].address.to_ip()), "fd00:10:244:1::a");
}

TEST_F(Pods, TheSameAgainAnswersWithThePortThatExists) {
    const Json first = add_pod("default/web", {"10.244.1.10"});
    const size_t published = dataplane_.published.size();
    EXPECT_EQ(add_pod("default/web", {"10.244.1.10"}), first);
    EXPECT_EQ(taps_.pods.size(), 1u);
    EXPECT_EQ(dataplane_.published.size(), published);
}

TEST_F(Pods, AMacThatIsAskedForIsGivenOnce) {
    PodAddRequest request = web();
    request.mac = "c2:11:22:33:44:55";
    EXPECT_EQ(ok(node_->add_pod(request)).at("port").at("mac"), request.mac);
    EXPECT_EQ(ok(node_->add_pod(request)).at("port").at("mac"), request.mac);
    EXPECT_EQ(to_string(taps_.pods.at(0).mac), request.mac);
    request.pod = "default/other";
    request.addresses = {"10.244.1.11"};
    EXPECT_EQ(refused(request).code, rpc_code::kConflict);
    for (const char* wrong : {"c2:11", "01:00:5e:00:00:01", "00:00:00:00:00:00"}) {
        request.mac = wrong;
        const RpcFailure failure = refused(request);
        EXPECT_EQ(failure.code, rpc_code::kBadParams);
        EXPECT_NE(failure.message.find(wrong), std::string::npos);
    }
    request.mac = to_string(gateway_mac_of(node_->config()));
    EXPECT_EQ(refused(request).code, rpc_code::kConflict);
}

TEST_F(Pods, TheNodeTellsAnAttacherItsCidrsAndGateways) {
    const Json told = ok(node_->node());
    EXPECT_EQ(told.at("node"), "node-a");
    EXPECT_EQ(told.at("podCidrs"), (Json{"10.244.1.0/24", "fd00:10:244:1::/64"}));
    EXPECT_EQ(told.at("gateways"), (Json{"10.244.1.1", "fd00:10:244:1::1"}));
    EXPECT_EQ(told.at("mtu"), 1450);
}

TEST_F(Pods, OtherArgumentsForAPodThatExistsAreAConflict) {
    add_pod("default/web", {"10.244.1.10"});
    PodAddRequest other = web();
    other.addresses = {"10.244.1.11"};
    EXPECT_EQ(refused(other).code, rpc_code::kConflict);
    other = web();
    other.ifname = "eth1";
    EXPECT_EQ(refused(other).code, rpc_code::kConflict);
}

TEST_F(Pods, AnAddressBelongsToOnePod) {
    add_pod("default/web", {"10.244.1.10"});
    PodAddRequest other = web();
    other.pod = "default/other";
    const RpcFailure why = refused(other);
    EXPECT_EQ(why.code, rpc_code::kConflict);
    EXPECT_NE(why.message.find("default/web"), std::string::npos) << why.message;
}

TEST_F(Pods, ImpossibleArgumentsAreNamed) {
    const auto expect_bad = [&](PodAddRequest request, const std::string& word) {
        const RpcFailure why = refused(std::move(request));
        EXPECT_EQ(why.code, rpc_code::kBadParams) << why.message;
        EXPECT_NE(why.message.find(word), std::string::npos) << why.message;
    };
    expect_bad({"web", "/run/netns/web", {"10.244.1.10"}, "eth0"}, "NAMESPACE/NAME");
    expect_bad({"default/We b", "/run/netns/web", {"10.244.1.10"}, "eth0"}, "NAMESPACE/NAME");
    expect_bad({"default/web", "", {"10.244.1.10"}, "eth0"}, "netns");
    expect_bad({"default/web", "/n", {}, "eth0"}, "addresses");
    expect_bad({"default/web", "/n", {"10.244.1.256"}, "eth0"}, "10.244.1.256");
    expect_bad({"default/web", "/n", {"10.244.2.10"}, "eth0"}, "10.244.1.0/24");
    expect_bad({"default/web", "/n", {"10.244.1.1"}, "eth0"}, "gateway");
    expect_bad({"default/web", "/n", {"10.244.1.0"}, "eth0"}, "network");
    expect_bad({"default/web", "/n", {"10.244.1.255"}, "eth0"}, "broadcast");
    expect_bad({"default/web", "/n", {"10.244.1.10", "10.244.1.10"}, "eth0"}, "twice");
    expect_bad({"default/web", "/n", {"10.244.1.10"}, "a-name-that-is-too-long"}, "ifname");
    EXPECT_TRUE(taps_.pods.empty());
}

TEST_F(Pods, ATapThatCannotBeMadeLeavesNothing) {
    const size_t published = dataplane_.published.size();
    taps_.refuse_with = "/run/netns/web: No such file or directory";
    const RpcFailure why = refused(web());
    EXPECT_EQ(why.code, rpc_code::kFailed);
    EXPECT_EQ(why.message, taps_.refuse_with);
    EXPECT_EQ(dataplane_.published.size(), published);
    EXPECT_EQ(port_of("default/web"), kNoPort);
}

TEST_F(Pods, APortThatCannotBeOpenedTakesItsTapAlong) {
    dataplane_.refuse_ports_with = "no more ports";
    EXPECT_EQ(refused(web()).code, rpc_code::kFailed);
    EXPECT_EQ(taps_.removed, (std::vector<std::string>{"eth0"}));
    dataplane_.refuse_ports_with.clear();
    add_pod("default/web", {"10.244.1.10"});
}

TEST_F(Pods, DelPublishesWithoutItBeforeThePortCloses) {
    add_pod("default/web", {"10.244.1.10", "fd00:10:244:1::a"});
    const PortId port = port_of("default/web");
    EXPECT_EQ(ok(node_->remove_pod({.pod = "default/web"})), (Json{{"removed", true}}));
    EXPECT_FALSE(has_route_to("10.244.1.10"));
    EXPECT_EQ(dataplane_.removed, std::vector<PortId>{port});
    EXPECT_EQ(taps_.removed, (std::vector<std::string>{"eth0"}));
    const auto purged = dataplane_.commands_of(CommandKind::kPurge);
    ASSERT_EQ(purged.size(), 2u);
    EXPECT_EQ(purged[0].address.to_ip(), address("10.244.1.10"));
    EXPECT_EQ(purged[1].address.to_ip(), address("fd00:10:244:1::a"));
}

TEST_F(Pods, DelOfNothingIsNoError) {
    EXPECT_EQ(ok(node_->remove_pod({.pod = "default/web"})), (Json{{"removed", false}}));
}

TEST_F(Pods, APodWhoseNamespaceDiedIsRemoved) {
    add_pod("default/web", {"10.244.1.10"});
    Event lost;
    lost.kind = EventKind::kPortLost;
    lost.port = port_of("default/web");
    deliver(lost);
    EXPECT_EQ(port_of("default/web"), kNoPort);
    EXPECT_FALSE(has_route_to("10.244.1.10"));
    add_pod("default/web", {"10.244.1.10"});
}

TEST_F(Pods, ARetryAfterARestartGetsTheSameMac) {
    const Json first = add_pod("default/web", {"10.244.1.10"});
    ok(node_->remove_pod({.pod = "default/web"}));
    EXPECT_EQ(add_pod("default/web", {"10.244.1.10"}).at("port").at("mac"),
              first.at("port").at("mac"));
    EXPECT_NE(add_pod("default/db", {"10.244.1.11"}).at("port").at("mac"),
              first.at("port").at("mac"));
}

TEST_F(Pods, CountersOfAPortBeginAtZero) {
    add_pod("default/web", {"10.244.1.10"});
    const PortId port = port_of("default/web");
    dataplane_.mutable_counters(0).ports[index_of(port)].rx_packets.add(7);
    ok(node_->remove_pod({.pod = "default/web"}));
    add_pod("default/db", {"10.244.1.11"});
    ASSERT_EQ(port_of("default/db"), port);
    dataplane_.mutable_counters(1).ports[index_of(port)].rx_packets.add(2);
    const Json stats = ok(node_->stats());
    const auto at = std::find_if(stats.at("ports").begin(), stats.at("ports").end(),
                                 [](const Json& p) { return p.at("name") == "default/db"; });
    ASSERT_NE(at, stats.at("ports").end());
    EXPECT_EQ(at->at("rxPackets"), 2);
}

/// The same pod's sandbox `container`, at another address.
PodAddRequest sandbox(const std::string& container, const std::string& pod_address) {
    PodAddRequest request{"default/web", "/run/netns/" + container, {pod_address}, "eth0"};
    request.container = container;
    return request;
}

TEST_F(Pods, ALateEndOfAnOldSandboxLeavesTheNewOnesPort) {
    const Json old_port = ok(node_->add_pod(sandbox("c0ffee01", "10.244.1.10"))).at("port");
    const Json new_port = ok(node_->add_pod(sandbox("c0ffee02", "10.244.1.11"))).at("port");
    EXPECT_EQ(old_port.at("name"), "default/web");
    EXPECT_EQ(old_port.at("container"), "c0ffee01");
    EXPECT_EQ(new_port.at("name"), "default/web:eth0");
    EXPECT_EQ(new_port.at("pod"), "default/web");
    EXPECT_NE(new_port.at("mac"), old_port.at("mac"));

    const PodDelRequest late{.pod = "default/web", .container = "c0ffee01"};
    EXPECT_EQ(ok(node_->remove_pod(late)), (Json{{"removed", true}}));
    EXPECT_EQ(ok(node_->remove_pod(late)), (Json{{"removed", false}}));
    EXPECT_FALSE(has_route_to("10.244.1.10"));
    EXPECT_TRUE(has_route_to("10.244.1.11"));
    EXPECT_EQ(taps_.removed.size(), 1u);
    // The pod is found by its name, whatever its port is called.
    const Json listed = ok(node_->get("ports", "default/web", std::nullopt)).at("items");
    ASSERT_EQ(listed.size(), 1u);
    EXPECT_EQ(listed[0].at("container"), "c0ffee02");
    EXPECT_EQ(
        ok(node_->explain({"default/web", "203.0.113.9:80", "", {}})).at("steps")[0].at("what"),
        "port default/web:eth0");
}

TEST_F(Pods, OnlyItsContainerEndsAContainersPort) {
    ok(node_->add_pod(sandbox("c0ffee01", "10.244.1.10")));
    const RpcFailure why = failure(node_->remove_pod({.pod = "default/web"}));
    EXPECT_EQ(why.code, rpc_code::kConflict);
    EXPECT_NE(why.message.find("c0ffee01"), std::string::npos) << why.message;
    EXPECT_EQ(failure(node_->remove_pod({.pod = "default/db", .container = "c0ffee01"})).code,
              rpc_code::kConflict);
    EXPECT_EQ(failure(node_->remove_pod({})).code, rpc_code::kBadParams);
    EXPECT_TRUE(has_route_to("10.244.1.10"));
}

TEST_F(Pods, AContainerHasAPortForEachInterface) {
    PodAddRequest second = sandbox("c0ffee01", "10.244.1.11");
    second.ifname = "net1";
    ok(node_->add_pod(sandbox("c0ffee01", "10.244.1.10")));
    EXPECT_EQ(ok(node_->add_pod(second)).at("port").at("name"), "default/web:net1");
    EXPECT_EQ(ok(node_->add_pod(second)).at("port").at("name"), "default/web:net1") << "a retry";
    second.addresses = {"10.244.1.12"};
    EXPECT_EQ(failure(node_->add_pod(second)).code, rpc_code::kConflict);
    const PodDelRequest one{.container = "c0ffee01", .ifname = "net1"};
    EXPECT_EQ(ok(node_->remove_pod(one)), (Json{{"removed", true}}));
    EXPECT_TRUE(has_route_to("10.244.1.10"));
    EXPECT_FALSE(has_route_to("10.244.1.11"));
    EXPECT_EQ(ok(node_->remove_pod({.container = "c0ffee01"})), (Json{{"removed", true}}));
    EXPECT_FALSE(has_route_to("10.244.1.10"));
}

TEST_F(Pods, APodsLimitsOfBandwidthAreItsPorts) {
    PodAddRequest limited = web();
    limited.bandwidth.egress = {.bits_per_second = 1'000'000, .burst_bits = 100'000};
    ok(node_->add_pod(limited));
    EXPECT_EQ(dataplane_.limits["default/web"], limited.bandwidth);
    ok(node_->add_pod(limited));
    limited.bandwidth.egress.bits_per_second = 2'000'000;
    EXPECT_EQ(refused(limited).code, rpc_code::kConflict) << "other limits are another port";
    PodAddRequest burst_alone{"default/db", "/run/netns/db", {"10.244.1.11"}, "eth0"};
    burst_alone.bandwidth.ingress.burst_bits = 5;
    const RpcFailure why = refused(burst_alone);
    EXPECT_EQ(why.code, rpc_code::kBadParams);
    EXPECT_EQ(why.message, "bandwidth: ingressBurst is 5, and there is no ingressRate");
}

TEST_F(Pods, PoliciesHoldForEverySandboxOfAPod) {
    apply(R"(
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: none, namespace: default}
spec: {podSelector: {}, policyTypes: [Ingress]}
)");
    ok(node_->add_pod(sandbox("c0ffee01", "10.244.1.10")));
    ok(node_->add_pod(sandbox("c0ffee02", "10.244.1.11")));
    for (const char* port : {"default/web", "default/web:eth0"}) {
        EXPECT_NE(live().pod_policies[index_of(port_of(port))], nullptr) << port;
    }
    ok(node_->remove_pod({.container = "c0ffee01"}));
    EXPECT_NE(live().pod_policies[index_of(port_of("default/web:eth0"))], nullptr);
}

}  // namespace
}  // namespace podlane::control
