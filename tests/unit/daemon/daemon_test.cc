// The whole control side behind its socket, on a dataplane that is not real.
#include "control/daemon/daemon.h"

#include <signal.h>
#include <sys/stat.h>

#include <future>
#include <thread>

#include "control/daemon/methods.h"
#include "control/daemon/version.h"
#include "control/daemon/watchers.h"
#include "control/rpc/client.h"
#include "tests/unit/node/node_fixture.h"

namespace podlane::control {
namespace {

class DaemonTest : public testing::Test {
  protected:
    using Json = nlohmann::ordered_json;

    DaemonTest() {
        config_.socket = "/tmp/podlane-daemon-" + std::to_string(getpid()) + ".sock";
        dataplane_.add_uplink("uplink0", kUplinkMac);
    }
    ~DaemonTest() override {
        if (!thread_.joinable()) return;
        // A signal to the process, as an operator sends it; the loop takes it.
        kill(getpid(), SIGTERM);
        thread_.join();
    }
    void start() {
        daemon_ = std::make_unique<Daemon>(config_, dataplane_, taps_, "DPDK 1.2.3");
        const auto started = daemon_->start();
        ASSERT_TRUE(started.ok()) << started.error().message;
        thread_ = std::thread([this] { daemon_->run([] {}); });
    }
    Json call(const std::string& method, const Json& params = nullptr) {
        auto client = RpcClient::connect(config_.socket);
        EXPECT_TRUE(client.ok()) << client.error().message;
        auto reply = client->call(method, params);
        last_code_ = client->last_code();
        if (!reply.ok()) {
            last_error_ = reply.error();
            return nullptr;
        }
        return std::move(reply).value();
    }
    bool socket_exists() const {
        struct stat unused {};
        return stat(config_.socket.c_str(), &unused) == 0;
    }

