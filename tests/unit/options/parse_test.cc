#include "control/options/parse.h"

#include <gtest/gtest.h>

#include <array>

#include "control/options/help.h"
#include "control/options/table.h"

namespace podlane::control {
namespace {

using Words = std::vector<std::string>;

constexpr auto kRows = std::to_array<OptionRow>({
    {"file", 'f', OptionType::kTexts, "FILE...", "files"},
    {"watch", 'w', OptionType::kFlag, "", "go on"},
    {"all", 'A', OptionType::kFlag, "", "all"},
    {"output", 'o', OptionType::kWord, "FORMAT", "how", "json yaml"},
    {"port", 0, OptionType::kPort, "N", "a port", "", "", true},
    {"count", 0, OptionType::kNumber, "N", "how often"},
});

OptionValues read(const Words& words) {
    auto values = parse_options(kRows, words);
    if (!values) ADD_FAILURE() << values.error().message;
    return values ? std::move(values).value() : OptionValues();
}
std::string fault(const Words& words) {
    const auto values = parse_options(kRows, words);
    return values ? "(none)" : values.error().message;
}

TEST(ParseOptions, EveryFormOfAnOptionIsRead) {
    for (const Words& words :
         {Words{"--output", "json"}, Words{"--output=json"}, Words{"-o", "json"}, Words{"-ojson"},
          Words{"-o=json"}, Words{"-wojson"}}) {
        EXPECT_EQ(read(words).text("output"), "json") << words[0];
    }
    EXPECT_TRUE(read({"-wA"}).has("all"));
    EXPECT_TRUE(read({"--watch=true"}).has("watch"));
    EXPECT_FALSE(read({"--watch=false"}).has("watch"));
    EXPECT_EQ(read({"-f", "a", "-", "-w", "-f=b"}).texts("file"), (Words{"a", "-", "b"}));
    EXPECT_EQ(read({"a", "-w", "--", "-b"}).words(), (Words{"a", "-b"}));
    EXPECT_EQ(read({"a", "--", "-b", "--", "c"}).words(), (Words{"a", "-b", "--", "c"}));
    EXPECT_EQ(read({"a", "-o", "json", "b", "-w", "c"}).words(), (Words{"a", "b", "c"}));
    EXPECT_EQ(read({"-f", "a", "--", "b"}).texts("file"), Words{"a"});
    EXPECT_EQ(read({"--file=a=b"}).texts("file"), Words{"a=b"});
    EXPECT_EQ(read({"--count", "3"}).number("count"), 3U);
    EXPECT_EQ(read({}).number("count"), std::nullopt);
}

TEST(ParseOptions, WhatIsWrongIsSaidInOneLine) {
    EXPECT_EQ(fault({"--outptu", "json"}), "unknown option --outptu; did you mean --output?");
    EXPECT_EQ(fault({"-x"}), "unknown option -x");
    EXPECT_EQ(fault({"-wx"}), "unknown option -wx");
    EXPECT_EQ(fault({"--outp", "json"}), "unknown option --outp");
    EXPECT_EQ(fault({"--count="}), "--count needs a value: --count N");
    EXPECT_EQ(fault({"-f", "a", "--watch=maybe", "-x"}), "--watch: \"maybe\" is not true or false");
    EXPECT_EQ(fault({"--output"}), "--output needs a value: -o, --output FORMAT");
    EXPECT_EQ(fault({"--output", "-w"}), "--output needs a value: -o, --output FORMAT");
    EXPECT_EQ(fault({"-o", "xml"}), "--output: \"xml\" is not json or yaml");
    EXPECT_EQ(fault({"--port", "0"}), "--port: 0 is not a port (1-65535)");
    EXPECT_EQ(fault({"--count", "-1"}), "--count needs a value: --count N");
    EXPECT_EQ(fault({"--count=-1"}), "--count: \"-1\" is not a whole number");
    EXPECT_EQ(fault({"--count", "1", "--count", "2"}), "--count is given twice");
    EXPECT_EQ(fault({"--watch=maybe"}), "--watch: \"maybe\" is not true or false");
}

TEST(ParseOptions, ARequiredOptionIsMissedByName) {
    EXPECT_EQ(missing_option(kRows, read({}))->name, "port");
    EXPECT_EQ(missing_option(kRows, read({"--port", "1"})), nullptr);
}

TEST(ParseOptions, TheFirstWordIsFoundAmongOptions) {
    EXPECT_EQ(first_word(kRows, Words{"-o", "json", "-w", "get"}), 3U);
    EXPECT_EQ(first_word(kRows, Words{"--port=1", "-ojson", "get"}), 2U);
    EXPECT_EQ(first_word(kRows, Words{"--bogus"}), 1U);
}

TEST(OptionHelp, HasALineForEachInEightyColumns) {
    const std::string help = options_help(kRows);
    for (const OptionRow& row : kRows) {
        EXPECT_NE(help.find(option_usage(row)), std::string::npos);
    }
    EXPECT_EQ(help.substr(0, help.find('\n')), "  -f, --file FILE...   files");
    EXPECT_EQ(wrapped("aa bb cc", 2, 7), "  aa bb\n  cc\n");
    EXPECT_EQ(words_of("tcp udp").size(), 2U);
}

TEST(Manual, NothingInATextIsTakenForAMacro) {
    EXPECT_EQ(manual_escaped(".SH a-b\\\n'x"), "\\&.SH a\\-b\\e\n\\&'x");
    const std::string page = manual_text({.program = "podlanectl",
                                          .section = 1,
                                          .version = "1.2",
                                          .summary = "the command",
                                          .sections = {{"OPTIONS", manual_options(kRows)}}});
    EXPECT_EQ(page.find(".TH PODLANECTL 1 "), 0U);
    EXPECT_NE(page.find(".B \\-f, \\-\\-file FILE...\nfiles.\n"), std::string::npos) << page;
}

TEST(ParseOptions, ARepeatedOptionHasEachOfItsValuesAndNoWord) {
    constexpr OptionRow kSockets[] = {{"socket", 0, OptionType::kRepeated, "PATH", ""}};
    const std::vector<std::string> arguments{"--socket", "a", "word", "--socket=b"};
    const auto values = parse_options(kSockets, arguments);
    ASSERT_TRUE(values.ok());
    EXPECT_EQ(values->texts("socket"), (std::vector<std::string>{"a", "b"}));
    EXPECT_EQ(values->words(), std::vector<std::string>{"word"});
}

}  // namespace
}  // namespace podlane::control
