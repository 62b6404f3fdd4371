#include "lib/base/printable.h"

#include <gtest/gtest.h>

#include <string>

namespace podlane {
namespace {

TEST(Printable, LeavesTextAsItIs) {
    for (const char* text :
         {"", "pod d/\xc3\xa4 \xe2\x86\x92 10.0.0.1", "\xf0\x9f\x90\xb3 \\x0a"}) {
        EXPECT_EQ(printable(text), text);
        EXPECT_EQ(printable_json(text), text);
        EXPECT_TRUE(is_printable(text));
    }
}

TEST(Printable, EscapesControlCharacters) {
    EXPECT_EQ(printable("a\tb\x7f\nc\x1b[31m\r"), "a\\x09b\\x7f\\x0ac\\x1b[31m\\x0d");
    EXPECT_EQ(printable(std::string_view("a\0b", 3)), "a\\x00b");
    EXPECT_EQ(printable("\xc2\x85\xc2\x9b"
                        "2J"),
              "\\xc2\\x85\\xc2\\x9b2J");
}

TEST(Printable, EscapesBytesThatAreNoUtf8) {
    EXPECT_EQ(printable("\xc2"), "\\xc2");                             // cut off
    EXPECT_EQ(printable("a\xff\xfe z"), "a\\xff\\xfe z");              // never in UTF-8
    EXPECT_EQ(printable("\x9b[2J"), "\\x9b[2J");                       // C1 of Latin-1
    EXPECT_EQ(printable("\xc0\x8a"), "\\xc0\\x8a");                    // an overlong \n
    EXPECT_EQ(printable("\xe0\x80\x8a"), "\\xe0\\x80\\x8a");           // a longer one
    EXPECT_EQ(printable("\xed\xa0\x80"), "\\xed\\xa0\\x80");           // a surrogate
    EXPECT_EQ(printable("\xf4\x90\x80\x80"), "\\xf4\\x90\\x80\\x80");  // beyond Unicode
    EXPECT_EQ(printable("\xe2\x82z"), "\\xe2\\x82z");
}

TEST(Printable, EscapesWhatMakesTextLookLikeOther) {
    // U+202E writes from right to left, U+2066 isolates, U+2028 ends a line, U+200B has no width.
    EXPECT_EQ(printable("a\xe2\x80\xae"
                        "b"),
              "a\\xe2\\x80\\xaeb");
    EXPECT_EQ(printable("\xe2\x81\xa6"), "\\xe2\\x81\\xa6");
    EXPECT_EQ(printable("\xe2\x80\xa8"), "\\xe2\\x80\\xa8");
    EXPECT_EQ(printable("\xe2\x80\x8b"), "\\xe2\\x80\\x8b");
    EXPECT_EQ(printable("\xd8\x9c\xef\xbb\xbf"), "\\xd8\\x9c\\xef\\xbb\\xbf");
    EXPECT_EQ(printable("\xf3\xa0\x81\x81"), "\\xf3\\xa0\\x81\\x81");
    EXPECT_FALSE(is_printable("a\xe2\x80\xae"));
    EXPECT_FALSE(is_printable("a\n"));
}

TEST(Printable, ASecondTimeChangesNothing) {
    const std::string once = printable("a\n\xff\xe2\x80\xae\\");
    EXPECT_EQ(printable(once), once);
}

TEST(Printable, JsonKeepsItsMeaning) {
    EXPECT_EQ(printable_json("{\n \"a\": \"\\n\xe2\x80\xae\x7f\xc2\x9b\"\n}"),
              "{\n \"a\": \"\\n\\u202e\\u007f\\u009b\"\n}");
    EXPECT_EQ(printable_json("\"\xf3\xa0\x81\x81\""), "\"\\udb40\\udc41\"");
    EXPECT_EQ(printable_json("\"\xff\""), "\"\\ufffd\"");
}

}  // namespace
}  // namespace podlane
