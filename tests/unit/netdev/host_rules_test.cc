#include "control/netdev/host_rules.h"

#include "tests/unit/netdev/namespaces.h"

namespace podlane::control {
namespace {

constexpr uint8_t kTcp = 6, kUdp = 17;

HostRule rule(const char* address, uint8_t protocol, uint16_t first, uint16_t last = 0) {
    return {*parse_ip(address), protocol, first, last == 0 ? first : last};
}

TEST(MergedRules, AreRangesOfNeighboursAndSpansWhereThereAreTooMany) {
    const std::set<HostRule> rules{rule("192.0.2.1", kTcp, 30000), rule("192.0.2.1", kTcp, 30001),
                                   rule("192.0.2.1", kTcp, 30003), rule("192.0.2.1", kUdp, 30002),
                                   rule("fd50::1", kTcp, 30004)};
    const std::vector<HostRule> ranges{
        rule("192.0.2.1", kTcp, 30000, 30001), rule("192.0.2.1", kTcp, 30003),
        rule("192.0.2.1", kUdp, 30002), rule("fd50::1", kTcp, 30004)};
    EXPECT_EQ(merge_rules(rules, 4), ranges);
    const std::vector<HostRule> spans{rule("192.0.2.1", kTcp, 30000, 30003),
                                      rule("192.0.2.1", kUdp, 30002), rule("fd50::1", kTcp, 30004)};
    EXPECT_EQ(merge_rules(rules, 3), spans);
    EXPECT_TRUE(merge_rules({}, 4).empty());
}

class HostRulesTest : public NetdevTest {
  protected:
    void SetUp() override {
        NetdevTest::SetUp();
        if (IsSkipped()) return;
        ASSERT_TRUE(
            here_.shell("ip link add podlane0 type veth peer name far && "
                        "ip link set lo up && ip link set podlane0 up && ip link set far up && "
                        "ip address add 192.168.50.1/24 dev podlane0 && "
                        "ip address add fd50::1/64 dev podlane0 nodad"));
    }
    static HostRules make() {
        return {"podlane0",
                {{*parse_ip("192.168.50.1"), 24}, {*parse_ip("fd50::1"), 64}},
                MacAddress{{2, 0, 0, 0, 0, 1}}};
    }
    /// What the kernel does with a packet of its own, as `ip route get` says it.
    bool leaves(const std::string& address, const std::string& what) const {
        return here_.shell("ip route get " + address + " " + what + " | grep -q 'dev podlane0'");
    }
    bool has_usual_rules() const {
        return here_.shell(
            "ip -4 rule show | head -1 | grep -q '^0:.*lookup local' && "
            "ip -6 rule show | head -1 | grep -q '^0:.*lookup local' && "
            "test $(ip -4 rule show | wc -l) = 3 && "
            "test $(ip -6 rule show | wc -l) = 2");
    }
    const std::set<HostRule> node_port_{rule("192.168.50.1", kTcp, 30080),
                                        rule("fd50::1", kTcp, 30080)};
    ScratchNamespace here_;
};

TEST_F(HostRulesTest, LeadTheNamedPortsOfOwnAddressesOutAndNoOthers) {
    here_.run([&] {
        HostRules rules = make();
        ASSERT_TRUE(rules.set(node_port_).ok());
        for (const char* own : {"192.168.50.1", "fd50::1"}) {
            EXPECT_TRUE(leaves(own, "ipproto tcp dport 30080")) << own;
            EXPECT_FALSE(leaves(own, "ipproto tcp dport 30081")) << own;
            EXPECT_FALSE(leaves(own, "ipproto udp dport 30080")) << own;
            EXPECT_FALSE(leaves(own, "")) << own;
        }
        ASSERT_TRUE(rules.set({rule("fd50::1", kUdp, 53)}).ok());
        EXPECT_FALSE(leaves("192.168.50.1", "ipproto tcp dport 30080"));
        EXPECT_TRUE(leaves("fd50::1", "ipproto udp dport 53"));
    });
}

TEST_F(HostRulesTest, AreGoneAtTheEndAndTheKernelsAreWhereTheyWere) {
    here_.run([&] {
        EXPECT_TRUE(has_usual_rules());
        {
            HostRules rules = make();
            ASSERT_TRUE(rules.set({}).ok());
            EXPECT_TRUE(has_usual_rules()) << "nothing to serve, nothing changed";
            ASSERT_TRUE(rules.set(node_port_).ok());
            EXPECT_FALSE(has_usual_rules());
        }
        EXPECT_TRUE(has_usual_rules());
    });
}

TEST_F(HostRulesTest, ThoseOfAProcessThatWasKilledAreReplaced) {
    here_.run([&] {
        auto* killed = new HostRules(make());
        ASSERT_TRUE(killed->set({rule("192.168.50.1", kTcp, 31000)}).ok());
        {
            HostRules rules = make();
            ASSERT_TRUE(rules.set(node_port_).ok());
            EXPECT_FALSE(leaves("192.168.50.1", "ipproto tcp dport 31000"));
            EXPECT_TRUE(leaves("192.168.50.1", "ipproto tcp dport 30080"));
        }
        EXPECT_TRUE(has_usual_rules());
        delete killed;  // for the sanitizer: what it would remove is gone
    });
}

TEST_F(HostRulesTest, ThoseThatAreLeftServeOnAndAreTakenOver) {
    here_.run([&] {
        {
            HostRules rules = make();
            ASSERT_TRUE(rules.set(node_port_).ok());
            rules.leave();
        }
        EXPECT_TRUE(leaves("192.168.50.1", "ipproto tcp dport 30080"));
        EXPECT_TRUE(leaves("fd50::1", "ipproto tcp dport 30080"));
        {
            HostRules rules = make();
            ASSERT_TRUE(rules.set({rule("192.168.50.1", kTcp, 30080)}).ok());
            EXPECT_TRUE(leaves("192.168.50.1", "ipproto tcp dport 30080"));
            EXPECT_FALSE(leaves("fd50::1", "ipproto tcp dport 30080"));
        }
        EXPECT_TRUE(has_usual_rules());
    });
}

TEST_F(HostRulesTest, OfAnInterfaceThatIsGoneAreAnError) {
    here_.run([&] {
        HostRules rules("absent", {{*parse_ip("192.168.50.1"), 24}}, MacAddress{});
        const auto done = rules.set(node_port_);
        ASSERT_FALSE(done.ok());
        EXPECT_TRUE(done.error().message.starts_with("interface absent: "));
    });
}

}  // namespace
}  // namespace podlane::control
