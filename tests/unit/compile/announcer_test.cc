#include "control/compile/announcer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "tests/unit/compile/world.h"

namespace podlane::control {
namespace {

using test::ip;
using test::slice;
using test::World;
using testing::ElementsAre;
using testing::IsEmpty;

std::string node(const std::string& name, const std::string& ready = "True",
                 const std::string& labels = "", int number = 1) {
    return fmt::format(
        "---\napiVersion: v1\nkind: Node\nmetadata: {{name: {}, labels: {{{}}}}}\n"
        "spec: {{podCIDR: 10.244.{}.0/24}}\n"
        "status: {{conditions: [{{type: Ready, status: '{}'}}]}}\n",
        name, labels, number, ready);
}

std::string balanced(const std::string& address, const std::string& spec = "",
                     const std::string& mode = "VIP") {
    return fmt::format(
        "---\napiVersion: v1\nkind: Service\nmetadata: {{name: lb}}\n"
        "spec: {{type: LoadBalancer, clusterIP: 10.96.0.9, ports: [{{name: http, port: 80}}]{}}}\n"
        "status: {{loadBalancer: {{ingress: [{{ip: '{}', ipMode: {}}}]}}}}\n",
        spec.empty() ? "" : ", " + spec, address, mode);
}

constexpr const char* kLocal = "externalTrafficPolicy: Local";

NodeConfig with_pools() {
    NodeConfig config = test::node_a();
    config.load_balancer.pools = {*parse_address_range("192.168.50.200/29"),
                                  *parse_address_range("2001:db8::/124")};
    return config;
}

class AnnouncerTest : public testing::Test {
  protected:
    const std::map<IpAddress, AnnouncedAddress>& all() const {
        return world.compiler.announcer().addresses();
    }
    const AnnouncedAddress& at(const char* address) const { return all().at(ip(address)); }
    bool is_here(const char* address) const {
        const auto& here = world.now().v4.announced;
        const bool answers = here && std::ranges::count(*here, ip(address).as<V4>()) == 1;
        EXPECT_EQ(answers, at(address).is_here);
        return answers;
    }
    World world{with_pools()};
};

TEST(Rendezvous, SpreadsAddressesAndMovesThoseOfALostNodeAlone) {
    const std::vector<std::string> nodes{"node-a", "node-b", "node-c", "node-d"};
    std::map<std::string_view, int> shares;
    for (uint32_t i = 0; i < 1000; ++i) {
        const IpAddress address = Ipv4Address{be32(0xc0000200u + i)};
        const std::string_view owner = rendezvous(nodes, address);
        ++shares[owner];
        std::vector<std::string> left = nodes;
        std::erase(left, "node-c");
        if (owner != "node-c") {
            EXPECT_EQ(rendezvous(left, address), owner);
        }
    }
    for (const std::string& name : nodes) {
        EXPECT_GT(shares[name], 180) << name;
        EXPECT_LT(shares[name], 320) << name;
    }
    EXPECT_EQ(rendezvous({}, ip("192.0.2.1")), "");
}

TEST(Rendezvous, StaysAsItIsInEveryRelease) {
    // Nodes of two releases must choose alike.
    const std::vector<std::string> nodes{"node-a", "node-b", "node-c"};
    EXPECT_EQ(rendezvous(nodes, ip("192.0.2.1")), "node-a");
    EXPECT_EQ(rendezvous(nodes, ip("192.0.2.2")), "node-c");
    EXPECT_EQ(rendezvous(nodes, ip("2001:db8::1")), "node-c");
}

TEST_F(AnnouncerTest, ANodeThatKnowsOfNoNodesHasAllAddresses) {
    EXPECT_EQ(world.apply(balanced("192.168.50.201")), "");
    EXPECT_TRUE(is_here("192.168.50.201"));
    EXPECT_THAT(*at("192.168.50.201").candidates, ElementsAre("node-a"));
    EXPECT_EQ(at("192.168.50.201").service, (NamespacedName{"default", "lb"}));
    world.remove(Kind::kService, "default", "lb");
    EXPECT_TRUE(all().empty());
    EXPECT_EQ(world.now().v4.announced, nullptr);
}

TEST_F(AnnouncerTest, AddressesOutOfNoPoolOrOfOthersAreNotAnnounced) {
    EXPECT_EQ(world.apply(balanced("192.168.50.9")), "");
    EXPECT_TRUE(all().empty()) << "outside the pools";
    EXPECT_EQ(world.apply(balanced("192.168.50.201", "", "Proxy")), "");
    EXPECT_TRUE(all().empty()) << "another machine's";
    EXPECT_EQ(world.apply(balanced("192.168.50.201", "loadBalancerClass: x.io/y")), "");
    EXPECT_TRUE(all().empty()) << "another controller's";
    EXPECT_EQ(world.apply(balanced("2001:db8::7", "ipFamilies: [IPv4, IPv6]")), "");
    ASSERT_NE(world.now().v6.announced, nullptr);
    EXPECT_THAT(*world.now().v6.announced, ElementsAre(ip("2001:db8::7").as<V6>()));
}

TEST_F(AnnouncerTest, FollowsTheReadyNodes) {
    world.apply(balanced("192.168.50.201") + node("node-a") + node("node-b", "True", "", 2));
    const std::string first = at("192.168.50.201").node;
    const std::string second = first == "node-a" ? "node-b" : "node-a";
    EXPECT_EQ(is_here("192.168.50.201"), first == "node-a");
    EXPECT_TRUE(at("192.168.50.201").can_be);
    world.apply(node(first, "False"));
    EXPECT_EQ(at("192.168.50.201").node, second);
    EXPECT_EQ(is_here("192.168.50.201"), second == "node-a");
    world.apply(node(first));
    EXPECT_EQ(at("192.168.50.201").node, first);
    world.remove(Kind::kNode, "", first);
    EXPECT_EQ(at("192.168.50.201").node, second);
    // Where none is ready, one that is not is better than nobody.
    world.apply(node(second, "False"));
    EXPECT_EQ(at("192.168.50.201").node, second);
}

TEST_F(AnnouncerTest, LeavesOutNodesThatAreExcluded) {
    world.apply(
        balanced("192.168.50.201") +
        node("node-a", "True", "node.kubernetes.io/exclude-from-external-load-balancers: ''") +
        node("node-b", "True", "", 2));
    EXPECT_THAT(*at("192.168.50.201").candidates, ElementsAre("node-b"));
    EXPECT_FALSE(at("192.168.50.201").can_be);
}

TEST_F(AnnouncerTest, APolicyLocalNeedsAReadyEndpointOnTheNode) {
    world.apply(balanced("192.168.50.201", kLocal) + node("node-a") +
                node("node-b", "True", "", 2) + node("node-c", "False", "", 3));
    EXPECT_THAT(*at("192.168.50.201").candidates, IsEmpty());
    EXPECT_EQ(at("192.168.50.201").node, "");
    world.apply(slice("lb", {"10.244.2.5 @node-b", "10.244.3.5 @node-c"}));
    EXPECT_THAT(*at("192.168.50.201").candidates, ElementsAre("node-b")) << "c is not ready";
    world.apply(slice("lb", {"10.244.2.5 @node-b notready", "10.244.1.5 @node-a"}));
    EXPECT_THAT(*at("192.168.50.201").candidates, ElementsAre("node-a"));
    EXPECT_TRUE(is_here("192.168.50.201"));
    world.apply(slice("lb", {"10.244.2.5 @node-b notready", "10.244.1.5 @node-a terminating"}));
    EXPECT_THAT(*at("192.168.50.201").candidates, ElementsAre("node-a")) << "it still serves";
    world.apply(slice("lb", {"10.244.2.5", "10.244.1.5"}));
    EXPECT_THAT(*at("192.168.50.201").candidates, ElementsAre("node-a", "node-b"))
        << "by the nodes' pod CIDRs";
}

TEST_F(AnnouncerTest, WhatAPoolsAddressDoesNotServeIsRejected) {
    world.apply(balanced("192.168.50.201"));
    EXPECT_TRUE(world.now().v4.frontends.has_address(ip("192.168.50.201").as<V4>()));
    world.apply(balanced("192.168.50.9"));
    EXPECT_FALSE(world.now().v4.frontends.has_address(ip("192.168.50.201").as<V4>()));
    EXPECT_FALSE(world.now().v4.frontends.has_address(ip("192.168.50.9").as<V4>()))
        << "it may be a host's";
}

TEST_F(AnnouncerTest, AnAddressOfTwoServicesIsAnnouncedForTheFirst) {
    world.apply(balanced("192.168.50.201"));
    std::string other = balanced("192.168.50.201");
    other.replace(other.find("name: lb"), 8, "name: an");
    other.replace(other.find("10.96.0.9"), 9, "10.96.0.8");
    world.apply(other);
    EXPECT_EQ(at("192.168.50.201").service.name, "an");
    world.remove(Kind::kService, "default", "an");
    EXPECT_EQ(at("192.168.50.201").service.name, "lb");
}

}  // namespace
}  // namespace podlane::control
