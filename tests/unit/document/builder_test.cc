#include "control/document/builder.h"

#include <gtest/gtest.h>

namespace podlane::control {
namespace {

class Builder : public testing::Test {
  protected:
    std::vector<uint32_t> first_lines_;
    DocumentHandler handler_{[this](const Document& document) {
                                 first_lines_.push_back(document.first_line);
                                 return go_on_;
                             },
                             nullptr};
    bool go_on_ = true;
    Arena arena_;
    DocumentBuilder builder_{"name", handler_, arena_};
};

TEST_F(Builder, HandsOverADocumentAtItsEnd) {
    builder_.begin_document();
    EXPECT_TRUE(builder_.begin_mapping({4, 1}));
    EXPECT_TRUE(builder_.expects_key());
    EXPECT_TRUE(builder_.scalar(ValueType::kString, "a", {4, 2}));
    EXPECT_FALSE(builder_.expects_key());
    EXPECT_TRUE(builder_.scalar(ValueType::kNull, "", {4, 5}));
    EXPECT_TRUE(builder_.end_container());
    EXPECT_TRUE(builder_.end_document());
    EXPECT_EQ(first_lines_, std::vector<uint32_t>{4});
}

TEST_F(Builder, StopsWhenTheHandlerHasEnough) {
    go_on_ = false;
    builder_.begin_document();
    EXPECT_TRUE(builder_.scalar(ValueType::kString, "a", {}));
    EXPECT_FALSE(builder_.end_document());
    EXPECT_TRUE(builder_.stopped());
    EXPECT_FALSE(builder_.failed());
}

TEST_F(Builder, PassesOverAnEmptyDocument) {
    builder_.begin_document();
    EXPECT_TRUE(builder_.end_document());
    EXPECT_TRUE(first_lines_.empty());
}

TEST_F(Builder, KeepsTheFirstError) {
    builder_.begin_document();
    EXPECT_FALSE(builder_.fail({2, 3}, "first"));
    EXPECT_FALSE(builder_.fail({4, 5}, "second"));
    EXPECT_EQ(builder_.error().message, "name:2:3: first");
    EXPECT_EQ(builder_.error().line, 2);
    EXPECT_FALSE(builder_.end_document());
}

TEST_F(Builder, RefusesAnAliasOfItsOwnContainer) {
    builder_.begin_document();
    EXPECT_TRUE(builder_.begin_sequence({1, 1}, 1));
    EXPECT_FALSE(builder_.alias({1, 5}, 1));
    EXPECT_EQ(builder_.error().message, "name:1:5: an alias of what it stands in");
}

}  // namespace
}  // namespace podlane::control
