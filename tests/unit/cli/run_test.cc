#include "control/cli/run.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <fmt/format.h>
#include <algorithm>
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
            const bool refused = request.params.flag("refused");
            if (auto failure = request.params.failure()) return *failure;
            asked_ = {{"kind", kind}, {"name", name}};
            if (limit) asked_["limit"] = *limit;
            if (kind == "routes") return RpcFailure{rpc_code::kNotFound, "routes: there is none"};
            ordered_json reply{{"kind", kind}};
            reply["items"] = ordered_json::array();
            if (kind == "addresses") return reply;
            if (refused) {
                reply["items"].push_back({{"kind", "Service"},
                                          {"namespace", "shop"},
                                          {"name", "b"},
                                          {"message", "spec.clusterIP: it is another's"}});
                return reply;
            }
            if (kind == "services") {
                reply["items"] = services_;
                return reply;
            }
            reply["items"].push_back({{"metadata", {{"name", "a"}}}, {"port", 7}});
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
            if (request.params.flag("allowEmpty")) asked_["allowEmpty"] = true;
            if (request.params.flag("each")) asked_["each"] = true;
            if (const auto owner = request.params.text_if_any("owner")) asked_["owner"] = *owner;
            if (request.params.has("kinds")) asked_["kinds"] = request.params.texts("kinds");
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
                                   .screen = screen_,
                                   .pause = [this] {
                                       ++pauses_;
                                       if (on_pause_) on_pause_();
                                   }};
        return run_podlanectl(arguments, environment);
    }

    ordered_json services_ = ordered_json::parse(R"([
        {"apiVersion": "v1", "kind": "Service",
         "metadata": {"name": "web", "namespace": "shop", "labels": {"app": "web"}},
         "spec": {"type": "ClusterIP", "clusterIP": "10.96.0.1"}},
        {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "db", "namespace": "shop"},
         "spec": {"type": "ClusterIP", "clusterIP": "10.96.0.2"}}])");
    std::istringstream in_{"kind: Namespace"};
    std::ostringstream out_, err_;
    bool is_terminal_ = false;
    int pauses_ = 0;
    std::function<void()> on_pause_;
    ordered_json asked_;
    Screen screen_;
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
    EXPECT_NE(
        err_.str().find("error: " + path_ + ": No such file or directory; is podlaned running"),
        std::string::npos);
    EXPECT_EQ(run({"--socket", "/nonexistent/s", "health"}), 1);
    EXPECT_NE(err_.str().find("error: /nonexistent/s: No such file or directory"),
              std::string::npos);
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
              "error: unknown command \"aply\"; did you mean \"apply\"?; "
              "see \"podlanectl --help\"\n");
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
    EXPECT_EQ(out_.str().find("\x1b[2J\x1b[H"), 0U);
    EXPECT_EQ(run({"stats", "--watch", "--count", "2", "-o", "json"}), 0);
    std::istringstream lines(out_.str());
    int count = 0;
    for (std::string line; std::getline(lines, line); ++count) {
        EXPECT_TRUE(ordered_json::accept(line));
    }
    EXPECT_EQ(count, 2);
}

TEST_F(RunTest, AWatchedTerminalKeepsTheFirstLinesInSight) {
    ordered_json stats{{"generation", 2}};
    for (int i = 0; i < 50; ++i) stats["ports"].push_back({{"name", fmt::format("port{}", i)}});
    methods_.add("stats", [stats](RpcRequest&) -> RpcResult { return stats; });
    start();
    is_terminal_ = true;
    screen_ = {.columns = 80, .is_known = true, .rows = 24};
    EXPECT_EQ(run({"stats", "--watch", "--count", "2"}), 0);
    const std::string text = out_.str();
    // Two turns of 23 lines each, the last of them for the rest.
    EXPECT_EQ(std::ranges::count(text, '\n'), 2 * 23);
    EXPECT_NE(text.find("port18"), std::string::npos);
    EXPECT_EQ(text.find("port19"), std::string::npos);
    EXPECT_NE(text.find("...\x1b[K\n"), std::string::npos);
}

TEST_F(RunTest, HealthSaysByItsExitCodeHowItIs) {
    answer("health", R"({"status": "ok", "generation": 1, "node": "a"})");
    start();
    EXPECT_EQ(run({"health"}), 0);
    on_control_thread([this] {
        answer("health", R"({"status": "degraded", "problems": ["uplink0: link down"]})");
        return 0;
    });
    EXPECT_EQ(run({"health"}), 3);
    EXPECT_NE(out_.str().find("  uplink0: link down\n"), std::string::npos);
    EXPECT_EQ(run({"health", "-o", "json"}), 3);
}

