#include "control/cli/habits.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <sstream>

#include "control/cli/commands.h"
#include "control/cli/endpoints.h"
#include "control/cli/getter.h"
#include "control/cli/kinds.h"
#include "control/cli/run.h"
#include "control/cli/target.h"
#include "tests/unit/rpc/server_fixture.h"

namespace podlane::control {
namespace {

using nlohmann::ordered_json;

/// The command that a hint names, "events" of "use podlanectl events -f".
std::string named_in(const std::string& hint) {
    const std::string program = "podlanectl ";
    const size_t at = hint.find(program);
    if (at == std::string::npos) return {};
    const size_t begin = at + program.size();
    return hint.substr(begin, hint.find_first_of(" ,;", begin) - begin);
}

TEST(Habits, NameCommandsAndKindsThatExist) {
    for (const char* word :
         {"create", "logs", "status", "conntrack", "tcpdump", "exec", "restart"}) {
        const std::string hint = command_meant(word);
        EXPECT_NE(find_command(named_in(hint)), nullptr) << word << ": " << hint;
        EXPECT_EQ(find_command(word), nullptr) << word << " is a command by now";
    }
    EXPECT_EQ(command_meant("flows"), "use podlanectl get flows");
    EXPECT_EQ(command_meant("svc"), "use podlanectl get services");
    EXPECT_EQ(command_meant("aply"), "");
    for (const char* word : {"events", "ev", "all", "connections", "arp", "interfaces", "drops"}) {
        const std::string hint = kind_meant(word);
        EXPECT_NE(find_command(named_in(hint)), nullptr) << word << ": " << hint;
        EXPECT_EQ(find_kind(word), nullptr) << word << " is a kind by now";
    }
    EXPECT_EQ(kind_meant("srvices"), "");
    for (const CliKind& kind : cli_kinds()) {
        if (elsewhere_of(kind.plural).empty()) continue;
        const std::string hint(elsewhere_of(kind.plural));
        EXPECT_TRUE(named_in(hint).empty() || named_in(hint) == "get") << hint;
    }
}

/// podlanectl against a podlaned with these objects and 45 or more connections.
class NewcomerTest : public ServerFixture {
  protected:
    NewcomerTest() {
        methods_.add("get", [this](RpcRequest& request) -> RpcResult {
            const std::string kind(request.params.text("kind"));
            const std::string name(request.params.text_if_any("name").value_or(""));
            const auto limit = request.params.number_if_any("limit", 0, INT64_MAX);
            const auto from = request.params.number_if_any("from", 0, INT64_MAX);
            if (auto failure = request.params.failure()) return *failure;
            asked_.push_back(kind + ' ' + name);
            ordered_json reply{{"kind", kind}, {"items", ordered_json::array()}};
            if (kind == "flows") {
                const int64_t end = std::min(flows_, from.value_or(0) + limit.value_or(flows_));
                for (int64_t i = from.value_or(0); i < end; ++i) {
                    reply["items"].push_back({{"from", "10.244.1.7:" + std::to_string(i)}});
                }
                if (end < flows_) reply["next"] = end;
                return reply;
            }
            if (kind == "endpointslices") reply["items"] = slices_;
            if (kind == "services") {
                reply["items"].push_back(
                    {{"kind", "Service"}, {"metadata", {{"name", "web"}, {"namespace", "shop"}}}});
            }
            const bool is_unknown =
                (kind == "ports" && name != "default/client" && !name.empty()) ||
                (kind != "ports" && reply["items"].empty() && !name.empty() &&
                 !name.ends_with('/'));
            if (is_unknown) {
                return RpcFailure{rpc_code::kNotFound, kind + " \"" + name + "\" not found"};
            }
            if (kind == "ports") reply["items"].push_back({{"name", name}});
            return reply;
        });
        start();
    }
    int run(const std::vector<std::string>& arguments) {
        out_.str("");
        err_.str("");
        asked_.clear();
        CliEnvironment environment{.in = in_, .out = out_, .err = err_, .default_socket = path_};
        return run_podlanectl(arguments, environment);
    }

