#include "control/node/host_ports.h"

#include "tests/unit/node/node_fixture.h"

namespace podlane::control {
namespace {

TEST(HostPorts, AMappingIsReadAsAPodsHostPort) {
    const auto read = read_port_mappings({{8080, 80, "TCP", "0.0.0.0"},
                                          {53, 5353, "UDP", "192.0.2.1"},
                                          {9, 9, "SCTP", "fd00::1"},
                                          {8080, 80, "TCP", ""}});
    ASSERT_TRUE(read.ok()) << read.error().message;
    ASSERT_EQ(read->size(), 3u) << "what is asked for twice is there once";
    EXPECT_EQ(host_port_text(read->at(0)), "8080/TCP");
    EXPECT_EQ(host_port_text(read->at(1)), "192.0.2.1:53/UDP");
    EXPECT_EQ(read->at(1).port, 5353);
    EXPECT_EQ(host_port_text(read->at(2)), "[fd00::1]:9/SCTP");
}

TEST(HostPorts, WhatMakesNoSenseIsNamed) {
    using Mappings = std::vector<PortMapping>;
    const std::vector<std::pair<Mappings, const char*>> wrong = {
        {{{0, 80, "TCP", ""}}, "hostPort"},
        {{{80, 0, "TCP", ""}}, "containerPort"},
        {{{80, 80, "ICMP", ""}}, "protocol: ICMP is none of TCP, UDP and SCTP"},
        {{{80, 80, "TCP", "nowhere"}}, "hostIP: nowhere"},
        {{{80, 80, "TCP", ""}, {80, 81, "TCP", ""}}, "80/TCP of the node is to lead to both 80"}};
    for (const auto& [mappings, words] : wrong) {
        const auto read = read_port_mappings(mappings);
        ASSERT_FALSE(read.ok()) << words;
        EXPECT_NE(read.error().message.find(words), std::string::npos) << read.error().message;
    }
}

TEST(HostPorts, OverlapAtEveryAddressOrAtTheSame) {
    const auto ports = read_port_mappings({{80, 1, "TCP", ""},
                                           {80, 1, "UDP", ""},
                                           {81, 1, "TCP", ""},
                                           {80, 1, "TCP", "192.0.2.1"},
                                           {80, 1, "TCP", "192.0.2.2"}});
    ASSERT_TRUE(ports.ok());
    const ContainerPort& any = ports->at(0);
    EXPECT_FALSE(do_overlap(any, ports->at(1))) << "another protocol";
    EXPECT_FALSE(do_overlap(any, ports->at(2))) << "another port";
    EXPECT_TRUE(do_overlap(any, ports->at(3)));
    EXPECT_TRUE(do_overlap(ports->at(3), any));
    EXPECT_TRUE(do_overlap(ports->at(3), ports->at(3)));
    EXPECT_FALSE(do_overlap(ports->at(3), ports->at(4)));
}

class PodsHostPorts : public NodeFixture {
  protected:
    PodsHostPorts() { start(); }
    /// The next sandbox of a pod, with an address of its own.
    PodAddRequest sandbox(const std::string& pod, std::vector<PortMapping> mappings) {
        const std::string number = std::to_string(++sandboxes_);
        return {.pod = pod,
                .netns = "/run/netns/" + number,
                .addresses = {"10.244.1." + std::to_string(10 + sandboxes_)},
                .container = "c" + number,
                .port_mappings = std::move(mappings)};
    }
    /// Where the port of the node leads to; "" for nowhere.
    std::string leads_to(const char* at, uint16_t port, Protocol protocol = Protocol::kTcp) {
        const auto* frontend = live().v4.frontends.find(
            {address(at).as<V4>(), be16(port), static_cast<uint8_t>(protocol)});
        if (frontend == nullptr || frontend->kind != FrontendKind::kHostPort) return "";
        const auto& endpoint = frontend->inside->endpoints.at(0);
        return to_string(IpAddress(endpoint.address), endpoint.port.host());
    }

