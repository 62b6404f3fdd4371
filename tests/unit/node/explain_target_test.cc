#include "control/node/explain_target.h"

#include "control/node/dns_question.h"
#include "lib/dns/name.h"
#include "tests/unit/node/node_fixture.h"

namespace podlane::control {
namespace {

class ExplainTargetTest : public NodeFixture {
  protected:
    ExplainTargetTest() {
        config_.cluster.dns = {address("10.96.0.53")};
        start();
        add_pod("default/client", {"10.244.1.20", "fd00:10:244:1::14"});
        apply(kWebService);
        apply(
            "apiVersion: v1\nkind: Service\nmetadata: {name: two, namespace: shop}\n"
            "spec: {clusterIP: 10.96.0.30, ports: [{name: http, port: 80}, {name: tls, port: "
            "443}]}\n"
            "---\napiVersion: v1\nkind: Service\nmetadata: {name: headless, namespace: shop}\n"
            "spec: {clusterIP: None, ports: [{port: 80}]}\n"
            "---\napiVersion: v1\nkind: Pod\nmetadata: {name: late, namespace: shop}\n"
            "spec: {nodeName: node-a}\nstatus: {podIP: 10.244.1.77}\n"
            "---\napiVersion: v1\nkind: Pod\nmetadata: {name: far, namespace: shop}\n"
            "spec: {nodeName: node-b}\nstatus: {podIP: 10.244.2.7}\n");
    }
    Json explain(const std::string& from, const std::string& to) {
        return ok(node_->explain({from, to, "", std::nullopt}));
    }
    std::string fault(const std::string& from, const std::string& to) {
        const auto answer = node_->explain({from, to, "", std::nullopt});
        return answer.ok() ? "(none)" : answer.refusal().error.message;
    }
};

TEST_F(ExplainTargetTest, AServiceIsUnderstoodByItsNameAndPort) {
    const Json by_address = explain("default/client", "10.96.0.30:443");
    for (const char* to : {"shop/two:443", "shop/two:tls", "two.shop.svc.cluster.local:443",
                           "two.shop.svc.cluster.local:tls"}) {
        EXPECT_EQ(explain("default/client", to), by_address) << to;
    }
    // One port alone needs not be said.
    EXPECT_EQ(explain("default/client", "default/web"), explain("default/client", "10.96.0.10:80"));
}

TEST_F(ExplainTargetTest, ANameIsCompletedAsThePodsResolverDoes) {
    const Json by_address = explain("default/client", "10.96.0.10:80");
    for (const char* to : {"web:80", "web", "web.default:80", "web.default.svc:80",
                           "web.default.svc.cluster.local.:80"}) {
        EXPECT_EQ(explain("default/client", to), by_address) << to;
    }
    EXPECT_EQ(explain("default/client", "two.shop:tls"),
              explain("default/client", "10.96.0.30:443"));
    EXPECT_EQ(explain("10.244.1.20", "web:80"), explain("10.244.1.20", "10.96.0.10:80"));
    // It is in another namespace, or no pod at all.
    EXPECT_EQ(fault("default/client", "two:80"), "to: there is no Service or Pod default/two");
    EXPECT_EQ(explain("port:uplink0", "web:80"), explain("port:uplink0", "10.96.0.10:80"));
    EXPECT_EQ(explain("port:uplink0", "web.default:80"), explain("port:uplink0", "10.96.0.10:80"));
    EXPECT_NE(fault("default/client", "www.example:80").find("no name of the cluster"),
              std::string::npos);
}

TEST_F(ExplainTargetTest, IcmpHasNoPort) {
    EXPECT_EQ(ok(node_->explain({"default/client", "default/web", "icmp", std::nullopt})),
              ok(node_->explain({"default/client", "10.96.0.10", "icmp", std::nullopt})));
}

TEST_F(ExplainTargetTest, APodIsUnderstoodByItsName) {
    EXPECT_EQ(explain("default/client", "shop/far:80"), explain("default/client", "10.244.2.7:80"));
    apply(
        "{apiVersion: v1, kind: Pod, metadata: {name: near}, spec: {nodeName: node-b}, status: "
        "{podIP: 10.244.2.8}}");
    EXPECT_EQ(explain("default/client", "near:80"), explain("default/client", "10.244.2.8:80"))
        << "without a namespace: of the sender's";
}

TEST_F(ExplainTargetTest, WhatHasNoAddressSaysWhy) {
    EXPECT_EQ(fault("default/client", "shop/none:80"), "to: there is no Service or Pod shop/none");
    EXPECT_EQ(fault("default/client", "shop/headless:80"),
              "to: Service shop/headless has no ClusterIP; give the address of a pod");
    EXPECT_EQ(fault("default/client", "shop/two:ftp"), "to: Service shop/two has no port ftp");
    EXPECT_EQ(fault("default/client", "none.shop.svc.cluster.local:80"),
              "to: none.shop.svc.cluster.local has no address in the cluster's DNS");
    EXPECT_EQ(
        fault("default/client", "www.example.com:80"),
        "to: www.example.com is no name of the cluster, and explain asks no server outside; give "
        "its address");
    EXPECT_NE(fault("default/client", "10.96.0.30:http").find("is not ADDRESS:PORT"),
              std::string::npos);
    EXPECT_NE(fault("default/client", "shop/two").find("lacks a port"), std::string::npos);
}

TEST_F(ExplainTargetTest, APodOfThisNodeThatWasNeverAddedSaysSo) {
    const char* wanted =
        "from: pod shop/late of this node has no port here: podlanectl pod add shop/late --netns "
        "PATH --address 10.244.1.77";
    EXPECT_EQ(fault("shop/late", "10.96.0.10:80"), wanted);
    EXPECT_EQ(fault("10.244.1.77", "10.96.0.10:80"), wanted);
    EXPECT_EQ(fault("shop/far", "10.96.0.10:80"), "(none)");
    EXPECT_EQ(
        fault("10.244.1.99", "10.96.0.10:80"),
        "from: no pod of this node has 10.244.1.99: podlanectl pod add NAMESPACE/NAME --netns "
        "PATH --address 10.244.1.99");
}

TEST_F(ExplainTargetTest, AQuestionIsAnsweredByTheZoneOfTheSnapshot) {
    const DnsQuery query = dns_question(*dns_name_from_text("a.b"), kDnsA);
    EXPECT_EQ(query.type, kDnsA);
    EXPECT_EQ(query.class_, kDnsClassIn);
    const auto none = resolve_target({}, nullptr, "", "web.default.svc.cluster.local:80", true);
    EXPECT_NE(none.error().message.find("cluster.dns is off"), std::string::npos);
}

}  // namespace
}  // namespace podlane::control