    ordered_json slices_ = ordered_json::parse(R"([
        {"metadata": {"name": "web-1", "namespace": "shop",
                      "labels": {"kubernetes.io/service-name": "web"}},
         "ports": [{"port": 8080}],
         "endpoints": [{"addresses": ["10.244.1.5"]},
                       {"addresses": ["10.244.2.7"], "conditions": {"ready": false}}]},
        {"metadata": {"name": "web-2", "namespace": "shop",
                      "labels": {"kubernetes.io/service-name": "web"}},
         "ports": [{"port": 8080}], "endpoints": [{"addresses": ["fd00::5"]}]},
        {"metadata": {"name": "db-1", "namespace": "shop",
                      "labels": {"kubernetes.io/service-name": "db"}}, "endpoints": []}])");
    int64_t flows_ = 45;
    std::istringstream in_;
    std::ostringstream out_, err_;
    std::vector<std::string> asked_;
};

TEST_F(NewcomerTest, EndpointsAreShownThoughTheyComeInSlices) {
    EXPECT_EQ(run({"get", "endpoints"}), 0);
    EXPECT_EQ(out_.str(),
              "NAME       ENDPOINTS\n"
              "shop/db    <none>\n"
              "shop/web   10.244.1.5:8080,10.244.2.7:8080(unready),[fd00::5]:8080\n");
    EXPECT_NE(err_.str().find("podlanectl get endpointslices"), std::string::npos) << err_.str();
    EXPECT_EQ(run({"get", "ep", "web", "-n", "shop"}), 0);
    EXPECT_NE(out_.str().find("shop/web"), std::string::npos) << out_.str();
    EXPECT_EQ(out_.str().find("shop/db"), std::string::npos) << out_.str();
    EXPECT_EQ(run({"describe", "endpoints", "shop/web"}), 0);
    EXPECT_NE(out_.str().find("notReadyAddresses"), std::string::npos) << out_.str();
    EXPECT_EQ(run({"get", "endpoints", "nosuch"}), 1);
    EXPECT_NE(err_.str().find("get endpointslices"), std::string::npos) << err_.str();
    // Objects as such are those that can be applied again.
    EXPECT_EQ(run({"get", "endpoints", "-o", "json"}), 0);
    EXPECT_TRUE(ordered_json::parse(out_.str()).at("items").empty());
    EXPECT_NE(err_.str().find("get endpointslices"), std::string::npos) << err_.str();
    ordered_json items = ordered_json::array(
        {{{"metadata", {{"name", "web"}, {"namespace", "shop"}}}, {"subsets", nullptr}}});
    add_endpoints_of_slices(slices_, "", items);
    EXPECT_EQ(items.size(), 2u) << "its own Endpoints come first";
}

TEST_F(NewcomerTest, AnEmptyListSaysWhereElseToLook) {
    EXPECT_EQ(run({"get", "pods"}), 0);
    EXPECT_NE(err_.str().find("podlanectl get ports"), std::string::npos) << err_.str();
    EXPECT_EQ(run({"get", "pods", "client"}), 1);
    EXPECT_NE(err_.str().find("podlanectl get ports"), std::string::npos) << err_.str();
    EXPECT_EQ(run({"describe", "pods"}), 0);
    EXPECT_NE(err_.str().find("no pods"), std::string::npos) << err_.str();
}

TEST_F(NewcomerTest, APortMayBeCalledAsItsPod) {
    EXPECT_EQ(run({"get", "ports", "client"}), 0);
    EXPECT_EQ(asked_, (std::vector<std::string>{"ports client", "ports default/client"}));
    EXPECT_EQ(run({"get", "ports", "nosuch"}), 1);
    EXPECT_NE(err_.str().find("\"nosuch\" not found"), std::string::npos) << err_.str();
}

TEST_F(NewcomerTest, DescribeSaysHowManyConnectionsItDoesNotShow) {
    EXPECT_EQ(run({"describe", "svc", "shop/web"}), 0);
    EXPECT_NE(out_.str().find("Flows (20 of 45; all: podlanectl get flows shop/web):\n"),
              std::string::npos)
        << out_.str();
    EXPECT_NE(out_.str().find("10.244.1.7:19"), std::string::npos);
    EXPECT_EQ(out_.str().find("10.244.1.7:20"), std::string::npos);
    flows_ = 5000;
    EXPECT_EQ(run({"describe", "svc", "shop/web"}), 0);
    EXPECT_NE(out_.str().find("Flows (20 of more than 1000; all: "), std::string::npos);
    flows_ = 20;
    EXPECT_EQ(run({"describe", "svc", "shop/web"}), 0);
    EXPECT_NE(out_.str().find("Flows:\n"), std::string::npos);
}

TEST_F(NewcomerTest, KubectlsHabitsGetTheRightCommand) {
    for (const auto& [words, hint] : std::vector<std::pair<std::vector<std::string>, std::string>>{
             {{"get", "events"}, "podlanectl events"},
             {{"create", "-f", "web.yml"}, "podlanectl apply -f FILE"},
             {{"top", "pods"}, "podlanectl top"},
             {{"top", "pod", "web-0"}, "podlanectl top --filter web-0"},
             {{"get", "connections"}, "podlanectl get flows"},
             {{"pods"}, "podlanectl get pods"},
             {{"describe", "events"}, "podlanectl events"}}) {
        EXPECT_EQ(run(words), 2) << hint;
        EXPECT_NE(err_.str().find(hint), std::string::npos) << err_.str();
        EXPECT_EQ(std::ranges::count(err_.str(), '\n'), 1) << err_.str();
    }
}

}  // namespace
}  // namespace podlane::control
