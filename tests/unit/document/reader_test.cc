#include "control/document/reader.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace podlane::control {
namespace {

/// The tree as text without white space: strings in quotes, members in order.
std::string flat(const Value& value) {
    switch (value.type()) {
        case ValueType::kNull:
            return "null";
        case ValueType::kString:
            return '"' + std::string(value.text()) + '"';
        case ValueType::kSequence: {
            std::string out = "[";
            for (const Value& item : value.items()) out += flat(item) + ",";
            return out + "]";
        }
        case ValueType::kMapping: {
            std::string out = "{";
            for (const Member& member : value.members()) {
                out += std::string(member.key.text()) + ":" + flat(member.value) + ",";
            }
            return out + "}";
        }
        case ValueType::kBool:
        case ValueType::kInteger:
        case ValueType::kNumber:
            break;
    }
    return std::string(value.text());
}

/// All documents one after another, or the error.
std::string read(std::string_view text) {
    std::string out;
    const DocumentHandler handler{[&](const Document& document) {
                                      out += (out.empty() ? "" : " ") + flat(document.root);
                                      return true;
                                  },
                                  nullptr};
    const auto result = read_documents(text, "t", handler);
    return result.ok() ? out : result.error().message;
}

/// "LINE:COLUMN" of every value and key named `mark`.
std::vector<std::string> marks(const Value& value) {
    std::vector<std::string> out;
    const auto note = [&](const Value& v) {
        if (v.text() == "mark") {
            out.push_back(std::to_string(v.line()) + ":" + std::to_string(v.column()));
        }
    };
    note(value);
    for (const Value& item : value.items()) std::ranges::copy(marks(item), std::back_inserter(out));
    for (const Member& member : value.members()) {
        note(member.key);
        std::ranges::copy(marks(member.value), std::back_inserter(out));
    }
    return out;
}

std::vector<std::string> marks_in(std::string_view text) {
    std::vector<std::string> out;
    const DocumentHandler handler{[&](const Document& document) {
                                      std::ranges::copy(marks(document.root),
                                                        std::back_inserter(out));
                                      return true;
                                  },
                                  nullptr};
    EXPECT_TRUE(read_documents(text, "t", handler).ok());
    return out;
}

using Marks = std::vector<std::string>;

TEST(Reader, ReadsTheSameFromYamlAndJson) {
    const std::string tree = R"({a:1,b:["x",true,null,1.5,],c:{d:"80",},})";
    EXPECT_EQ(read("a: 1\nb: [x, true, null, 1.5]\nc:\n  d: \"80\"\n"), tree);
    EXPECT_EQ(read(R"({"a": 1, "b": ["x", true, null, 1.5], "c": {"d": "80"}})"), tree);
}

TEST(Reader, ReadsSeveralDocuments) {
    EXPECT_EQ(read("a: 1\n---\n# nothing\n---\nb: 2\n...\n---\nc: 3\n"), "{a:1,} {b:2,} {c:3,}");
    EXPECT_EQ(read("{\"a\":1}{\"b\":2}\n---\n{\"c\":3}\n"), "{a:1,} {b:2,} {c:3,}");
    EXPECT_EQ(read("  \n"), "");
    EXPECT_EQ(read(""), "");
    EXPECT_EQ(read("---\n"), "");
    EXPECT_EQ(read("# only a comment\n"), "");
}

TEST(Reader, KnowsWhereValuesStand) {
    EXPECT_EQ(marks_in("a: mark\nmark:\n  - x\n  - mark\n"), (Marks{"1:4", "2:1", "4:5"}));
    EXPECT_EQ(
        marks_in("{\"a\": \"mark\",\n \"mark\":\r\n [1, \"mark\"],\n\"z\":{\"q\":[], \"mark\":1}}"),
        (Marks{"1:7", "2:2", "3:6", "4:14"}));
    EXPECT_EQ(marks_in("{\"a\":1}\n\n---\n{\"b\": \"mark\"}"), Marks{"4:7"});
}

TEST(Reader, KnowsWhereValuesStandAfterEscapes) {
    EXPECT_EQ(marks_in(R"({"a\"b\\": "x\u00e9\n", "b": "mark"})"), Marks{"1:30"});
}

TEST(Reader, UnescapesJsonStrings) {
    EXPECT_EQ(read(R"({"a": "x\"\\\/\n\u00e9\ud83d\ude00"})"), "{a:\"x\"\\/\n\u00e9\U0001F600\",}");
}

TEST(Reader, SkipsAByteOrderMark) {
    EXPECT_EQ(read("\xef\xbb\xbf{\"a\":1}"), "{a:1,}");
    EXPECT_EQ(read("\xef\xbb\xbf"
                   "a: 1"),
              "{a:1,}");
}

TEST(Reader, FollowsAliases) {
    EXPECT_EQ(read("a: &x {b: 1}\nc: *x\nd: [*x]\n"), "{a:{b:1,},c:{b:1,},d:[{b:1,},],}");
}

TEST(Reader, RefusesAliasBombs) {
    std::string text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n";
    for (int i = 1; i < 10; ++i) {
        const std::string name = "a" + std::to_string(i);
        const std::string before = "*a" + std::to_string(i - 1);
        text += name + ": &" + name + " [";
        for (int k = 0; k < 10; ++k) text += (k == 0 ? "" : ", ") + before;
        text += "]\n";
    }
    EXPECT_NE(read(text).find("aliases stand for more than 100000 values"), std::string::npos);
    EXPECT_EQ(read("a: &a [*a]\n"), "t:1:8: an alias of what it stands in");
}

TEST(Reader, MergeKeysAreMergedAndOwnKeysComeFirst) {
    EXPECT_EQ(read("a: &a {b: 1}\nc:\n  <<: *a\n"), "{a:{b:1,},c:{b:1,},}");
    EXPECT_EQ(read("a: &a {b: 1, d: 2}\nc: {d: 3, <<: *a}\n"), "{a:{b:1,d:2,},c:{d:3,b:1,},}");
    EXPECT_EQ(read("- &a {b: 1}\n- &c {b: 2, d: 3}\n- {<<: [*a, *c], e: 4}\n"),
              "[{b:1,},{b:2,d:3,},{e:4,b:1,d:3,},]");
    EXPECT_EQ(read("- &a {b: 1}\n- &c {<<: *a, d: 2}\n- {<<: *c}\n"),
              "[{b:1,},{d:2,b:1,},{d:2,b:1,},]");
    EXPECT_EQ(read("<<: {a: 1}\n"), "{a:1,}");
    EXPECT_EQ(read("\"<<\": 1\n"), "{<<:1,}") << "in quotes it is a key as others";
    EXPECT_EQ(read("{\"<<\": 1}\n"), "{<<:1,}");
    EXPECT_EQ(read("a: 1\n<<: 5\n"),
              "t:2:1: the merge key << wants a mapping or a list of mappings");
    EXPECT_EQ(read("a: &a {b: 1}\n<<: *a\n<<: *a\n"),
              "t:3:1: the key \"<<\" is given twice, first in line 2");
}

TEST(Reader, FormsThatKubectlTakesAreRead) {
    EXPECT_EQ(read("{a: \"x\", b: [1, 2,],}"), "{a:\"x\",b:[1,2,],}") << "KYAML";
    EXPECT_EQ(read("---\n{\n  a: {\n    b: \"c\", # why\n  },\n}\n"), "{a:{b:\"c\",},}");
    EXPECT_EQ(read("# why\n{\"a\": 1 # why\n, \"b\": [2,], }"), "{a:1,b:[2,],}");
    EXPECT_EQ(read("{\"a\": 1}\n---\nb: 2\n"), "{a:1,} {b:2,}");
    EXPECT_EQ(read("{\"a\": 1}{\"b\": 2}\n{c: 3}"), "{a:1,} {b:2,} {c:3,}");
    EXPECT_EQ(read("a: 1\n---\n{\"b\": 2}\n--- # why\n{\n\t\"c\": 3\n}\n---\n"),
              "{a:1,} {b:2,} {c:3,}");
    EXPECT_EQ(read("%YAML 1.1\n---\na: 1\n...\n"), "{a:1,}");
    EXPECT_EQ(read("a: |\n  ---\n  x\n---b: 2\n"), "{a:\"---\nx\n\",---b:2,}") << "no separator";
    EXPECT_EQ(read("{\"a\": 10.96.0.1, \"b\": 1}"), "{a:\"10.96.0.1\",b:1,}");
}

TEST(Reader, KnowsWhereValuesStandInEveryForm) {
    EXPECT_EQ(marks_in("a: 1\n--- {x: mark}\n"), (Marks{"2:9"}));
    EXPECT_EQ(marks_in("{\"a\": 1} {x: mark}\n---\n\n{\"b\":\n\"mark\"}\n"),
              (Marks{"1:14", "5:1"}));
    EXPECT_EQ(read("{\"a\":1}\n---\n{a: 1,\n b: *x}\n").substr(0, 13), "t:4:5: not YA");
}

TEST(Reader, RefusesStrangeTags) {
    EXPECT_EQ(read("a: !mine 1\n"), "t:1:4: the tag !mine cannot be used for \"1\"");
    EXPECT_EQ(read("a: !mine [1]\n"), "t:1:4: the tag !mine is not supported");
    EXPECT_EQ(read("a: !!str 1\n"), "{a:\"1\",}");
}

TEST(Reader, RefusesAKeyGivenTwice) {
    EXPECT_EQ(read("a: 1\nb: 2\na: 3\n"), "t:3:1: the key \"a\" is given twice, first in line 1");
    EXPECT_EQ(read("{\"a\":1,\n\"a\":2}"), "t:2:1: the key \"a\" is given twice, first in line 1");
    std::string many = "{";
    for (int i = 0; i < 100; ++i) many += "\"k" + std::to_string(i) + "\":0,\n";
    EXPECT_EQ(read(many + "\"k50\":1}"),
              "t:101:1: the key \"k50\" is given twice, first in line 51");
}

TEST(Reader, RefusesKeysThatAreNoStrings) {
    EXPECT_EQ(read("? [a]\n: 1\n"), "t:1:3: a mapping's key must be a string");
    EXPECT_EQ(read("~: 1\n"), "t:1:1: a mapping's key must be a string");
    EXPECT_EQ(read("80: 1\n"), "{80:1,}");
}

TEST(Reader, BoundsDepth) {
    const std::string deep(kMaxDocumentDepth + 1, '[');
    EXPECT_EQ(read(deep), "t:1:129: nested deeper than 128 levels");
    EXPECT_EQ(read("a: " + deep + std::string(deep.size(), ']')),
              "t:1:131: nested deeper than 128 levels");
    const std::string fits = std::string(128, '[') + std::string(128, ']');
    EXPECT_EQ(read(fits).substr(0, 3), "[[[");
}

TEST(Reader, BoundsTheSizeOfYamlInFlowStyle) {
    const std::string blanks(kMaxFlowYamlBytes, ' ');
    EXPECT_EQ(read("{a: 1}" + blanks),
              "t:1:1: 33554438 bytes of YAML in flow style (KYAML, or JSON with comments) are too "
              "many (at most 33554432; JSON and YAML in block style may have 268435456)");
}

TEST(Reader, BoundsTheSizeOfAText) {
    const std::string large(kMaxDocumentBytes + 1, '#');
    EXPECT_EQ(read(large), "t:1:1: 268435457 bytes are too many at once (at most 268435456)");
}

TEST(Reader, RefusesWhatIsNotText) {
    using std::string_view_literals::operator""sv;
    EXPECT_EQ(read("a: 1\nb: \xff\n"), "t:2:4: byte 0xff is not UTF-8 text");
    EXPECT_EQ(read("{\"a\":\n\"x\0\"}"sv), "t:2:3: byte 0x00 is not UTF-8 text");
    EXPECT_EQ(read("{\"abcdefgh\": \"\xc0\x80\"}"), "t:1:15: byte 0xc0 is not UTF-8 text");
    EXPECT_EQ(read("{\"abcdefgh\": \"\xed\xa0\x80\"}"), "t:1:15: byte 0xed is not UTF-8 text");
    EXPECT_EQ(read("{\"abcdefgh\": \"\xf4\x90\x80\x80\"}"), "t:1:15: byte 0xf4 is not UTF-8 text");
    EXPECT_EQ(read("a: \xe2\x82"), "t:1:4: byte 0xe2 is not UTF-8 text");
    EXPECT_EQ(read("{\"a\":\"\u20ac\U0001F600\"}"), "{a:\"\u20ac\U0001F600\",}");
}

TEST(Reader, SaysWhatIsWrongWithJson) {
    EXPECT_EQ(read("{\"a\":1"), "t:1:7: not JSON: the text ends too early");
    EXPECT_EQ(read("{\"a\" 1}"), "t:1:6: not JSON: a colon must follow a member's name");
    EXPECT_EQ(read("{\"a\":1\n\"b\":2}"), "t:2:1: not JSON: a comma or } must follow a member");
    EXPECT_EQ(read("[1 2]"), "t:1:4: not JSON: a comma or ] must follow an item");
    EXPECT_EQ(read("{\"a\": \"\\x\"}"),
              "t:1:8: not JSON: an escape in a string that does not exist");
}

TEST(Reader, SaysWhatIsWrongWithYaml) {
    EXPECT_EQ(read("a: 1\n b: 2\n").substr(0, 15), "t:2:3: not YAML");
    EXPECT_EQ(read("a: *x\n").substr(0, 15), "t:1:4: not YAML");
    EXPECT_EQ(read("a: [1\n").substr(0, 15), "t:2:1: not YAML");
    EXPECT_EQ(read(","), "t:1:1: not YAML: no value begins here");
    EXPECT_EQ(read("a: 1\n---\n, b\n"), "t:3:1: not YAML: no value begins here");
    EXPECT_EQ(read("\tx: 1\n: :").find('\n'), std::string::npos);
}

/// The names of taken items, and what was left of the documents.
std::string read_items(std::string_view text, bool take) {
    std::string out;
    const DocumentHandler handler{[&](const Document& document) {
                                      out += "|" + flat(document.root);
                                      return true;
                                  },
                                  [&](const Value& head, const Value& item) {
                                      out += flat(head) + flat(item) + ";";
                                      return take;
                                  }};
    const auto result = read_documents(text, "t", handler);
    return result.ok() ? out : result.error().message;
}

TEST(Reader, HandsOverItemsAsTheyAreRead) {
    const char* json = R"({"kind":"L","items":[{"a":1},{"a":"\n"}],"z":{"items":[1]}})";
    EXPECT_EQ(
        read_items(json, true),
        "{kind:\"L\",}{a:1,};{kind:\"L\",}{a:\"\n\",};|{kind:\"L\",items:[],z:{items:[1,],},}");
    EXPECT_EQ(read_items(json, false),
              "{kind:\"L\",}{a:1,};{kind:\"L\",}{a:\"\n\",};"
              "|{kind:\"L\",items:[{a:1,},{a:\"\n\",},],z:{items:[1,],},}");
    EXPECT_EQ(read_items("kind: L\nitems:\n- &x {a: 1}\n- *x\n", true),
              "{kind:\"L\",}{a:1,};{kind:\"L\",}{a:1,};|{kind:\"L\",items:[],}");
    EXPECT_EQ(read_items("- items: [1]\n", true), "|[{items:[1,],},]");
}

TEST(Reader, HandsOverNoItemTwiceOfWhatTurnsOutToBeYaml) {
    EXPECT_EQ(
        read_items(R"({"kind":"L","items":[{"a":1},{"a":2},{a: 3},],})", true),
        "{kind:\"L\",}{a:1,};{kind:\"L\",}{a:2,};{kind:\"L\",}{a:3,};|{kind:\"L\",items:[],}");
}

TEST(Reader, SurvivesTruncationAtEveryByte) {
    const std::string yaml =
        "a: &x {b: [1, \"q\\u00e9\", 'r'], c: !!str 5}\n"
        "t: |\n  text\n  more\nd: *x\n---\n? k\n: v\n";
    const std::string json =
        "{\"a\":[1,-2.5e3,true,null,\"\\ud83d\\ude00\\n\"],\n"
        "\"items\":[{\"b\":{}}]}\n---\n[\"x\"]";
    for (const std::string& text : {yaml, json}) {
        for (size_t size = 0; size <= text.size(); ++size) {
            const std::string cut = text.substr(0, size);
            EXPECT_EQ(read(cut), read(cut));
            EXPECT_EQ(read_items(cut, true).find("\nt:"), std::string::npos);
        }
    }
}

}  // namespace
}  // namespace podlane::control
