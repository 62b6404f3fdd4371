// Objects that must be refused, each with its one line.
#include <gtest/gtest.h>

#include "tests/unit/kube/support.h"

namespace podlane::control {
namespace {

class BadObject : public testing::TestWithParam<fs::path> {};

TEST_P(BadObject, IsRefusedWithOneLine) {
    const std::string text = contents(GetParam());
    constexpr std::string_view kMark = "# error: ";
    ASSERT_TRUE(text.starts_with(kMark));
    const std::string expected = text.substr(kMark.size(), text.find('\n') - kMark.size());
    std::vector<Error> all;
    const auto parsed = parse_objects(text, "t.yaml", &all);
    ASSERT_FALSE(parsed.ok());
    const std::string& message = parsed.error().message;
    EXPECT_EQ(message.substr(0, 7 + expected.size()), "t.yaml:" + expected);
    EXPECT_EQ(message.find('\n'), std::string::npos);
    EXPECT_EQ(parsed.error().document, "t.yaml");
    EXPECT_GT(parsed.error().line, 0);
    EXPECT_FALSE(all.empty());
}

TEST_P(BadObject, SurvivesTruncationAtEveryByte) {
    const std::string text = contents(GetParam());
    for (size_t size = 0; size < text.size(); ++size) {
        const auto parsed = parse_objects(std::string_view(text).substr(0, size), "t");
        EXPECT_TRUE(parsed.ok() || parsed.error().message.starts_with("t:"));
    }
}

INSTANTIATE_TEST_SUITE_P(Corpus, BadObject,
                         testing::ValuesIn(files_in(source_root() / "tests/unit/kube/bad",
                                                    ".yaml")),
                         [](const auto& param) { return param.param.stem().string(); });

}  // namespace
}  // namespace podlane::control
