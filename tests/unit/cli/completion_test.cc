#include "control/cli/completion.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <vector>

#include "control/cli/commands.h"
#include "control/cli/kinds.h"
#include "control/cli/program.h"

namespace podlane::control {
namespace {

// What bash offers for the last of `words`.
std::vector<std::string> offered(const std::vector<std::string>& words) {
    std::string line = "COMP_WORDS=(podlanectl";
    for (const std::string& word : words) line += " '" + word + "'";
    line += "); COMP_CWORD=" + std::to_string(words.size()) +
            "; _podlanectl; printf '%s\\n' \"${COMPREPLY[@]}\"";
    const auto end = run_program({"bash", "-c", bash_completion() + line});
    EXPECT_TRUE(end.ok() && end->code == 0) << (end.ok() ? end->output : end.error().message);
    std::vector<std::string> out;
    std::istringstream in(end->output);
    for (std::string each; std::getline(in, each);) {
        if (!each.empty()) out.push_back(each);
    }
    return out;
}

bool has(const std::vector<std::string>& words, const std::string& word) {
    return std::ranges::find(words, word) != words.end();
}

TEST(Completion, BashOffersEveryCommandAndKind) {
    const auto first = offered({""});
    for (const CliCommand* command : cli_commands()) {
        EXPECT_TRUE(has(first, std::string(command->name.substr(0, command->name.find(' ')))))
            << command->name;
    }
    const auto kinds = offered({"--socket", "/x", "get", ""});
    for (const CliKind& kind : cli_kinds()) EXPECT_TRUE(has(kinds, kind.plural)) << kind.plural;
    EXPECT_EQ(offered({"pod", ""}), (std::vector<std::string>{"add", "del"}));
    EXPECT_FALSE(has(offered({"delete", ""}), "ports"));
    EXPECT_EQ(offered({"he"}), (std::vector<std::string>{"health", "help"}));
}

TEST(Completion, BashOffersACommandsOptionsAndTheirWords) {
    const auto options = offered({"pod", "add", "a/b", "--"});
    EXPECT_TRUE(has(options, "--netns"));
    EXPECT_TRUE(has(options, "--socket"));
    EXPECT_FALSE(has(options, "--watch"));
    EXPECT_EQ(offered({"explain", "--proto", "s"}), std::vector<std::string>{"sctp"});
    EXPECT_EQ(offered({"get", "pods", "-o", ""}).size(), words_of(kFormats).size());
    EXPECT_TRUE(has(offered({"get", "-n", "shop", "fl"}), "flows"));
}

TEST(Completion, ZshReadsItsScriptAndOffersCommands) {
    const auto there = run_program({"zsh", "--version"});
    if (!there.ok()) GTEST_SKIP() << "zsh is not installed";
    std::string pattern = std::filesystem::temp_directory_path() / "podlane-zsh-XXXXXX";
    const std::filesystem::path folder = ::mkdtemp(pattern.data());
    std::ofstream(folder / "_podlanectl") << zsh_completion();
    // The functions of zsh's completion system, which runs in a terminal alone, are stood in for.
    const std::string script =
        "compdef() { :; }; _files() { print files; }\n"
        "_describe() { print -l -- \"${(@P)argv[-1]}\"; }\n"
        "source " +
        (folder / "_podlanectl").string() +
        "\n"
        "words=(podlanectl get ''); CURRENT=3; _podlanectl; print --\n"
        "words=(podlanectl pod add --n); CURRENT=4; _podlanectl\n";
    const auto end = run_program({"zsh", "-f", "-c", script});
    std::filesystem::remove_all(folder);
    ASSERT_TRUE(end.ok());
    EXPECT_EQ(end->code, 0) << end->output;
    EXPECT_NE(end->output.find("frontends:"), std::string::npos) << end->output;
    EXPECT_NE(end->output.find("--netns:"), std::string::npos) << end->output;
}

}  // namespace
}  // namespace podlane::control
