#include "control/cli/yaml.h"

#include <gtest/gtest.h>
#include <yaml-cpp/yaml.h>

namespace podlane::control {
namespace {

using nlohmann::ordered_json;

TEST(Yaml, IsInBlockStyleInTheOrderOfTheFields) {
    EXPECT_EQ(to_yaml({{"kind", "Service"},
                       {"spec", {{"ports", {{{"port", 80}, {"name", "http"}}}}}},
                       {"labels", ordered_json::object()},
                       {"list", ordered_json::array()},
                       {"ready", true},
                       {"none", nullptr},
                       {"share", 1.5}}),
              "kind: Service\n"
              "spec:\n"
              "  ports:\n"
              "    - port: 80\n"
              "      name: http\n"
              "labels: {}\n"
              "list: []\n"
              "ready: true\n"
              "none: ~\n"
              "share: 1.5\n");
}

TEST(Yaml, StringsThatLookLikeSomethingElseAreQuoted) {
    for (const char* text : {"", "no", "Yes", "true", "null", "~", "12", "-5", ".5", "1e3",
                             "22:30:00", "0x1f", "10.5"}) {
        EXPECT_EQ(to_yaml(text), '"' + std::string(text) + "\"\n");
    }
    EXPECT_EQ(to_yaml({{"on", "x"}}), "\"on\": x\n");
}

TEST(Yaml, AnyStringComesBackAsItWas) {
    for (const std::string& text :
         {std::string("plain"), std::string("a: b"), std::string("# no comment"),
          std::string("line\nline\n"), std::string(" blanks "), std::string("tab\t"),
          std::string("quote\"'"), std::string("häß €"), std::string("- x"), std::string("{x"),
          std::string("*a"), std::string("!t"), std::string("\x01"), std::string("%")}) {
        const YAML::Node read = YAML::Load(to_yaml({{"k", text}}));
        EXPECT_EQ(read["k"].as<std::string>(), text);
    }
}

TEST(Yaml, AListOfObjectsIsOneDocument) {
    EXPECT_EQ(to_yaml({{{"a", 1}}, {{"a", 2}}}), "- a: 1\n- a: 2\n");
}

}  // namespace
}  // namespace podlane::control
