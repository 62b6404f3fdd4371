#include "control/ingress/status.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace podlane::control {
namespace {

using Json = nlohmann::ordered_json;

TEST(IngressStatus, TheAddressesAreTheLoadBalancersElseTheExternalIps) {
    Json service{{"spec", {{"externalIPs", {"192.0.2.9"}}}}};
    EXPECT_EQ(outside_addresses(service), Json::array({{{"ip", "192.0.2.9"}}}));
    service["status"]["loadBalancer"]["ingress"] = {{{"ip", "192.0.2.7"}, {"ipMode", "VIP"}},
                                                    {{"hostname", "lb.example.com"}}};
    EXPECT_EQ(outside_addresses(service),
              (Json{{{"ip", "192.0.2.7"}}, {{"hostname", "lb.example.com"}}}));
    EXPECT_EQ(outside_addresses(Json::object()), Json::array());
}

TEST(IngressStatus, OnlyIngressesOfTheClassHaveIt) {
    const auto ingress = [](const char* name, const char* of) {
        return Json{{"apiVersion", "networking.k8s.io/v1"},
                    {"kind", "Ingress"},
                    {"metadata", {{"namespace", "shop"}, {"name", name}}},
                    {"spec", {{"ingressClassName", of}}}};
    };
    const Json items{ingress("a", "podlane"), ingress("b", "nginx"), ingress("c", "podlane")};
    EXPECT_EQ(ingresses_of_class(items, "podlane").value(),
              (std::vector<NamespacedName>{{"shop", "a"}, {"shop", "c"}}));
    EXPECT_FALSE(ingresses_of_class(Json::array({1}), "podlane").ok());
}

}  // namespace
}  // namespace podlane::control
