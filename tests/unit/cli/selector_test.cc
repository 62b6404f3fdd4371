#include "control/cli/selector.h"

#include <gtest/gtest.h>

namespace podlane::control {
namespace {

bool selects(std::string_view selector, const char* labels) {
    const auto parsed = parse_selector(selector);
    if (!parsed) {
        ADD_FAILURE() << parsed.error().message;
        return false;
    }
    return is_selected(parsed.value(),
                       {{"metadata", {{"labels", nlohmann::ordered_json::parse(labels)}}}});
}

// Kubernetes' documentation: concepts/overview/working-with-objects/labels.
TEST(Selector, MeansWhatKubectlsMeans) {
    const char* web = R"({"app": "web", "tier": "front"})";
    EXPECT_TRUE(selects("app=web", web));
    EXPECT_TRUE(selects("app==web,tier=front", web));
    EXPECT_FALSE(selects("app=web,tier=back", web));
    EXPECT_FALSE(selects("app!=web", web));
    EXPECT_TRUE(selects("none!=x", web)) << "objects without the key are selected by !=";
    EXPECT_TRUE(selects("app in (web, api)", web));
    EXPECT_FALSE(selects("app notin (web,api)", web));
    EXPECT_TRUE(selects("none notin (web)", web));
    EXPECT_TRUE(selects("app", web));
    EXPECT_FALSE(selects("!app", web));
    EXPECT_TRUE(selects("app in (web),!old, tier", web));
    EXPECT_TRUE(selects("example.com/part=", R"({"example.com/part": ""})"));
}

TEST(Selector, ObjectsWithoutLabelsHaveNone) {
    EXPECT_TRUE(is_selected(parse_selector("!app").value(), {{"metadata", 1}}));
    EXPECT_FALSE(is_selected(parse_selector("app").value(), nullptr));
}

TEST(Selector, WhatIsNoneIsRefused) {
    for (const char* text : {"", "a b", "a=b=c", "a in b", "a in (b", "=b", "a,,b", "a>1"}) {
        EXPECT_FALSE(parse_selector(text).ok()) << text;
    }
}

}  // namespace
}  // namespace podlane::control
