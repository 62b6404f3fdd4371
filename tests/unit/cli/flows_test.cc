// `get flows`: filters as parameters, pages one after the other, the first of all in an order.
#include "control/cli/flows.h"

#include <sstream>
#include <vector>

#include "control/cli/run.h"
#include "tests/unit/rpc/server_fixture.h"

namespace podlane::control {
namespace {

using nlohmann::ordered_json;

/// A server with so many connections, of which one page has 1500 at most.
class FlowsTest : public ServerFixture {
  protected:
    FlowsTest() {
        methods_.add("get", [this](RpcRequest& request) -> RpcResult {
            asked_ = ordered_json::object();
            for (const char* key : {"name", "pod", "service", "address", "protocol", "state"}) {
                if (const auto text = request.params.text_if_any(key)) asked_[key] = *text;
            }
            for (const char* key :
                 {"port", "worker", "olderSeconds", "youngerSeconds", "idleSeconds"}) {
                if (const auto number = request.params.number_if_any(key, 0, INT64_MAX)) {
                    asked_[key] = *number;
                }
            }
            if (request.params.flag("dropped")) asked_["dropped"] = true;
            (void)request.params.text("kind");
            const auto limit = request.params.number_if_any("limit", 0, INT64_MAX).value_or(0);
            auto at = request.params.number_if_any("from", 0, INT64_MAX).value_or(0);
            if (auto failure = request.params.failure()) return *failure;
            limits_.push_back(limit);
            ordered_json reply{{"kind", "flows"}, {"items", ordered_json::array()}};
            for (int64_t n = 0; n < std::min<int64_t>(limit, 1500) && at < flows_; ++n, ++at) {
                reply["items"].push_back({{"from", std::to_string(at)},
                                          {"ageSeconds", (at * 7919) % flows_},
                                          {"service", at % 2 == 0 ? "shop/a" : "b/b"}});
                if (!counts_) continue;
                ordered_json& item = reply["items"].back();
                item["packets"] = item["bytes"] = at;
                item["replyPackets"] = item["replyBytes"] = at == 7 ? 100'000 : 1;
            }
            if (at < flows_) reply["next"] = at;
            return reply;
        });
        start();
    }
    int run(const std::vector<std::string>& arguments) {
        out_.str("");
        err_.str("");
        CliEnvironment environment{.in = in_, .out = out_, .err = err_, .default_socket = path_};
        return run_podlanectl(arguments, environment);
    }
    ordered_json printed() { return ordered_json::parse(out_.str()); }

    int64_t flows_ = 5003;
    bool counts_ = false;
    std::istringstream in_;
    std::ostringstream out_, err_;
    ordered_json asked_;
    std::vector<int64_t> limits_;
};

TEST_F(FlowsTest, FiltersBecomeParameters) {
    EXPECT_EQ(run({"get",         "flows",        "10.0.0.1",  "--pod",      "web-0",
                   "-n",          "shop",         "--service", "a/b",        "--address",
                   "10.0.0.2:80", "--port",       "80",        "--protocol", "tcp",
                   "--state",     "SYN_SENT",     "--worker",  "0",          "--older-than",
                   "5m",          "--newer-than", "1d",        "--idle",     "30s",
                   "--dropped",   "--limit",      "1"}),
              0)
        << err_.str();
    EXPECT_EQ(asked_.dump(),
              R"({"name":"10.0.0.1","pod":"shop/web-0","service":"a/b","address":"10.0.0.2:80",)"
              R"("protocol":"tcp","state":"SYN_SENT","port":80,"worker":0,"olderSeconds":300,)"
              R"("youngerSeconds":86400,"idleSeconds":30,"dropped":true})");
}

TEST_F(FlowsTest, PagesAreOneList) {
    EXPECT_EQ(run({"get", "flows", "-o", "json"}), 0);
    const ordered_json all = printed();
    ASSERT_EQ(all.size(), 5003u);
    EXPECT_EQ(all[5002].at("from"), "5002");
    EXPECT_EQ(limits_.size(), 4u);
    EXPECT_EQ(run({"get", "flows", "-o", "name"}), 0);
    const std::string names = out_.str();
    EXPECT_EQ(std::ranges::count(names, '\n'), 5003);
    EXPECT_EQ(run({"get", "flows"}), 0);
    const std::string table = out_.str();
    EXPECT_EQ(std::ranges::count(table, '\n'), 5004) << "one line of headings";
    flows_ = 0;
    EXPECT_EQ(run({"get", "flows", "-o", "json"}), 0);
    EXPECT_TRUE(printed().empty());
    EXPECT_EQ(err_.str(), "no flows\n");
}

TEST_F(FlowsTest, ALimitIsHeldOverPages) {
    EXPECT_EQ(run({"get", "flows", "-o", "json", "--limit", "1600"}), 0);
    EXPECT_EQ(printed().size(), 1600u);
    EXPECT_EQ(limits_, (std::vector<int64_t>{1600, 100}));
    EXPECT_EQ(err_.str(), "notice: 1600 shown, there are more; --limit N for more\n");
    EXPECT_EQ(run({"get", "flows", "-o", "json", "--limit", "2", "-n", "b"}), 0);
    EXPECT_EQ(printed().dump(), R"([{"from":"1","ageSeconds":2916,"service":"b/b"},)"
                                R"({"from":"3","ageSeconds":3745,"service":"b/b"}])");
}

TEST_F(FlowsTest, AnOrderIsOfAllNotOfAPage) {
    EXPECT_EQ(run({"get", "flows", "-o", "json", "--sort", "age", "--limit", "3"}), 0);
    const ordered_json oldest = printed();
    ASSERT_EQ(oldest.size(), 3u);
    for (size_t i = 0; i < 3; ++i) EXPECT_EQ(oldest[i].at("ageSeconds"), 5002 - i);
    EXPECT_EQ(err_.str(), "notice: 3 of 5003 shown; --limit N for more\n");
    EXPECT_EQ(run({"get", "flows", "-o", "json", "--sort", "age", "--reverse", "--limit", "2"}), 0);
    EXPECT_EQ(printed()[0].at("ageSeconds"), 0);
    EXPECT_EQ(printed()[1].at("ageSeconds"), 1);
}

TEST_F(FlowsTest, BytesOfBothDirectionsAreAnOrder) {
    EXPECT_EQ(run({"get", "flows", "--sort", "bytes"}), 1);
    EXPECT_NE(err_.str().find("flows.counters: on"), std::string::npos) << err_.str();
    counts_ = true;
    for (const char* order : {"bytes", "packets"}) {
        EXPECT_EQ(run({"get", "flows", "-o", "json", "--sort", order, "--limit", "2"}), 0);
        EXPECT_EQ(printed()[0].at("from"), "7") << order;
        EXPECT_EQ(printed()[1].at("from"), "5002") << order;
    }
}

TEST_F(FlowsTest, OptionsOfFlowsAreForFlows) {
    EXPECT_EQ(run({"get", "svc", "--pod", "a"}), 2);
    EXPECT_NE(err_.str().find("--pod is for flows, not for services"), std::string::npos);
    EXPECT_EQ(run({"get", "flows", "--older-than", "5"}), 2);
    EXPECT_EQ(run({"get", "flows", "--reverse"}), 2);
    EXPECT_EQ(run({"get", "flows", "--sort", "age", "-w"}), 2);
    EXPECT_EQ(run({"get", "flows", "--sort", "beauty"}), 2);
    EXPECT_GE(flow_options().size(), 10u);
}

}  // namespace
}  // namespace podlane::control
