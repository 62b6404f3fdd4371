#include "control/loadbalancer/allocator.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "control/kube/json.h"
#include "control/kube/parse.h"
#include "tests/support/seed.h"

namespace podlane::control {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

NodeConfig with_pools(const std::vector<std::string>& pools) {
    NodeConfig config;
    config.node = "node-a";
    UplinkConfig uplink;
    uplink.addresses = {*parse_interface_address("192.0.2.1/24")};
    config.uplinks = {uplink};
    config.cluster.service_cidrs = {*parse_prefix("10.96.0.0/12"), *parse_prefix("fd00:96::/108")};
    for (const auto& pool : pools) {
        config.load_balancer.pools.push_back(*parse_address_range(pool));
    }
    return config;
}

/// A Service of type LoadBalancer; `spec` and `more` go into its spec and its top level.
std::string balanced(const std::string& name, const std::string& spec = "",
                     const std::string& more = "", const std::string& metadata = "") {
    return fmt::format(
        "---\napiVersion: v1\nkind: Service\nmetadata: {{name: {}, namespace: shop{}}}\n"
        "spec: {{type: LoadBalancer, ports: [{{port: 80}}]{}}}\n{}\n",
        name, metadata.empty() ? "" : ", " + metadata, spec.empty() ? "" : ", " + spec, more);
}

constexpr const char* kDual = "ipFamilies: [IPv4, IPv6], ipFamilyPolicy: PreferDualStack";

/// A store with its allocator, as the controller keeps them.
class Cluster {
  public:
    explicit Cluster(const std::vector<std::string>& pools) : config_(with_pools(pools)) {}

    const ChangeSet& apply(const std::string& text) {
        return commit(store_.plan_apply(parse(text)));
    }
    const ChangeSet& replace(const std::string& text) {
        return commit(store_.plan_replace(parse(text)));
    }
    void remove(const std::string& name) {
        commit(store_.plan_delete({{Kind::kService, "shop", name}}));
    }
    /// What podlaned remembers when it starts again, and what it is told then.
    void restart(const std::string& text) {
        AddressMemory kept = memory_from_text(to_text(allocator_->memory())).value();
        allocator_.emplace(config_).restore(std::move(kept));
        store_ = {};
        replace(text);
    }
    [[nodiscard]] ObjectPtr<Service> service(const std::string& name) const {
        return store_.find<Service>({"shop", name});
    }
    [[nodiscard]] std::vector<std::string> addresses(const std::string& name) const {
        std::vector<std::string> out;
        for (const auto& ingress : service(name)->load_balancer) {
            out.push_back(ingress.ip ? to_string(*ingress.ip) : ingress.hostname);
        }
        return out;
    }
    [[nodiscard]] std::string address(const std::string& name) const {
        const auto all = addresses(name);
        return all.empty() ? "" : all.front();
    }
    [[nodiscard]] std::string problem(const std::string& name) const {
        const AddressProblem& problem = service(name)->address_problem;
        return problem.reason.empty() ? "" : problem.reason + ": " + problem.message;
    }
    [[nodiscard]] AllocationTotals totals() const { return allocator_->totals(); }
    std::vector<std::string> notices;

  private:
    static std::vector<Object> parse(const std::string& text) {
        auto parsed = parse_objects(text, "t");
        EXPECT_TRUE(parsed.ok()) << (parsed.ok() ? "" : parsed.error().message);
        return parsed.ok() ? parsed->objects : std::vector<Object>{};
    }
    const ChangeSet& commit(ChangeSet plan) {
        auto outcome = allocator_->complete(store_, plan);
        notices.clear();
        store_.commit(plan);
        if (outcome) {
            notices = outcome->notices;
            allocator_->accept(std::move(*outcome));
        }
        last_ = std::move(plan);
        return last_;
    }

