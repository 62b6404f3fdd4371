#include "control/cni/result.h"

#include <gtest/gtest.h>

#include "control/cni/failure.h"
#include "tests/unit/cni/temporary_folder.h"

namespace podlane::cni {
namespace {

using test::failure_code;

Request request(const std::string& version) {
    Request made;
    made.version = version;
    made.config = {{"cniVersion", version}, {"name", "pods"}};
    made.attachment = {"c1", "eth0"};
    made.netns = "/run/netns/web";
    return made;
}

GivenAddresses dual_stack() {
    return read_ipam_answer(Json::parse(R"({"ips": [{"address": "10.244.1.7/24",
        "gateway": "10.244.1.1"}, {"address": "fd00:10:244:1::7/64"}],
        "routes": [{"dst": "0.0.0.0/0"}, {"dst": "10.0.0.0/8", "gw": "10.244.1.1"}]})"));
}

Json port() {
    return Json::parse(R"({"name": "shop/web", "mac": "02:00:0a:f4:01:07", "mtu": 1450,
        "addresses": ["10.244.1.7", "fd00:10:244:1::7"],
        "gateways": ["10.244.1.1", "fd00:10:244:1::1"],
        "dns": {"nameservers": ["10.96.0.10"], "search": ["shop.svc.cluster.local"],
                "options": ["ndots:5"]}})");
}

TEST(CniResult, HasTheFormOfEachVersion) {
    for (const char* version : {"0.3.1", "0.4.0", "1.0.0", "1.1.0"}) {
        const Json result = make_result(request(version), dual_stack(), port());
        const bool old = version[0] == '0';
        EXPECT_EQ(result["cniVersion"], version);
        ASSERT_EQ(result["ips"].size(), 2U);
        EXPECT_EQ(result["ips"][0].contains("version"), old) << version;
        if (old) {
            EXPECT_EQ(result["ips"][0]["version"], "4");
            EXPECT_EQ(result["ips"][1]["version"], "6");
        }
        EXPECT_EQ(result["ips"][1]["address"], "fd00:10:244:1::7/64");
        EXPECT_EQ(result["ips"][1]["gateway"], "fd00:10:244:1::1");
        EXPECT_EQ(result["ips"][1]["interface"], 0);
        const Json& interface = result["interfaces"][0];
        EXPECT_EQ(interface["sandbox"], "/run/netns/web");
        EXPECT_EQ(interface["mac"], "02:00:0a:f4:01:07");
        EXPECT_EQ(interface.contains("mtu"), std::string(version) == "1.1.0") << version;
        EXPECT_EQ(result["routes"], Json::parse(R"([{"dst": "0.0.0.0/0", "gw": "10.244.1.1"},
                                  {"dst": "::/0", "gw": "fd00:10:244:1::1"}])"));
        EXPECT_EQ(result["dns"], port()["dns"]);
    }
}

TEST(CniResult, ASocketIsNamedWhereTheVersionHasAWordForIt) {
    Json with_socket = port();
    with_socket["socketPath"] = "/run/podlane/pods/shop/web/net1.sock";
    EXPECT_EQ(
        make_result(request("1.1.0"), dual_stack(), with_socket)["interfaces"][0]["socketPath"],
        "/run/podlane/pods/shop/web/net1.sock");
    EXPECT_FALSE(make_result(request("1.0.0"), dual_stack(), with_socket)["interfaces"][0].contains(
        "socketPath"));
}

TEST(CniResult, TheRuntimesDnsGoesBeforePodlanedsKeyByKey) {
    Request asked = request("1.0.0");
    asked.dns = {{"nameservers", {"192.0.2.53"}}, {"search", Json::array()}};
    const Json dns = make_result(asked, dual_stack(), port())["dns"];
    EXPECT_EQ(dns["nameservers"], Json({"192.0.2.53"}));
    EXPECT_EQ(dns["search"], Json({"shop.svc.cluster.local"}));
}

TEST(CniResult, WithoutAnyDnsTheKeyIsAbsent) {
    Json bare = port();
    bare.erase("dns");
    EXPECT_FALSE(make_result(request("1.0.0"), dual_stack(), bare).contains("dns"));
}

TEST(CniResult, AChainsEarlierResultIsKeptAndOursAdded) {
    Request chained = request("1.0.0");
    chained.config["prevResult"] = Json::parse(R"({"cniVersion": "1.0.0",
        "interfaces": [{"name": "lo", "sandbox": "/run/netns/web"}],
        "ips": [{"address": "127.0.0.1/8", "interface": 0}],
        "dns": {"nameservers": ["192.0.2.1"]}})");
    const Json result = make_result(chained, dual_stack(), port());
    ASSERT_EQ(result["interfaces"].size(), 2U);
    EXPECT_EQ(result["interfaces"][1]["name"], "eth0");
    ASSERT_EQ(result["ips"].size(), 3U);
    EXPECT_EQ(result["ips"][0]["interface"], 0);
    EXPECT_EQ(result["ips"][1]["interface"], 1);
    const auto found = find_interface(result, "eth0");
    ASSERT_TRUE(found);
    EXPECT_EQ(found->addresses, (std::vector<std::string>{"10.244.1.7/24", "fd00:10:244:1::7/64"}));
    EXPECT_FALSE(find_interface(result, "eth1"));
    EXPECT_FALSE(find_interface(nullptr, "eth0"));
}

TEST(CniResult, AnIpamAnswerThatCannotBeCarriedOutIsRefused) {
    for (const char* answer :
         {R"({})", R"({"ips": []})", R"({"ips": [{"address": "10.0.0.1"}]})",
          R"({"ips": [{"address": "10.0.0.1/24"}, {"address": "10.0.0.2/24"}]})",
          R"({"ips": [{"address": "10.0.0.1/24", "gateway": "10.0.0.254"}],
              "routes": [{"dst": "192.0.2.0/24", "gw": "10.0.0.9"}]})"}) {
        EXPECT_EQ(failure_code([&] { (void)read_ipam_answer(Json::parse(answer)); }), code::kIpam)
            << answer;
    }
}

}  // namespace
}  // namespace podlane::cni
