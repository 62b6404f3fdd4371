#include "control/cli/documents.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <sstream>

namespace podlane::control {
namespace {

class DocumentsTest : public ::testing::Test {
  protected:
    DocumentsTest() {
        std::string pattern = std::filesystem::temp_directory_path() / "podlane-cli-XXXXXX";
        folder_ = ::mkdtemp(pattern.data());
    }
    ~DocumentsTest() override { std::filesystem::remove_all(folder_); }
    std::string file(const std::string& name, const std::string& text) {
        std::ofstream(folder_ / name, std::ios::binary) << text;
        return folder_ / name;
    }
    std::string error_of(const std::vector<std::string>& paths) {
        const auto read = read_documents(paths, in_);
        return read ? "(none)" : read.error().message;
    }

    std::filesystem::path folder_;
    std::istringstream in_{"from stdin"};
};

TEST_F(DocumentsTest, FilesAndStandardInputComeInTheGivenOrder) {
    const std::string b = file("b.txt", "second");
    const std::string a = file("a.txt", "");
    const auto read = read_documents({b, "-", a}, in_);
    ASSERT_TRUE(read.ok());
    ASSERT_EQ(read->documents.size(), 3U);
    EXPECT_EQ(read->documents[0].name, b);
    EXPECT_EQ(read->documents[0].text, "second");
    EXPECT_EQ(read->documents[1].name, "stdin");
    EXPECT_EQ(read->documents[1].text, "from stdin");
    EXPECT_EQ(read->documents[2].text, "");
}

TEST_F(DocumentsTest, AFolderGivesItsManifestsByName) {
    file("c.yml", "kind: c");
    file("a.json", "kind: a");
    file("b.yaml", "kind: b");
    file("README.md", "no");
    std::filesystem::create_directory(folder_ / "d.yml");
    const auto read = read_documents({folder_}, in_);
    ASSERT_TRUE(read.ok()) << read.error().message;
    std::string order;
    for (const TextDocument& document : read->documents) order += document.text;
    EXPECT_EQ(order, "kind: akind: bkind: c");
}

TEST_F(DocumentsTest, AFolderLeavesOutFilesThatHoldNoObject) {
    const std::string node = file("node-a.yaml", "node: node-a\nuplinks: []\n");
    file("objects.yml", "kind: List\nitems: []\n");
    file("broken.json", "{");
    const auto read = read_documents({folder_}, in_);
    ASSERT_TRUE(read.ok()) << read.error().message;
    // What cannot be read is left to the daemon, which says why.
    ASSERT_EQ(read->documents.size(), 2U);
    EXPECT_EQ(read->notices, std::vector<std::string>{
                                 node + ": skipped, it holds no Kubernetes object (no kind)"});
    // Named directly, it is meant.
    EXPECT_EQ(read_documents({node}, in_)->documents.size(), 1U);
}

TEST_F(DocumentsTest, WhatCannotBeReadIsNamed) {
    EXPECT_EQ(error_of({"/nonexistent/a.yml"}), "/nonexistent/a.yml: No such file or directory");
    EXPECT_EQ(error_of({folder_}), folder_.string() + ": has no *.yaml, *.yml or *.json");
}

TEST_F(DocumentsTest, TextThatIsNoUtf8IsRefused) {
    for (const char* bytes :
         {"\xff\xfe", "a\x80", "\xc3", "\xe2\x82", "\xc3(", "\xf8\x88\x80\x80"}) {
        const std::string path = file("bad.yml", bytes);
        EXPECT_EQ(error_of({path}), path + ": is not UTF-8 text");
    }
    EXPECT_EQ(error_of({file("good.yml", "ä € 😀 \xef\xbb\xbf")}), "(none)");
}

}  // namespace
}  // namespace podlane::control
