#include "control/node/explain.h"
#include "control/node/explain_remarks.h"

#include <cstdlib>
#include <fstream>
#include <iterator>

#include "control/node/explain_question.h"
#include "control/node/explain_remarks.h"
#include "control/node/next_hops.h"
#include "lib/decide/decide.h"
#include "tests/unit/node/node_fixture.h"

namespace podlane::control {
namespace {

class Explain : public NodeFixture {
  protected:
    explicit Explain(OverlayFormat format = OverlayFormat::kVxlan) {
        config_.overlay.format = format;
        start();
        add_pod("default/web", {"10.244.1.10", "fd00:10:244:1::a"});
        add_pod("default/client", {"10.244.1.20", "fd00:10:244:1::14"});
        apply(kNodeB);
        resolve("192.168.50.2");
        resolve("192.168.50.254");
    }
    void resolve(const std::string& peer) {
        Event seen = event(EventKind::kNeighbourSeen, peer, kPeerMac);
        seen.solicited = true;
        deliver(seen);
    }
    Json explain(const std::string& from, const std::string& to, const std::string& protocol = "",
                 std::optional<uint16_t> port = std::nullopt) {
        return ok(node_->explain({from, to, protocol, port}));
    }
    static Json step(const Json& answer, const std::string& stage) {
        for (const Json& one : answer.at("steps")) {
            if (one.at("stage") == stage) return one;
        }
        ADD_FAILURE() << "no step " << stage << " in " << answer.dump(2);
        return Json{{"what", ""}, {"why", ""}};
    }
    static bool has(const Json& text, const std::string& part) {
        return text.get<std::string>().find(part) != std::string::npos;
    }
};

/// The first block of JSON below a heading of docs/rpc.md.
nlohmann::ordered_json sample_of(const std::string& heading) {
    const char* root = std::getenv("PODLANE_SOURCE");
    std::ifstream file(std::string(root != nullptr ? root : ".") + "/docs/rpc.md");
    const std::string text{std::istreambuf_iterator<char>(file), {}};
    const size_t section = text.find("\n### " + heading + "\n");
    const size_t begin = text.find("```json\n", section);
    const size_t end = text.find("```", begin + 8);
    if (section == text.npos || end == text.npos) {
        ADD_FAILURE() << "no sample of " << heading << " in docs/rpc.md";
        return nullptr;
    }
    return nlohmann::ordered_json::parse(text.substr(begin + 8, end - begin - 8));
}

TEST_F(Explain, TheDocumentsSampleIsWhatIsAnswered) {
    ok(node_->remove_pod({.pod = "default/web"}));
    add_pod("shop/web-0", {"10.244.1.10"});
    apply(R"(
apiVersion: v1
kind: Service
metadata: {name: web, namespace: shop}
spec: {clusterIP: 10.96.0.10, ports: [{port: 80, targetPort: 8080}]}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: web-1, namespace: shop, labels: {kubernetes.io/service-name: web}}
addressType: IPv4
ports: [{port: 8080, protocol: TCP}]
endpoints: [{addresses: [10.244.1.10], conditions: {ready: true}, nodeName: node-a}]
)");
    const Json answer = explain("shop/web-0", "10.96.0.10:80", "tcp", 40000);
    EXPECT_EQ(answer, sample_of("explain")) << answer.dump(1);
}

TEST_F(Explain, PodsOfOneSubnetAreBridged) {
    const Json answer = explain("default/client", "10.244.1.10:8080");
    EXPECT_EQ(answer.at("verdict"), "forward");
    EXPECT_EQ(answer.at("outPort"), "default/web");
    EXPECT_TRUE(has(step(answer, "rx").at("what"), "default/client"));
    EXPECT_TRUE(has(step(answer, "bridge").at("what"), "default/web"));
    EXPECT_EQ(answer.at("steps").size(), 2u);
    EXPECT_FALSE(answer.contains("drop"));
}

TEST_F(Explain, PoliciesAreNamedOnTheBridgeAndOnTheWayToAService) {
    apply(kWebService);
    apply(
        "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: shut}\n"
        "spec: {podSelector: {}}\n");
    const Json bridged = explain("default/client", "10.244.1.10:8080");
    EXPECT_EQ(bridged.at("verdict"), "drop");
    EXPECT_EQ(bridged.at("drop"), "policy_ingress");
    EXPECT_FALSE(bridged.contains("outPort"));
    EXPECT_TRUE(has(step(bridged, "policy").at("why"), "ingress of default/web"));
    EXPECT_TRUE(has(step(bridged, "policy").at("why"), "default/shut"));
    apply(
        "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: out}\n"
        "spec: {podSelector: {}, policyTypes: [Egress], egress: [{ports: [{port: 443}]}]}\n");
    const Json routed = explain("default/client", "10.96.0.10:80");
    EXPECT_EQ(routed.at("drop"), "policy_egress");
    EXPECT_TRUE(has(step(routed, "policy").at("why"), "egress of default/client"));
    const Json allowed = explain("default/client", "192.168.50.2:443");
    EXPECT_EQ(allowed.at("verdict"), "forward");
    EXPECT_TRUE(has(step(allowed, "policy").at("why"), "policy default/out allows it"));
}

TEST_F(Explain, AnAddressWithoutPodIsNotAnswered) {
    const Json answer = explain("default/client", "10.244.1.99:80");
    EXPECT_EQ(answer.at("verdict"), "drop");
    EXPECT_EQ(answer.at("drop"), "arp_unanswered");
    EXPECT_EQ(explain("default/client", "[fd00:10:244:1::99]:80").at("drop"), "nd_unanswered");
}

TEST_F(Explain, AClusterIpGoesToAnEndpoint) {
    apply(kWebService);
    const Json answer = explain("default/client", "10.96.0.10:80");
    EXPECT_EQ(answer.at("verdict"), "forward");
    EXPECT_EQ(answer.at("service"), "default/web");
    const std::string to = answer.at("translatedTo");
    EXPECT_TRUE(to == "10.244.1.10:8080" || to == "10.244.2.10:8080") << to;
    EXPECT_TRUE(has(step(answer, "service").at("what"), to));
    EXPECT_TRUE(has(step(answer, "reply").at("what"), "10.96.0.10:80"));
}

TEST_F(Explain, TheSourcePortDecidesAndTheAnswerStaysTheSame) {
    apply(kWebService);
    std::set<std::string> endpoints;
    for (uint16_t port = 40000; port < 40050; ++port) {
        const Json answer = explain("default/client", "10.96.0.10:80", "tcp", port);
        EXPECT_EQ(answer, explain("default/client", "10.96.0.10:80", "tcp", port));
        endpoints.insert(answer.at("translatedTo"));
    }
    EXPECT_EQ(endpoints.size(), 2u);
}

TEST_F(Explain, EndpointsThatAPolicyClosesAreNamedBesideTheOneThatIsPicked) {
    apply(kWebService);
    apply(R"(
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: closed, namespace: default}
spec: {podSelector: {}, policyTypes: [Ingress]}
)");
    const Json answer = explain("default/client", "10.96.0.10:80");
    EXPECT_EQ(step(answer, "endpoints").at("what"), "1 of 2 cannot be reached");
    EXPECT_TRUE(has(step(answer, "endpoints").at("why"), "10.244.1.10:8080 (policy_ingress)"))
        << answer.dump(2);
    const Json asked = explain("default/client", "10.96.0.10:80", "tcp", 40000);
    EXPECT_FALSE(has(asked.dump(), "cannot be reached")) << "the source port decides";
}

