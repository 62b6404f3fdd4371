#include "control/rpc/methods.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "control/document/message.h"

namespace podlane::control {
namespace {

using nlohmann::ordered_json;

class RpcMethodsTest : public ::testing::Test {
  protected:
    RpcMethodsTest() {
        methods_.add("echo", [](RpcRequest& request) -> RpcResult {
            const auto text = request.params.text("text");
            if (auto failure = request.params.failure()) return *failure;
            return ordered_json(text);
        });
        methods_.add("count", [this](RpcRequest&) -> RpcResult { return ++calls_; });
        methods_.add("refuse", [](RpcRequest&) -> RpcResult {
            return rpc_failure(Error{"a.yml:3: spec: no", "a.yml", 3, "spec"});
        });
        methods_.add("throw", [](RpcRequest&) -> RpcResult { throw std::runtime_error("oh"); });
        methods_.add("who", [](RpcRequest& request) -> RpcResult { return request.peer.uid; });
    }
    std::string answer(std::string message) {
        return methods_.answer(message, {.uid = 7}).value_or("(none)");
    }
    int code_of(const std::string& message) {
        const auto reply = ordered_json::parse(answer(message));
        EXPECT_TRUE(reply.contains("id"));
        return reply.at("error").at("code").get<int>();
    }

    RpcMethods methods_;
    int calls_ = 0;
};

TEST_F(RpcMethodsTest, ARequestGetsItsResultUnderItsId) {
    EXPECT_EQ(answer(R"({"jsonrpc":"2.0","id":1,"method":"echo","params":{"text":"ä\n"}})"),
              R"({"jsonrpc":"2.0","id":1,"result":"ä\n"})");
    EXPECT_EQ(answer(R"({"jsonrpc":"2.0","id":"x\"y","method":"count"})"),
              R"({"jsonrpc":"2.0","id":"x\"y","result":1})");
    EXPECT_EQ(answer(R"({"jsonrpc":"2.0","id":null,"method":"count","params":null})"),
              R"({"jsonrpc":"2.0","id":null,"result":2})");
}

TEST_F(RpcMethodsTest, AMessageThatEndsInsideACharacterIsNoJson) {
    EXPECT_NE(answer("{\"jsonrpc\":\"2.0\",\"id\":\"0123456789\xf0").find("-32700"),
              std::string::npos);
}

TEST_F(RpcMethodsTest, TheMethodSeesWhoCalls) {
    EXPECT_EQ(answer(R"({"jsonrpc":"2.0","id":1,"method":"who"})"),
              R"({"jsonrpc":"2.0","id":1,"result":7})");
}

TEST_F(RpcMethodsTest, AFailureCarriesItsPlace) {
    EXPECT_EQ(answer(R"({"jsonrpc":"2.0","id":1,"method":"refuse"})"),
              R"({"jsonrpc":"2.0","id":1,"error":{"code":1,"message":"a.yml:3: spec: no",)"
              R"("data":{"document":"a.yml","line":3,"path":"spec"}}})");
}

TEST_F(RpcMethodsTest, WhatIsNoJsonIsAParseError) {
    for (const char* message : {"{", "nonsense", "{\"jsonrpc\":\"2.0\"", "{} {}", "[1,]", "\xff",
                                "{\"a\":\"\xc3\x28\"}", "{\"a\":1,}", "'a'"}) {
        EXPECT_EQ(code_of(message), rpc_code::kParseError) << message;
    }
    EXPECT_EQ(code_of(std::string("{}\0", 3)), rpc_code::kParseError);
    EXPECT_EQ(code_of(std::string("{}\0x", 4)), rpc_code::kParseError);
}

TEST_F(RpcMethodsTest, ASurrogateThatStandsAloneIsAParseError) {
    EXPECT_EQ(code_of(R"({"jsonrpc":"2.0","id":"\ude00","method":"count"})"),
              rpc_code::kParseError);
    EXPECT_EQ(code_of(R"({"jsonrpc":"2.0","id":1,"method":"count","params":{"\ude00":1}})"),
              rpc_code::kParseError);
    EXPECT_EQ(code_of(R"({"jsonrpc":"2.0","id":"\ud83d","method":"count"})"),
              rpc_code::kParseError);
    EXPECT_EQ(answer(R"({"jsonrpc":"2.0","id":"\ud83d\ude00 \ud7ff","method":"count"})"),
              "{\"jsonrpc\":\"2.0\",\"id\":\"\xf0\x9f\x98\x80 \xed\x9f\xbf\",\"result\":1}");
}

