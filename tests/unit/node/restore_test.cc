#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <set>

#include "control/keep/keeper.h"
#include "control/netdev/netns.h"
#include "tests/unit/node/node_fixture.h"

namespace podlane::control {
namespace {

namespace fs = std::filesystem;

/// Lives of one node, one after the other; files stand for network namespaces.
class Restore : public NodeFixture {
  protected:
    Restore() {
        std::string name = (fs::temp_directory_path() / "restore-XXXXXX").string();
        folder_ = ::mkdtemp(name.data());
    }
    ~Restore() override {
        node_.reset();
        keeper_.reset();
        fs::remove_all(folder_);
    }

    void begin() {
        keeper_ = std::make_unique<Keeper>(folder_ + "/state");
        start();
    }
    /// The process ends, and with it its ports; then the next begins.
    void live_again() {
        end();
        begin();
    }
    void end() {
        node_.reset();
        keeper_.reset();
        for (const PortInfo& port : dataplane_.ports()) {
            if (port.kind != PortKind::kUplink) dataplane_.remove_port(port.id);
        }
        taps_.pods.clear();
        taps_.attached.clear();
        taps_.leaves_all = taps_.leaves_former = false;
    }
    std::string netns(const std::string& name) const {
        std::string path = folder_ + "/" + name;
        if (!fs::exists(path)) std::ofstream(path) << "a namespace";
        return path;
    }
    Json add(const std::string& name, const std::string& address) {
        return ok(node_->add_pod({.pod = "default/" + name,
                                  .netns = netns(name),
                                  .addresses = {address},
                                  .container = name + "0123"}));
    }
    Json items(std::string_view kind) {
        return ok(node_->get(kind, std::nullopt, std::nullopt)).at("items");
    }

    std::string folder_;
};

TEST_F(Restore, PodsAreAttachedAgainAsTheyWere) {
    begin();
    const Json before = add("web", "10.244.1.10");
    live_again();
    ASSERT_EQ(taps_.attached.size(), 1u);
    EXPECT_TRUE(taps_.pods.empty()) << "none is made anew";
    EXPECT_EQ(taps_.attached[0].netns_path, netns("web"));
    EXPECT_EQ(taps_.attached[0].gateways, std::vector<IpAddress>{address("10.244.1.1")});
    const Json after = add("web", "10.244.1.10");
    EXPECT_EQ(after.at("port").at("mac"), before.at("port").at("mac"));
    EXPECT_TRUE(taps_.pods.empty()) << "the runtime asks again for what is there";
    EXPECT_NE(port_of("default/web"), kNoPort);
    EXPECT_EQ(ok(node_->remove_pod({.container = "web0123"})).at("removed"), true);
    live_again();
    EXPECT_EQ(port_of("default/web"), kNoPort);
}

TEST_F(Restore, PortsOfTheNodeLeadToThePodsThatHadThem) {
    begin();
    PodAddRequest request{.pod = "default/web",
                          .netns = netns("web"),
                          .addresses = {"10.244.1.10"},
                          .container = "web0123",
                          .port_mappings = {{8080, 80, "TCP", ""}, {53, 53, "UDP", "192.0.2.1"}}};
    ok(node_->add_pod(request));
    const Json frontends = items("frontends");
    ASSERT_EQ(frontends.size(), 2u);
    const size_t published = dataplane_.published.size();
    live_again();
    EXPECT_EQ(items("frontends"), frontends) << "in the first generation";
    EXPECT_EQ(dataplane_.published.size(), published + 1);
    ok(node_->add_pod(request));
    EXPECT_TRUE(taps_.pods.empty()) << "the runtime asks again for what is there";
    request.pod = "default/other";
    request.container = "other0123";
    request.addresses = {"10.244.1.11"};
    EXPECT_EQ(failure(node_->add_pod(request)).code, rpc_code::kConflict);
}

TEST_F(Restore, LimitsOfBandwidthOutliveTheProcess) {
    begin();
    const Bandwidth limits{.ingress = {10'000'000, 1'000'000}, .egress = {20'000'000, 0}};
    const PodAddRequest request{.pod = "default/web",
                                .netns = netns("web"),
                                .addresses = {"10.244.1.10"},
                                .container = "web0123",
                                .bandwidth = limits};
    ok(node_->add_pod(request));
    dataplane_.limits.clear();
    live_again();
    EXPECT_EQ(dataplane_.limits["default/web"], limits);
    EXPECT_EQ(
        ok(node_->get("ports", "default/web", std::nullopt)).at("items").at(0).at("bandwidth"),
        (Json{
            {"ingressRate", 10'000'000}, {"ingressBurst", 1'000'000}, {"egressRate", 20'000'000}}));
    ok(node_->add_pod(request));
    EXPECT_TRUE(taps_.pods.empty()) << "the runtime asks again for what is there";
}

TEST_F(Restore, APodsSocketIsMadeAgainAtItsPlaceAndGoesWithThePod) {
    std::vector<std::string> devices;
    dataplane_.on_device = [&](const DevicePortSpec& spec) {
        devices.push_back(spec.device);
        const size_t at = spec.device.find("iface=") + 6;
        const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        spec.device.copy(address.sun_path, sizeof(address.sun_path) - 1, at);
        EXPECT_EQ(::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)), 0);
        ::close(fd);
    };
    config_.pods.sockets = folder_ + "/pods";
    begin();
    const PodAddRequest request{.pod = "default/web",
                                .netns = netns("web"),
                                .addresses = {"10.244.1.10"},
                                .ifname = "net1",
                                .container = "web0123",
                                .interface = "vhostUser"};
    const std::string path = folder_ + "/pods/default/web/net1.sock";
    const Json port = ok(node_->add_pod(request)).at("port");
    EXPECT_EQ(port.at("socketPath"), path);
    EXPECT_TRUE(taps_.pods.empty());
    ASSERT_EQ(devices.size(), 1u);
    ok(node_->add_pod(request));
    EXPECT_EQ(devices.size(), 1u) << "a retry";
    EXPECT_EQ(node_->pod_with_socket(), "default/web");
    EXPECT_EQ(node_->taps().size(), 1u) << "the host's alone";