TEST_F(Explain, AnotherNodesPoliciesAreReferredToThatNode) {
    EXPECT_FALSE(has(explain("default/client", "10.244.2.10:80").dump(), "decides as well"));
    apply(R"(
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: elsewhere, namespace: other}
spec: {podSelector: {}, policyTypes: [Ingress]}
)");
    const Json answer = explain("default/client", "10.244.2.10:80");
    EXPECT_EQ(step(answer, "policy").at("what"), "node-b decides as well");
    EXPECT_FALSE(has(explain("default/client", "10.244.1.10:80").dump(), "decides as well"));
}

TEST_F(Explain, ALinkThatIsDownIsSaidAtOnce) {
    const PortId uplink = port_of("uplink0");
    dataplane_.states[uplink] = {uplink, {LinkState::kDown, 0}, {}};
    const Json answer = explain("default/client", "10.244.2.10:80");
    EXPECT_EQ(answer.at("verdict"), "drop");
    EXPECT_EQ(answer.at("drop"), "port_down");
    EXPECT_TRUE(has(step(answer, "link").at("why"), "the link of port uplink0 is down"));
    EXPECT_EQ(explain("default/client", "10.244.1.10:80").at("verdict"), "forward");
}

TEST_F(Explain, AServiceWithoutAUsableEndpointShowsThoseThatItHas) {
    apply(R"(
apiVersion: v1
kind: Service
metadata: {name: idle, namespace: default}
spec: {clusterIP: 10.96.0.77, ports: [{name: http, port: 80}]}
)");
    const auto endpoints = [this] {
        return step(explain("default/client", "10.96.0.77:80"), "endpoints");
    };
    EXPECT_EQ(endpoints().at("what"), "none");
    EXPECT_EQ(endpoints().at("why"), "it has no selector, and no EndpointSlice belongs to it");
    apply(R"(
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: idle-1, namespace: default, labels: {kubernetes.io/service-name: idle}}
addressType: IPv4
ports: [{name: http, port: 8080}]
endpoints:
- {addresses: [10.244.1.10], conditions: {ready: false, serving: false}}
- addresses: [10.244.2.10]
  nodeName: node-b
  conditions: {ready: false, serving: false, terminating: true}
)");
    EXPECT_EQ(endpoints().at("what"), "2, 0 ready");
    EXPECT_EQ(endpoints().at("why"),
              "10.244.1.10 (not ready), 10.244.2.10 on node-b (terminating)");
}

