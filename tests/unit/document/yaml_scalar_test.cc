#include "control/document/yaml_scalar.h"

#include <gtest/gtest.h>

namespace podlane::control {
namespace {

YamlScalar plain(std::string_view text) {
    return resolve_yaml_scalar("?", text).value();
}

TEST(YamlScalar, ReadsEveryNotationOfAnInteger) {
    for (const auto& [text, decimal] : std::initializer_list<std::pair<const char*, const char*>>{
             {"80", "80"},
             {"+80", "80"},
             {"-80", "-80"},
             {"0x1F90", "8080"},
             {"0o17", "15"},
             {"017", "15"},
             {"0b101", "5"},
             {"30_000", "30000"},
             {"0", "0"},
             {"-0", "0"},
             {"18446744073709551615", "18446744073709551615"},
             {"-9223372036854775808", "-9223372036854775808"}}) {
        EXPECT_EQ(plain(text).type, ValueType::kInteger) << text;
        EXPECT_EQ(plain(text).text, decimal) << text;
    }
}

TEST(YamlScalar, TakesWhatIsNoIntegerForANumberOrAString) {
    for (const char* text :
         {"1.5", "1e3", ".5", "5.", "-1.5E-3", "08", ".inf", ".NaN", "99999999999999999999"}) {
        EXPECT_EQ(plain(text).type, ValueType::kNumber) << text;
    }
    for (const char* text : {"1.2.3.4", "0x", "0xfg", "-", "+", ".", "1e", "12a", "2026-11-23",
                             "10:20", "e5", "-x", "0b2", "1-1"}) {
        EXPECT_EQ(plain(text).type, ValueType::kString) << text;
        EXPECT_EQ(plain(text).text, text);
    }
}

TEST(YamlScalar, KnowsYaml11Booleans) {
    for (const char* text : {"true", "True", "TRUE", "yes", "on", "y", "Y"}) {
        EXPECT_EQ(plain(text).type, ValueType::kBool) << text;
        EXPECT_EQ(plain(text).text, "true") << text;
    }
    for (const char* text : {"false", "No", "OFF", "n"}) EXPECT_EQ(plain(text).text, "false");
    EXPECT_EQ(plain("tRUE").type, ValueType::kString);
}

TEST(YamlScalar, LeavesQuotedTextAlone) {
    EXPECT_EQ(resolve_yaml_scalar("!", "true")->type, ValueType::kString);
    EXPECT_EQ(resolve_yaml_scalar("!", "80")->type, ValueType::kString);
    EXPECT_EQ(resolve_yaml_scalar("tag:yaml.org,2002:str", "80")->type, ValueType::kString);
    EXPECT_EQ(resolve_yaml_scalar("!", "")->type, ValueType::kString);
}

TEST(YamlScalar, RefusesATagThatDoesNotFit) {
    EXPECT_FALSE(resolve_yaml_scalar("tag:yaml.org,2002:int", "abc"));
    EXPECT_FALSE(resolve_yaml_scalar("tag:yaml.org,2002:bool", "80"));
    EXPECT_FALSE(resolve_yaml_scalar("tag:yaml.org,2002:binary", "aGk="));
    EXPECT_FALSE(resolve_yaml_scalar("!mine", "80"));
    EXPECT_EQ(resolve_yaml_scalar("tag:yaml.org,2002:int", "80")->type, ValueType::kInteger);
    EXPECT_EQ(resolve_yaml_scalar("tag:yaml.org,2002:float", "80")->type, ValueType::kInteger);
    EXPECT_EQ(resolve_yaml_scalar("tag:yaml.org,2002:null", "~")->type, ValueType::kNull);
}

}  // namespace
}  // namespace podlane::control
