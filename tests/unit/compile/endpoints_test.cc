// The choice of endpoints and the pure rules of frontends, apart from any store's history.
#include "control/compile/endpoints.h"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include <array>
#include <optional>

#include "control/compile/frontends.h"
#include "tests/unit/compile/world.h"

namespace podlane::control::test {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

EndpointCandidate candidate(std::string_view address, bool ready, bool serving, bool terminating,
                            bool local) {
    return {ip(address), 80, ready, serving, terminating, local, Hint::kNone, Hint::kNone};
}
EndpointCandidate hinted(std::string_view address, Hint zone, Hint node, bool local = false) {
    return {ip(address), 80, true, true, false, local, zone, node};
}

std::vector<std::string> texts(const std::vector<Endpoint<V4>>& endpoints) {
    std::vector<std::string> out;
    for (const auto& endpoint : endpoints) out.push_back(to_string(IpAddress(endpoint.address)));
    return out;
}

TEST(ChooseEndpoints, ReadyOnesElseThoseThatServeWhileTheyTerminate) {
    const auto ready = candidate("10.0.0.1", true, true, false, false);
    const auto draining = candidate("10.0.0.2", false, true, true, false);
    const auto silent = candidate("10.0.0.3", false, false, true, false);
    const auto unready = candidate("10.0.0.4", false, true, false, false);
    EXPECT_THAT(texts(choose_endpoints<V4>({ready, draining, silent, unready}).cluster),
                ElementsAre("10.0.0.1"));
    EXPECT_THAT(texts(choose_endpoints<V4>({draining, silent, unready}).cluster),
                ElementsAre("10.0.0.2"));
    EXPECT_THAT(choose_endpoints<V4>({silent, unready}).cluster, IsEmpty());
}

// Every combination of null, false and true, by kube-proxy's own lines (newEndpointSliceInfo in
// pkg/proxy/endpointslicecache.go: Ready == nil || *Ready, Serving == nil || *Serving, Terminating
// != nil && *Terminating; topology.go: ready ones, else those that serve and terminate).
TEST(ChooseEndpoints, EveryCombinationOfConditionsIsUsedAsKubeProxyUsesIt) {
    const std::array<std::optional<bool>, 3> kStates{std::nullopt, false, true};
    const auto text = [](std::optional<bool> state) {
        return !state ? "null" : *state ? "true" : "false";
    };
    for (const auto ready : kStates) {
        for (const auto serving : kStates) {
            for (const auto terminating : kStates) {
                World world;
                const std::string conditions =
                    fmt::format("{{ready: {}, serving: {}, terminating: {}}}", text(ready),
                                text(serving), text(terminating));
                ASSERT_EQ(
                    world.apply(service("web",
                                        "{clusterIP: 10.96.0.10, ports: [{name: http, "
                                        "port: 80}]}") +
                                "---\napiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\n"
                                "metadata: {name: web-1, labels: {kubernetes.io/service-name: "
                                "web}}\naddressType: IPv4\nports: [{name: http, port: 8080}]\n"
                                "endpoints: [{addresses: [10.244.1.9], conditions: " +
                                conditions + "}]\n"),
                    "");
                const bool is_used =
                    ready.value_or(true) || (serving.value_or(true) && terminating.value_or(false));
                EXPECT_THAT(
                    world.frontends(),
                    ElementsAre(testing::HasSubstr(is_used ? "in=10.244.1.9:8080 " : "in= ")))
                    << conditions;
            }
        }
    }
}

TEST(ChooseEndpoints, LocalOnesAreChosenApartFromTheClusters) {
    const auto remote = candidate("10.0.0.1", true, true, false, false);
    const auto draining = candidate("10.0.0.2", false, true, true, true);
    const auto choice = choose_endpoints<V4>({remote, draining});
    EXPECT_THAT(texts(choice.cluster), ElementsAre("10.0.0.1"));
    EXPECT_THAT(texts(choice.local), ElementsAre("10.0.0.2"));
    EXPECT_THAT(choose_endpoints<V6>({remote, draining}).cluster, IsEmpty());
}

TEST(ChooseEndpoints, HintsKeepTrafficInTheZoneOrOnTheNode) {
    const auto here = Hint::kHere, elsewhere = Hint::kElsewhere, none = Hint::kNone;
    const auto zone = [&](std::vector<EndpointCandidate> candidates) {
        return texts(choose_endpoints<V4>(candidates).cluster);
    };
    EXPECT_THAT(zone({hinted("10.0.0.1", here, none), hinted("10.0.0.2", elsewhere, none)}),
                ElementsAre("10.0.0.1"));
    EXPECT_THAT(zone({hinted("10.0.0.1", here, elsewhere), hinted("10.0.0.2", elsewhere, here)}),
                ElementsAre("10.0.0.2"))
        << "hints for nodes count first";
    EXPECT_THAT(zone({hinted("10.0.0.1", here, elsewhere), hinted("10.0.0.2", elsewhere, none)}),
                ElementsAre("10.0.0.1"))
        << "and not at all where one lacks";
}

TEST(ChooseEndpoints, HintsCountOnlyWhereAllReadyEndpointsHaveThemAndOneIsForHere) {
    const auto here = Hint::kHere, elsewhere = Hint::kElsewhere, none = Hint::kNone;
    const auto both = ElementsAre("10.0.0.1", "10.0.0.2");
    EXPECT_THAT(
        texts(choose_endpoints<V4>({hinted("10.0.0.1", here, none), hinted("10.0.0.2", none, none)})
                  .cluster),
        both);
    EXPECT_THAT(texts(choose_endpoints<V4>({hinted("10.0.0.1", elsewhere, none),
                                            hinted("10.0.0.2", elsewhere, none)})
                          .cluster),
                both);
    const auto unhinted = candidate("10.0.0.3", false, true, true, false);
    EXPECT_THAT(texts(choose_endpoints<V4>({hinted("10.0.0.1", here, none),
                                            hinted("10.0.0.2", elsewhere, none), unhinted})
                          .cluster),
                ElementsAre("10.0.0.1"))
        << "what is not ready does not count";
}

TEST(ChooseEndpoints, HintsDoNotConcernPolicyLocal) {
    const auto choice =
        choose_endpoints<V4>({hinted("10.0.0.1", Hint::kHere, Hint::kNone),
                              hinted("10.0.0.2", Hint::kElsewhere, Hint::kNone, true)});
    EXPECT_THAT(texts(choice.cluster), ElementsAre("10.0.0.1"));
    EXPECT_THAT(texts(choice.local), ElementsAre("10.0.0.2"));
}

TEST(ChooseEndpoints, FlowsMayStayWithWhatServesInWhateverState) {
    const auto ready = candidate("10.0.0.1", true, true, false, false);
    const auto draining = candidate("10.0.0.2", false, true, true, false);
    const auto silent = candidate("10.0.0.3", false, false, true, false);
    const auto published = candidate("10.0.0.4", true, false, false, false);
    EXPECT_THAT(texts(choose_endpoints<V4>({ready, draining, silent, published}).serving),
                ElementsAre("10.0.0.1", "10.0.0.2", "10.0.0.4"));
}

TEST(EndpointSets, AreTheSameOnEveryNodeForTheSameEndpoints) {
    const std::vector<Endpoint<V4>> endpoints{{ip("10.0.0.1").as<V4>(), be16(80)},
                                              {ip("10.0.0.2").as<V4>(), be16(80)},
                                              {ip("10.0.0.2").as<V4>(), be16(81)}};
    const auto one = make_endpoint_set<V4>(endpoints);
    const auto two = make_endpoint_set<V4>(endpoints);
    EXPECT_TRUE(std::equal(one->maglev.slots().begin(), one->maglev.slots().end(),
                           two->maglev.slots().begin(), two->maglev.slots().end()));
    EXPECT_EQ(one->maglev.size(), 512u);
    EXPECT_EQ(make_endpoint_set<V4>({}), empty_endpoint_set<V4>());
}

TEST(IpAddressHash, TellsFamiliesAndAddressesApart) {
    const IpAddressHash hash;
    EXPECT_NE(hash(ip("10.0.0.1")), hash(ip("10.0.0.2")));
    EXPECT_NE(hash(ip("0.0.0.0")), hash(ip("::")));
}

TEST(Frontends, AServiceHasTheFamiliesOfItsAddressesOrThoseItNames) {
    Service service;
    const auto families = [&](AddressFamily by_default = AddressFamily::kIpv4) {
        return std::string(has_family(service, AddressFamily::kIpv4, by_default) ? "4" : "") +
               (has_family(service, AddressFamily::kIpv6, by_default) ? "6" : "");
    };
    EXPECT_EQ(families(), "4");
    EXPECT_EQ(families(AddressFamily::kIpv6), "6");
    service.ip_family_policy = IpFamilyPolicy::kPreferDualStack;
    EXPECT_EQ(families(), "46");
    service.ip_families = {AddressFamily::kIpv6};
    EXPECT_EQ(families(), "6");
    service.cluster_ips = {ip("10.96.0.1")};
    EXPECT_EQ(families(), "4");
}

TEST(Frontends, AnExternalPolicyOfAServiceWithoutOutsideMeansNothing) {
    Service service;
    service.external_policy = TrafficPolicy::kLocal;
    EXPECT_FALSE(uses_local_endpoints(service));
    service.type = ServiceType::kNodePort;
    EXPECT_TRUE(uses_local_endpoints(service));
    service.headless = true;
    EXPECT_TRUE(is_unserved(service));
}

TEST(Frontends, AServiceCanBeLeftToAnotherProxyByItsLabel) {
    Service service;
    EXPECT_FALSE(is_unserved(service));
    for (const char* label :
         {"service.kubernetes.io/service-proxy-name", "service.kubernetes.io/headless"}) {
        service.meta.labels = {{label, ""}};
        EXPECT_TRUE(is_unserved(service)) << label;
    }
}

TEST(Frontends, AreEqualWhenAllTheirFieldsAreAndTheirEndpoints) {
    Service service;
    service.meta.name_space = "default";
    service.meta.name = "web";
    service.cluster_ips = {ip("10.96.0.1")};
    ServicePort port;
    port.port = 80;
    const std::vector<Endpoint<V4>> endpoints{{ip("10.0.0.1").as<V4>(), be16(80)}};
    const auto make = [&] {
        const PortEndpoints<V4> of_port{make_endpoint_set<V4>(endpoints), nullptr, nullptr};
        return service_frontends<V4>(service, port, of_port).front();
    };
    const auto one = make();
    EXPECT_TRUE(same_frontend(one, make()));
    service.affinity_seconds = 60;
    EXPECT_FALSE(same_frontend(one, make()));
    auto other = one;
    other.outside = empty_endpoint_set<V4>();
    EXPECT_FALSE(same_frontend(one, other));
    EXPECT_EQ(key_of(one), (FrontendKey<V4>{ip("10.96.0.1").as<V4>(), be16(80), 6}));
}

}  // namespace
}  // namespace podlane::control::test
