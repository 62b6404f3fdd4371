#include "control/page/files.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <regex>
#include <set>
#include <string>

namespace podlane::control {
namespace {

const PageFile* find(std::string_view path) {
    const auto files = page_files();
    const auto found = std::ranges::find(files, path, &PageFile::path);
    return found == files.end() ? nullptr : &*found;
}

bool is_ours(const PageFile& file) {
    return file.path.find("uPlot") == std::string_view::npos;
}

TEST(PageFiles, AreWholeAndHaveTagsOfTheirOwn) {
    std::set<std::string_view> tags;
    for (const PageFile& file : page_files()) {
        EXPECT_FALSE(file.text.empty()) << file.path;
        EXPECT_TRUE(file.tag.starts_with('"') && file.tag.ends_with('"')) << file.tag;
        tags.insert(file.tag);
    }
    EXPECT_EQ(tags.size(), page_files().size());
    ASSERT_NE(find("/"), nullptr);
    EXPECT_TRUE(find("/")->text.starts_with("<!doctype html>\n"));
    EXPECT_TRUE(find("/")->text.ends_with("</html>\n"));
    ASSERT_NE(find("/page/uPlot.iife.min.js"), nullptr);
    EXPECT_GT(find("/page/uPlot.iife.min.js")->text.size(), 50'000u);
}

TEST(PageFiles, NameNothingOutside) {
    for (const PageFile& file : page_files()) {
        if (!is_ours(file)) continue;
        std::string text(file.text);
        // The name of SVG's elements, which nobody fetches.
        text = std::regex_replace(text, std::regex("http://www\\.w3\\.org/2000/svg"), "");
        EXPECT_EQ(text.find("://"), std::string::npos) << file.path;
    }
}

/// What the node says becomes text, never markup or code.
TEST(PageFiles, MakeNoMarkupOfTexts) {
    for (const PageFile& file : page_files()) {
        if (!is_ours(file)) continue;
        for (const char* way :
             {"innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(",
              "new Function", "DOMParser", "javascript:", " style=", " onclick=", "<script>"}) {
            EXPECT_EQ(file.text.find(way), std::string_view::npos) << file.path << ": " << way;
        }
    }
}

TEST(PageFiles, NameEachOtherRightly) {
    const std::regex named(R"re((?:from "\.|"/page)/([\w.]+)")re");
    for (const PageFile& file : page_files()) {
        if (!is_ours(file)) continue;
        const std::string text(file.text);
        for (auto it = std::sregex_iterator(text.begin(), text.end(), named);
             it != std::sregex_iterator(); ++it) {
            const std::string path = "/page/" + (*it)[1].str();
            EXPECT_TRUE(find(path) != nullptr || path.ends_with(".json")) << file.path << path;
        }
    }
}

}  // namespace
}  // namespace podlane::control
