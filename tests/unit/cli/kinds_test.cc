#include "control/cli/kinds.h"

#include <gtest/gtest.h>

#include <set>

#include "control/kube/kind_words.h"

namespace podlane::control {
namespace {

TEST(CliKinds, NoWordMeansTwoKinds) {
    std::set<std::string_view> words;
    for (const CliKind& kind : cli_kinds()) {
        EXPECT_TRUE(words.insert(kind.plural).second) << kind.plural;
        if (kind.singular != kind.plural) {
            EXPECT_TRUE(words.insert(kind.singular).second) << kind.singular;
        }
        for (const std::string_view brief : kind.brief) {
            EXPECT_TRUE(words.insert(brief).second) << brief;
        }
    }
}

TEST(CliKinds, AreFoundByEachOfTheirWords) {
    for (const CliKind& kind : cli_kinds()) {
        EXPECT_EQ(find_kind(kind.plural), &kind);
        EXPECT_EQ(find_kind(kind.singular), &kind);
        for (const std::string_view brief : kind.brief) EXPECT_EQ(find_kind(brief), &kind);
    }
    EXPECT_EQ(find_kind("NetPol")->plural, "networkpolicies");
    EXPECT_EQ(find_kind(""), nullptr);
    EXPECT_EQ(find_kind("deployments"), nullptr);
}

// One table for both programs: what the daemon knows, podlanectl knows.
TEST(CliKinds, EveryWordOfTheDaemonIsKnown) {
    EXPECT_EQ(find_kind("eps")->plural, "endpointslices");
    EXPECT_EQ(find_kind("policies")->plural, "networkpolicies");
    for (size_t i = 0; i < kKindCount; ++i) {
        const auto kind = static_cast<Kind>(i);
        EXPECT_EQ(find_kind(kind_name(kind))->object, kind);
        EXPECT_EQ(find_kind(kind_plural(kind))->object, kind);
        for (const std::string_view word : kind_short_names(kind)) {
            if (word.empty()) continue;
            EXPECT_EQ(find_kind(word)->object, kind_from_word(word)) << word;
        }
    }
    for (const LiveKind& kind : live_kinds()) EXPECT_EQ(find_kind(kind.plural)->live, &kind);
}

TEST(CliKinds, AKindMayHaveItsApiGroupAsInKubectl) {
    EXPECT_EQ(find_kind("networkpolicies.networking.k8s.io")->plural, "networkpolicies");
    EXPECT_EQ(find_kind("endpointslices.v1.discovery.k8s.io")->plural, "endpointslices");
    EXPECT_EQ(find_kind("services.apps"), nullptr);
}

TEST(CliKinds, AnUnknownKindGetsASuggestionOrTheList) {
    EXPECT_EQ(unknown_kind("srvices", false),
              "unknown kind \"srvices\"; did you mean \"services\"?");
    EXPECT_NE(unknown_kind("deployments", false).find("there are nodes, pods"), std::string::npos);
    EXPECT_EQ(unknown_kind("deployments", true).find("frontends"), std::string::npos);
}

}  // namespace
}  // namespace podlane::control