    NodeConfig config_ = node_a();
    FakeDataplane dataplane_;
    FakeTaps taps_;
    std::unique_ptr<Daemon> daemon_;
    std::thread thread_;
    int last_code_ = 0;
    Error last_error_;
};

TEST_F(DaemonTest, TheReadOnlySocketAnswersAndTakesNoChange) {
    const std::string main = config_.socket;
    config_.read_only_socket = main + ".read";
    start();
    config_.socket = config_.read_only_socket;
    EXPECT_EQ(call("health").at("node"), "node-a");
    EXPECT_EQ(call("get", {{"kind", "ports"}}).at("kind"), "ports");
    for (const char* refused :
         {"apply", "replace", "delete", "pod.add", "pod.del", "log.level", "ingress.objects"}) {
        EXPECT_EQ(call(refused), nullptr) << refused;
        EXPECT_EQ(last_code_, rpc_code::kNotAllowed) << refused;
    }
    EXPECT_EQ(last_error_.message, "this socket only reads");
    config_.socket = main;
    EXPECT_EQ(call("apply", {{"documents", kNodeB}}).at("added").size(), 1u);
}

TEST_F(DaemonTest, KeysLeaveByTheMainSocketAloneAndWhenAskedFor) {
    constexpr const char* kSecretIngress =
        "{apiVersion: v1, kind: Secret, metadata: {name: cert}, type: kubernetes.io/tls, "
        "data: {tls.crt: Zm9v, tls.key: c2VjcmV0}}\n---\n"
        "{apiVersion: networking.k8s.io/v1, kind: Ingress, metadata: {name: i}, "
        "spec: {tls: [{secretName: cert}], rules: []}}\n";
    const std::string main = config_.socket;
    config_.read_only_socket = main + ".read";
    start();
    ASSERT_EQ(call("apply", {{"documents", kSecretIngress}}).at("added").size(), 2u);
    const auto shows = [&](const std::string& method, const Json& params) {
        const std::string text = call(method, params).dump();
        return text.find("c2VjcmV0") != std::string::npos ||
               text.find("secret\"") != std::string::npos;
    };
    EXPECT_TRUE(shows("ingress.objects", {{"keys", true}}));
    EXPECT_FALSE(shows("ingress.objects", {{"keys", false}}));
    for (const std::string& socket : {main, main + ".read"}) {
        config_.socket = socket;
        EXPECT_FALSE(shows("ingress.objects", Json::object()));
        EXPECT_FALSE(shows("get", {{"kind", "secrets"}}));
        EXPECT_FALSE(shows("get", {{"kind", "secrets"}, {"name", "default/cert"}}));
        EXPECT_FALSE(shows("get", {{"kind", "ingresses"}}));
        EXPECT_FALSE(shows("diff", {{"documents", kSecretIngress}}));
        EXPECT_FALSE(shows("validate", {{"documents", kSecretIngress}}));
        EXPECT_FALSE(shows("watch", {{"kinds", {"secrets"}}}));
    }
    EXPECT_FALSE(shows("ingress.objects", {{"keys", true}}));
    EXPECT_EQ(last_code_, rpc_code::kNotAllowed);
    config_.socket = main;
}

TEST_F(DaemonTest, AnswersEveryMethod) {
    start();
    EXPECT_EQ(call("version"), (Json{{"version", version()}, {"dpdk", "DPDK 1.2.3"}}));
    EXPECT_EQ(call("health").at("node"), "node-a");
    EXPECT_EQ(call("apply", {{"documents", kWebService}}).at("added").size(), 2u);
    EXPECT_EQ(call("validate", {{"documents", kNodeB}}).at("added").size(), 1u);
    EXPECT_EQ(call("diff", {{"files", {{{"name", "n.yml"}, {"text", kNodeB}}}}}).at("added").size(),
              1u);
    EXPECT_EQ(call("get", {{"kind", "services"}}).at("items").size(), 1u);
    EXPECT_EQ(
        call("pod.add",
             {{"pod", "default/web"}, {"netns", "/run/netns/web"}, {"addresses", {"10.244.1.10"}}})
            .at("port")
            .at("ifname"),
        "eth0");
    EXPECT_EQ(call("explain", {{"from", "default/web"}, {"to", "10.96.0.10:80"}}).at("service"),
              "default/web");
    EXPECT_TRUE(call("stats").contains("flows"));
    EXPECT_TRUE(call("drops").is_array());
    EXPECT_EQ(call("pod.del", {{"pod", "default/web"}}).at("removed"), true);
    EXPECT_EQ(call("replace", {{"documents", kNodeB}}).at("removed").size(), 2u);
    EXPECT_EQ(call("delete", {{"kind", "node"}, {"name", "node-b"}}).at("removed").size(), 1u);
    EXPECT_EQ(call("delete", {{"documents", kNodeB}, {"name", "n.yml"}}).at("removed").size(), 0u);
}

TEST_F(DaemonTest, WrongParametersAreNamed) {
    start();
    call("get", {{"kind", "pods"}, {"colour", "blue"}});
    EXPECT_EQ(last_code_, rpc_code::kBadParams);
    EXPECT_NE(last_error_.message.find("colour"), std::string::npos);
    call("pod.add", {{"pod", "default/web"}});
    EXPECT_EQ(last_code_, rpc_code::kBadParams);
    call("stats", {{"since", 1}});
    EXPECT_EQ(last_code_, rpc_code::kBadParams);
    call("explain", {{"from", "a/b"}, {"to", "1.2.3.4:5"}, {"sourcePort", 70000}});
    EXPECT_EQ(last_code_, rpc_code::kBadParams);
    call("fly");
    EXPECT_EQ(last_code_, rpc_code::kUnknownMethod);
}

TEST_F(DaemonTest, ARefusalCarriesItsPlace) {
    start();
    call("apply", {{"name", "bad.yml"},
                   {"documents",
                    "apiVersion: v1\nkind: Service\nmetadata: {name: a}\n"
                    "spec: {ports: [{port: 70000}]}\n"}});
    EXPECT_EQ(last_code_, rpc_code::kRefused);
    EXPECT_EQ(last_error_.document, "bad.yml");
    EXPECT_EQ(last_error_.line, 4);
}

TEST_F(DaemonTest, EventsOfTheWorkersBecomeAGeneration) {
    Event needed;
    needed.kind = EventKind::kNeighbourNeeded;
    needed.port = PortId{0};
    needed.address = RawAddress::from(address("192.168.50.77"));
    Event seen = needed;
    seen.kind = EventKind::kNeighbourSeen;
    seen.mac = kPeerMac;
    dataplane_.inject(needed);
    dataplane_.inject(seen);
    start();
    const auto is_there = [&] {
        const Json reply = call("get", {{"kind", "routes"}, {"name", "192.168.50.77/32"}});
        return reply.is_object() && !reply.at("items").empty();
    };
    for (int i = 0; i < 500 && !is_there(); ++i) {
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    EXPECT_TRUE(is_there());
}

TEST_F(DaemonTest, ASignalEndsItAndRemovesTheSocketAndTheTaps) {
    start();
    EXPECT_TRUE(socket_exists());
    kill(getpid(), SIGTERM);
    thread_.join();
    EXPECT_FALSE(socket_exists());
    daemon_.reset();
    EXPECT_EQ(taps_.removed, std::vector<std::string>{"podlane0"});
}

TEST_F(DaemonTest, ShutdownAnswersAndEnds) {
    start();
    EXPECT_EQ(call("shutdown", {{"forget", true}}).at("stopping"), true);
    thread_.join();
    EXPECT_TRUE(daemon_->forgets());
    EXPECT_FALSE(socket_exists());
}

TEST_F(DaemonTest, ASocketInUseEndsTheStart) {
    start();
    FakeDataplane other_dataplane;
    FakeTaps other_taps;
    NodeConfig other = config_;
    other.host.reset();
    Daemon second(other, other_dataplane, other_taps, "");
    const auto started = second.start();
    ASSERT_FALSE(started.ok());
    EXPECT_NE(started.error().message.find(config_.socket), std::string::npos);
    EXPECT_TRUE(socket_exists());
}

TEST_F(DaemonTest, AWatchWaitsForNewsAndTellsTheItem) {
    start();
    const Json now = call("watch", {{"kinds", {"services"}}});
    EXPECT_EQ(now.at("relist"), false);
    EXPECT_TRUE(now.at("events").empty());
    const Json none =
        call("watch", {{"kinds", {"services"}}, {"since", now.at("cursor")}, {"waitSeconds", 0}});
    EXPECT_TRUE(none.at("events").empty());

    auto watched = std::async(std::launch::async, [&] {
        return call("watch", {{"kinds", {"services", "frontends"}}, {"since", now.at("cursor")}});
    });
    // Whether it waits already or comes after the change, it hears of it.
    call("apply", {{"documents", kWebService}});
    ASSERT_EQ(watched.wait_for(std::chrono::seconds(20)), std::future_status::ready);
    const Json news = watched.get();
    ASSERT_FALSE(news.at("events").empty()) << news.dump();
    const Json& event = news.at("events")[0];
    EXPECT_EQ(event.at("kind"), "services");
    EXPECT_EQ(event.at("type"), "ADDED");
    EXPECT_EQ(event.at("name"), "default/web");
    EXPECT_EQ(event.at("item").at("metadata").at("name"), "web");
    EXPECT_GT(news.at("cursor"), now.at("cursor"));
    const Json old = call("watch", {{"kinds", {"services"}}, {"since", 1}});
    EXPECT_EQ(old.at("relist"), true);
}

}  // namespace
}  // namespace podlane::control
