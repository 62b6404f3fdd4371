// A feeder's objects, one of which cannot be taken: the others are, and each place tells of it.
#include "control/node/refused_objects.h"
#include "tests/unit/node/node_fixture.h"

namespace podlane::control {
namespace {

constexpr const char* kGood = R"(---
apiVersion: v1
kind: Service
metadata: {name: good, namespace: shop, creationTimestamp: "2026-01-01T00:00:00Z"}
spec: {type: NodePort, clusterIP: 10.96.0.20, ports: [{port: 80, nodePort: 30080}]}
)";
constexpr const char* kBad = R"(---
apiVersion: v1
kind: Service
metadata: {name: bad, namespace: shop}
spec: {clusterIP: 10.96.0.21, ports: [{port: 70000}]}
)";
constexpr const char* kTwin = R"(---
apiVersion: v1
kind: Service
metadata: {name: a-twin, namespace: shop, creationTimestamp: "2026-01-02T00:00:00Z"}
spec: {type: NodePort, clusterIP: 10.96.0.20, ports: [{port: 81, nodePort: 30080}]}
)";

class Refused : public NodeFixture {
  protected:
    Refused() {
        start();
        feeder_.each = true;
        feeder_.owner = "kube";
        feeder_.allow_empty = true;
    }
    Json apply_each(const std::string& text) {
        return to_json(node_->apply({{"t.yml", text}}, feeder_).value());
    }
    Json replace_each(const std::string& text) {
        return to_json(node_->replace({{"t.yml", text}}, feeder_).value());
    }
    /// "ns/name: message" of each refused Service.
    std::vector<std::string> refused(std::optional<std::string_view> name = std::nullopt) {
        std::vector<std::string> out;
        const Json found = ok(node_->get_refused("svc", name));
        for (const Json& item : found.at("items")) {
            out.push_back(item.at("namespace").get<std::string>() + "/" +
                          item.at("name").get<std::string>() + ": " +
                          item.at("message").get<std::string>());
        }
        return out;
    }
    size_t frontends(const std::string& service) {
        size_t count = 0;
        const Json found = ok(node_->get("frontends", std::nullopt, std::nullopt));
        for (const Json& item : found.at("items")) count += item.at("service") == service ? 1 : 0;
        return count;
    }
    Json objects() { return ok(node_->stats()).at("objects"); }

    ChangeScope feeder_;
};

TEST_F(Refused, OneObjectThatCannotBeReadIsRefusedAndTheOthersAreServed) {
    const Json reply = apply_each(std::string(kBad) + kGood);
    EXPECT_EQ(reply.at("added").size(), 1u);
    ASSERT_EQ(reply.at("refused").size(), 1u);
    EXPECT_EQ(reply["refused"][0]["kind"], "Service");
    EXPECT_EQ(reply["refused"][0]["namespace"], "shop");
    EXPECT_EQ(reply["refused"][0]["name"], "bad");
    EXPECT_EQ(refused(),
              std::vector<std::string>{"shop/bad: spec.ports[0].port: 70000 is not a port "
                                       "(1-65535)"});
    EXPECT_EQ(refused("shop/bad").size(), 1u);
    EXPECT_EQ(refused("shop/").size(), 1u);
    EXPECT_EQ(refused("shop/good").size(), 0u);
    EXPECT_EQ(objects(), (Json{{"refused", 1}, {"refusedTotal", 1}}));
    const Json health = ok(node_->health());
    EXPECT_EQ(health.at("status"), "degraded");
    EXPECT_NE(health.at("problems").dump().find("1 object is refused, the first: Service shop/bad"),
              std::string::npos)
        << health.dump();
}

TEST_F(Refused, ItIsSaidOnceAndForgottenWhenItIsMendedOrGoes) {
    apply_each(kBad);
    apply_each(std::string("\n\n") + kBad);
    EXPECT_EQ(objects(), (Json{{"refused", 1}, {"refusedTotal", 1}}));
    std::string mended = kBad;
    mended.replace(mended.find("70000"), 5, "80");
    apply_each(mended);
    EXPECT_TRUE(refused().empty());
    EXPECT_EQ(ok(node_->health()).at("status"), "ok");
    // A version that cannot be read leaves the one before.
    apply_each(kBad);
    EXPECT_EQ(refused().size(), 1u);
    EXPECT_EQ(frontends("shop/bad"), 1u);
    EXPECT_EQ(replace_each(kBad).at("removed").size(), 0u);
    EXPECT_EQ(frontends("shop/bad"), 1u);
    // A re-list without it.
    replace_each(kGood);
    EXPECT_TRUE(refused().empty());
    EXPECT_EQ(frontends("shop/bad"), 0u);
    // Deleted by name, though it never was there.
    apply_each(kBad);
    EXPECT_TRUE(node_->remove("service", "shop/bad", feeder_).ok());
    EXPECT_TRUE(refused().empty());
}