    live_again();
    ASSERT_EQ(devices.size(), 2u);
    EXPECT_TRUE(fs::is_socket(path)) << "in the folder that the pod has mounted";
    const Json listed = ok(node_->get("ports", "default/web", std::nullopt)).at("items").at(0);
    EXPECT_EQ(listed.at("interface"), "vhostUser");
    EXPECT_EQ(listed.at("socketPath"), path);
    EXPECT_EQ(listed.at("mac"), port.at("mac"));

    // Its namespace goes, and there is no interface in it that would tell.
    fs::create_directory(folder_ + "/other");  // first, or it may get the same inode
    fs::remove(netns("web"));
    fs::rename(folder_ + "/other", folder_ + "/web");
    pass(3000);
    EXPECT_EQ(port_of("default/web"), kNoPort);
    EXPECT_FALSE(fs::exists(folder_ + "/pods/default"));

    PodAddRequest wrong = request;
    wrong.interface = "veth";
    EXPECT_EQ(failure(node_->add_pod(wrong)).message,
              "interface: veth is none of tap, memif and vhostUser");
    wrong.interface = "memif";
    wrong.netns = folder_ + "/nowhere";
    EXPECT_EQ(failure(node_->add_pod(wrong)).code, rpc_code::kFailed);
    EXPECT_FALSE(fs::exists(folder_ + "/pods/default"));
}

TEST_F(Restore, NothingIsRemovedAtTheEndUnlessItIsForgotten) {
    begin();
    add("web", "10.244.1.10");
    live_again();
    EXPECT_TRUE(taps_.removed.empty());
    node_->forget();
    end();
    EXPECT_EQ(std::set<std::string>(taps_.removed.begin(), taps_.removed.end()),
              (std::set<std::string>{"eth0", "podlane0"}));
    begin();
    EXPECT_EQ(port_of("default/web"), kNoPort);
}

TEST_F(Restore, APodWhoseNamespaceIsGoneIsForgotten) {
    begin();
    add("web", "10.244.1.10");
    add("other", "10.244.1.11");
    end();
    fs::remove(netns("web"));
    begin();
    EXPECT_EQ(port_of("default/web"), kNoPort);
    EXPECT_NE(port_of("default/other"), kNoPort);
    const auto purged = dataplane_.commands_of(CommandKind::kPurge);
    ASSERT_EQ(purged.size(), 1u) << "its connections are not the next one's with its address";
    EXPECT_EQ(purged[0].address.to_ip(), address("10.244.1.10"));
    live_again();
    ASSERT_EQ(taps_.attached.size(), 1u) << "and stays forgotten";
}

TEST_F(Restore, ANamespaceThatGoesLaterTakesThePortAlong) {
    begin();
    add("web", "10.244.1.10");
    live_again();
    pass(3000);
    EXPECT_NE(port_of("default/web"), kNoPort);
    // Another one in its place: the path alone does not make it the same.
    std::ofstream(netns("web") + ".new") << "another";
    fs::rename(netns("web") + ".new", netns("web"));
    pass(3000);
    EXPECT_EQ(port_of("default/web"), kNoPort);
}