// What the EndpointSlice controller writes if targetPort is a name that no container has, and what
// a hand writes that gives the port another name.
TEST_F(Explain, EndpointsWithoutTheServicesPortAreNoEndpoints) {
    const auto slice_with = [this](const std::string& ports) {
        apply(R"(
apiVersion: v1
kind: Service
metadata: {name: idle, namespace: default}
spec: {clusterIP: 10.96.0.77, ports: [{name: http, port: 80, targetPort: web}]}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: idle-1, namespace: default, labels: {kubernetes.io/service-name: idle}}
addressType: IPv4
ports: )" + ports +
              R"(
endpoints: [{addresses: [10.244.1.10]}]
)");
        const Json answer = explain("default/client", "10.96.0.77:80");
        EXPECT_EQ(answer.at("drop"), "service_no_endpoints");
        EXPECT_EQ(step(answer, "endpoints").at("what"), "none");
        return step(answer, "endpoints").at("why").get<std::string>();
    };
    EXPECT_EQ(
        slice_with("[]"),
        "its EndpointSlices have endpoints, but no TCP port named http, nor any other; does a "
        "container have a port named web?");
    EXPECT_EQ(slice_with("[{name: web, port: 8080}, {name: http, port: 53, protocol: UDP}]"),
              "its EndpointSlices have endpoints, but no TCP port named http: they have "
              "http 53/UDP, web 8080/TCP; does a container have a port named web?");
}

