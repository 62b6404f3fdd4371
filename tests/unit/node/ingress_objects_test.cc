#include "tests/unit/node/node_fixture.h"

namespace podlane::control {
namespace {

constexpr const char* kIngress = R"(
--- {apiVersion: v1, kind: Secret, metadata: {name: cert}, type: kubernetes.io/tls, data: {tls.crt: Zm9v, tls.key: YmFy}}
--- {apiVersion: v1, kind: Secret, metadata: {name: unused}, type: kubernetes.io/tls, data: {tls.crt: Zm9v, tls.key: YmFy}}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: shop}
spec:
  tls: [{hosts: [a.b], secretName: cert}]
  rules: [{host: a.b, http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: web, port: {number: 80}}}}]}}]
)";

class IngressObjects : public NodeFixture {
  protected:
    IngressObjects() { start(); }
    static std::vector<std::string> kinds(const Json& reply) {
        std::vector<std::string> out;
        for (const Json& item : reply.at("items")) out.push_back(item.at("kind"));
        return out;
    }
};

TEST_F(IngressObjects, AreIngressesAndWhatTheyNameWithItsContents) {
    apply(kWebService);
    apply(
        "--- {apiVersion: v1, kind: Service, metadata: {name: other}, spec: {clusterIP: "
        "10.96.0.11, ports: [{port: 80}]}}");
    apply(kIngress);
    const Json reply = ok(node_->ingress_objects(std::nullopt));
    EXPECT_EQ(reply.at("generation"), generation());
    EXPECT_EQ(kinds(reply), (std::vector<std::string>{"Ingress", "Service", "Secret"}));
    EXPECT_EQ(reply.at("items")[1].at("metadata").at("name"), "web");
    EXPECT_EQ(reply.at("items")[2].at("data").at("tls.key"), "YmFy");
}

TEST_F(IngressObjects, AreNotRepeatedWhileTheGenerationIsTheSame) {
    apply(kIngress);
    const uint64_t seen = generation();
    const Json same = ok(node_->ingress_objects(seen));
    EXPECT_EQ(same, (Json{{"generation", seen}}));
    ok(node_->remove("secret", "default/cert"));
    EXPECT_EQ(kinds(ok(node_->ingress_objects(seen))), (std::vector<std::string>{"Ingress"}))
        << "a change of a Secret alone is a new generation";
}

TEST_F(IngressObjects, GetNeverShowsASecret) {
    apply(kIngress);
    const Json all = ok(node_->get("secrets", std::nullopt, std::nullopt));
    const Json one = ok(node_->get("secrets", "default/cert", std::nullopt));
    for (const std::string& text : {all.dump(), one.dump()}) {
        EXPECT_EQ(text.find("YmFy"), std::string::npos);
        EXPECT_EQ(text.find("bar"), std::string::npos);
        EXPECT_NE(text.find(R"("tls.key":3)"), std::string::npos);
    }
}

}  // namespace
}  // namespace podlane::control
