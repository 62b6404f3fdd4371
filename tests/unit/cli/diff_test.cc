#include "control/cli/diff.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <random>

#include "control/cli/program.h"

namespace podlane::control {
namespace {

TEST(Diff, OfEqualTextsIsEmpty) {
    EXPECT_EQ(unified_diff("a\nb\n", "a\nb\n", "x", "y"), "");
    EXPECT_EQ(unified_diff("", "", "x", "y"), "");
}

TEST(Diff, HasThreeLinesOfContextAndHunksApart) {
    std::string before, after;
    for (int i = 1; i <= 30; ++i) {
        before += std::to_string(i) + '\n';
        after += (i == 2 ? "two" : i == 28 ? "many" : std::to_string(i)) + '\n';
    }
    EXPECT_EQ(unified_diff(before, after, "a", "b"),
              "--- a\n+++ b\n@@ -1,5 +1,5 @@\n 1\n-2\n+two\n 3\n 4\n 5\n"
              "@@ -25,6 +25,6 @@\n 25\n 26\n 27\n-28\n+many\n 29\n 30\n");
    EXPECT_EQ(unified_diff("", "a\n", "/dev/null", "b"),
              "--- /dev/null\n+++ b\n@@ -0,0 +1 @@\n+a\n");
}

// patch(1) is the judge: what it makes of the old text by the diff is the new one.
TEST(Diff, IsWhatPatchTakes) {
    std::string pattern = std::filesystem::temp_directory_path() / "podlane-diff-XXXXXX";
    const std::filesystem::path folder = ::mkdtemp(pattern.data());
    std::mt19937 random(7);
    for (int turn = 0; turn < 40; ++turn) {
        const auto text = [&] {
            std::string lines;
            const size_t count = random() % 25;
            for (size_t i = 0; i < count; ++i) lines += std::to_string(random() % 5) + '\n';
            return lines;
        };
        const std::string before = text(), after = text();
        std::ofstream(folder / "old") << before;
        std::ofstream(folder / "diff") << unified_diff(before, after, "old", "old");
        if (before == after) continue;
        const auto end =
            run_program({"patch", "-s", (folder / "old").string(), (folder / "diff").string()});
        ASSERT_TRUE(end.ok()) << "patch is missing";
        ASSERT_EQ(end->code, 0) << end->output;
        std::ifstream patched(folder / "old");
        const std::string got((std::istreambuf_iterator<char>(patched)), {});
        ASSERT_EQ(got, after) << "of\n" << before;
    }
    std::filesystem::remove_all(folder);
}

TEST(Diff, DefaultsAndPodlanedsOwnAdditionsAreNoDifferences) {
    const char* manifest =
        "apiVersion: v1\nkind: Service\nmetadata: {name: web, namespace: shop}\n"
        "spec: {clusterIP: 10.96.0.10, ports: [{port: 81}]}\n";
    auto reply = nlohmann::ordered_json::parse(
        R"({"changed": [{"kind": "Service", "namespace": "shop", "name": "web"}]})");
    const nlohmann::ordered_json files{{{"name", "web"}, {"text", manifest}}};
    auto other = reply;
    add_before_and_after(reply, files,
                         [](const auto&) { return nlohmann::ordered_json::object(); });
    auto live = reply["changed"][0]["after"];
    live["spec"]["ports"][0]["port"] = 80;
    live["status"]["loadBalancer"]["ingress"] = {{{"ip", "192.0.2.1"}}};
    add_before_and_after(other, files, [&](const auto&) { return live; });
    const std::string text = diff_text(other);
    EXPECT_NE(text.find("port: 80\n"), std::string::npos) << text;
    EXPECT_NE(text.find("port: 81\n"), std::string::npos) << text;
    EXPECT_EQ(text.find("192.0.2.1"), std::string::npos) << text;
}

TEST(Diff, NamesEachObjectAndItsFields) {
    const auto reply = nlohmann::ordered_json::parse(R"({
        "added": [{"kind": "Namespace", "name": "a", "after": {"kind": "Namespace"}}],
        "changed": [{"kind": "Service", "namespace": "a", "name": "b",
                     "before": {"port": 80, "x": 1}, "after": {"port": 81, "x": 1}}]})");
    EXPECT_EQ(diff_text(reply),
              "--- /dev/null\n+++ applied: Namespace a\n@@ -0,0 +1 @@\n+kind: Namespace\n"
              "--- live: Service a/b\n+++ applied: Service a/b\n@@ -1,2 +1,2 @@\n"
              "-port: 80\n+port: 81\n x: 1\n");
    EXPECT_EQ(diff_text(nullptr), "");
}

}  // namespace
}  // namespace podlane::control