TEST_F(RpcMethodsTest, ANumberPastDoublesIsAParseError) {
    for (const char* id :
         {"1e309", "555555555551.5e300", "1111111111111111111111111111111115e300"}) {
        const auto message = fmt::format(R"({{"jsonrpc":"2.0","id":{},"method":"count"}})", id);
        EXPECT_EQ(code_of(message), rpc_code::kParseError) << id;
    }
}

TEST_F(RpcMethodsTest, AMemberThatIsGivenTwiceIsAParseError) {
    EXPECT_EQ(code_of(R"({"jsonrpc":"2.0","id":1,"method":"count","method":"count"})"),
              rpc_code::kParseError);
    EXPECT_EQ(calls_, 0);
}

TEST_F(RpcMethodsTest, ANumberIsAnIdAsItCame) {
    for (const char* id : {"-7", "1.50", "1e3", "123456789012345678901234567890"}) {
        EXPECT_EQ(answer(fmt::format(R"({{"jsonrpc":"2.0","id":{} ,"method":"who"}})", id)),
                  fmt::format(R"({{"jsonrpc":"2.0","id":{},"result":7}})", id));
    }
}

TEST_F(RpcMethodsTest, WhatIsNoRequestIsInvalid) {
    for (const char* message :
         {"{}", "1", "\"echo\"", "null", "[]", R"({"method":"count","id":1})",
          R"({"jsonrpc":"1.0","method":"count","id":1})", R"({"jsonrpc":2.0,"method":"count"})",
          R"({"jsonrpc":"2.0","method":1})", R"({"jsonrpc":"2.0","id":{},"method":"count"})"}) {
        EXPECT_EQ(code_of(message), rpc_code::kInvalidRequest) << message;
    }
    EXPECT_EQ(calls_, 0);
}

TEST_F(RpcMethodsTest, UnknownMethodsAndBadParametersHaveTheirCodes) {
    EXPECT_EQ(code_of(R"({"jsonrpc":"2.0","id":1,"method":"nope"})"), rpc_code::kUnknownMethod);
    EXPECT_EQ(code_of(R"({"jsonrpc":"2.0","id":1,"method":"echo"})"), rpc_code::kBadParams);
    EXPECT_EQ(code_of(R"({"jsonrpc":"2.0","id":1,"method":"echo","params":["a"]})"),
              rpc_code::kBadParams);
    EXPECT_EQ(code_of(R"({"jsonrpc":"2.0","id":1,"method":"echo","params":"a"})"),
              rpc_code::kBadParams);
}

TEST_F(RpcMethodsTest, AMethodThatThrowsIsAnInternalError) {
    EXPECT_EQ(answer(R"({"jsonrpc":"2.0","id":1,"method":"throw"})"),
              R"({"jsonrpc":"2.0","id":1,"error":{"code":-32603,)"
              R"("message":"throw: internal error: oh"}})");
}

TEST_F(RpcMethodsTest, ANotificationIsCarriedOutWithoutAReply) {
    EXPECT_EQ(answer(R"({"jsonrpc":"2.0","method":"count"})"), "(none)");
    EXPECT_EQ(calls_, 1);
    EXPECT_EQ(answer(R"({"jsonrpc":"2.0","method":"nope"})"), "(none)");
}

TEST_F(RpcMethodsTest, ABatchIsAnsweredInOrderWithoutItsNotifications) {
    EXPECT_EQ(answer(R"([{"jsonrpc":"2.0","id":1,"method":"count"},)"
                     R"({"jsonrpc":"2.0","method":"count"},)"
                     R"({"jsonrpc":"2.0","id":2,"method":"count"}])"),
              R"([{"jsonrpc":"2.0","id":1,"result":1},{"jsonrpc":"2.0","id":2,"result":3}])");
    EXPECT_EQ(answer(R"([{"jsonrpc":"2.0","method":"count"}])"), "(none)");
    const auto replies = ordered_json::parse(answer("[1, 2]"));
    ASSERT_EQ(replies.size(), 2U);
    EXPECT_EQ(replies[1]["error"]["code"], rpc_code::kInvalidRequest);
}

