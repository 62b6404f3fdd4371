// A feeder's text: one object that cannot be read is refused, the others are taken. And kinds:
// those that do not concern the dataplane, and those that nobody has.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include "control/kube/builtin_kinds.h"
#include "tests/unit/kube/support.h"

namespace podlane::control {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr std::string_view kText = R"(
apiVersion: v1
kind: List
items:
- {apiVersion: v1, kind: Service, metadata: {name: a, namespace: shop}, spec: {ports: [{port: 70000}, {port: 0}]}}
- {apiVersion: v1, kind: Service, metadata: {name: b}, spec: {ports: [{port: 80}]}}
- {apiVersion: v1, kind: Service, metadata: {labels: {x: y}}, spec: {ports: [{port: 80}]}}
- {apiVersion: v1, kind: 5}
- hello
- {apiVersion: v1, kind: Namespace, metadata: {name: c}}
)";

TEST(ParseEach, RefusesOneObjectAndTakesTheOthers) {
    const auto parsed = parse_objects(kText, "t", nullptr, ParseMode::kEach);
    ASSERT_TRUE(parsed.ok());
    ASSERT_EQ(parsed->objects.size(), 2U);
    EXPECT_EQ(to_string(key_of(parsed->objects[0])), "Service default/b");
    EXPECT_EQ(to_string(key_of(parsed->objects[1])), "Namespace c");
    ASSERT_EQ(parsed->refused.size(), 4U);
    EXPECT_EQ(to_string(*parsed->refused[0].key), "Service shop/a");
    EXPECT_THAT(parsed->refused[0].error.message,
                HasSubstr("t:5:88: Service shop/a: spec.ports[0].name: missing"));
    for (size_t i = 1; i < 4; ++i) EXPECT_FALSE(parsed->refused[i].key) << i;
    EXPECT_THAT(parsed->refused[3].error.message,
                HasSubstr("\"hello\" is not a Kubernetes object"));
}

TEST(ParseEach, APersonsTextIsAllOrNothing) {
    EXPECT_FALSE(parse_objects(kText, "t").ok());
}

TEST(ParseEach, RefusesMoreThanTheErrorsThatAreKept) {
    std::string text;
    for (int i = 0; i < 300; ++i) {
        text += fmt::format("--- {{apiVersion: v1, kind: Node, metadata: {{name: N{}}}}}\n", i);
    }
    const auto parsed = parse_objects(text, "t", nullptr, ParseMode::kEach);
    ASSERT_TRUE(parsed.ok());
    EXPECT_EQ(parsed->refused.size(), 300U);
}

TEST(ParseEach, ATextThatIsNeitherYamlNorJsonIsRefusedWhole) {
    EXPECT_FALSE(parse_objects("a: b: c", "t", nullptr, ParseMode::kEach).ok());
}

std::string first_error(std::string_view text) {
    const auto parsed = parse_objects(text, "t");
    return parsed.ok() ? "" : parsed.error().message;
}
std::string of_kind(std::string_view api_version, std::string_view kind) {
    return fmt::format("{{apiVersion: {}, kind: {}, metadata: {{name: x}}}}", api_version, kind);
}

TEST(Kinds, AMisspeltOneIsAnErrorThatNamesTheRightOne) {
    EXPECT_EQ(first_error(of_kind("v1", "Servce")),
              "t:1:24: kind: \"Servce\" is no kind of v1; did you mean Service?");
    EXPECT_EQ(first_error(of_kind("networking.k8s.io/v1", "NetworkPolcy")),
              "t:1:42: kind: \"NetworkPolcy\" is no kind of networking.k8s.io/v1; did you mean "
              "NetworkPolicy?");
    EXPECT_EQ(first_error(of_kind("apps/v1", "Deploymnet")),
              "t:1:29: kind: \"Deploymnet\" is no kind of apps/v1; did you mean Deployment?");
}

TEST(Kinds, OneOfAnotherGroupIsAnErrorThatNamesTheGroup) {
    EXPECT_EQ(first_error(of_kind("v1", "NetworkPolicy")),
              "t:1:24: kind: \"NetworkPolicy\" is no kind of v1; did you mean NetworkPolicy of "
              "networking.k8s.io/v1?");
}

TEST(Kinds, KnownUnknownAndCustomOnesAreToldApart) {
    const auto parsed = parse(of_kind("apps/v1", "Deployment") + "\n---\n" + of_kind("v1", "Quux") +
                              "\n---\n" + of_kind("example.com/v1", "Servce"));
    EXPECT_THAT(parsed.objects, IsEmpty());
    EXPECT_THAT(parsed.notices,
                ElementsAre("Deployment x: skipped, not a dataplane object",
                            "Quux x: skipped, v1 has no such kind as far as is known",
                            "Servce x: skipped, not a dataplane object"));
}

TEST(Kinds, OursAreAllBuiltIn) {
    for (size_t i = 0; i < kKindCount; ++i) {
        const auto kind = static_cast<Kind>(i);
        const std::string_view version = api_version(kind);
        const size_t slash = version.find('/');
        const auto group = slash == std::string_view::npos ? "" : version.substr(0, slash);
        EXPECT_TRUE(is_builtin_kind(group, kind_name(kind))) << kind_name(kind);
    }
}

}  // namespace
}  // namespace podlane::control
