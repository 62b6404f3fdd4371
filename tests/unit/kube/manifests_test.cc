#include "control/kube/manifests.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

namespace podlane::control {
namespace {

TEST(Manifests, AFileHoldsObjectsIfAnyDocumentIsOne) {
    EXPECT_TRUE(holds_objects("kind: Service\n", "a"));
    EXPECT_TRUE(holds_objects("apiVersion: v1\nmetadata: {name: a}\n", "a"))
        << "its kind is missing, which is an error";
    EXPECT_FALSE(holds_objects("apiVersion: v2\nname: web\nversion: 1.0.0\n", "a")) << "a chart";
    EXPECT_TRUE(holds_objects("a: 1\n---\nkind: Pod\n", "a"));
    EXPECT_TRUE(holds_objects(R"({"items": [{"kind": "Pod"}], "kind": "List"})", "a"));
    EXPECT_FALSE(holds_objects("node: node-a\nuplinks: []\n", "a"));
    EXPECT_FALSE(holds_objects("- a\n- b\n", "a"));
    EXPECT_FALSE(holds_objects("{\"a\": {\"kind\": 1}}", "a"));
}

TEST(Manifests, WhatCannotBeReadIsLeftToItsReader) {
    EXPECT_TRUE(holds_objects("{", "a"));
    EXPECT_TRUE(holds_objects("a: [", "a"));
    EXPECT_TRUE(holds_objects("", "a"));
}

TEST(Manifests, AFolderGivesItsFilesByName) {
    std::string pattern = std::filesystem::temp_directory_path() / "podlane-kube-XXXXXX";
    const std::filesystem::path folder = ::mkdtemp(pattern.data());
    EXPECT_TRUE(manifests_in(folder).value().empty());
    for (const char* name : {"b.yml", "a.json", "c.yaml", "README.md"}) {
        std::ofstream(folder / name) << "x";
    }
    EXPECT_EQ(manifests_in(folder).value(),
              (std::vector<std::string>{folder / "a.json", folder / "b.yml", folder / "c.yaml"}));
    std::filesystem::remove_all(folder);
    EXPECT_FALSE(manifests_in(folder).ok());
}

TEST(Manifests, TheNoticeNamesTheFileAndWhatItLacks) {
    EXPECT_EQ(no_objects_notice("a.yaml"),
              "a.yaml: skipped, it holds no Kubernetes object (no kind)");
}

}  // namespace
}  // namespace podlane::control
