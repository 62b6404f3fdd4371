#include "control/cli/table.h"

#include <gtest/gtest.h>

#include "control/cli/cell.h"

namespace podlane::control {
namespace {

using nlohmann::ordered_json;

TEST(Table, LinesUpItsColumnsWithoutBlanksAtTheEnd) {
    Table table({{"NAME"}, {"MTU", true}, {"STATE"}});
    EXPECT_TRUE(table.empty());
    table.add({"uplink0", "1500", "up"});
    table.add({"a", "9", "down"});
    table.add({"short"});
    EXPECT_EQ(table.text(),
              "NAME       MTU   STATE\n"
              "uplink0   1500   up\n"
              "a            9   down\n"
              "short\n");
}

TEST(Table, CountsCharactersNotBytes) {
    Table table({{"NAME"}, {"X"}});
    table.add({"häüö", "1"});
    table.add({"abcde", "2"});
    EXPECT_EQ(table.text(),
              "NAME    X\n"
              "häüö    1\n"
              "abcde   2\n");
}

TEST(Table, KeepsControlCharactersFromTheTerminal) {
    Table table({{"NAME"}});
    table.add({"x\x1b[2J"});
    EXPECT_EQ(table.text(), "NAME\nx\\x1b[2J\n");
}

TEST(Cell, ShowsEachKindOfValue) {
    EXPECT_EQ(cell_text("a"), "a");
    EXPECT_EQ(cell_text(5), "5");
    EXPECT_EQ(cell_text(1.5), "1.5");
    EXPECT_EQ(cell_text(true), "true");
    EXPECT_EQ(cell_text(ordered_json::array({"a", 1})), "a,1");
    EXPECT_EQ(cell_text({{"k", "v"}, {"n", 1}}), "k=v,n=1");
    for (const auto& nothing :
         {ordered_json(), ordered_json(""), ordered_json::array(), ordered_json::object()}) {
        EXPECT_EQ(cell_text(nothing), "<none>");
    }
}

TEST(Cell, WhatIsAbsentOrOfAnotherShapeIsNone) {
    const ordered_json item{{"spec", {{"a/b", 1}, {"list", {1, 2}}}}, {"text", "x"}};
    EXPECT_EQ(cell(item, "/spec/a~1b"), "1");
    EXPECT_EQ(cell(item, "/spec/list/1"), "2");
    EXPECT_EQ(cell(item, "/spec/list/7"), "<none>");
    EXPECT_EQ(cell(item, "/text/deeper"), "<none>");
    EXPECT_EQ(cell(item, "/nope"), "<none>");
    EXPECT_EQ(cell(ordered_json(3), "/nope"), "<none>");
    EXPECT_TRUE(at(item, "/nope").is_null());
    EXPECT_EQ(number_at(item, "/spec/list/1"), 2);
    EXPECT_EQ(number_at(item, "/text"), 0);
}

TEST(Cell, ObjectsAreNamedWithTheirNamespace) {
    EXPECT_EQ(object_name({{"metadata", {{"name", "web"}, {"namespace", "default"}}}}),
              "default/web");
    EXPECT_EQ(object_name({{"metadata", {{"name", "node-a"}}}}), "node-a");
    EXPECT_EQ(object_name({{"kind", "Pod"}}), "<none>");
}

TEST(Cell, WordsAreJoinedByCommas) {
    std::string words;
    append_word(words, "a");
    append_word(words, "b");
    EXPECT_EQ(words, "a,b");
}

}  // namespace
}  // namespace podlane::control
