// Addresses from loadBalancer.pools, as the socket shows them.
#include <stdlib.h>

#include <filesystem>
#include <fstream>

#include "tests/unit/node/node_fixture.h"

namespace podlane::control {
namespace {

namespace fs = std::filesystem;

constexpr const char* kBalanced = R"(
apiVersion: v1
kind: Service
metadata: {name: lb, namespace: default}
spec: {type: LoadBalancer, clusterIP: 10.96.0.20, ports: [{port: 80, nodePort: 30090}]}
)";

class Addresses : public NodeFixture {
  protected:
    Addresses() {
        folder_ = ::mkdtemp(template_);
        config_.load_balancer.pools = {*parse_address_range("192.168.50.200-192.168.50.201")};
        config_.load_balancer.state = folder_ / "addresses.json";
        start();
    }
    ~Addresses() override { fs::remove_all(folder_); }

    Json service(const std::string& name) {
        return ok(node_->get("services", "default/" + name, std::nullopt)).at("items")[0];
    }
    std::string address_of(const std::string& name) {
        return service(name).at("status").at("loadBalancer").at("ingress")[0].at("ip");
    }
    static std::string named(const std::string& name, int number) {
        std::string text = kBalanced;
        text.replace(text.find("lb,"), 2, name);
        text.replace(text.find("0.20"), 4, "0." + std::to_string(30 + number));
        text.replace(text.find("30090"), 5, std::to_string(30100 + number));
        return text;
    }

    char template_[32] = "/tmp/podlane-daemon-XXXXXX";
    fs::path folder_;
};

TEST_F(Addresses, AreInTheServicesStatusAndServed) {
    EXPECT_TRUE(apply(kBalanced).at("notices").empty());
    const std::string address = address_of("lb");
    bool served = false;
    const Json frontends = ok(node_->get("frontends", "default/lb", std::nullopt));
    for (const Json& frontend : frontends.at("items")) {
        served =
            served || (frontend.at("kind") == "LoadBalancer" && frontend.at("address") == address);
    }
    EXPECT_TRUE(served);
    EXPECT_EQ(apply(kBalanced).at("unchanged"), 1);
    EXPECT_EQ(ok(node_->stats()).at("loadBalancer"),
              (Json{{"assigned", 1}, {"pending", 0}, {"refused", 0}}));
}

TEST_F(Addresses, StayOverARestartAlsoWhenThatIsNotWhereTheNameLeads) {
    apply(named("first", 1));
    apply(named("second", 2));
    const std::string second = address_of("second");
    ok(node_->remove("services", "default/first"));
    node_.reset();
    start();
    apply(named("second", 2));
    EXPECT_EQ(address_of("second"), second);
    node_.reset();
    std::ofstream(config_.load_balancer.state) << "no JSON";
    start();
    apply(named("second", 2));
    EXPECT_NE(address_of("second"), "") << "a file that is spoilt stops nobody";
}

TEST_F(Addresses, AnExhaustedPoolIsSaidInTheReplyTheStatusTheHealthAndTheCounters) {
    apply(named("first", 1));
    apply(named("second", 2));
    const Json reply = apply(named("third", 3));
    ASSERT_EQ(reply.at("notices").size(), 1U);
    const std::string notice = reply.at("notices")[0];
    EXPECT_NE(notice.find("Service default/third: no address (PoolExhausted)"), std::string::npos)
        << notice;
    EXPECT_EQ(service("third").at("status").at("conditions")[0].at("reason"), "PoolExhausted");
    EXPECT_EQ(ok(node_->health()).at("status"), "degraded");
    EXPECT_EQ(ok(node_->stats()).at("loadBalancer"),
              (Json{{"assigned", 2}, {"pending", 1}, {"refused", 1}}));

    const Json gone = ok(node_->remove("services", "default/first"));
    ASSERT_EQ(gone.at("changed").size(), 1U);
    EXPECT_EQ(gone.at("changed")[0].at("name"), "third");
    EXPECT_NE(address_of("third"), "");
    EXPECT_EQ(ok(node_->health()).at("status"), "ok");
}

TEST_F(Addresses, AreAnnouncedTwiceRoutedAndListedWhereTheyAreThisNodes) {
    dataplane_.commands.clear();
    apply(kBalanced);
    const std::string text = address_of("lb");
    const auto announced = dataplane_.commands_of(CommandKind::kAnnounce);
    ASSERT_EQ(announced.size(), 1u);
    EXPECT_EQ(announced[0].address.to_ip(), address(text));
    EXPECT_EQ(announced[0].port, uplink_);
    EXPECT_EQ(announced[0].our_mac, kUplinkMac);
    EXPECT_EQ(*live().v4.announced, (std::vector<Ipv4Address>{address(text).as<V4>()}));
    EXPECT_EQ(taps_.routed, (std::set<IpAddress>{address(text)}));
    EXPECT_EQ(ok(node_->get("addresses", text, std::nullopt)).at("items")[0],
              (Json{{"address", text},
                    {"service", "default/lb"},
                    {"node", "node-a"},
                    {"here", true},
                    {"candidates", {"node-a"}}}));
    pass(3000);
    const auto again = dataplane_.commands_of(CommandKind::kAnnounce);
    const auto is_it = [&](const Command& c) { return c.address.to_ip() == address(text); };
    EXPECT_EQ(std::count_if(again.begin(), again.end(), is_it), 2);

    // The cluster is found to have nodes, and this one is none of them.
    apply(kNodeB);
    EXPECT_EQ(live().v4.announced, nullptr);
    EXPECT_TRUE(taps_.routed.empty());
    EXPECT_EQ(ok(node_->get("addresses", text, std::nullopt)).at("items")[0].at("node"), "node-b");
    ok(node_->remove("nodes", "node-b"));
    EXPECT_EQ(taps_.routed.size(), 1u);
    ok(node_->remove("services", "default/lb"));
    EXPECT_TRUE(taps_.routed.empty());
    EXPECT_EQ(failure(node_->get("addresses", text, std::nullopt)).code, rpc_code::kNotFound);
}

TEST_F(Addresses, OutsideEverySubnetAreAnnouncedOnAllUplinks) {
    node_.reset();
    config_.load_balancer.pools = {*parse_address_range("203.0.113.7")};
    fs::remove(config_.load_balancer.state);
    start();
    dataplane_.commands.clear();
    apply(kBalanced);
    ASSERT_EQ(dataplane_.commands_of(CommandKind::kAnnounce).size(), 1u);
}

TEST_F(Addresses, DiffTellsAndARefusalKeepsNothing) {
    apply(named("first", 1));
    EXPECT_EQ(ok(node_->diff({{"t", named("second", 2)}})).at("added").size(), 1U);
    // The clusterIP is another one's: neither the Service nor its address stays.
    failure(node_->apply({{"t", named("second", 1)}}));
    EXPECT_EQ(ok(node_->stats()).at("loadBalancer").at("assigned"), 1);
    apply(named("second", 2));
    apply(named("third", 3));
    EXPECT_EQ(ok(node_->stats()).at("loadBalancer").at("pending"), 1);
}

}  // namespace
}  // namespace podlane::control
