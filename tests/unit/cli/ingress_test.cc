#include "control/cli/ingress.h"

#include "control/cli/command_line.h"
#include "control/cli/ingress_status.h"

#include <fmt/format.h>
#include <sys/prctl.h>

#include <csignal>
#include <fstream>
#include <sstream>
#include <vector>

#include "tests/unit/rpc/server_fixture.h"

namespace podlane::control {
namespace {

using nlohmann::ordered_json;

volatile std::sig_atomic_t hangups = 0;

// `ingress config` against a server with objects that tests change; /bin/true is nginx.
class IngressConfigTest : public ServerFixture {
  protected:
    IngressConfigTest() {
        methods_.add("ingress.objects", [this](RpcRequest& request) -> RpcResult {
            const auto since = request.params.number_if_any("since", 0, INT64_MAX);
            keys_ = request.params.flag("keys");
            if (auto failure = request.params.failure()) return *failure;
            ordered_json reply{{"generation", generation_}};
            if (since != generation_) reply["items"] = items_;
            return reply;
        });
        set_host("a.b");
        hangups = 0;
        std::signal(SIGHUP, [](int) { hangups = hangups + 1; });
        name_process("true");
    }
    ~IngressConfigTest() override { std::signal(SIGHUP, SIG_DFL); }

    static void name_process(const char* name) { prctl(PR_SET_NAME, name); }

    /// One Ingress with a path of this host; none without a host.
    void set_host(const std::string& host, const std::string& path = "/") {
        items_ = ordered_json::array();
        ++generation_;
        if (host.empty()) return;
        items_.push_back({{"apiVersion", "v1"},
                          {"kind", "Service"},
                          {"metadata", {{"name", "web"}}},
                          {"spec", {{"clusterIP", "10.96.0.1"}, {"ports", {{{"port", 80}}}}}}});
        const ordered_json backend{{"service", {{"name", "web"}, {"port", {{"number", 80}}}}}};
        const ordered_json paths{{{"path", path}, {"pathType", "Prefix"}, {"backend", backend}}};
        items_.push_back({{"apiVersion", "networking.k8s.io/v1"},
                          {"kind", "Ingress"},
                          {"metadata", {{"name", "i"}}},
                          {"spec", {{"rules", {{{"host", host}, {"http", {{"paths", paths}}}}}}}}});
    }
    int run(std::vector<std::string> more) {
        std::vector<std::string> words{"ingress", "config", "--out", out(), "--nginx", "true"};
        words.insert(words.end(), more.begin(), more.end());
        CliEnvironment environment{
            .in = in_, .out = out_, .err = err_, .default_socket = path_, .pause = [this] {
                on_control_thread([this] { between_(turn_++); });
            }};
        return run_podlanectl(words, environment);
    }
    std::string out() const { return (folder_ / "ingress").string(); }
    std::string config() const {
        std::ostringstream text;
        text << std::ifstream(out() + "/nginx.conf").rdbuf();
        return text.str();
    }
    bool serves(const std::string& host) const {
        return config().find("server_name " + host + ";") != std::string::npos;
    }
    std::string own_pid_file() const {
        std::ofstream(folder_ / "pid") << getpid();
        return folder_ / "pid";
    }