TEST_F(Refused, OfTwoServicesTheYoungerIsRefusedUntilTheOlderGoes) {
    const Json reply = apply_each(std::string(kTwin) + kGood);
    EXPECT_EQ(reply.at("added").size(), 2u);
    EXPECT_EQ(reply.at("refused").size(), 2u) << "clusterIP and nodePort";
    EXPECT_EQ(frontends("shop/good"), 2u);
    EXPECT_EQ(frontends("shop/a-twin"), 0u);
    EXPECT_EQ(refused("shop/a-twin").size(), 2u);
    EXPECT_EQ(ok(node_->health()).at("status"), "degraded");
    ASSERT_TRUE(node_->remove("service", "shop/good", feeder_).ok());
    EXPECT_EQ(frontends("shop/a-twin"), 2u);
    EXPECT_TRUE(refused().empty());
}

TEST_F(Refused, AnotherOwnersObjectIsRefusedAlone) {
    apply(kGood);
    const Json reply = apply_each(std::string(kGood) + kTwin);
    EXPECT_EQ(reply.at("added").size(), 1u);
    EXPECT_NE(reply.at("refused").dump().find("belongs to operator"), std::string::npos);
}

TEST_F(Refused, APolicyThatCannotBeReadIsolatesThePodsThatItSelects) {
    constexpr const char* kPolicy = R"(---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: web, namespace: shop}
spec:
  podSelector: {matchLabels: {app: web}}
  policyTypes: [Ingress, Egress]
  ingress: [{ports: [{port: 70000}]}]
)";
    const Json reply = apply_each(kPolicy);
    EXPECT_EQ(reply.at("refused").size(), 1u);
    const auto live = [&] {
        return ok(node_->get("netpol", "shop/web", std::nullopt)).at("items");
    };
    ASSERT_EQ(live().size(), 1u);
    const Json spec = live()[0].at("spec");
    EXPECT_EQ(spec.at("podSelector"), (Json{{"matchLabels", {{"app", "web"}}}}));
    EXPECT_EQ(spec.at("policyTypes"), (Json{"Ingress", "Egress"}));
    EXPECT_EQ(spec.value("ingress", Json::array()).size(), 0u) << spec.dump();
    replace_each(kPolicy);
    EXPECT_EQ(live().size(), 1u) << "a re-list keeps it";
    EXPECT_EQ(objects(), (Json{{"refused", 1}, {"refusedTotal", 1}}));
    std::string mended = kPolicy;
    mended.replace(mended.find("70000"), 5, "80");
    apply_each(mended);
    EXPECT_EQ(live()[0].at("spec").at("ingress").size(), 1u);
    apply_each(kPolicy);
    EXPECT_EQ(live()[0].at("spec").at("ingress").size(), 1u) << "the form before stays";
    replace_each(kGood);
    EXPECT_FALSE(node_->get("netpol", "shop/web", std::nullopt).ok());
}

TEST_F(Refused, ADeletionPassesOverAnotherOwnersObject) {
    apply(kGood);
    apply_each(std::string(kGood) + kTwin);
    const std::string text = std::string(kGood) + kTwin;
    const std::vector<ObjectsText> both{{"t.yml", text}};
    const Json reply = to_json(node_->remove(both, feeder_).value());
    ASSERT_EQ(reply.at("removed").size(), 1u);
    EXPECT_EQ(reply["removed"][0]["name"], "a-twin");
    EXPECT_TRUE(refused().empty()) << "the feeder does not want it any more";
    EXPECT_EQ(frontends("shop/good"), 2u);
    feeder_.each = false;
    EXPECT_FALSE(node_->remove(both, feeder_).ok());
}

TEST_F(Refused, AnOperatorsChangeStaysAllOrNothing) {
    EXPECT_FALSE(node_->apply({{"t.yml", std::string(kBad) + kGood}}).ok());
    EXPECT_FALSE(node_->apply({{"t.yml", std::string(kTwin) + kGood}}).ok());
    EXPECT_EQ(frontends("shop/good"), 0u);
    EXPECT_TRUE(refused().empty());
}

TEST_F(Refused, OnlyKindsOfObjectsAreRefused) {
    EXPECT_FALSE(node_->get_refused("ports", std::nullopt).ok());
}

}  // namespace
}  // namespace podlane::control
