#include "control/document/message.h"

#include <gtest/gtest.h>

#include <string>

namespace podlane::control {
namespace {

class MessageTest : public ::testing::Test {
  protected:
    const Message& read(std::string text) {
        text_ = std::move(text);
        message_ = read_message(text_, arena_);
        return message_;
    }

    std::string text_;
    Arena arena_;
    Message message_;
};

TEST_F(MessageTest, IsATreeOfItsValues) {
    const Message& message =
        read(R"({"a": [1, -2.5e3, true, null, "x"], "b\n": {"c": "\u00e4\"\/"}, "d": 7})");
    ASSERT_EQ(message.fault, MessageFault::kNone) << message.what;
    const auto items = message.root.find("a")->items();
    ASSERT_EQ(items.size(), 5U);
    EXPECT_TRUE(items[0].is(ValueType::kInteger));
    EXPECT_EQ(items[0].text(), "1");
    EXPECT_TRUE(items[1].is(ValueType::kNumber));
    EXPECT_EQ(items[1].text(), "-2.5e3");
    EXPECT_EQ(items[2].text(), "true");
    EXPECT_TRUE(items[3].is_null());
    EXPECT_EQ(message.root.find("b\n")->find("c")->text(), "\xc3\xa4\"/");
    EXPECT_EQ(message.root.find("d")->text(), "7");
}

TEST_F(MessageTest, AScalarAloneIsOneToo) {
    EXPECT_EQ(read("17").root.text(), "17");
    EXPECT_EQ(read("\"a\"").root.text(), "a");
    EXPECT_TRUE(read("null").root.is_null());
    EXPECT_EQ(message_.fault, MessageFault::kNone);
}

// A manifest of 100 MB has a million escaped line ends: it is decoded where it stands.
TEST_F(MessageTest, StringsAreViewsIntoTheText) {
    std::string text = "[\"";
    for (int i = 0; i < 100'000; ++i) text += "kind: Service\\n";
    const Message& message = read(text + "\"]");
    ASSERT_EQ(message.fault, MessageFault::kNone);
    const std::string_view decoded = message.root.items()[0].text();
    EXPECT_EQ(decoded.size(), 14U * 100'000);
    EXPECT_EQ(decoded.data(), text_.data() + 2);
    EXPECT_LT(arena_.held_bytes(), 100'000U);
}

TEST_F(MessageTest, LimitsHoldAndMembersAreUnique) {
    EXPECT_EQ(read(std::string(kMaxMessageDepth + 1, '[')).fault, MessageFault::kOverLimit);
    EXPECT_EQ(read(R"({"a":1,"a":2})").fault, MessageFault::kNoJson);
    for (const char* text : {"", "{", "{} {}", "[1,]", "{\"a\":}", "\"\\udc00\"", "1e999"}) {
        EXPECT_EQ(read(text).fault, MessageFault::kNoJson) << text;
    }
}

}  // namespace
}  // namespace podlane::control