TEST_F(Restore, ObjectsAreThereInTheFirstGenerationWithTheirOwners) {
    begin();
    ok(node_->apply({{"a.yml", kWebService}}, {.owner = "feeder"}));
    ok(node_->apply({{"b.yml", kNodeB}}));
    const size_t published = dataplane_.published.size();
    live_again();
    ASSERT_EQ(dataplane_.published.size(), published + 1);
    EXPECT_FALSE(items("frontends").empty());
    const Json service = items("services")[0];
    EXPECT_EQ(service.at("metadata").at("annotations").at("podlane.io/owner"), "feeder");
    EXPECT_EQ(failure(node_->remove("service", "default/web")).code, rpc_code::kConflict);
    ok(node_->replace({{"b.yml", kNodeB}}, {.allow_empty = true}));
    EXPECT_EQ(items("services").size(), 1u) << "another's re-list leaves it alone";
    ok(node_->replace({{"b.yml", ""}}, {.owner = "feeder", .allow_empty = true}));
    live_again();
    EXPECT_TRUE(items("services").empty());
    EXPECT_EQ(items("nodes").size(), 1u);
}

TEST_F(Restore, ConfiguredObjectsAreNotKeptAndWin) {
    const std::string file = folder_ + "/objects.yml";
    config_.objects = {file};
    std::ofstream(file) << kNodeB;
    begin();
    end();
    fs::remove(file);
    config_.objects.clear();
    begin();
    EXPECT_TRUE(items("nodes").empty());
    ok(node_->apply({{"b.yml", kNodeB}}));
    end();
    std::string changed = kNodeB;
    changed.replace(changed.find("192.168.50.2}"), 12, "192.168.50.3");
    config_.objects = {file};
    std::ofstream(file) << changed;
    begin();
    EXPECT_NE(items("nodes")[0].dump().find("192.168.50.3"), std::string::npos);
}

TEST_F(Restore, AConfigurationWithoutRoomForAPodForgetsThatPodAlone) {
    begin();
    add("web", "10.244.1.10");
    ok(node_->apply({{"a.yml", kWebService}}));
    end();
    config_.pods.cidrs = {prefix("10.244.7.0/24")};
    begin();
    EXPECT_EQ(port_of("default/web"), kNoPort);
    EXPECT_EQ(items("services").size(), 1u);
}

TEST_F(Restore, AStartThatFailsLeavesWhatWasThereAndMakesNothing) {
    begin();
    add("web", "10.244.1.10");
    end();
    taps_.removed.clear();
    config_.objects = {folder_ + "/none.yml"};
    keeper_ = std::make_unique<Keeper>(folder_ + "/state");
    make();
    EXPECT_FALSE(node_->start().ok());
    EXPECT_EQ(std::set<std::string>(taps_.removed.begin(), taps_.removed.end()),
              std::set<std::string>{"podlane0"});
    config_.objects.clear();
    live_again();
    EXPECT_NE(port_of("default/web"), kNoPort);
}

TEST_F(Restore, AJournalThatCannotBeWrittenIsInHealth) {
    begin();
    EXPECT_EQ(ok(node_->health()).at("problems").dump().find("journal"), std::string::npos);
    fs::remove_all(folder_ + "/state");
    std::ofstream(folder_ + "/state") << "no folder";
    add("web", "10.244.1.10");
    pass(2000);
    EXPECT_NE(ok(node_->health()).at("problems").dump().find("journal"), std::string::npos);
}

TEST_F(Restore, GenerationsGoOnCounting) {
    begin();
    add("web", "10.244.1.10");
    const uint64_t before = dataplane_.published.back()->generation;
    live_again();
    EXPECT_GT(dataplane_.published.back()->generation, before);
}

TEST_F(Restore, TapsThatOutliveTheProcessAreNamed) {
    begin();
    add("web", "10.244.1.10");
    const auto taps = node_->taps();
    ASSERT_EQ(taps.size(), 2u);
    EXPECT_EQ(taps[0].netns, "");
    EXPECT_EQ(taps[0].ifname, "podlane0");
    EXPECT_EQ(taps[1].netns, netns("web"));
    EXPECT_EQ(taps[1].port, port_of("default/web"));
    EXPECT_FALSE(dataplane_.queue_fds(taps[1].port).empty());
}

TEST_F(Restore, WhereNobodyHasTakenOverTheJournalIsWhatItWas) {
    begin();
    add("web", "10.244.1.10");
    {
        Keeper other(folder_ + "/state");
        other.erase_pod("default/web");
    }
    node_->go_on("it has ended");
    live_again();
    EXPECT_NE(port_of("default/web"), kNoPort);
}

TEST_F(Restore, WhatTheDataplaneCannotKeepIsToldByHealth) {
    begin();
    dataplane_.faults = {"flows will not outlive this process: the file system is full"};
    const Json health = ok(node_->health());
    EXPECT_EQ(health.at("status"), "degraded");
    EXPECT_NE(health.at("problems").dump().find("file system is full"), std::string::npos);
}

}  // namespace
}  // namespace podlane::control
