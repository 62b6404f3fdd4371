#include "control/kube/meta.h"

#include <gtest/gtest.h>

namespace podlane::control {
namespace {

using Op = LabelExpression::Operator;

TEST(Kinds, AreKnownByNameAndByWhatOperatorsType) {
    for (size_t i = 0; i < kKindCount; ++i) {
        const auto kind = static_cast<Kind>(i);
        EXPECT_EQ(kind_from_name(kind_name(kind)), kind);
        EXPECT_EQ(kind_from_word(kind_name(kind)), kind);
    }
    EXPECT_EQ(kind_from_word("svc"), Kind::kService);
    EXPECT_EQ(kind_from_word("Ingresses"), Kind::kIngress);
    EXPECT_EQ(kind_from_word("networkpolicy"), Kind::kNetworkPolicy);
    EXPECT_EQ(kind_from_word("endpoints"), Kind::kEndpoints);
    EXPECT_FALSE(kind_from_word(""));
    EXPECT_FALSE(kind_from_word("deployments"));
    EXPECT_FALSE(kind_from_name("service"));
    EXPECT_EQ(api_version(Kind::kEndpointSlice), "discovery.k8s.io/v1");
    EXPECT_FALSE(is_namespaced(Kind::kNode));
    EXPECT_TRUE(is_namespaced(Kind::kPod));
}

TEST(Keys, AreShownAsOperatorsWriteThem) {
    EXPECT_EQ(to_string(ObjectKey{Kind::kService, "default", "web"}), "Service default/web");
    EXPECT_EQ(to_string(ObjectKey{Kind::kNode, "", "node-a"}), "Node node-a");
    EXPECT_EQ(to_string(NamespacedName{"default", "web"}), "default/web");
    EXPECT_NE(NamespacedNameHash()({"a", "b"}), NamespacedNameHash()({"b", "a"}));
}

TEST(Selector, NeedsAllOfItsParts) {
    const Labels labels{{"app", "web"}, {"tier", "front"}};
    EXPECT_TRUE(LabelSelector().matches(labels));
    EXPECT_TRUE(LabelSelector().matches({}));
    EXPECT_TRUE((LabelSelector{{{"app", "web"}}, {}}.matches(labels)));
    EXPECT_FALSE((LabelSelector{{{"app", "sql"}}, {}}.matches(labels)));
    EXPECT_FALSE((LabelSelector{{{"app", "web"}}, {{"tier", Op::kIn, {"back"}}}}.matches(labels)));
    EXPECT_TRUE(contains_labels(labels, {}));
    EXPECT_FALSE(contains_labels({}, labels));
}

TEST(Selector, HasFourOperators) {
    const Labels labels{{"app", "web"}};
    EXPECT_TRUE((LabelExpression{"app", Op::kIn, {"sql", "web"}}.matches(labels)));
    EXPECT_FALSE((LabelExpression{"tier", Op::kIn, {"web"}}.matches(labels)));
    EXPECT_FALSE((LabelExpression{"app", Op::kNotIn, {"web"}}.matches(labels)));
    EXPECT_TRUE((LabelExpression{"tier", Op::kNotIn, {"web"}}.matches(labels)));
    EXPECT_TRUE((LabelExpression{"app", Op::kExists, {}}.matches(labels)));
    EXPECT_FALSE((LabelExpression{"tier", Op::kExists, {}}.matches(labels)));
    EXPECT_TRUE((LabelExpression{"tier", Op::kDoesNotExist, {}}.matches(labels)));
    EXPECT_FALSE((LabelExpression{"app", Op::kDoesNotExist, {}}.matches(labels)));
}

TEST(Origin, DoesNotMakeObjectsDiffer) {
    const Meta a{"default", "web", {}, {"a.yaml", 3}};
    const Meta b{"default", "web", {}, {"b.yaml", 9}};
    EXPECT_EQ(a, b);
    EXPECT_EQ((Meta{"", "n", {{"zone", "a"}}, {}}.label("zone")), "a");
    EXPECT_EQ(a.label("zone"), "");
}

TEST(Protocols, HaveTheirIpNumbers) {
    EXPECT_EQ(static_cast<int>(Protocol::kTcp), 6);
    EXPECT_EQ(static_cast<int>(Protocol::kUdp), 17);
    EXPECT_EQ(static_cast<int>(Protocol::kSctp), 132);
    EXPECT_EQ(protocol_name(Protocol::kSctp), "SCTP");
    EXPECT_EQ(protocol_from_name("SCTP"), Protocol::kSctp);
    EXPECT_EQ(protocol_from_name("sctp"), std::nullopt);
}

}  // namespace
}  // namespace podlane::control
