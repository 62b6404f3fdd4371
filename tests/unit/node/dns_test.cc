// The node's part in the cluster's DNS.
#include "control/dns/name_server.h"
#include "control/node/counters.h"
#include "lib/dns/name.h"
#include "tests/unit/node/node_fixture.h"

namespace podlane::control {
namespace {

class Dns : public NodeFixture {
  protected:
    Dns() { config_.cluster.dns = {address("10.96.0.10"), address("fd00:10:96::a")}; }

    Json resolve(std::string_view name, std::string_view type = "A") {
        return ok(node_->resolve(name, type));
    }
};

TEST_F(Dns, TheServerHasAPortOfItsOwnWithItsAddresses) {
    start();
    ASSERT_EQ(taps_.servers.size(), 1u);
    EXPECT_EQ(taps_.servers[0].addresses, config_.cluster.dns);
    EXPECT_EQ(taps_.servers[0].router, live().gateway_mac);
    EXPECT_EQ(taps_.servers[0].mtu, 1450);
    EXPECT_EQ(names_.addresses, config_.cluster.dns);
    EXPECT_EQ(names_.netns_path, "/proc/self/fd/99");
    const PortId port = port_of("dns");
    ASSERT_NE(port, kNoPort);
    EXPECT_EQ(live().port(port).kind, PortKind::kDns);
    const Json ports = ok(node_->get("ports", "dns", std::nullopt)).at("items");
    EXPECT_EQ(ports[0].at("kind"), "dns");
    EXPECT_EQ(ports[0].at("addresses"), (Json{"10.96.0.10", "fd00:10:96::a"}));
}

TEST_F(Dns, ASmallPodMtuIsNotTheServers) {
    config_.pods.mtu = 600;
    start();
    EXPECT_EQ(taps_.servers.at(0).mtu, 1280);
}

TEST_F(Dns, SwitchedOffThereIsNothingOfIt) {
    config_.cluster.dns.clear();
    start();
    EXPECT_TRUE(taps_.servers.empty());
    EXPECT_EQ(port_of("dns"), kNoPort);
    EXPECT_EQ(live().dns, nullptr);
    EXPECT_FALSE(add_pod("default/web", {"10.244.1.10"}).at("port").contains("dns"));
    EXPECT_FALSE(ok(node_->stats()).contains("dns"));
    EXPECT_EQ(failure(node_->resolve("web", "A")).code, rpc_code::kFailed);
}

TEST_F(Dns, WhatCannotBeMadeEndsTheStartAndLeavesNothing) {
    names_.refuse_with = "10.96.0.10:53: bind: Permission denied";
    make();
    const auto started = node_->start();
    ASSERT_FALSE(started.ok());
    EXPECT_EQ(started.error().message,
              "node-a.yaml: cluster.dns: the DNS server's port cannot be made: " +
                  names_.refuse_with + "; dns: off does without");
    EXPECT_EQ(taps_.removed, (std::vector<std::string>{"podlane0", "dns"}));
}

TEST_F(Dns, EachZoneIsGivenToTheServer) {
    start();
    apply(kWebService);
    ASSERT_FALSE(names_.zones.empty());
    EXPECT_EQ(names_.zones.back(), live().dns);
    EXPECT_EQ(names_.zones.back()->service_count(), 1u);
}

TEST_F(Dns, APodIsToldWhatItsResolvConfSays) {
    start();
    const Json dns = add_pod("shop/web", {"10.244.1.10"}).at("port").at("dns");
    EXPECT_EQ(dns,
              (Json{{"nameservers", {"10.96.0.10", "fd00:10:96::a"}},
                    {"search", {"shop.svc.cluster.local", "svc.cluster.local", "cluster.local"}},
                    {"options", {"ndots:5"}}}));
}

TEST_F(Dns, ResolveSaysWhatIsAnswered) {
    start();
    apply(kWebService);
    const Json web = resolve("Web.default.svc.cluster.local");
    EXPECT_EQ(web, (Json{{"name", "web.default.svc.cluster.local"},
                         {"type", "A"},
                         {"rcode", "NOERROR"},
                         {"records", {"web.default.svc.cluster.local. 5 IN A 10.96.0.10"}}}));
    EXPECT_EQ(resolve("web.default.svc.cluster.local", "AAAA").at("rcode"), "NOERROR");
    const Json gone = resolve("gone.default.svc.cluster.local.");
    EXPECT_EQ(gone.at("rcode"), "NXDOMAIN");
    EXPECT_NE(gone.at("records")[0].get<std::string>().find(" SOA "), std::string::npos);
    EXPECT_EQ(resolve("10.0.96.10.in-addr.arpa", "PTR").at("records").size(), 2u)
        << "the Service, and the server itself";
}

TEST_F(Dns, ResolveAsksNobodyElse) {
    names_.counted.upstreams = {{{address("192.0.2.1"), 53}},
                                {.server = {address("192.0.2.2"), 53}, .is_healthy = false}};
    start();
    apply(
        "apiVersion: v1\nkind: Service\nmetadata: {name: out}\n"
        "spec: {type: ExternalName, externalName: www.example.com}\n");
    EXPECT_EQ(resolve("example.org"), (Json{{"name", "example.org"},
                                            {"type", "A"},
                                            {"upstream",
                                             {{"name", "example.org"},
                                              {"servers", {"192.0.2.1:53", "192.0.2.2:53"}},
                                              {"silent", {"192.0.2.2:53"}}}},
                                            {"records", Json::array()}}));
    const Json alias = resolve("out.default.svc.cluster.local");
    EXPECT_EQ(alias.at("upstream").at("name"), "www.example.com");
    EXPECT_EQ(alias.at("records").size(), 1u);
}

TEST_F(Dns, ResolveRefusesWhatIsNoQuestion) {
    start();
    EXPECT_EQ(failure(node_->resolve("a..b", "A")).code, rpc_code::kBadParams);
    const RpcFailure why = failure(node_->resolve("a", "XYZ"));
    EXPECT_EQ(why.code, rpc_code::kBadParams);
    EXPECT_NE(why.message.find("XYZ is none of A"), std::string::npos);
}

TEST_F(Dns, StatsCountWorkersAndServer) {
    names_.counted.udp_queries = 7;
    names_.counted.forwarder.cache_hits = 3;
    names_.counted.upstreams = {{.server = {address("192.0.2.1"), 53}, .is_healthy = false}};
    start();
    auto& counters = dataplane_.mutable_counters(0);
    counters.dns[static_cast<size_t>(DnsOutcome::kAnswer)].add(5);
    counters.dns[static_cast<size_t>(DnsOutcome::kForward)].add(2);
    counters.dns_truncated.add(1);
    const Json dns = ok(node_->stats()).at("dns");
    EXPECT_EQ(dns.at("workers").at("answer"), 5);
    EXPECT_EQ(dns.at("workers").at("forward"), 2);
    EXPECT_EQ(dns.at("workers").at("nxdomain"), 0);
    EXPECT_EQ(dns.at("truncated"), 1);
    EXPECT_EQ(dns.at("server").at("udpQueries"), 7);
    EXPECT_EQ(dns.at("server").at("cacheHits"), 3);
    EXPECT_EQ(dns.at("server").at("upstreams")[0].at("server"), "192.0.2.1:53");
    EXPECT_EQ(dns.at("server").at("upstreams")[0].at("healthy"), false);
    const Json health = ok(node_->health());
    EXPECT_EQ(health.at("status"), "ok") << health;
    EXPECT_EQ(health.at("elsewhere"),
              Json::array({"DNS server 192.0.2.1:53 does not answer: names outside of the cluster "
                           "are not found"}));
    EXPECT_EQ(dns_stats(dataplane_, nullptr).server.has_value(), false);
}

}  // namespace
}  // namespace podlane::control
