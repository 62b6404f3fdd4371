#include "control/node/link_watch.h"

#include "lib/border/port_state.h"
#include "tests/support/fake_dataplane.h"
#include "tests/unit/node/node_fixture.h"

namespace podlane::control {
namespace {

class LinkWatchTest : public testing::Test {
  protected:
    void set(LinkState link, DeviceLosses losses = {}) {
        dataplane.states[uplink] = {uplink, {link, 0}, losses};
    }
    std::vector<std::string> look(uint64_t now_ms) {
        std::vector<std::string> texts;
        for (const auto& news : watch.look(dataplane, now_ms)) texts.push_back(news.text);
        return texts;
    }
    using Texts = std::vector<std::string>;

    FakeDataplane dataplane;
    PortId uplink = dataplane.add_uplink("uplink0", MacAddress{{2, 0, 0, 0, 0, 1}});
    LinkWatch watch;
};

TEST_F(LinkWatchTest, ALinkThatGoesDownAndComesBackIsToldOnceEach) {
    EXPECT_EQ(look(1000), Texts{}) << "up from the start is no news";
    set(LinkState::kDown);
    EXPECT_EQ(look(1500), Texts{}) << "a look a second";
    EXPECT_EQ(look(2000), Texts{"uplink0: its link is down"});
    EXPECT_EQ(look(3000), Texts{});
    EXPECT_EQ(watch.problems(3000), Texts{"uplink0: its link is down"});
    set(LinkState::kUp);
    const auto news = watch.look(dataplane, 4000);
    ASSERT_EQ(news.size(), 1u);
    EXPECT_EQ(news[0].text, "uplink0: its link is up again");
    EXPECT_TRUE(news[0].good);
    EXPECT_EQ(watch.problems(4000), Texts{});
}

TEST_F(LinkWatchTest, ALinkThatIsDownFromTheStartIsNews) {
    set(LinkState::kDown);
    EXPECT_EQ(look(1000), Texts{"uplink0: its link is down"});
}

TEST_F(LinkWatchTest, ADeviceThatIsGoneIsSaidToBe) {
    (void)look(1000);
    set(LinkState::kGone);
    const auto news = watch.look(dataplane, 2000);
    ASSERT_EQ(news.size(), 1u);
    EXPECT_TRUE(news[0].gone);
    EXPECT_EQ(news[0].port, uplink);
}

TEST_F(LinkWatchTest, AnInterfaceThatIsShapedInVainIsAProblem) {
    set(LinkState::kUp);
    dataplane.states[uplink].bypassed_shaper = "tbf";
    const Texts told{
        "uplink0: tc shapes its interface (tbf), and its frames go past that "
        "(docs/config.md, qdisc_bypass)"};
    EXPECT_EQ(look(1000), told);
    EXPECT_EQ(look(2000), Texts{});
    EXPECT_EQ(watch.problems(2000), told);
    set(LinkState::kUp);
    EXPECT_EQ(look(3000), Texts{"uplink0: its interface is not shaped any more"});
    EXPECT_EQ(watch.problems(3000), Texts{});
}

TEST_F(LinkWatchTest, ADeviceThatTakesNextToNothingIsAProblemWhileItDoesNot) {
    PortCounters& counters = dataplane.mutable_counters(0).ports[index_of(uplink)];
    counters.tx_dropped.add(5000);
    EXPECT_EQ(look(1000), Texts{}) << "of whoever had the number before";
    counters.tx_packets.add(90);
    counters.tx_dropped.add(810);
    EXPECT_EQ(look(2000), Texts{}) << "a tenth is taken";
    counters.tx_packets.add(1);
    counters.tx_dropped.add(19);
    EXPECT_EQ(look(3000), Texts{}) << "too few to say";
    counters.tx_packets.add(1);
    counters.tx_dropped.add(900);
    EXPECT_EQ(look(4000), Texts{"uplink0: its device takes no frames: 900 of 901 were lost"});
    EXPECT_EQ(watch.problems(4000), Texts{"uplink0: its device takes no frames"});
    EXPECT_EQ(look(6000), Texts{});
    EXPECT_EQ(look(7000), Texts{"uplink0: its device takes frames again"});
    EXPECT_EQ(watch.problems(7000), Texts{});
}

TEST_F(LinkWatchTest, LossesAreToldAtMostOnceAMinuteAndAreAProblemForOne) {
    (void)look(1000);
    set(LinkState::kUp, {5, 0, 0, 1});
    EXPECT_EQ(look(2000),
              Texts{"uplink0: its device lost frames: 5 device_missed, 1 device_tx_error"});
    set(LinkState::kUp, {7, 2, 3, 1});
    EXPECT_EQ(look(30'000), Texts{});
    EXPECT_EQ(watch.problems(30'000),
              Texts{"uplink0: its device loses frames: 7 device_missed, 2 device_rx_error, 3 "
                    "device_no_buffer, 1 device_tx_error in all"});
    EXPECT_EQ(look(62'000), Texts{"uplink0: its device lost frames: 2 device_missed, 2 "
                                  "device_rx_error, 3 device_no_buffer"});
    EXPECT_EQ(watch.problems(90'001), Texts{});
}

TEST_F(LinkWatchTest, LossesOfADeviceThatWasReplacedAreNoProblemOfTheNewOne) {
    set(LinkState::kUp, {.tx_errors = 1});
    EXPECT_EQ(watch.look(dataplane, 1000).size(), 1u);
    EXPECT_EQ(watch.problems(1000).size(), 1u);
    set(LinkState::kUp);
    EXPECT_TRUE(watch.look(dataplane, 2000).empty());
    EXPECT_TRUE(watch.problems(2000).empty());
    set(LinkState::kUp, {.tx_errors = 1});
    EXPECT_EQ(watch.look(dataplane, 3000).size(), 1u) << "its own";
}

TEST_F(LinkWatchTest, APodsTapIsItsOwnBusinessAndADeviceOfAPodIsNot) {
    TapPortSpec spec;
    spec.name = "default/web";
    const PortId tap = dataplane.add_tap_port(std::move(spec)).value();
    const PortId gen =
        dataplane.add_device_port({.name = "default/gen", .device = "net_null1"}).value();
    for (const PortId port : {tap, gen}) {
        dataplane.states[port] = {port, {LinkState::kDown, 0}, {}};
    }
    EXPECT_EQ(look(1000), Texts{"default/gen: its link is down"});
    // Another port has the id now, and has had no news.
    dataplane.remove_port(gen);
    dataplane.states.erase(gen);
    ASSERT_EQ(dataplane.add_device_port({.name = "default/new", .device = "net_null2"}).value(),
              gen);
    EXPECT_EQ(look(2000), Texts{});
}

class LinksOfANode : public NodeFixture {};

TEST_F(LinksOfANode, PortsHealthStatsAndDropsTellTheLinkAndWhatTheDeviceLost) {
    start();
    dataplane_.states[uplink_] = {uplink_, {LinkState::kDown, 10'000}, {5, 6, 7, 8}};
    pass(2000);
    const Json port = ok(node_->get("ports", "uplink0", std::nullopt)).at("items")[0];
    EXPECT_EQ(port.at("state"), "down");
    EXPECT_EQ(port.at("mbitPerSecond"), 10'000);
    EXPECT_NE(ok(node_->health()).at("problems").dump().find("uplink0: its link is down"),
              std::string::npos);
    const Json stats = ok(node_->stats());
    const Json& counted = stats.at("ports")[0];
    EXPECT_EQ(counted.at("rxDropped"), 5 + 6 + 7);
    EXPECT_EQ(counted.at("txDropped"), 8);
    EXPECT_EQ(counted.at("deviceLosses"),
              (Json{{"rxMissed", 5}, {"rxErrors", 6}, {"rxNoBuffer", 7}, {"txErrors", 8}}));
    EXPECT_EQ(stats.at("drops").at(drop_info(Drop::kDeviceMissed).name), 5);
    EXPECT_EQ(stats.at("drops").at(drop_info(Drop::kDeviceRxError).name), 6);
    EXPECT_EQ(stats.at("drops").at(drop_info(Drop::kDeviceNoBuffer).name), 7);
    EXPECT_EQ(stats.at("drops").at(drop_info(Drop::kDeviceTxError).name), 8);
}

TEST_F(LinksOfANode, AnUplinkWhoseDeviceIsBackIsTakenBack) {
    config_.uplinks[0].device = *parse_device("net_af_packet0,iface=lo");
    start();
    pass(2000);
    dataplane_.commands.clear();
    dataplane_.states[uplink_] = {uplink_, {LinkState::kGone, 0}, {}};
    dataplane_.refuse_ports_with = "not yet";
    pass(2000);
    EXPECT_NE(ok(node_->health()).at("problems").dump().find("uplink0: its device is gone"),
              std::string::npos);
    EXPECT_EQ(port_of("uplink0"), kNoPort);
    // Its id may be a pod's by now, whose port is to stay.
    dataplane_.refuse_ports_with.clear();
    dataplane_.states.clear();
    add_pod("default/web", {"10.244.1.10"});
    pass(3000);
    EXPECT_NE(port_of("default/web"), kNoPort);
    ASSERT_NE(port_of("uplink0"), kNoPort);
    EXPECT_EQ(ok(node_->health()).at("problems").dump().find("device is gone"), std::string::npos);
    EXPECT_EQ(dataplane_.commands_of(CommandKind::kAnnounce).at(0).port, port_of("uplink0"));
}

TEST_F(LinksOfANode, ANodeWithoutAnyLinkIsAliveAndNotReadyUntilOneIsBack) {
    const PortId second = dataplane_.add_uplink("uplink1", kPeerMac);
    UplinkConfig other = config_.uplinks[0];
    other.name = "uplink1";
    other.addresses = {interface_address("192.168.51.1/24")};
    other.gateways = {};
    config_.uplinks.push_back(other);
    start();
    pass(2000);
    dataplane_.states[uplink_] = {uplink_, {LinkState::kDown, 0}, {}};
    pass(2000);
    Json ready = ok(node_->health("ready"));
    EXPECT_EQ(ready.at("status"), "ok") << "the other uplink carries";
    EXPECT_EQ(ok(node_->health()).at("status"), "degraded");

    dataplane_.states[second] = {second, {LinkState::kDown, 0}, {}};
    pass(2000);
    EXPECT_FALSE(node_->is_serving());
    ready = ok(node_->health("ready"));
    EXPECT_EQ(ready.at("status"), "degraded");
    EXPECT_NE(ready.at("problems").dump().find("not ready: no uplink has a link"),
              std::string::npos)
        << ready;
    EXPECT_EQ(ok(node_->health("live")).at("status"), "ok") << "a restart mends no link";

    dataplane_.states[second] = {second, {LinkState::kUp, 0}, {}};
    pass(2000);
    EXPECT_EQ(ok(node_->health("ready")).at("status"), "ok");
}

TEST_F(LinksOfANode, AnUplinkWhoseDeviceIsGoneIsAProblemWhileItIs) {
    config_.uplinks[0].device = *parse_device("net_af_packet0,iface=none-such");
    start();
    pass(2000);
    dataplane_.states[uplink_] = {uplink_, {LinkState::kGone, 0}, {}};
    pass(2000);
    const auto problems = [this] { return ok(node_->health()).at("problems").dump(); };
    EXPECT_NE(problems().find("uplink uplink0: its device is gone"), std::string::npos);
    EXPECT_FALSE(node_->is_serving());
}

}  // namespace
}  // namespace podlane::control
