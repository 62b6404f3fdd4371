#include "control/kube/json.h"

#include <gtest/gtest.h>

#include "tests/unit/kube/support.h"

namespace podlane::control {
namespace {

/// What is printed of the only object in the text; checks that it is read back equal.
std::string printed(std::string_view text) {
    const ParsedObjects parsed = parse(text);
    if (parsed.objects.size() != 1) return "not one object";
    std::string json = to_json(parsed.objects[0]).dump();
    const ParsedObjects again = parse(json);
    const bool is_equal =
        again.objects.size() == 1 && equal_objects(parsed.objects[0], again.objects[0]);
    EXPECT_TRUE(is_equal) << json;
    return json;
}

TEST(Json, PrintsAServiceInKubernetesShape) {
    EXPECT_EQ(
        printed("--- {apiVersion: v1, kind: Service, metadata: {name: web, labels: {a: b}}, spec: "
                "{type: NodePort, clusterIP: 10.96.0.5, selector: {app: web}, ports: [{port: "
                "80, targetPort: http, nodePort: 30080}]}}"),
        R"({"apiVersion":"v1","kind":"Service","metadata":{"name":"web","namespace":)"
        R"("default","labels":{"a":"b"}},"spec":{"type":"NodePort","clusterIP":"10.96.0.5",)"
        R"("clusterIPs":["10.96.0.5"],"ports":[{"protocol":"TCP","port":80,"targetPort":)"
        R"("http","nodePort":30080}],"selector":{"app":"web"},"externalTrafficPolicy":)"
        R"("Cluster","internalTrafficPolicy":"Cluster","sessionAffinity":"None"},"status":)"
        R"({"loadBalancer":{}}})");
}

TEST(Json, PrintsANodeWithFlannelsAnnotations) {
    const std::string json = printed(
        "--- {apiVersion: v1, kind: Node, metadata: {name: n1, annotations: "
        "{flannel.alpha.coreos.com/backend-type: vxlan, flannel.alpha.coreos.com/backend-data: "
        "'{\"VNI\":1,\"VtepMAC\":\"02:00:00:00:00:01\"}'}}, spec: {podCIDR: 10.244.1.0/24}, "
        "status: "
        "{addresses: [{type: InternalIP, address: 192.0.2.1}]}}");
    EXPECT_NE(json.find(R"("flannel.alpha.coreos.com/backend-data":"{\"VNI\":1,\"VtepMAC\":)"),
              std::string::npos);
    EXPECT_NE(json.find(R"("podCIDRs":["10.244.1.0/24"])"), std::string::npos);
}

TEST(Json, PrintsWhatItReadsBack) {
    for (
        const char* text :
        {"--- {apiVersion: v1, kind: Namespace, metadata: {name: n1, labels: {a: b}}}",
         "--- {apiVersion: networking.k8s.io/v1, kind: ServiceCIDR, metadata: {name: more}, spec: "
         "{cidrs: [10.97.0.0/16, \"fd97::/112\"]}}",
         "--- {apiVersion: v1, kind: Pod, metadata: {name: p, deletionTimestamp: \"x\"}, spec: "
         "{containers: [{ports: [{containerPort: 80, hostPort: 80, name: a}]}]}, status: {podIP: "
         "10.0.0.1, phase: Running}}",
         "--- {apiVersion: v1, kind: Endpoints, metadata: {name: e}, subsets: [{notReadyAddresses: "
         "[{ip: 10.0.0.1, targetRef: {kind: Pod, name: p}}], ports: [{port: 80}]}]}",
         "--- {apiVersion: networking.k8s.io/v1, kind: Ingress, metadata: {name: i}, spec: {rules: "
         "[{host: a.b, http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: w, "
         "port: {name: h}}}}]}}], tls: [{hosts: [a.b], secretName: s}]}}",
         "--- {apiVersion: networking.k8s.io/v1, kind: Ingress, metadata: {name: i, "
         "creationTimestamp: \"2026-01-31T12:00:00Z\", annotations: {kubernetes.io/ingress.class: "
         "\"a b\"}}}",
         "--- {apiVersion: networking.k8s.io/v1, kind: IngressClass, metadata: {name: c, "
         "annotations: {ingressclass.kubernetes.io/is-default-class: \"true\"}}, spec: "
         "{controller: a.b/c}}",
         "--- {apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: p}, spec: "
         "{podSelector: {}, policyTypes: [Egress], egress: [{to: [{namespaceSelector: "
         "{matchExpressions: [{key: a, operator: NotIn, values: [b]}]}}], ports: [{port: 1, "
         "endPort: 2, protocol: SCTP}]}]}}",
         "--- {apiVersion: v1, kind: Service, metadata: {name: s}, spec: {type: ExternalName, "
         "externalName: a.b}}"}) {
        EXPECT_NE(printed(text), "not one object");
    }
}

TEST(Json, OfASecretShowsSizesAlone) {
    const char* text =
        "--- {apiVersion: v1, kind: Secret, metadata: {name: s}, type: kubernetes.io/tls, data: "
        "{tls.crt: Zm9v, tls.key: YmFyLQ==}}";
    const auto secret = parse_one<Secret>(text);
    EXPECT_EQ(to_json(*secret).dump(),
              R"({"apiVersion":"v1","kind":"Secret","metadata":{"name":"s","namespace":"default"},)"
              R"("type":"kubernetes.io/tls","dataBytes":{"tls.crt":3,"tls.key":4}})");
    const auto again = parse_one<Secret>(whole_secret_json(*secret).dump());
    EXPECT_EQ(*again, *secret);
    // Applying what `get` printed must not empty the Secret.
    EXPECT_FALSE(parse_objects(to_json(*secret).dump(), "t").ok());
}

}  // namespace
}  // namespace podlane::control