    int sandboxes_ = 0;
};

TEST_F(PodsHostPorts, AreServedUntilThePodGoes) {
    const PodAddRequest request =
        sandbox("default/web", {{8080, 80, "TCP", ""}, {53, 5353, "UDP", "192.168.50.1"}});
    ok(node_->add_pod(request));
    EXPECT_EQ(leads_to("0.0.0.0", 8080), "10.244.1.11:80");
    EXPECT_EQ(leads_to("192.168.50.1", 53, Protocol::kUdp), "10.244.1.11:5353");
    const Json port = ok(node_->get("ports", "default/web", std::nullopt)).at("items").at(0);
    EXPECT_EQ(port.at("portMappings").at(1), (Json{{"containerPort", 5353},
                                                   {"hostPort", 53},
                                                   {"hostIP", "192.168.50.1"},
                                                   {"protocol", "UDP"}}));
    const uint64_t before = generation();
    ok(node_->add_pod(request));
    EXPECT_EQ(generation(), before) << "the runtime asks again for what is there";
    PodAddRequest other = request;
    other.port_mappings.pop_back();
    EXPECT_EQ(failure(node_->add_pod(other)).code, rpc_code::kConflict);
    ok(node_->remove_pod({.container = "c1"}));
    EXPECT_EQ(leads_to("0.0.0.0", 8080), "");
}

TEST_F(PodsHostPorts, OfWrongMappingsNothingIsMade) {
    EXPECT_EQ(failure(node_->add_pod(sandbox("default/web", {{80, 80, "ICMP", ""}}))).code,
              rpc_code::kBadParams);
    EXPECT_TRUE(taps_.pods.empty());
}

TEST_F(PodsHostPorts, OneThatAnotherPodHasIsRefusedByNameUntilThatGoes) {
    ok(node_->add_pod(sandbox("default/web", {{8080, 80, "TCP", "192.168.50.1"}})));
    const PodAddRequest second = sandbox("default/other", {{8080, 81, "TCP", ""}});
    const RpcFailure refused = failure(node_->add_pod(second));
    EXPECT_EQ(refused.code, rpc_code::kConflict);
    EXPECT_EQ(refused.message,
              "portMappings: port 8080/TCP of the node leads to pod default/web (container c1, "
              "eth0) already");
    EXPECT_EQ(taps_.pods.size(), 1u);
    ok(node_->add_pod(sandbox("default/beside", {{8080, 80, "UDP", ""}})));
    ok(node_->remove_pod({.container = "c1"}));
    ok(node_->add_pod(second));
    EXPECT_EQ(leads_to("0.0.0.0", 8080), "10.244.1.12:81");
}

TEST_F(PodsHostPorts, APodsNextSandboxTakesThemAndTheLateEndOfTheLastOneLeavesThem) {
    ok(node_->add_pod(sandbox("default/web", {{8080, 80, "TCP", ""}, {81, 81, "TCP", ""}})));
    ok(node_->add_pod(sandbox("default/web", {{8080, 80, "TCP", ""}})));
    EXPECT_EQ(leads_to("0.0.0.0", 8080), "10.244.1.12:80");
    EXPECT_EQ(leads_to("0.0.0.0", 81), "10.244.1.11:81") << "nobody else asks for it";
    ok(node_->remove_pod({.container = "c1"}));
    EXPECT_EQ(leads_to("0.0.0.0", 8080), "10.244.1.12:80");
    EXPECT_EQ(leads_to("0.0.0.0", 81), "");
    ok(node_->add_pod(sandbox("default/web", {{8080, 80, "TCP", ""}})));
    ok(node_->remove_pod({.container = "c2"}));
    EXPECT_EQ(leads_to("0.0.0.0", 8080), "10.244.1.13:80");
}

}  // namespace
}  // namespace podlane::control