TEST_F(Explain, WithoutEndpointSlicesItSaysWhatBecomesOfTheSelectorsPods) {
    const auto endpoints = [this](const std::string& service, const std::string& pods = "") {
        apply(R"(
apiVersion: v1
kind: Service
metadata: {name: idle, namespace: default}
spec: {clusterIP: 10.96.0.77, selector: {app: idle, tier: web}, )" +
              service + pods);
        return step(explain("default/client", "10.96.0.77:80"), "endpoints");
    };
    const std::string plain = "ports: [{port: 80, targetPort: 8080}]}\n";
    EXPECT_EQ(endpoints(plain).at("why"),
              "no EndpointSlice belongs to it, and no Pod here fits its selector app=idle, "
              "tier=web");
    const std::string pod = R"(---
apiVersion: v1
kind: Pod
metadata: {name: idle, namespace: default, labels: {app: idle, tier: web}}
spec: {nodeName: node-b, containers: [{name: c, ports: [{name: http, containerPort: 8080}]}]}
)";
    EXPECT_EQ(endpoints(plain, pod).at("why"), "default/idle has no address yet");
    const std::string placed = pod + "status: {phase: Running, podIP: 10.244.2.77}\n";
    EXPECT_EQ(endpoints(plain, placed).at("why"), "10.244.2.77 on node-b (not ready)");
    EXPECT_EQ(endpoints("ports: [{port: 80, targetPort: web}]}\n").at("why"),
              "no container of default/idle has a TCP port named web");
    // Policy Local: the endpoints are elsewhere.
    const std::string ready =
        pod + "status: {podIP: 10.244.2.77, conditions: [{type: Ready, status: 'True'}]}\n";
    const Json found = endpoints("internalTrafficPolicy: Local, " + plain, ready);
    EXPECT_EQ(found.at("what"), "1, 1 ready");
    EXPECT_EQ(found.at("why"), "10.244.2.77 on node-b");
}

TEST_F(Explain, APortThatAServiceLacksIsAnsweredWithThoseThatItHas) {
    apply(kWebService);
    const Json answer = explain("default/client", "10.96.0.10:81");
    EXPECT_EQ(answer.at("steps").back().at("what"), "default/web");
    EXPECT_TRUE(has(answer.at("steps").back().at("why"), "it has 80/TCP")) << answer.dump(2);
}

class ExplainOverGeneve : public Explain {
  protected:
    ExplainOverGeneve() : Explain(OverlayFormat::kGeneve) {}
};

TEST_F(ExplainOverGeneve, TheFormatIsNamed) {
    EXPECT_EQ(explain("default/client", "10.244.2.10:80").at("tunnel"), "geneve to 192.168.50.2");
    const Json routes = ok(node_->get("routes", "10.244.2.0/24", std::nullopt)).at("items");
    EXPECT_EQ(routes.at(0).at("overlay"), "geneve");
}

TEST_F(Explain, AnotherNodesPodIsReachedThroughTheTunnel) {
    const Json answer = explain("default/client", "10.244.2.10:80");
    EXPECT_EQ(answer.at("verdict"), "forward");
    EXPECT_EQ(answer.at("tunnel"), "vxlan to 192.168.50.2");
    EXPECT_EQ(answer.at("outPort"), "uplink0");
    EXPECT_TRUE(has(step(answer, "route").at("why"), "node-b"));
    EXPECT_TRUE(has(step(answer, "encap").at("why"), "VNI 1"));
    EXPECT_TRUE(has(step(answer, "tx").at("why"), "1450"));
}

TEST_F(Explain, OutsideIsMasqueraded) {
    const Json answer = explain("default/client", "203.0.113.7:443");
    EXPECT_EQ(answer.at("verdict"), "forward");
    EXPECT_EQ(answer.at("translatedFrom"), "192.168.50.1");
    EXPECT_TRUE(has(step(answer, "masquerade").at("why"), "leaves the cluster"));
}

TEST_F(Explain, AnOutsideClientComesToANodePort) {
    apply(kWebService);
    const Json answer = explain("port:uplink0", "192.168.50.1:30080");
    EXPECT_EQ(answer.at("verdict"), "forward");
    EXPECT_EQ(answer.at("service"), "default/web");
    EXPECT_TRUE(has(step(answer, "rx").at("why"), "any client outside"));
    EXPECT_TRUE(answer.contains("translatedFrom"));
    EXPECT_EQ(explain("192.168.50.77", "192.168.50.1:30080").at("service"), "default/web");
}

TEST_F(Explain, TheNodesOwnAddressGoesToTheKernel) {
    const Json answer = explain("default/client", "192.168.50.1:22");
    EXPECT_EQ(answer.at("verdict"), "host");
    EXPECT_EQ(answer.at("outPort"), "podlane0");
}

TEST_F(Explain, TheKernelsOwnPacketsComeFromTheHostPort) {
    const Json answer = explain("port:podlane0", "10.244.1.10:80");
    EXPECT_TRUE(has(step(answer, "rx").at("what"), "podlane0"));
    EXPECT_EQ(answer.at("outPort"), "default/web");
    EXPECT_EQ(explain("192.168.50.1", "10.244.1.10:80").at("outPort"), "default/web");
}

