#include "control/document/named_text.h"
#include "control/node/object_owners.h"
#include "tests/unit/node/node_fixture.h"

namespace podlane::control {
namespace {

class Changes : public NodeFixture {
  protected:
    Changes() { start(); }
    Json names(const Json& list) const {
        Json out = Json::array();
        for (const Json& item : list) out.push_back(item.at("name"));
        return out;
    }
};

TEST_F(Changes, ApplyPublishesOneGenerationAndSaysWhatChanged) {
    const uint64_t before = generation();
    const Json reply = apply(kWebService);
    EXPECT_EQ(generation(), before + 1);
    EXPECT_EQ(reply.at("generation"), before + 1);
    EXPECT_EQ(names(reply.at("added")), (Json{"web", "web-1"}));
    EXPECT_EQ(reply.at("added")[0],
              (Json{{"kind", "Service"}, {"namespace", "default"}, {"name", "web"}}));
    EXPECT_TRUE(reply.at("changed").empty());
    EXPECT_TRUE(reply.at("removed").empty());
    EXPECT_EQ(reply.at("unchanged"), 0);
    EXPECT_TRUE(reply.at("notices").is_array());
}

TEST_F(Changes, ApplyingTheSameAgainChangesNothing) {
    apply(kWebService);
    const size_t published = dataplane_.published.size();
    const Json reply = apply(kWebService);
    EXPECT_EQ(reply.at("unchanged"), 2);
    EXPECT_EQ(dataplane_.published.size(), published);
    EXPECT_EQ(reply.at("generation"), generation());
}

TEST_F(Changes, ARefusedTextLeavesTheOldGenerationLive) {
    apply(kWebService);
    const size_t published = dataplane_.published.size();
    const auto refused = failure(node_->apply({{"bad.yml", R"(
apiVersion: v1
kind: Service
metadata: {name: bad, namespace: default}
spec: {clusterIP: 10.96.0.11, ports: [{port: 70000}]}
)"}}));
    EXPECT_EQ(refused.code, rpc_code::kRefused);
    EXPECT_NE(refused.message.find("bad.yml"), std::string::npos) << refused.message;
    EXPECT_NE(refused.message.find("70000"), std::string::npos) << refused.message;
    EXPECT_EQ(refused.data.at("document"), "bad.yml");
    EXPECT_EQ(dataplane_.published.size(), published);
}

TEST_F(Changes, ARefusedCompilationLeavesStoreAndGenerationAsTheyWere) {
    apply(kWebService);
    const size_t published = dataplane_.published.size();
    // The address is taken: the text is fine, the cluster of objects is not.
    const auto refused = failure(node_->apply({{"twin.yml", R"(
apiVersion: v1
kind: Service
metadata: {name: twin, namespace: default}
spec: {clusterIP: 10.96.0.10, ports: [{port: 80}]}
)"}}));
    EXPECT_EQ(refused.code, rpc_code::kRefused);
    EXPECT_EQ(dataplane_.published.size(), published);
    EXPECT_EQ(ok(node_->get("services", std::nullopt, std::nullopt)).at("items").size(), 1u);
}

TEST_F(Changes, ReplaceRemovesWhatIsAbsent) {
    apply(kWebService);
    const Json reply = ok(node_->replace({{"list.yml", kNodeB}}));
    EXPECT_EQ(names(reply.at("added")), (Json{"node-b"}));
    EXPECT_EQ(names(reply.at("removed")), (Json{"web", "web-1"}));
    EXPECT_FALSE(reply.at("added")[0].contains("namespace"));
    EXPECT_TRUE(ok(node_->get("frontends", std::nullopt, std::nullopt)).at("items").empty());
}

TEST_F(Changes, DiffAndValidateTellAndChangeNothing) {
    const size_t published = dataplane_.published.size();
    for (const Json& reply : {ok(node_->diff({{"web.yml", kWebService}})),
                              ok(node_->validate({{"web.yml", kWebService}}))}) {
        EXPECT_EQ(names(reply.at("added")), (Json{"web", "web-1"}));
        EXPECT_EQ(reply.at("generation"), generation());
    }
    EXPECT_EQ(dataplane_.published.size(), published);
    EXPECT_TRUE(ok(node_->get("services", std::nullopt, std::nullopt)).at("items").empty());
}

TEST_F(Changes, DeleteByDocumentsIgnoresWhatIsNotThere) {
    apply(kWebService);
    const Json reply = ok(node_->remove({{"both.yml", std::string(kWebService) + "---" + kNodeB}}));
    EXPECT_EQ(names(reply.at("removed")), (Json{"web", "web-1"}));
}

TEST_F(Changes, DeleteByNameWantsItToExist) {
    apply(kWebService);
    EXPECT_EQ(names(ok(node_->remove("service", "default/web")).at("removed")), (Json{"web"}));
    EXPECT_EQ(failure(node_->remove("service", "default/web")).code, rpc_code::kNotFound);
    EXPECT_EQ(failure(node_->remove("service", "web")).code, rpc_code::kBadParams);
    EXPECT_EQ(failure(node_->remove("spoon", "a/b")).code, rpc_code::kBadParams);
    EXPECT_EQ(failure(node_->remove("node", "default/a")).code, rpc_code::kBadParams);
}

TEST_F(Changes, KindsThatDoNotConcernUsAreSkippedWithANotice) {
    const Json reply = apply(R"(
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: default}
spec: {replicas: 2}
)");
    ASSERT_EQ(reply.at("notices").size(), 1u);
    EXPECT_NE(reply.at("notices")[0].get<std::string>().find("Deployment"), std::string::npos);
}

TEST_F(Changes, SeveralFilesAreOneChange) {
    const uint64_t before = generation();
    const auto refused = node_->apply({{"a.yml", kNodeB}, {"b.yml", "kind: {"}});
    EXPECT_EQ(failure(refused).code, rpc_code::kRefused);
    EXPECT_EQ(generation(), before);
    ok(node_->apply({{"a.yml", kNodeB}, {"b.yml", kWebService}}));
    EXPECT_EQ(generation(), before + 1);
}

TEST_F(Changes, StoredObjectsComeBackByNameAndByNamespace) {
    apply(kWebService);
    apply(kNodeB);
    const Json one = ok(node_->get("services", "default/web", std::nullopt));
    EXPECT_EQ(one.at("kind"), "services");
    ASSERT_EQ(one.at("items").size(), 1u);
    EXPECT_EQ(one.at("items")[0].at("metadata").at("name"), "web");
    EXPECT_EQ(ok(node_->get("services", "default/", std::nullopt)).at("items").size(), 1u);
    EXPECT_TRUE(ok(node_->get("services", "other/", std::nullopt)).at("items").empty());
    EXPECT_EQ(ok(node_->get("nodes", "node-b", std::nullopt)).at("items").size(), 1u);
    EXPECT_EQ(failure(node_->get("services", "default/no", std::nullopt)).code,
              rpc_code::kNotFound);
    EXPECT_EQ(failure(node_->get("spoons", std::nullopt, std::nullopt)).code, rpc_code::kBadParams);
}

TEST_F(Changes, WhatGetPrintsCanBeAppliedAgain) {
    apply(kWebService);
    for (const char* kind : {"services", "endpointslices"}) {
        const Json items = ok(node_->get(kind, std::nullopt, std::nullopt)).at("items");
        const Json list = {{"apiVersion", "v1"}, {"kind", "List"}, {"items", items}};
        EXPECT_EQ(apply(list.dump()).at("unchanged"), 1) << kind;
    }
}

TEST_F(Changes, ALimitCutsAndTellsTheTotal) {
    apply(kWebService);
    const Json reply = ok(node_->get("frontends", std::nullopt, 1));
    EXPECT_EQ(reply.at("items").size(), 1u);
    EXPECT_EQ(reply.at("total"), 2);
}

ChangeScope of(const char* owner) {
    ChangeScope scope;
    scope.owner = owner;
    return scope;
}

TEST_F(Changes, OneFeedersReListLeavesAnothersObjects) {
    apply(kWebService);
    ok(node_->apply({{"nodes.yml", kNodeB}}, of("podlane-kube")));
    ChangeScope mine = of("podlane-kube");
    const Json reply = ok(node_->replace({{"list.yml", R"(
apiVersion: v1
kind: Node
metadata: {name: node-c}
spec: {podCIDRs: [10.244.3.0/24]}
)"}},
                                         mine));
    EXPECT_EQ(names(reply.at("removed")), (Json{"node-b"}));
    EXPECT_EQ(names(reply.at("added")), (Json{"node-c"}));
    EXPECT_EQ(ok(node_->get("services", std::nullopt, std::nullopt)).at("items").size(), 1u);
}

TEST_F(Changes, AnothersObjectIsAConflictThatNamesItsOwner) {
    ok(node_->apply({{"web.yml", kWebService}}, of("podlane-kube")));
    const size_t published = dataplane_.published.size();
    const std::vector<NamedText> texts{{"web.yml", kWebService}};
    for (const RpcFailure& why :
         {failure(node_->apply(texts)), failure(node_->replace(texts)), failure(node_->diff(texts)),
          failure(node_->remove(texts)), failure(node_->remove("service", "default/web"))}) {
        EXPECT_EQ(why.code, rpc_code::kConflict);
        EXPECT_EQ(why.message,
                  "Service default/web belongs to podlane-kube, and this change is operator's");
    }
    EXPECT_EQ(dataplane_.published.size(), published);
    ok(node_->remove("service", "default/web", of("podlane-kube")));
    // Nobody's now.
    EXPECT_EQ(failure(node_->apply(texts)).code, rpc_code::kConflict) << "its slice is still";
    ok(node_->remove("endpointslice", "default/web-1", of("podlane-kube")));
    ok(node_->apply(texts));
}

TEST_F(Changes, ObjectsTellTheirOwner) {
    apply(kWebService);
    ok(node_->apply({{"nodes.yml", kNodeB}}, of("podlane-kube")));
    const auto owner = [&](const char* kind) {
        return ok(node_->get(kind, std::nullopt, std::nullopt))
            .at("items")[0]
            .at("metadata")
            .at("annotations")
            .at("podlane.io/owner");
    };
    EXPECT_EQ(owner("services"), "operator");
    EXPECT_EQ(owner("nodes"), "podlane-kube");
    EXPECT_EQ(failure(node_->apply({{"nodes.yml", kNodeB}}, of("no name"))).code,
              rpc_code::kBadParams);
}

TEST_F(Changes, ARefusedChangeLeavesOwnersAsTheyWere) {
    const std::string twins = std::string(kWebService) + R"(
---
apiVersion: v1
kind: Service
metadata: {name: twin, namespace: default}
spec: {clusterIP: 10.96.0.10, ports: [{port: 80}]}
)";
    EXPECT_EQ(failure(node_->apply({{"twins.yml", twins}}, of("podlane-kube"))).code,
              rpc_code::kRefused);
    apply(kWebService);
}

TEST_F(Changes, ReplaceByNothingMustBeMeant) {
    apply(kWebService);
    apply(kNodeB);
    const auto refused = [&](const char* text, const ChangeScope& scope) {
        const RpcFailure why = failure(node_->replace({{"-", text}}, scope));
        EXPECT_EQ(why.code, rpc_code::kRefused);
        EXPECT_NE(why.message.find("--allow-empty"), std::string::npos) << why.message;
    };
    refused("", {});
    refused(R"({"apiVersion": "v1", "kind": "List", "items": []})", {});
    refused("apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec: {}\n", {});
    refused(kWebService, {});  // no Node
    ChangeScope services;
    services.kinds = {"services", "endpointslices"};
    refused("", services);
    EXPECT_EQ(ok(node_->replace({{"-", kWebService}}, services)).at("unchanged"), 2);
    services.allow_empty = true;
    EXPECT_EQ(names(ok(node_->replace({{"-", ""}}, services)).at("removed")),
              (Json{"web", "web-1"}));
    ChangeScope all;
    all.allow_empty = true;
    EXPECT_EQ(names(ok(node_->replace({{"-", ""}}, all)).at("removed")), (Json{"node-b"}));
}

TEST_F(Changes, ReplaceKeepsToItsKinds) {
    ChangeScope nodes;
    nodes.kinds = {"node"};
    EXPECT_EQ(failure(node_->replace({{"-", kWebService}}, nodes)).code, rpc_code::kBadParams);
    nodes.kinds = {"spoons"};
    EXPECT_EQ(failure(node_->replace({{"-", kNodeB}}, nodes)).code, rpc_code::kBadParams);
}

}  // namespace
}  // namespace podlane::control