TEST_F(RpcMethodsTest, AnEndlessBatchIsRefusedWhole) {
    std::string batch = "[";
    for (int i = 0; i < 1001; ++i) {
        if (i > 0) batch += ',';
        batch += R"({"jsonrpc":"2.0","id":1,"method":"count"})";
    }
    EXPECT_EQ(code_of(batch + "]"), rpc_code::kInvalidRequest);
    EXPECT_EQ(calls_, 0);
}

TEST_F(RpcMethodsTest, DeepAndWideMessagesAreRefusedWithoutHarm) {
    EXPECT_EQ(code_of(std::string(1'000'000, '[')), rpc_code::kInvalidRequest);
    std::string deep = std::string(kMaxMessageDepth, '[') + std::string(kMaxMessageDepth, ']');
    EXPECT_EQ(ordered_json::parse(answer(deep)).size(), 1U);
    EXPECT_EQ(code_of("[" + deep + "]"), rpc_code::kInvalidRequest);
    std::string wide = "[";
    for (size_t i = 0; i < kMaxMessageValues; ++i) wide += "1,";
    EXPECT_EQ(code_of(wide + "1]"), rpc_code::kInvalidRequest);
}

TEST_F(RpcMethodsTest, TextThatIsNoUtf8IsReplacedInReplies) {
    methods_.add("raw", [](RpcRequest&) -> RpcResult { return ordered_json("a\xff"); });
    EXPECT_EQ(answer(R"({"jsonrpc":"2.0","id":1,"method":"raw"})"),
              "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":\"a\xef\xbf\xbd\"}");
}

TEST_F(RpcMethodsTest, CallsFromWithinGoTheSameWay) {
    const auto result = methods_.call("echo", {{"text", "hello"}});
    EXPECT_EQ(std::get<ordered_json>(result), "hello");
    EXPECT_EQ(std::get<RpcFailure>(methods_.call("echo", nullptr)).code, rpc_code::kBadParams);
    EXPECT_EQ(std::get<RpcFailure>(methods_.call("nope", nullptr)).code, rpc_code::kUnknownMethod);
}

TEST_F(RpcMethodsTest, TheLaterOfTwoMethodsOfANameIsUsed) {
    methods_.add("count", [](RpcRequest&) -> RpcResult { return "other"; });
    EXPECT_EQ(std::get<ordered_json>(methods_.call("count", nullptr)), "other");
}

TEST_F(RpcMethodsTest, AMethodMayAnswerLaterButNotInABatch) {
    RpcDone done;
    methods_.add_waiting("watch", [&done](RpcRequest& request, RpcDone whom) {
        const auto text = request.params.text("text");
        if (auto failure = request.params.failure()) {
            whom(std::move(*failure));
            return;
        }
        EXPECT_EQ(text, "x");
        done = std::move(whom);
    });
    std::vector<std::optional<std::string>> replies;
    const auto ask = [&](std::string message) {
        methods_.answer(message, {}, [&](std::optional<std::string> text) {
            replies.push_back(std::move(text));
        });
    };
    ask(R"({"jsonrpc":"2.0","id":5,"method":"watch","params":{"text":"x"}})");
    EXPECT_TRUE(replies.empty());
    done(ordered_json("news"));
    ASSERT_EQ(replies.size(), 1u);
    EXPECT_EQ(replies[0], R"({"jsonrpc":"2.0","id":5,"result":"news"})");
    ask(R"({"jsonrpc":"2.0","id":6,"method":"watch"})");
    EXPECT_NE(replies.at(1)->find("-32602"), std::string::npos) << *replies.at(1);
    ask(R"({"jsonrpc":"2.0","id":7,"method":"count"})");
    EXPECT_EQ(replies.at(2), R"({"jsonrpc":"2.0","id":7,"result":1})");
    ask("{");
    EXPECT_NE(replies.at(3)->find("-32700"), std::string::npos) << *replies.at(3);
    ask(R"([{"jsonrpc":"2.0","id":8,"method":"watch","params":{"text":"x"}}])");
    EXPECT_NE(replies.at(4)->find("batch"), std::string::npos) << *replies.at(4);
}

}  // namespace
}  // namespace podlane::control
