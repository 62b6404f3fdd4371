#include "control/kube/parse.h"

#include <gtest/gtest.h>

#include "tests/unit/kube/support.h"

namespace podlane::control {
namespace {

constexpr std::string_view kService =
    "apiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec: {ports: [{port: 80}]}\n";

std::vector<std::string> keys_in(const ParsedObjects& parsed) {
    std::vector<std::string> keys;
    for (const Object& object : parsed.objects) keys.push_back(to_string(key_of(object)));
    return keys;
}

using Strings = std::vector<std::string>;

TEST(Parse, ReadsEveryDocumentAndList) {
    const std::string text = std::string(kService) +
                             "---\n---\napiVersion: v1\nkind: List\nitems:\n"
                             "- {apiVersion: v1, kind: Node, metadata: {name: n1}}\n"
                             "- {apiVersion: v1, kind: PodList, items: [{metadata: {name: p}}]}\n";
    const ParsedObjects parsed = parse(text);
    EXPECT_EQ(keys_in(parsed), (Strings{"Service default/web", "Node n1", "Pod default/p"}));
    EXPECT_TRUE(parsed.notices.empty());
    ASSERT_EQ(parsed.objects.size(), 3U);
    EXPECT_EQ(meta_of(parsed.objects[1]).origin.document, "t");
    EXPECT_EQ(meta_of(parsed.objects[1]).origin.line, 10U);
}

TEST(Parse, ReadsAListWhoseKindStandsLast) {
    const char* item = R"({"metadata":{"name":"p"}})";
    EXPECT_EQ(keys_in(parse(std::string(R"({"items":[)") + item +
                            R"(],"apiVersion":"v1","kind":"PodList"})")),
              Strings{"Pod default/p"});
    EXPECT_EQ(keys_in(parse(std::string(R"({"kind":"PodList","apiVersion":"v1","items":[)") + item +
                            "]}")),
              Strings{"Pod default/p"});
    EXPECT_TRUE(parse(R"({"kind":"PodList","apiVersion":"v1","items":null})").objects.empty());
    EXPECT_TRUE(parse(R"({"kind":"PodList","apiVersion":"v1","items":[]})").objects.empty());
}

TEST(Parse, ReadsNothingFromNothing) {
    EXPECT_TRUE(parse("").objects.empty());
    EXPECT_TRUE(parse("# nothing\n---\n").objects.empty());
}

TEST(Parse, SkipsWhatTheDataplaneDoesNotNeed) {
    const ParsedObjects parsed =
        parse(std::string(kService) +
              "---\n{apiVersion: apps/v1, kind: Deployment, metadata: {name: d, namespace: x}}\n"
              "---\n{apiVersion: serving.knative.dev/v1, kind: Service, metadata: {name: s}}\n"
              "---\n{apiVersion: v1, kind: ConfigMap, metadata: {generateName: c}, items: [1]}\n");
    EXPECT_EQ(parsed.objects.size(), 1U);
    EXPECT_EQ(parsed.notices,
              (Strings{"Deployment x/d: skipped, not a dataplane object",
                       "Service s of serving.knative.dev/v1: skipped, not a dataplane object",
                       "ConfigMap: skipped, not a dataplane object"}));
}

TEST(Parse, BoundsItsNotices) {
    std::string text = R"({"kind":"List","apiVersion":"v1","items":[)";
    for (int i = 0; i < 1500; ++i) {
        text += std::string(i == 0 ? "" : ",") + R"({"kind":"Secret","apiVersion":"v1"})";
    }
    const ParsedObjects parsed = parse(text + "]}");
    EXPECT_EQ(parsed.notices.size(), 1001U);
    EXPECT_EQ(parsed.notices.back(), "500 more objects: skipped");
}

TEST(Parse, SaysWhichOfTwoCounts) {
    const ParsedObjects parsed = parse(std::string(kService) + "---\n" + std::string(kService));
    EXPECT_EQ(parsed.objects.size(), 2U);
    EXPECT_EQ(parsed.notices,
              Strings{"Service default/web: given twice, in lines 1 and 6; the later "
                      "one counts"});
}

TEST(Parse, CollectsAllErrors) {
    std::vector<Error> errors;
    const auto parsed = parse_objects(
        "--- {apiVersion: v1, kind: Service, metadata: {name: a}, spec: {ports: [{port: 0}]}}\n"
        "--- {apiVersion: v1, kind: Service, metadata: {name: b}, spec: {ports: [{port: x}]}}\n"
        "a: [\n",
        "t", &errors);
    ASSERT_FALSE(parsed.ok());
    ASSERT_EQ(errors.size(), 3U);
    EXPECT_EQ(parsed.error().message, errors[0].message);
    EXPECT_EQ(errors[0].path, "spec.ports[0].port");
    EXPECT_EQ(errors[0].line, 1);
    EXPECT_EQ(errors[1].line, 2);
    EXPECT_NE(errors[2].message.find("not YAML"), std::string::npos);
}

TEST(Parse, BoundsItsErrors) {
    std::string text = R"({"kind":"List","apiVersion":"v1","items":[)";
    for (int i = 0; i < 500; ++i) text += std::string(i == 0 ? "" : ",") + R"({"kind":"Pod"})";
    std::vector<Error> errors;
    EXPECT_FALSE(parse_objects(text + "]}", "t", &errors).ok());
    EXPECT_EQ(errors.size(), 100U);
}

TEST(Parse, IgnoresFieldsThatDoNotConcernTheDataplane) {
    const auto service = parse_one<Service>(
        "apiVersion: v1\nkind: Service\n"
        "metadata: {name: web, uid: [1], annotations: {x: 5}, managedFields: nonsense}\n"
        "spec: {ports: [{port: 80, unknown: {}}], allocateLoadBalancerNodePorts: maybe}\n"
        "extra: 1\n");
    EXPECT_EQ(service->ports.size(), 1U);
}

TEST(Keys, NeedNoMoreThanAKindAndAName) {
    const auto keys = parse_object_keys(
        "--- {apiVersion: v1, kind: Service, metadata: {name: a}}\n"
        "--- {apiVersion: v1, kind: Node, metadata: {name: b}}\n"
        "--- {apiVersion: v1, kind: ConfigMap, metadata: {name: c}}\n"
        "--- {apiVersion: v1, kind: Secret, type: Opaque, metadata: {name: c}}\n",
        "t");
    ASSERT_TRUE(keys.ok());
    EXPECT_EQ(keys.value(),
              (std::vector<ObjectKey>{{Kind::kService, "default", "a"}, {Kind::kNode, "", "b"}}));
    EXPECT_EQ(parse_object_keys("--- {apiVersion: v1, kind: Service}", "t").error().message,
              "t:1:5: Service: metadata: missing: name, and what else identifies the object");
    EXPECT_FALSE(parse_object_keys("a: [", "t").ok());
}

TEST(Parse, SurvivesTruncationAtEveryByte) {
    const std::string yaml =
        std::string(kService) +
        "---\napiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: {name: web-1, "
        "labels: "
        "{kubernetes.io/service-name: web}}\naddressType: IPv4\nports:\n- {name: \"\", port: 80}\n"
        "endpoints:\n- addresses: [10.244.1.2]\n  conditions: {ready: true}\n  nodeName: n1\n";
    const std::string json =
        R"({"kind":"List","apiVersion":"v1","items":[{"apiVersion":"v1","kind":"Node","metadata":)"
        R"({"name":"n"},"spec":{"podCIDRs":["10.244.1.0/24"]},"status":{"addresses":[{"type":)"
        R"("InternalIP","address":"192.0.2.1"}]}}]})";
    for (const std::string& text : {yaml, json}) {
        for (size_t size = 0; size < text.size(); ++size) {
            const auto parsed = parse_objects(std::string_view(text).substr(0, size), "t");
            EXPECT_TRUE(parsed.ok() || parsed.error().message.starts_with("t:"));
        }
        EXPECT_FALSE(parse(text).objects.empty());
    }
}

}  // namespace
}  // namespace podlane::control