    NodeConfig config_;
    ObjectStore store_;
    std::optional<AddressAllocator> allocator_{config_};
    ChangeSet last_;
};

TEST(Allocator, GivesAnAddressOfThePoolToAServiceThatAsks) {
    Cluster cluster({"192.0.2.200-192.0.2.203"});
    cluster.apply(balanced("web"));
    EXPECT_TRUE(parse_address_range("192.0.2.200-192.0.2.203")
                    ->contains(*parse_ip(cluster.address("web"))));
    EXPECT_TRUE(cluster.service("web")->from_pools);
    EXPECT_EQ(cluster.problem("web"), "");
    EXPECT_EQ(cluster.totals().assigned, 1U);
}

TEST(Allocator, GivesNothingWithoutPoolsOrToOtherServices) {
    Cluster none({});
    none.apply(balanced("web"));
    EXPECT_THAT(none.addresses("web"), IsEmpty());
    EXPECT_EQ(none.problem("web"), "");

    Cluster cluster({"192.0.2.200/30"});
    cluster.apply(balanced("other", "loadBalancerClass: example.com/metal"));
    cluster.apply(
        balanced("mesh", "", "", "labels: {service.kubernetes.io/service-proxy-name: x}"));
    cluster.apply(
        "apiVersion: v1\nkind: Service\nmetadata: {name: inner, namespace: shop}\n"
        "spec: {ports: [{port: 80}]}\n");
    for (const char* name : {"other", "mesh", "inner"}) {
        EXPECT_THAT(cluster.addresses(name), IsEmpty()) << name;
        EXPECT_EQ(cluster.problem(name), "") << name;
    }
    EXPECT_EQ(cluster.totals().assigned + cluster.totals().pending, 0U);
}

TEST(Allocator, LeavesAStatusThatOthersSetAndGivesItsAddressesToNobody) {
    Cluster cluster({"192.0.2.200-192.0.2.201"});
    cluster.apply(balanced("set", "", "status: {loadBalancer: {ingress: [{ip: 192.0.2.200}]}}") +
                  balanced("named", "", "status: {loadBalancer: {ingress: [{hostname: a.b}]}}") +
                  balanced("web"));
    EXPECT_THAT(cluster.addresses("set"), ElementsAre("192.0.2.200"));
    EXPECT_FALSE(cluster.service("set")->from_pools);
    EXPECT_THAT(cluster.addresses("named"), ElementsAre("a.b"));
    EXPECT_EQ(cluster.address("web"), "192.0.2.201");
}

TEST(Allocator, FollowsTheFamiliesOfTheService) {
    Cluster cluster({"192.0.2.200", "2001:db8::10-2001:db8::10"});
    cluster.replace(balanced("web", "ipFamilies: [IPv6, IPv4], ipFamilyPolicy: RequireDualStack"));
    EXPECT_THAT(cluster.addresses("web"), ElementsAre("2001:db8::10", "192.0.2.200"));
    cluster.replace(balanced("web", "ipFamilies: [IPv6]"));
    EXPECT_THAT(cluster.addresses("web"), ElementsAre("2001:db8::10"));
    cluster.replace(balanced("web", "clusterIP: 10.96.0.5"));
    EXPECT_THAT(cluster.addresses("web"), ElementsAre("192.0.2.200"));
    cluster.replace(balanced("web", kDual));
    EXPECT_THAT(cluster.addresses("web"), ElementsAre("192.0.2.200", "2001:db8::10"));
}

TEST(Allocator, MissesAFamilyOnlyWhereTheServiceRequiresIt) {
    Cluster cluster({"192.0.2.200-192.0.2.210"});
    cluster.apply(balanced("prefers", kDual));
    EXPECT_EQ(cluster.addresses("prefers").size(), 1U);
    EXPECT_EQ(cluster.problem("prefers"), "");
    cluster.apply(
        balanced("requires", "ipFamilies: [IPv4, IPv6], ipFamilyPolicy: RequireDualStack"));
    EXPECT_EQ(cluster.addresses("requires").size(), 1U);
    EXPECT_EQ(cluster.problem("requires"), "NoPool: loadBalancer.pools has no IPv6 addresses");
    cluster.apply(balanced("six", "ipFamilies: [IPv6]"));
    EXPECT_THAT(cluster.addresses("six"), IsEmpty());
    EXPECT_EQ(cluster.problem("six"), "NoPool: loadBalancer.pools has no IPv6 addresses");
}

TEST(Allocator, HonoursARequestedAddressOfAPool) {
    Cluster cluster({"192.0.2.200-192.0.2.220", "2001:db8::/120"});
    cluster.apply(balanced("field", "loadBalancerIP: 192.0.2.207"));
    EXPECT_THAT(cluster.addresses("field"), ElementsAre("192.0.2.207"));
    for (const char* key : {"podlane.io/load-balancer-ips", "metallb.io/loadBalancerIPs",
                            "metallb.universe.tf/loadBalancerIPs", "lbipam.cilium.io/ips",
                            "kube-vip.io/loadbalancerIPs"}) {
        cluster.replace(balanced(
            "web", kDual, "", fmt::format("annotations: {{{}: '192.0.2.210, 2001:db8::7'}}", key)));
        EXPECT_THAT(cluster.addresses("web"), ElementsAre("192.0.2.210", "2001:db8::7")) << key;
    }
    // One that is asked for later moves the Service that asks.
    cluster.apply(balanced("later"));
    cluster.apply(balanced("later", "loadBalancerIP: 192.0.2.219"));
    EXPECT_THAT(cluster.addresses("later"), ElementsAre("192.0.2.219"));
}

TEST(Allocator, SaysWhyARequestCannotBeHonoured) {
    Cluster cluster({"192.0.2.200-192.0.2.220"});
    cluster.apply(balanced("first", "loadBalancerIP: 192.0.2.207") +
                  balanced("second", "loadBalancerIP: 192.0.2.207") +
                  balanced("outside", "loadBalancerIP: 192.0.2.5") +
                  balanced("wrong", "loadBalancerIP: elsewhere"));
    EXPECT_EQ(cluster.address("first"), "192.0.2.207");
    EXPECT_EQ(cluster.problem("second"), "AddressInUse: 192.0.2.207 is Service shop/first's");
    EXPECT_EQ(cluster.problem("outside"),
              "OutsidePools: 192.0.2.5 is not an address of loadBalancer.pools");
    EXPECT_EQ(cluster.problem("wrong"), "InvalidRequest: elsewhere is no address");
    for (const char* name : {"second", "outside", "wrong"}) {
        EXPECT_THAT(cluster.addresses(name), IsEmpty()) << name;
    }
    EXPECT_EQ(cluster.notices.size(), 3U);
    cluster.remove("first");
    EXPECT_EQ(cluster.address("second"), "192.0.2.207") << "it waited for that";
    EXPECT_EQ(cluster.problem("second"), "");
}

/// A Service of one port that lets others share its address.
std::string shared(const std::string& name, int port, const std::string& spec = "",
                   const std::string& key = "metallb.universe.tf/allow-shared-ip: web") {
    return fmt::format(
        "---\napiVersion: v1\nkind: Service\nmetadata: {{name: {}, namespace: shop, annotations: "
        "{{{}}}}}\nspec: {{type: LoadBalancer, ports: [{{port: {}}}]{}}}\n",
        name, key, port, spec.empty() ? "" : ", " + spec);
}

TEST(Allocator, ServicesWithOneKeyAndDifferentPortsShareAnAddress) {
    Cluster cluster({"192.0.2.200-192.0.2.220"});
    const std::string all =
        shared("a", 80) + shared("b", 443, "", "metallb.io/allow-shared-ip: web") +
        shared("c", 8443, "", "podlane.io/allow-shared-ip: web") +
        shared("d", 25, "loadBalancerIP: 192.0.2.207", "metallb.io/allow-shared-ip: mail") +
        shared("e", 143, "loadBalancerIP: 192.0.2.207", "metallb.io/allow-shared-ip: mail");
    cluster.apply(all);
    EXPECT_NE(cluster.address("a"), "");
    EXPECT_EQ(cluster.address("a"), cluster.address("b"));
    EXPECT_EQ(cluster.address("a"), cluster.address("c"));
    EXPECT_EQ(cluster.address("d"), "192.0.2.207");
    EXPECT_EQ(cluster.address("e"), "192.0.2.207");
    const std::string before = cluster.address("b");
    cluster.remove("a");
    EXPECT_EQ(cluster.address("b"), before) << "who goes moves nobody";
    cluster.apply(shared("a", 80));
    EXPECT_EQ(cluster.address("a"), before);
    cluster.restart(all);
    EXPECT_EQ(cluster.address("a"), before);
    EXPECT_EQ(cluster.address("b"), before);
}

TEST(Allocator, WhatMetalLbDoesNotShareIsNotShared) {
    constexpr const char* kWish = "loadBalancerIP: 192.0.2.207";
    const auto problem = [&](const std::string& first, const std::string& second) {
        Cluster cluster({"192.0.2.200-192.0.2.220"});
        cluster.apply(first);
        cluster.apply(second);
        EXPECT_EQ(cluster.address("a"), "192.0.2.207");
        return cluster.problem("b");
    };
    const std::string in_use = "AddressInUse: 192.0.2.207 is Service shop/a's";
    EXPECT_EQ(problem(shared("a", 80, kWish), balanced("b", kWish)), in_use);
    EXPECT_EQ(problem(balanced("a", kWish), shared("b", 81, kWish)),
              in_use + ", which has not its allow-shared-ip key");
    EXPECT_EQ(problem(shared("a", 80, kWish), shared("b", 80, kWish)),
              in_use + ", which has port 80/TCP too");
    const std::string local = std::string(kWish) + ", externalTrafficPolicy: Local, selector: ";
    EXPECT_EQ(problem(shared("a", 80, kWish), shared("b", 81, local + "{app: x}")),
              in_use + ", which has another externalTrafficPolicy");
    EXPECT_EQ(problem(shared("a", 80, local + "{app: other}"), shared("b", 81, local + "{app: x}")),
              in_use + ", which selects other pods (externalTrafficPolicy Local)");
    EXPECT_EQ(problem(shared("a", 80, local + "{app: x}"), shared("b", 81, local + "{app: x}")),
              "");
    EXPECT_EQ(problem(shared("a", 53, kWish + std::string(", ipFamilies: [IPv4]")),
                      "---\napiVersion: v1\nkind: Service\nmetadata: {name: b, namespace: shop, "
                      "annotations: {metallb.io/allow-shared-ip: web}}\nspec: {type: LoadBalancer, "
                      "loadBalancerIP: 192.0.2.207, ports: [{port: 53, protocol: UDP}]}\n"),
              "")
        << "one port number by two protocols";
}

TEST(Allocator, TakesNoAddressThatIsANodesOrAnExternalIpOrTheSubnetsOwn) {
    Cluster cluster({"192.0.2.252-192.0.2.255"});
    cluster.apply(
        "apiVersion: v1\nkind: Node\nmetadata: {name: node-b}\n"
        "status: {addresses: [{type: InternalIP, address: 192.0.2.253}]}\n"
        "---\napiVersion: v1\nkind: Service\nmetadata: {name: ext, namespace: shop}\n"
        "spec: {ports: [{port: 80}], externalIPs: [192.0.2.254]}\n" +
        balanced("web") + balanced("late"));
    EXPECT_EQ(cluster.problem("web"),
              "PoolExhausted: loadBalancer.pools: each of 4 IPv4 addresses is taken");
    EXPECT_EQ(cluster.address("late"), "192.0.2.252");
}

TEST(Allocator, SaysThatAPoolIsExhaustedAndServesTheFirstWhenOneIsFree) {
    Cluster cluster({"192.0.2.200-192.0.2.201"});
    cluster.apply(balanced("a") + balanced("b"));
    cluster.apply(balanced("c") + balanced("d"));
    EXPECT_THAT(cluster.notices,
                ElementsAre("t:2: Service shop/c: no address (PoolExhausted): loadBalancer.pools: "
                            "each of 2 IPv4 addresses is taken",
                            testing::HasSubstr("Service shop/d: no address")));
    EXPECT_EQ(to_json(*cluster.service("c")).at("status").at("conditions")[0].at("reason"),
              "PoolExhausted");
    EXPECT_EQ(cluster.totals().pending, 2U);
    EXPECT_EQ(cluster.totals().refused, 2U);
    cluster.apply(balanced("d"));
    EXPECT_THAT(cluster.notices, IsEmpty()) << "nothing new";

    const std::string freed = cluster.address("a");
    cluster.remove("a");
    EXPECT_EQ(cluster.address("c"), freed);
    EXPECT_EQ(cluster.problem("d").substr(0, 13), "PoolExhausted");
    EXPECT_EQ(cluster.totals().pending, 1U);
    EXPECT_EQ(cluster.totals().refused, 2U);
}

TEST(Allocator, ApplyingTheSameTextAgainChangesNothing) {
    Cluster cluster({"192.0.2.200/29"});
    const std::string text = balanced("a") + balanced("b", kDual);
    cluster.apply(text);
    const ChangeSet& again = cluster.apply(text);
    EXPECT_TRUE(again.empty());
    EXPECT_EQ(again.unchanged, 2U);
}

TEST(Allocator, WhatGetPrintsIsAStatusThatStaysWhenItIsAppliedElsewhere) {
    Cluster cluster({"192.0.2.200/29"});
    cluster.apply(balanced("a") + balanced("b"));
    Cluster other({"192.0.2.200/29"});
    other.apply(to_json(*cluster.service("b")).dump());
    EXPECT_EQ(other.addresses("b"), cluster.addresses("b"));
    EXPECT_FALSE(other.service("b")->from_pools);
    // Without a status again it keeps what it had.
    other.apply(balanced("b"));
    EXPECT_EQ(other.addresses("b"), cluster.addresses("b"));
}

TEST(Allocator, AStatusSetByOthersWinsOverAnAddressGivenHere) {
    Cluster cluster({"192.0.2.200-192.0.2.201"});
    cluster.apply(balanced("a"));
    const std::string first = cluster.address("a");
    cluster.apply(balanced("b", "", "status: {loadBalancer: {ingress: [{ip: " + first + "}]}}"));
    EXPECT_EQ(cluster.address("b"), first);
    EXPECT_NE(cluster.address("a"), first);
    EXPECT_NE(cluster.address("a"), "");
}

TEST(Allocator, AServiceThatComesAgainGetsItsFormerAddress) {
    Cluster cluster({"192.0.2.200-192.0.2.207"});
    cluster.apply(balanced("a") + balanced("b") + balanced("c") + balanced("d"));
    const std::string former = cluster.address("c");
    cluster.remove("c");
    // Half of the pool was never anybody's: that is taken first.
    cluster.apply(balanced("e") + balanced("f") + balanced("g") + balanced("h"));
    cluster.apply(balanced("c"));
    EXPECT_EQ(cluster.address("c"), former);
}

/// Names in an order that a seed gives.
std::vector<std::string> names(size_t count, std::mt19937_64& random) {
    std::vector<std::string> out;
    for (size_t i = 0; i < count; ++i) out.push_back(fmt::format("s{}", i));
    std::shuffle(out.begin(), out.end(), random);
    return out;
}

TEST(Allocator, ServicesThatComeAndGoMoveNobody) {
    const uint64_t seed = podlane::test::test_seed();
    SCOPED_TRACE("PODLANE_TEST_SEED=" + std::to_string(seed));
    std::mt19937_64 random(seed);
    Cluster cluster({"192.0.2.200-192.0.2.219", "2001:db8::/124"});
    std::map<std::string, std::vector<std::string>> there;
    for (int step = 0; step < 400; ++step) {
        const std::string name = fmt::format("s{}", random() % 40);
        if (there.contains(name)) {
            cluster.remove(name);
            there.erase(name);
        } else if (there.size() < 16) {
            cluster.apply(balanced(name, kDual));
            there[name] = cluster.addresses(name);
            ASSERT_EQ(there[name].size(), 2U);
        }
        if (step % 50 == 49) {
            std::string text;
            for (const auto& [each, addresses] : there) text += balanced(each, kDual);
            cluster.restart(text);
        }
        std::set<std::string> seen;
        for (const auto& [each, addresses] : there) {
            ASSERT_EQ(cluster.addresses(each), addresses) << each << " moved in step " << step;
            for (const auto& address : addresses) ASSERT_TRUE(seen.insert(address).second);
        }
    }
}

TEST(Allocator, NodesThatLearnTheSameServicesAgree) {
    const uint64_t seed = podlane::test::test_seed();
    SCOPED_TRACE("PODLANE_TEST_SEED=" + std::to_string(seed));
    std::mt19937_64 random(seed);
    for (int round = 0; round < 50; ++round) {
        const std::vector<std::string> order = names(12, random);
        // One hears of each in turn, one of all at once, one of some when others are gone.
        Cluster each({"192.0.2.200-192.0.2.231"});
        Cluster once({"192.0.2.200-192.0.2.231"});
        std::string all;
        for (size_t i = 0; i < order.size(); ++i) {
            const std::string text = balanced(
                order[i], "", "", fmt::format("creationTimestamp: '2026-01-01T00:00:{:02}Z'", i));
            each.apply(text);
            all += text;
        }
        once.replace(all);
        for (const std::string& name : order) {
            ASSERT_EQ(each.address(name), once.address(name)) << name;
        }
        // The order in which Services go and others come does not matter either.
        const std::string fresh = balanced("fresh") + balanced("fresher");
        each.remove(order[3]);
        each.remove(order[5]);
        each.apply(fresh);
        once.apply(fresh);
        once.remove(order[5]);
        once.remove(order[3]);
        for (const char* name : {"fresh", "fresher"}) {
            ASSERT_EQ(each.address(name), once.address(name)) << name;
        }
    }
}

}  // namespace
}  // namespace podlane::control
