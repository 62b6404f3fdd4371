#include "control/cli/run.h"

#include <fstream>
#include <sstream>
#include <vector>

#include "tests/unit/rpc/server_fixture.h"

namespace podlane::control {
namespace {

using nlohmann::ordered_json;

// podlanectl against a server whose methods remember what they were asked.
class RunTest : public ServerFixture {
  protected:
    RunTest() {
        answer("apply", R"({"generation": 2, "added": [{"kind": "Namespace", "name": "a"}],
                            "changed": [], "removed": [], "unchanged": 0,
                            "notices": ["x.yml:1: Deployment a/b: skipped"]})");
        answer("stats",
               R"({"generation": 2, "ports": [], "workers": [], "drops": {}, "flows": {}})");
        answer("version", R"({"version": "0.1.0", "dpdk": "DPDK 22.11.11"})");
        answer("pod.add", R"({"port": {"name": "default/web", "mtu": 1450}})");
        answer("pod.del", R"({"removed": false})");
        methods_.add("get", [this](RpcRequest& request) -> RpcResult {
            const std::string kind(request.params.text("kind"));
            const std::string name(request.params.text_if_any("name").value_or(""));
            const auto limit = request.params.number_if_any("limit", 0, INT64_MAX);
            if (auto failure = request.params.failure()) return *failure;
            asked_ = {{"kind", kind}, {"name", name}};
            if (limit) asked_["limit"] = *limit;
            if (kind == "routes") return RpcFailure{rpc_code::kNotFound, "routes: there is none"};
            ordered_json reply{{"kind", kind}};
            reply["items"] = {{{"metadata", {{"name", "a"}}}, {"port", 7}}};
            if (kind == "flows") reply["total"] = 9;
            return reply;
        });
    }
    void answer(const std::string& method, const char* reply) {
        methods_.add(method, [this, reply](RpcRequest& request) -> RpcResult {
            asked_ = ordered_json::object();
            for (const char* key : {"pod", "netns", "ifname", "from", "to", "protocol"}) {
                if (const auto text = request.params.text_if_any(key)) asked_[key] = *text;
            }
            if (request.params.has("addresses"))
                asked_["addresses"] = request.params.texts("addresses");
            if (request.params.has("files")) {
                for (const NamedText& document : request.params.documents()) {
                    asked_[std::string(document.name)] = document.text;
                }
            }
            if (auto failure = request.params.failure()) return *failure;
            return ordered_json::parse(reply);
        });
    }
    int run(const std::vector<std::string>& arguments) {
        out_.str("");
        err_.str("");
        CliEnvironment environment{.in = in_,
                                   .out = out_,
                                   .err = err_,
                                   .default_socket = path_,
                                   .is_terminal = is_terminal_,
                                   .pause = [this] { ++pauses_; }};
        return run_podlanectl(arguments, environment);
    }

