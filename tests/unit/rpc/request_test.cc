#include "control/rpc/request.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include "control/document/message.h"

namespace podlane::control {
namespace {

class RpcParamsTest : public ::testing::Test {
  protected:
    RpcParams params(const char* json) {
        text_ = json;
        read_ = read_message(text_, arena_);
        EXPECT_TRUE(read_.root.is(ValueType::kMapping)) << json;
        return RpcParams(&read_.root);
    }
    static std::string failure_of(RpcParams& params) {
        const auto failure = params.failure();
        if (!failure) return {};
        EXPECT_EQ(failure->code, rpc_code::kBadParams);
        return failure->message;
    }

    std::string text_;
    Arena arena_;
    Message read_;
};

TEST_F(RpcParamsTest, GivesTextsNumbersAndFlags) {
    auto p = params(R"({"kind": "ports", "limit": 7, "all": true, "list": ["a", "b"]})");
    EXPECT_EQ(p.text("kind"), "ports");
    EXPECT_EQ(p.number_if_any("limit", 0, 10), 7);
    EXPECT_TRUE(p.flag("all"));
    EXPECT_EQ(p.texts("list"), (std::vector<std::string_view>{"a", "b"}));
    EXPECT_EQ(failure_of(p), "");
}

TEST_F(RpcParamsTest, TextsAreViewsIntoTheMessage) {
    auto p = params(R"({"documents": "a long text that is not copied"})");
    EXPECT_EQ(p.text("documents").data(), text_.data() + text_.find("a long"));
}

TEST_F(RpcParamsTest, WhatIsOptionalMayBeAbsentOrNull) {
    auto p = params(R"({"name": null})");
    EXPECT_FALSE(p.has("name"));
    EXPECT_EQ(p.text_if_any("name"), std::nullopt);
    EXPECT_EQ(p.number_if_any("limit", 0, 10), std::nullopt);
    EXPECT_FALSE(p.flag("all"));
    EXPECT_EQ(failure_of(p), "");
}

TEST_F(RpcParamsTest, AbsentParamsAreAnEmptyObject) {
    RpcParams p(nullptr);
    EXPECT_EQ(p.text_if_any("name"), std::nullopt);
    EXPECT_EQ(p.text("kind"), "");
    EXPECT_EQ(failure_of(p), "params.kind: missing: a string");
}

TEST_F(RpcParamsTest, TheFirstMistakeIsNamed) {
    auto p = params(R"({"kind": 5, "limit": "many"})");
    EXPECT_EQ(p.text("kind"), "");
    EXPECT_EQ(p.number_if_any("limit", 0, 10), std::nullopt);
    EXPECT_EQ(failure_of(p), "params.kind: 5 is not a string (put it in quotes)");
}

TEST_F(RpcParamsTest, NumbersOutOfRangeOrWithAFractionAreRefused) {
    for (const char* json : {R"({"limit": 11})", R"({"limit": -1})", R"({"limit": 1.5})",
                             R"({"limit": 1e30})", R"({"limit": 18446744073709551615})"}) {
        auto p = params(json);
        EXPECT_EQ(p.number_if_any("limit", 0, 10), std::nullopt);
        EXPECT_NE(failure_of(p).find(" is not a whole number in range (0-10)"), std::string::npos)
            << json;
    }
}

TEST_F(RpcParamsTest, UnknownParametersAreNamedWithTheOneThatIsMeant) {
    auto p = params(R"({"kind": "ports", "nam": "x"})");
    static_cast<void>(p.text("kind"));
    static_cast<void>(p.text_if_any("name"));
    EXPECT_EQ(failure_of(p), "params.nam: unknown key; did you mean name?");
}

TEST_F(RpcParamsTest, AListOfSomethingElseThanStringsIsRefused) {
    auto p = params(R"({"addresses": ["10.0.0.1", 2]})");
    static_cast<void>(p.texts("addresses"));
    EXPECT_EQ(failure_of(p), "params.addresses[1]: 2 is not a string (put it in quotes)");
}

TEST_F(RpcParamsTest, AnObjectWithinIsReadAndItsMistakesAreNamedByPlace) {
    const auto read = [this](const char* json) {
        int64_t rate = -1;
        auto p = params(json);
        p.within("limits", [&](Fields& one) {
            rate = one.integer<int64_t>("rate", {0, 99, "a rate"}, 0);
        });
        return std::pair(rate, failure_of(p));
    };
    EXPECT_EQ(read(R"({"limits": {"rate": 5}})"), (std::pair<int64_t, std::string>(5, "")));
    EXPECT_EQ(read("{}"), (std::pair<int64_t, std::string>(-1, "")));
    EXPECT_EQ(read(R"({"limits": {"rate": 100}})").second,
              "params.limits.rate: 100 is not a rate (0-99)");
    EXPECT_EQ(read(R"({"limits": {"tare": 1}})").second, "params.limits.tare: unknown key");
    EXPECT_EQ(read(R"({"limits": 7})").second, "params.limits: 7 is not a mapping");
}

TEST_F(RpcParamsTest, ObjectsOfAListAreReadEachAndTheirMistakesAreNamedByPlace) {
    const auto read = [this](const char* json) {
        std::vector<int64_t> ports;
        auto p = params(json);
        p.each("list", [&](Fields& one) {
            ports.push_back(one.integer<int64_t>("port", {1, 65535, "a port"}, 0));
        });
        return std::pair(ports, failure_of(p));
    };
    EXPECT_EQ(read(R"({"list": [{"port": 80}, {}]})").first, (std::vector<int64_t>{80, 0}));
    EXPECT_EQ(read(R"({"list": [{"port": 80}, {}]})").second, "");
    EXPECT_EQ(read("{}").second, "");
    EXPECT_EQ(read(R"({"list": [{}, {"port": 70000}]})").second,
              "params.list[1].port: 70000 is not a port (1-65535)");
    EXPECT_EQ(read(R"({"list": [{"prot": 1}]})").second, "params.list[0].prot: unknown key");
    EXPECT_EQ(read(R"({"list": [7]})").second, "params.list[0]: 7 is not a mapping");
    EXPECT_EQ(read(R"({"list": {}})").second, "params.list: a mapping is not a list");
}

TEST_F(RpcParamsTest, DocumentsAreOneTextOrFiles) {
    auto one = params(R"({"documents": "kind: Node", "name": "node.yml"})");
    auto texts = one.documents();
    ASSERT_EQ(texts.size(), 1U);
    EXPECT_EQ(texts[0].name, "node.yml");
    EXPECT_EQ(texts[0].text, "kind: Node");
    EXPECT_EQ(failure_of(one), "");

    auto unnamed = params(R"({"documents": ""})");
    EXPECT_EQ(unnamed.documents().at(0).name, "documents");

    auto files = params(R"({"files": [{"name": "a", "text": "1"}, {"name": "b", "text": "2"}]})");
    texts = files.documents();
    ASSERT_EQ(texts.size(), 2U);
    EXPECT_EQ(texts[1].name, "b");
    EXPECT_EQ(texts[1].text, "2");
    EXPECT_EQ(failure_of(files), "");
}

TEST_F(RpcParamsTest, DocumentsThatAreMissingOrMalformedAreRefused) {
    const std::pair<const char*, const char*> cases[] = {
        {R"({})", "params.documents: missing: a string; or files, a list of {name, text}"},
        {R"({"documents": 1})", "params.documents: 1 is not a string (put it in quotes)"},
        {R"({"documents": "", "files": []})", "params.files: either documents or files, not both"},
        {R"({"files": [{"name": "a", "text": "1"}, {"name": "b"}]})",
         "params.files[1].text: missing: YAML or JSON"},
        {R"({"files": [{"name": "a", "text": "1", "txt": "2"}]})",
         "params.files[0].txt: unknown key; did you mean text?"},
        {R"({"files": ["a"]})", "params.files[0]: \"a\" is not a mapping"},
        {R"({"files": [], "name": "a"})",
         "params.name: goes with documents; each of files has a name of its own"},
    };
    for (const auto& [json, message] : cases) {
        auto p = params(json);
        static_cast<void>(p.documents());
        EXPECT_EQ(failure_of(p), message) << json;
    }
}

TEST(RpcFailure, AnErrorsPlaceBecomesData) {
    const auto failure = rpc_failure(Error{"a.yml:3: spec: no", "a.yml", 3, "spec"});
    EXPECT_EQ(failure.code, rpc_code::kRefused);
    EXPECT_EQ(failure.data.dump(), R"({"document":"a.yml","line":3,"path":"spec"})");
    EXPECT_TRUE(rpc_failure(Error{"no place"}, rpc_code::kFailed).data.is_null());
}

}  // namespace
}  // namespace podlane::control