TEST_F(Explain, ThePodGatewayAnswersItself) {
    EXPECT_EQ(explain("default/client", "10.244.1.1", "icmp").at("verdict"), "reply");
}

TEST_F(Explain, RejectsAndDropsNameTheirReason) {
    apply(kWebService);
    Json answer = explain("default/client", "10.96.0.10:81");
    EXPECT_EQ(answer.at("verdict"), "reject");
    EXPECT_EQ(answer.at("drop"), "service_undefined_port");
    answer = explain("default/client", "10.96.0.99:80");
    EXPECT_EQ(answer.at("verdict"), "drop");
    EXPECT_EQ(answer.at("drop"), "service_unallocated");
    EXPECT_FALSE(answer.contains("outPort"));
}

TEST_F(Explain, APacketsLengthIsComparedWithTheMtu) {
    const auto mtu_step = [this](const std::string& from, const std::string& to, uint32_t bytes) {
        return step(ok(node_->explain({from, to, "icmp", std::nullopt, bytes})), "mtu");
    };
    EXPECT_EQ(mtu_step("default/web", "203.0.113.7", 1500).at("what"), "fits");
    const Json large = mtu_step("default/web", "203.0.113.7", 1501);
    EXPECT_EQ(large.at("what"), "too large");
    EXPECT_TRUE(has(large.at("why"), "up to 1500")) << large;
    EXPECT_TRUE(has(large.at("why"), "too_big")) << large;
}

TEST_F(Explain, ASilentNextHopIsNamed) {
    dataplane_.commands.clear();
    deliver(event(EventKind::kNeighbourNeeded, "192.168.50.77"));
    pass(2000);
    const Json answer = explain("default/client", "192.168.50.77:80");
    EXPECT_EQ(answer.at("verdict"), "reject");
    EXPECT_EQ(answer.at("drop"), "neighbour_unreachable");
    EXPECT_EQ(step(answer, "neighbour").at("why"),
              "the next hop 192.168.50.77 on uplink0 does not answer");
}

