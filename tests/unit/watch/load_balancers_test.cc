// Which node writes addresses into the API server, and what.
#include "control/watch/load_balancers.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>

namespace podlane::control {
namespace {

using Json = nlohmann::json;

std::string node(const char* ready, const char* unavailable, const char* reason) {
    return Json{
        {"status",
         {{"conditions",
           {{{"type", "Ready"}, {"status", ready}},
            {{"type", "NetworkUnavailable"}, {"status", unavailable}, {"reason", reason}}}}}}}
        .dump();
}

std::string service(const Json& ingress) {
    return Json{{"kind", "Service"},
                {"metadata", {{"namespace", "shop"}, {"name", "web"}}},
                {"status", {{"loadBalancer", {{"ingress", ingress}}}}}}
        .dump();
}

TEST(LoadBalancerStatus, AReadyNodeWherePodlaneIsUpWrites) {
    EXPECT_TRUE(can_write(node("True", "False", "PodlaneIsUp")));
    EXPECT_FALSE(can_write(node("Unknown", "False", "PodlaneIsUp")));
    EXPECT_FALSE(can_write(node("True", "True", "PodlaneIsUp")));
    EXPECT_FALSE(can_write(node("True", "False", "FlannelIsUp"))) << "flannel's node";
    EXPECT_FALSE(can_write("{}"));
    EXPECT_FALSE(can_write("no JSON"));
}

TEST(LoadBalancerStatus, AServiceIsPatchedWhereItsAddressesAreOthers) {
    const StatusPatch first = status_patch(service(nullptr), {"192.0.2.7", "fd00::7"});
    EXPECT_EQ(first.target, "/api/v1/namespaces/shop/services/web/status");
    EXPECT_EQ(Json::parse(first.body)["status"]["loadBalancer"]["ingress"],
              (Json{{{"ip", "192.0.2.7"}}, {{"ip", "fd00::7"}}}));
    const Json same{{{"ip", "fd00::7"}, {"ipMode", "VIP"}}, {{"ip", "192.0.2.7"}}};
    EXPECT_EQ(status_patch(service(same), {"192.0.2.7", "fd00::7"}).target, "") << "in any order";
    const StatusPatch none = status_patch(service(same), {});
    EXPECT_TRUE(Json::parse(none.body)["status"]["loadBalancer"]["ingress"].is_null());
    EXPECT_EQ(status_patch("", {"192.0.2.7"}).target, "") << "it is gone";
}

TEST(LoadBalancerStatus, AnIngressMayHaveAHostname) {
    const std::string ingress =
        Json{{"kind", "Ingress"}, {"metadata", {{"namespace", "shop"}, {"name", "web"}}}}.dump();
    const StatusPatch patch = status_patch(ingress, {"lb.example.com", "192.0.2.7"});
    EXPECT_EQ(patch.target, "/apis/networking.k8s.io/v1/namespaces/shop/ingresses/web/status");
    EXPECT_EQ(Json::parse(patch.body)["status"]["loadBalancer"]["ingress"],
              (Json{{{"ip", "192.0.2.7"}}, {{"hostname", "lb.example.com"}}}));
}

}  // namespace
}  // namespace podlane::control