TEST_F(RunTest, ADaemonThatDoesNotAnswerInTimeIsExitOne) {
    // It takes connections and never reads, as a stopped process.
    const int listener = ::socket(AF_UNIX, SOCK_STREAM, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path_.copy(address.sun_path, sizeof address.sun_path - 1);
    ASSERT_EQ(::bind(listener, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    ASSERT_EQ(::listen(listener, 8), 0);
    for (const std::vector<std::string>& words :
         {std::vector<std::string>{"health", "--timeout", "1"},
          std::vector<std::string>{"get", "pods", "--timeout=1"}}) {
        const auto begin = std::chrono::steady_clock::now();
        EXPECT_EQ(run(words), 1);
        EXPECT_EQ(err_.str(), "error: podlaned did not answer in time\n");
        EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(20));
    }
    ::close(listener);
}

TEST_F(RunTest, NothingFromAPipeReplacesNothing) {
    answer("replace", R"({"generation": 3, "added": [], "changed": [], "removed": []})");
    start();
    in_.str("");
    EXPECT_EQ(run({"replace", "-f", "-"}), 1);
    EXPECT_EQ(err_.str(),
              "error: stdin: is empty; replace would remove every object (--allow-empty if that is "
              "meant)\n");
    EXPECT_TRUE(asked_.is_null()) << "the daemon was asked";
    in_.clear();
    EXPECT_EQ(run({"apply", "-f", "-"}), 1);
    EXPECT_EQ(err_.str(), "error: stdin: is empty; there is nothing to apply\n");
    in_.clear();
    EXPECT_EQ(run({"replace", "--allow-empty", "-f", "-"}), 0);
    EXPECT_EQ(asked_["allowEmpty"], true);
}

TEST_F(RunTest, AFeedersOptionsReachTheDaemon) {
    answer("replace", R"({"generation": 3, "added": [], "changed": [], "removed": []})");
    start();
    EXPECT_EQ(
        run({"replace", "-f", "-", "--owner", "kube", "--kinds", "svc,EndpointSlice", "--each"}),
        0);
    EXPECT_EQ(asked_["owner"], "kube");
    EXPECT_EQ(asked_["each"], true);
    EXPECT_EQ(asked_["kinds"], (ordered_json{"services", "endpointslices"}));
    EXPECT_EQ(run({"replace", "-f", "-", "--kinds", "ports"}), 2);
}

TEST_F(RunTest, AnEmptyListSaysSoOnStandardErrorAsKubectl) {
    start();
    EXPECT_EQ(run({"get", "addresses"}), 0);
    EXPECT_EQ(out_.str(), "");
    EXPECT_EQ(err_.str().find("no addresses; "), 0u) << err_.str();
    EXPECT_EQ(run({"get", "addresses", "-o", "json"}), 0);
    EXPECT_EQ(out_.str(), "[]\n");
}

TEST_F(RunTest, RefusedObjectsAreListedWithTheReason) {
    start();
    EXPECT_EQ(run({"get", "svc", "--refused"}), 0);
    EXPECT_NE(out_.str().find("Service shop/b"), std::string::npos) << out_.str();
    EXPECT_NE(out_.str().find("it is another's"), std::string::npos) << out_.str();
    EXPECT_EQ(run({"get", "svc", "--refused", "-o", "json"}), 0);
    EXPECT_EQ(ordered_json::parse(out_.str()).at(0).at("name"), "b");
    EXPECT_EQ(run({"get", "ports", "--refused"}), 2);
    EXPECT_EQ(run({"get", "svc", "--refused", "-w"}), 2);
}

TEST_F(RunTest, KubectlsWaysToNameThings) {
    start();
    EXPECT_EQ(run({"get", "svc", "-n", "shop"}), 0);
    EXPECT_EQ(asked_.dump(), R"({"kind":"services","name":"shop/"})");
    EXPECT_EQ(run({"get", "svc/web", "-n", "shop", "-o", "yaml"}), 0);
    EXPECT_EQ(asked_.dump(), R"({"kind":"services","name":"shop/web"})");
    EXPECT_EQ(run({"get", "svc", "web", "--namespace=shop"}), 0);
    EXPECT_EQ(asked_.dump(), R"({"kind":"services","name":"shop/web"})");
    EXPECT_EQ(run({"get", "svc", "web"}), 0);
    EXPECT_EQ(asked_.dump(), R"({"kind":"services","name":"default/web"})");
    EXPECT_EQ(run({"get", "svc", "-A", "--no-headers"}), 0);
    EXPECT_EQ(asked_.dump(), R"({"kind":"services","name":""})");
    EXPECT_EQ(out_.str().find("shop/web"), 0U);
    EXPECT_EQ(run({"get", "svc", "-o=name"}), 0);
    EXPECT_EQ(out_.str(), "service/shop/web\nservice/shop/db\n");
    EXPECT_EQ(run({"get", "svc", "-o", "name", "-n", "shop"}), 0);
    EXPECT_EQ(out_.str(), "service/web\nservice/db\n");
    EXPECT_EQ(run({"get", "svc,ns"}), 0);
    EXPECT_NE(out_.str().find("service/shop/web"), std::string::npos);
    EXPECT_NE(out_.str().find("\n\nNAME\nnamespace/a\n"), std::string::npos) << out_.str();
    EXPECT_EQ(run({"get", "svc", "-l", "app=web", "-o", "name"}), 0);
    EXPECT_EQ(out_.str(), "service/shop/web\n");
    EXPECT_EQ(run({"get", "svc", "-l", "!app", "-o", "name"}), 0);
    EXPECT_EQ(out_.str(), "service/shop/db\n");
}

TEST_F(RunTest, WrongFiltersAreRefused) {
    start();
    for (const std::vector<std::string>& words : {std::vector<std::string>{"get", "flows", "a/b/c"},
                                                  {"get", "neighbors", "10.0.0.300"},
                                                  {"get", "routes", "10.0.0.1/8"},
                                                  {"get", "fdb", "zz"},
                                                  {"get", "workers", "first"},
                                                  {"get", "frontends", "a/b/c"},
                                                  {"get", "ports", "-l", "app=web"},
                                                  {"get", "routes", "-n", "shop"},
                                                  {"get", "svc", "-l", "a b"},
                                                  {"get", "nodes", "a/b"}}) {
        EXPECT_EQ(run(words), 2) << words[1] << ' ' << words[2];
    }
}

TEST_F(RunTest, AWatchShowsWhatIsNewOrChanged) {
    // Told: the cursor, a change, nothing.
    std::vector<ordered_json> asked;
    methods_.add("watch", [&](RpcRequest& request) -> RpcResult {
        ordered_json ask{{"kinds", request.params.texts("kinds")}};
        if (const auto since = request.params.number_if_any("since", 0, INT64_MAX)) {
            ask["since"] = *since;
        }
        (void)request.params.number_if_any("waitSeconds", 0, 300);
        if (auto failure = request.params.failure()) return *failure;
        asked.push_back(std::move(ask));
        ordered_json reply{{"cursor", asked.size()},
                           {"generation", 1},
                           {"relist", false},
                           {"events", ordered_json::array()}};
        if (asked.size() == 2) {
            services_[1]["spec"]["clusterIP"] = "10.96.0.9";
            reply["events"].push_back({{"kind", "services"}, {"type", "MODIFIED"}});
        }
        return reply;
    });
    start();
    EXPECT_EQ(run({"get", "svc", "-w", "--count", "3"}), 0);
    EXPECT_EQ(ordered_json(asked).dump(),
              R"([{"kinds":["services"]},{"kinds":["services"],"since":1},)"
              R"({"kinds":["services"],"since":2}])");
    EXPECT_EQ(pauses_, 1) << "the first news is shown at once";
    EXPECT_EQ(out_.str(),
              "NAME       TYPE        CLUSTER-IP   EXTERNAL-IP   PORT(S)\n"
              "shop/web   ClusterIP   10.96.0.1    <none>        <none>\n"
              "shop/db    ClusterIP   10.96.0.2    <none>        <none>\n"
              "shop/db   ClusterIP   10.96.0.9   <none>   <none>\n");
}

TEST_F(RunTest, AWatchOfFlowsLooksEachSecond) {
    start();
    EXPECT_EQ(run({"get", "flows", "-w", "--count", "3"}), 0);
    EXPECT_EQ(pauses_, 2);
}

TEST_F(RunTest, DescribeShowsTheObjectAndWhatTheNodeMadeOfIt) {
    start();
    services_.erase(1);
    EXPECT_EQ(run({"describe", "svc", "shop/web"}), 0);
    EXPECT_EQ(out_.str().find("apiVersion: v1\nkind: Service\n"), 0U) << out_.str();
    EXPECT_NE(out_.str().find("Frontends:\n"), std::string::npos);
}

TEST_F(RunTest, DeleteTakesKubectlsNames) {
    answer("delete", R"({"generation": 3, "added": [], "changed": [], "removed": []})");
    methods_.add("delete", [this](RpcRequest& request) -> RpcResult {
        asked_["kind"] = request.params.text("kind");
        asked_["name"] = request.params.text("name");
        return ordered_json::object();
    });
    start();
    EXPECT_EQ(run({"delete", "svc/web", "-n", "shop"}), 0);
    EXPECT_EQ(asked_.dump(), R"({"kind":"services","name":"shop/web"})");
    EXPECT_EQ(run({"delete", "svc"}), 2);
    EXPECT_EQ(run({"delete", "ports", "x"}), 2);
}

TEST_F(RunTest, DiffShowsTheFieldsThatChange) {
    answer("diff", R"({"generation": 2, "added": [], "removed": [], "unchanged": 0, "changed": [
        {"kind": "Service", "namespace": "shop", "name": "web",
         "before": {"kind": "Service", "spec": {"ports": [{"port": 80}]}},
         "after": {"kind": "Service", "spec": {"ports": [{"port": 81}]}}}]})");
    start();
    EXPECT_EQ(run({"diff", "-f", "-"}), 0);
    EXPECT_EQ(out_.str(),
              "--- live: Service shop/web\n+++ applied: Service shop/web\n@@ -1,4 +1,4 @@\n"
              " kind: Service\n spec:\n   ports:\n-    - port: 80\n+    - port: 81\n"
              "apply would add 0, change 1 and remove 0; 0 unchanged\n");
}

TEST_F(RunTest, VersionIsAnOptionToo) {
    EXPECT_EQ(run({"--version"}), 0);
    EXPECT_EQ(out_.str().find("podlanectl "), 0U);
    EXPECT_EQ(run({"--socket", "/nonexistent", "--version"}), 0);
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
