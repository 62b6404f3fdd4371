// `podlanectl events` against a server that remembers what it was asked.
#include <sstream>
#include <vector>

#include "control/cli/run.h"
#include "tests/unit/rpc/server_fixture.h"

namespace podlane::control {
namespace {

using nlohmann::ordered_json;

class EventsTest : public ServerFixture {
  protected:
    EventsTest() {
        methods_.add("events", [this](RpcRequest& request) -> RpcResult {
            ordered_json asked = ordered_json::object();
            for (const char* key : {"name", "by"}) {
                if (const auto text = request.params.text_if_any(key)) asked[key] = *text;
            }
            if (request.params.has("kinds")) asked["kinds"] = request.params.texts("kinds");
            for (const char* key : {"limit", "after", "waitSeconds"}) {
                if (const auto number = request.params.number_if_any(key, 0, INT64_MAX)) {
                    asked[key] = *number;
                }
            }
            for (const char* key : {"sinceMs", "untilMs"}) {
                if (request.params.number_if_any(key, 0, INT64_MAX)) asked[key] = true;
            }
            if (auto failure = request.params.failure()) return *failure;
            asked_.push_back(std::move(asked));
            if (replies_.empty()) return RpcFailure{rpc_code::kFailed, "no more", nullptr};
            ordered_json reply = std::move(replies_.front());
            replies_.erase(replies_.begin());
            return reply;
        });
        start();
    }
    int run(const std::vector<std::string>& arguments) {
        CliEnvironment environment{.in = in_, .out = out_, .err = err_, .default_socket = path_};
        return run_podlanectl(arguments, environment);
    }
    static ordered_json event(const char* name, const char* text) {
        return {{"cursor", 7},        {"time", "2025-11-29T14:02:11.007Z"},
                {"generation", 12},   {"by", "kube"},
                {"kind", "services"}, {"type", "ADDED"},
                {"name", name},       {"text", text}};
    }

    std::istringstream in_;
    std::ostringstream out_, err_;
    std::vector<ordered_json> replies_;
    std::vector<ordered_json> asked_;
};

TEST_F(EventsTest, FiltersAreAskedForAndRowsShown) {
    replies_ = {{{"cursor", 9}, {"events", {event("shop/web", "changed: ports")}}}};
    EXPECT_EQ(run({"events", "--since", "5m", "--kind", "svc,links", "--name", "shop/web", "--by",
                   "kube"}),
              0);
    EXPECT_EQ(asked_.at(0).dump(),
              R"({"name":"shop/web","by":"kube","kinds":["svc","links"],"limit":200,)"
              R"("sinceMs":true})");
    const std::string text = out_.str();
    EXPECT_EQ(text.find("TIME"), 0u) << text;
    for (const char* part : {"11.007", "12", "kube", "services", "shop/web", "changed: ports"}) {
        EXPECT_NE(text.find(part), std::string::npos) << text;
    }
}

TEST_F(EventsTest, WhatIsNotShownIsSaid) {
    replies_ = {{{"cursor", 9},
                 {"keptFrom", "2025-11-29T14:00:00.000Z"},
                 {"leftOut", 5},
                 {"events", ordered_json::array()}}};
    EXPECT_EQ(run({"events"}), 0);
    EXPECT_NE(err_.str().find(":00:00.000 is not kept any more\n"), std::string::npos);
    EXPECT_NE(err_.str().find("notice: 5 older ones left out; --limit N for more\n"),
              std::string::npos);
    EXPECT_NE(err_.str().find("no events\n"), std::string::npos);
    EXPECT_EQ(out_.str(), "");
}

TEST_F(EventsTest, FollowGoesOnFromTheCursorALineEachInJson) {
    replies_ = {{{"cursor", 9}, {"events", {event("shop/a", "added")}}},
                {{"cursor", 10}, {"events", ordered_json::array()}},
                {{"cursor", 12}, {"events", {event("shop/b", "added")}}}};
    EXPECT_EQ(run({"events", "-f", "-o", "json", "-n", "1"}), 1) << "until it cannot be asked";
    ASSERT_EQ(asked_.size(), 4u);
    EXPECT_EQ(asked_[0].dump(), R"({"limit":1})");
    EXPECT_EQ(asked_[1].dump(), R"({"limit":0,"after":9,"waitSeconds":8})");
    EXPECT_EQ(asked_[3].at("after"), 12);
    std::istringstream lines(out_.str());
    std::string first, second;
    std::getline(lines, first);
    std::getline(lines, second);
    EXPECT_EQ(ordered_json::parse(first).at("name"), "shop/a");
    EXPECT_EQ(ordered_json::parse(second).at("name"), "shop/b");
}

TEST_F(EventsTest, TimesThatAreNoneAreWrongUsage) {
    EXPECT_EQ(run({"events", "--since", "yesterday"}), 2);
    EXPECT_NE(err_.str().find("--since: \"yesterday\" is neither"), std::string::npos);
    EXPECT_EQ(run({"events", "--until", "14:02", "-f"}), 2);
    EXPECT_EQ(run({"events", "--since", "1m", "--until", "5m"}), 2);
    EXPECT_NE(err_.str().find("--until: \"5m\" is not after --since \"1m\""), std::string::npos)
        << err_.str();
}

}  // namespace
}  // namespace podlane::control
