#include "control/cli/kinds.h"

#include <gtest/gtest.h>

#include <set>

namespace podlane::control {
namespace {

TEST(CliKinds, NoWordMeansTwoKinds) {
    std::set<std::string_view> words;
    for (const CliKind& kind : cli_kinds()) {
        EXPECT_TRUE(words.insert(kind.plural).second) << kind.plural;
        if (kind.singular != kind.plural) {
            EXPECT_TRUE(words.insert(kind.singular).second) << kind.singular;
        }
        if (!kind.brief.empty()) {
            EXPECT_TRUE(words.insert(kind.brief).second) << kind.brief;
        }
    }
}

TEST(CliKinds, AreFoundByEachOfTheirWords) {
    for (const CliKind& kind : cli_kinds()) {
        EXPECT_EQ(find_kind(kind.plural), &kind);
        EXPECT_EQ(find_kind(kind.singular), &kind);
        if (!kind.brief.empty()) {
            EXPECT_EQ(find_kind(kind.brief), &kind);
        }
    }
    EXPECT_EQ(find_kind("NetPol")->plural, "networkpolicies");
    EXPECT_EQ(find_kind(""), nullptr);
    EXPECT_EQ(find_kind("deployments"), nullptr);
}

TEST(CliKinds, TheNearestWordIsAtMostTwoLettersOff) {
    EXPECT_EQ(nearest("aplpy", {"apply", "diff"}), "apply");
    EXPECT_EQ(nearest("dif", {"apply", "diff"}), "diff");
    EXPECT_EQ(nearest("Diff", {"apply", "diff"}), "diff");
    EXPECT_EQ(nearest("zzz", {"apply", "diff"}), std::nullopt);
    EXPECT_EQ(nearest("", {"apply"}), std::nullopt);
    EXPECT_EQ(nearest("x", {"y"}), std::nullopt);
    EXPECT_EQ(nearest(std::string(100'000, 'a'), {"apply"}), std::nullopt);
}

}  // namespace
}  // namespace podlane::control