    std::istringstream in_{"kind: Namespace"};
    std::ostringstream out_, err_;
    bool is_terminal_ = false;
    int pauses_ = 0;
    ordered_json asked_;
};

TEST_F(RunTest, ApplySendsFilesUnderTheirNamesAndShowsNoticesApart) {
    start();
    EXPECT_EQ(run({"apply", "-f", "-"}), 0);
    EXPECT_EQ(asked_, (ordered_json{{"stdin", "kind: Namespace"}}));
    EXPECT_EQ(out_.str(),
              "Namespace a added\n1 added, 0 changed, 0 removed, 0 unchanged; generation 2\n");
    EXPECT_EQ(err_.str(), "notice: x.yml:1: Deployment a/b: skipped\n");
}

TEST_F(RunTest, JsonOfAReplyHasItsFields) {
    start();
    EXPECT_EQ(run({"stats", "-o", "json"}), 0);
    EXPECT_EQ(ordered_json::parse(out_.str()).dump(),
              R"({"generation":2,"ports":[],"workers":[],"drops":{},"flows":{}})");
    EXPECT_EQ(run({"stats", "-o", "yaml"}), 0);
    EXPECT_EQ(out_.str().substr(0, 14), "generation: 2\n");
}

TEST_F(RunTest, LiveStateIsPrintedAsABareArray) {
    start();
    EXPECT_EQ(run({"get", "frontends", "-o", "json"}), 0);
    const auto printed = ordered_json::parse(out_.str());
    ASSERT_TRUE(printed.is_array());
    EXPECT_EQ(printed[0]["port"], 7);
}

TEST_F(RunTest, ObjectsArePrintedAsAListThatCanBeApplied) {
    start();
    EXPECT_EQ(run({"get", "ns", "-o", "json"}), 0);
    EXPECT_EQ(asked_["kind"], "namespaces");
    auto printed = ordered_json::parse(out_.str());
    EXPECT_EQ(printed["apiVersion"], "v1");
    EXPECT_EQ(printed["kind"], "List");
    EXPECT_EQ(printed["items"].size(), 1U);
    EXPECT_EQ(run({"get", "ns", "a", "-o", "json"}), 0);
    EXPECT_EQ(asked_["name"], "a");
    EXPECT_EQ(ordered_json::parse(out_.str())["metadata"]["name"], "a");
}

TEST_F(RunTest, AListThatWasCutSaysSo) {
    start();
    EXPECT_EQ(run({"get", "flows", "--limit", "1"}), 0);
    EXPECT_EQ(asked_["limit"], 1);
    EXPECT_EQ(err_.str(), "notice: 1 of 9 shown; --limit N for more\n");
}

TEST_F(RunTest, PodCommandsSendWhatWasGiven) {
    start();
    EXPECT_EQ(
        run({"pod", "add", "default/web", "--netns", "/n", "--address", "10.0.0.1", "-o", "json"}),
        0);
    EXPECT_EQ(asked_.dump(), R"({"pod":"default/web","netns":"/n","addresses":["10.0.0.1"]})");
    EXPECT_EQ(ordered_json::parse(out_.str())["name"], "default/web");
    EXPECT_EQ(run({"pod", "del", "default/web"}), 0);
    EXPECT_EQ(out_.str(), "port default/web was not there\n");
}

TEST_F(RunTest, ARefusalIsExitOneWithTheServersText) {
    start();
    EXPECT_EQ(run({"get", "routes", "10.9.0.0/16"}), 1);
    EXPECT_EQ(out_.str(), "");
    EXPECT_EQ(err_.str(), "error: routes: there is none\n");
    EXPECT_EQ(run({"health"}), 1);
    EXPECT_EQ(err_.str(), "error: no method \"health\"\n");
}

TEST_F(RunTest, AServerThatIsNotThereIsExitOne) {
    EXPECT_EQ(run({"health"}), 1);
    EXPECT_NE(err_.str().find("error: " + path_ + ": nobody answers"), std::string::npos);
    EXPECT_EQ(run({"--socket", "/nonexistent/s", "health"}), 1);
    EXPECT_NE(err_.str().find("error: /nonexistent/s: nobody answers"), std::string::npos);
}

TEST_F(RunTest, FilesThatCannotBeReadAreExitOne) {
    start();
    EXPECT_EQ(run({"apply", "-f", "/nonexistent.yml"}), 1);
    EXPECT_EQ(err_.str(), "error: /nonexistent.yml: No such file or directory\n");
}

TEST_F(RunTest, WrongUsageIsExitTwo) {
    EXPECT_EQ(run({"aply"}), 2);
    EXPECT_EQ(out_.str(), "");
    EXPECT_EQ(err_.str(),
              "error: unknown command \"aply\"; did you mean \"apply\"?\n"
              "\"podlanectl --help\" lists the commands\n");
}

TEST_F(RunTest, HelpIsExitZeroOnStandardOutput) {
    EXPECT_EQ(run({"--help"}), 0);
    EXPECT_EQ(err_.str(), "");
    EXPECT_EQ(run({"pod", "add", "--help"}), 0);
    EXPECT_NE(out_.str().find("--netns"), std::string::npos);
}

TEST_F(RunTest, VersionShowsItsOwnAlsoWithoutAServer) {
    EXPECT_EQ(run({"version"}), 1);
    EXPECT_EQ(out_.str().find("podlanectl "), 0U);
    start();
    EXPECT_EQ(run({"version"}), 0);
    EXPECT_NE(out_.str().find("podlaned 0.1.0 (DPDK 22.11.11)\n"), std::string::npos);
    EXPECT_EQ(run({"version", "-o", "json"}), 0);
    EXPECT_EQ(ordered_json::parse(out_.str())["server"]["version"], "0.1.0");
}

TEST_F(RunTest, WatchedStatsRepeatAndRedrawOnATerminalOnly) {
    start();
    EXPECT_EQ(run({"stats", "--watch", "--count", "3"}), 0);
    EXPECT_EQ(pauses_, 2);
    EXPECT_EQ(out_.str().find('\x1b'), std::string::npos);
    is_terminal_ = true;
    EXPECT_EQ(run({"stats", "--watch", "--count", "1"}), 0);
    EXPECT_EQ(out_.str().find("\x1b[H\x1b[2J"), 0U);
    EXPECT_EQ(run({"stats", "--watch", "--count", "2", "-o", "json"}), 0);
    std::istringstream lines(out_.str());
    int count = 0;
    for (std::string line; std::getline(lines, line); ++count) {
        EXPECT_TRUE(ordered_json::accept(line));
    }
    EXPECT_EQ(count, 2);
}

TEST_F(RunTest, OutputThatCannotBeWrittenIsExitOne) {
    start();
    std::ofstream full("/dev/full");
    CliEnvironment environment{.in = in_, .out = full, .err = err_, .default_socket = path_};
    const std::vector<std::string> arguments{"stats"};
    EXPECT_EQ(run_podlanectl(arguments, environment), 1);
    EXPECT_EQ(err_.str(), "error: the output cannot be written\n");
}

}  // namespace
}  // namespace podlane::control