TEST_F(Explain, ASilentNextHopIsNamedAsTheNodeWhoseAddressItIs) {
    const std::string whose = "192.168.50.2 (Node node-b)";
    pass(40'000);  // the answers of the neighbours are too old by now
    pass(40'000);
    const Json pod = explain("default/client", "10.244.2.10:80");
    EXPECT_EQ(pod.at("drop"), "neighbour_unreachable");
    EXPECT_EQ(step(pod, "neighbour").at("why"),
              "the next hop " + whose + " on uplink0 does not answer");
    EXPECT_NE(ok(node_->health()).at("problems").dump().find("next hop " + whose),
              std::string::npos)
        << ok(node_->health());
    // A way by a gateway has the gateway's silence.
    EXPECT_EQ(step(explain("default/client", "203.0.113.9:80"), "neighbour").at("why"),
              "the next hop 192.168.50.254 on uplink0 does not answer");
}

TEST_F(Explain, AnUnknownNeighbourIsAskedForFirst) {
    const Json answer = explain("default/client", "192.168.50.78:80");
    EXPECT_EQ(answer.at("verdict"), "forward");
    EXPECT_TRUE(has(step(answer, "neighbour").at("why"), "192.168.50.78"));
}

TEST_F(Explain, AConnectionThatExistsHasTheLastWord) {
    apply(kWebService);
    FlowInfo flow;
    flow.protocol = 6;
    flow.src = flow.reply_dst = address("10.244.1.20");
    flow.src_port = flow.reply_dst_port = 41000;
    flow.dst = address("10.96.0.10");
    flow.dst_port = 80;
    flow.reply_src = address("10.244.1.77");
    flow.reply_src_port = 8080;
    flow.state = "ESTABLISHED";
    dataplane_.connections = {flow};
    const Json answer = explain("default/client", "10.96.0.10:80", "tcp", 41000);
    EXPECT_TRUE(has(step(answer, "flow").at("what"), "10.244.1.77:8080"));
    EXPECT_EQ(answer.at("translatedTo"), "10.244.1.77:8080");
    const Json other = explain("default/client", "10.96.0.10:80", "tcp", 41001);
    EXPECT_NE(other.at("translatedTo"), "10.244.1.77:8080");
    const Json any = explain("default/client", "10.96.0.10:80");
    EXPECT_TRUE(has(step(any, "flow").at("what"), "41000"));
    // With the source port it is a look-up, and without one a look that ends at the first.
    EXPECT_EQ(dataplane_.pages, (std::vector<FlowCursor>{0}));
}

TEST_F(Explain, WithoutASourcePortItLooksAtABoundedPartOfTheFlows) {
    FlowInfo other;
    other.protocol = 17;
    other.src = other.dst = other.reply_src = other.reply_dst = address("10.244.1.99");
    dataplane_.connections.assign(100, other);
    EXPECT_EQ(explain("default/client", "10.244.1.10:80").at("verdict"), "forward");
    EXPECT_EQ(dataplane_.pages.size(), 16u);
}

TEST_F(Explain, AClientsEndpointIsTheOneThatSessionAffinityRemembers) {
    std::string sticky = kWebService;
    sticky.insert(sticky.find("  selector:"), "  sessionAffinity: ClientIP\n");
    apply(sticky);
    const Frontend<V4>* frontend = find_frontend<V4>(
        *dataplane_.current(), {{}, address("10.96.0.10").as<V4>(), be16(0), be16(80), 6, 0, 0});
    ASSERT_NE(frontend, nullptr);
    for (const char* endpoint : {"10.244.1.10", "10.244.2.10"}) {
        dataplane_.affinities[{address("10.244.1.20"), affinity_key(*frontend)}] = {
            address(endpoint), 8080};
        const Json answer = explain("default/client", "10.96.0.10:80");
        EXPECT_EQ(answer.at("translatedTo"), std::string(endpoint) + ":8080");
        EXPECT_TRUE(has(step(answer, "service").at("why"), "sessionAffinity"));
    }
}

TEST_F(Explain, APodOfAnotherNodeIsFoundByItsObject) {
    apply(R"(
apiVersion: v1
kind: Pod
metadata: {name: far, namespace: default}
spec: {nodeName: node-b}
status: {phase: Running, podIP: 10.244.2.33}
)");
    const Json answer = explain("default/far", "10.244.1.10:80");
    EXPECT_TRUE(has(step(answer, "rx").at("what"), "out of the tunnel"));
    EXPECT_TRUE(has(step(answer, "rx").at("why"), "node-b"));
    EXPECT_EQ(answer.at("outPort"), "default/web");
}

TEST_F(Explain, QuestionsWithoutSenseAreRefused) {
    const auto refused = [&](const ExplainRequest& request) {
        const RpcFailure why = failure(node_->explain(request));
        EXPECT_EQ(why.code, rpc_code::kBadParams);
        return why.message;
    };
    EXPECT_TRUE(has(refused({"default/client", "10.96.0.10", "", {}}), "port"));
    EXPECT_TRUE(has(refused({"default/client", "10.96.0.10:0", "", {}}), "10.96.0.10:0"));
    EXPECT_TRUE(has(refused({"default/client", "10.96.0.10:99999", "", {}}), "99999"));
    EXPECT_TRUE(has(refused({"default/client", "[fd00::1:80", "", {}}), "ADDRESS:PORT"));
    EXPECT_TRUE(has(refused({"default/client", "10.96.0.10:80", "gre", {}}), "gre"));
    EXPECT_TRUE(has(refused({"default/client", "10.96.0.10:80", "icmp", {}}), "ICMP"));
    EXPECT_TRUE(has(refused({"default/nobody", "10.96.0.10:80", "", {}}), "default/nobody"));
    EXPECT_TRUE(has(refused({"port:nothing", "10.96.0.10:80", "", {}}), "nothing"));
    EXPECT_TRUE(has(refused({"fd00::1", "10.96.0.10:80", "", {}}), "families"));
    EXPECT_TRUE(has(refused({"client", "10.96.0.10:80", "", {}}), "NAMESPACE/POD"));
}

}  // namespace
}  // namespace podlane::control