    int64_t generation_ = 0;
    bool keys_ = false;  ///< were asked for
    ordered_json items_;
    int turn_ = 0;
    std::function<void(int)> between_ = [](int) {};
    std::istringstream in_;
    std::ostringstream out_, err_;
};

TEST_F(IngressConfigTest, WritesWhatTheObjectsSayAndReloads) {
    start();
    EXPECT_EQ(run({"--reload-pid", own_pid_file()}), 0) << err_.str();
    EXPECT_TRUE(serves("a.b"));
    EXPECT_TRUE(keys_);
    EXPECT_EQ(out_.str(), out() + "/nginx.conf written: 1 Ingresses, 1 hosts\n");
    EXPECT_EQ(hangups, 1);
    EXPECT_EQ(run({"--reload-pid", own_pid_file()}), 0);
    EXPECT_EQ(hangups, 1) << "nothing has changed";
}

TEST_F(IngressConfigTest, WatchingItFollowsTheObjects) {
    start();
    between_ = [this](int turn) {
        if (turn == 1) set_host("c.d");
        if (turn == 3) ++generation_;  // somebody else's change
    };
    EXPECT_EQ(
        run({"--watch", "--count", "6", "--reload-command", "echo x >> " + out() + "/reloads"}), 0);
    EXPECT_TRUE(serves("c.d"));
    EXPECT_FALSE(serves("a.b"));
    EXPECT_EQ(std::filesystem::file_size(out() + "/reloads"), 4U) << "once at first, once changed";
    EXPECT_EQ(err_.str(), "");
}

TEST_F(IngressConfigTest, AReloadThatFailedIsTriedAgainAndToldOnce) {
    start();
    const std::string pid = folder_ / "pid";
    between_ = [this](int turn) {
        if (turn == 2) own_pid_file();
    };
    EXPECT_EQ(run({"--watch", "--count", "6", "--reload-pid", pid}), 0);
    EXPECT_EQ(hangups, 1);
    EXPECT_EQ(err_.str(), "error: " + pid + ": contains no process id; nginx was not reloaded\n");
    std::filesystem::remove(pid);
    set_host("e.f");
    EXPECT_EQ(run({"--reload-pid", pid}), 1);
}

TEST_F(IngressConfigTest, AProcessThatIsNotNginxIsNotSignalled) {
    start();
    const std::string pid = own_pid_file();
    name_process("postgres");
    EXPECT_EQ(run({"--reload-pid", pid}), 1);
    EXPECT_EQ(err_.str(), fmt::format("error: {}: process {} is postgres, not true; nginx was not "
                                      "reloaded\n",
                                      pid, getpid()));
    EXPECT_EQ(hangups, 0);
    err_.str("");
    set_host("c.d");
    std::ofstream(pid) << "4194305";  // above the largest that Linux gives
    EXPECT_EQ(run({"--reload-pid", pid}), 1);
    EXPECT_EQ(err_.str(), "error: " + pid + ": process 4194305 is gone; nginx was not reloaded\n");
}

TEST_F(IngressConfigTest, ARefusedConfigurationLeavesTheOldOne) {
    start();
    EXPECT_EQ(run({}), 0);
    set_host("c.d");
    EXPECT_EQ(run({"--nginx", "false"}), 2) << "--nginx is given twice";
    err_.str("");
    std::ofstream(folder_ / "no") << "#!/bin/sh\necho 'nginx: [emerg] no'\nexit 1\n";
    std::filesystem::permissions(folder_ / "no", std::filesystem::perms::owner_all);
    const std::string no = folder_ / "no";
    auto parsed = parse_command_line(
        std::vector<std::string>{"ingress", "config", "--out", out(), "--nginx", no}, path_);
    CliEnvironment environment{.in = in_, .out = out_, .err = err_, .default_socket = path_};
    EXPECT_EQ(run_ingress_config(std::get<Invocation>(parsed), environment), 1);
    EXPECT_EQ(err_.str(), "error: " + no +
                              " refuses the configuration, the old one stays: nginx: [emerg] no\n");
    EXPECT_TRUE(serves("a.b"));
}

TEST_F(IngressConfigTest, WhatIsNotServedIsAWarningAndTheRestIsServed) {
    set_host("a.b", "/x%22y");
    start();
    EXPECT_EQ(run({}), 0);
    EXPECT_EQ(err_.str().find("warning: Ingress default/i: path \"/x%22y\" is not served"), 0U);
    EXPECT_TRUE(serves("a.b"));
}

TEST_F(IngressConfigTest, AServerThatIsAwayLeavesTheConfiguration) {
    int told = 0;
    start();
    between_ = [&](int turn) {
        // The objects come back after the server does.
        if (turn == 1) {
            set_host("");
            server_.reset();
        }
        if (turn == 3) {
            server_.emplace(io_, methods_, RpcServerOptions{.path = path_});
            EXPECT_TRUE(server_->start().ok());
        }
        if (turn > 1 && turn < 8) told += serves("a.b");
        if (turn == 7) set_host("c.d");
    };
    EXPECT_EQ(run({"--watch", "--count", "10"}), 0);
    EXPECT_EQ(told, 6) << "all the while the old configuration was there";
    EXPECT_TRUE(serves("c.d")) << err_.str();
}

TEST_F(IngressConfigTest, TheLastIngressMayGo) {
    start();
    between_ = [this](int turn) {
        if (turn == 1) set_host("");
    };
    EXPECT_EQ(run({"--watch", "--count", "4"}), 0);
    EXPECT_FALSE(serves("a.b"));
}

TEST_F(IngressConfigTest, PathsThatNginxWouldReadAsSomethingElseAreRefused) {
    start();
    EXPECT_EQ(run({"--access-log", "/a b;"}), 1);
    EXPECT_EQ(
        err_.str(),
        "error: /a b;: only letters, digits and /-._ are allowed in a path that nginx is told\n");
    EXPECT_EQ(run({"--class", "A b"}), 1);
}

TEST_F(IngressConfigTest, StatusGivesEachIngressTheAddressesOfTheServiceBeforeTheProxy) {
    ordered_json service{{"metadata", {{"name", "proxy"}}},
                         {"spec", {{"externalIPs", {"198.51.100.9"}}}}};
    methods_.add("get", [&](RpcRequest& request) -> RpcResult {
        const std::string name(request.params.text("name"));
        const std::string kind(request.params.text("kind"));
        if (auto failure = request.params.failure()) return *failure;
        if (name != "a/proxy") return RpcFailure{rpc_code::kNotFound, "there is no " + name};
        return ordered_json{{"kind", kind}, {"items", {service}}};
    });
    start();
    const auto status = [&](std::vector<std::string> words) {
        words.insert(words.begin(), {"ingress", "status"});
        out_.str("");
        CliEnvironment environment{.in = in_, .out = out_, .err = err_, .default_socket = path_};
        return run_podlanectl(words, environment);
    };
    const auto addresses = [&] {
        EXPECT_EQ(status({"a/proxy"}), 0) << err_.str();
        const auto list = ordered_json::parse(out_.str());
        EXPECT_EQ(list["items"].size(), 1U);
        EXPECT_EQ(list["items"][0]["metadata"]["name"], "i");
        EXPECT_FALSE(list["items"][0].contains("spec")) << "the status alone is to be changed";
        return list["items"][0]["status"]["loadBalancer"]["ingress"].dump();
    };
    EXPECT_EQ(addresses(), R"([{"ip":"198.51.100.9"}])");
    service["status"]["loadBalancer"]["ingress"] = {{{"ip", "192.0.2.1"}, {"ipMode", "VIP"}},
                                                    {{"hostname", "lb.example.org"}}};
    EXPECT_EQ(addresses(), R"([{"ip":"192.0.2.1"},{"hostname":"lb.example.org"}])");
    EXPECT_EQ(status({"a/proxy", "--class", "other"}), 0);
    EXPECT_EQ(status({"a/none"}), 1);
    EXPECT_EQ(err_.str(), "error: there is no a/none\n");
    EXPECT_EQ(status({"proxy"}), 1) << "there is none in default";
}

}  // namespace
}  // namespace podlane::control
