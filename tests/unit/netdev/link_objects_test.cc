#include "control/netdev/link_objects.h"

#include <linux/rtnetlink.h>
#include <net/if.h>

#include <algorithm>
#include <array>

#include "control/netdev/link_record.h"
#include "tests/unit/netdev/namespaces.h"

namespace podlane::control {
namespace {

/// A NIC "uplink0" and an interface "host0" that gets what it had.
class LinkObjectsTest : public NetdevTest {
  protected:
    void SetUp() override {
        NetdevTest::SetUp();
        if (IsSkipped()) return;
        ASSERT_TRUE(
            node_.shell("ip link add uplink0 type veth peer name wire0 && "
                        "ip link add host0 type veth peer name wire1 && "
                        "for i in uplink0 wire0 host0 wire1; do ip link set $i up; done"));
    }
    [[nodiscard]] static LinkPlace place(const char* ifname) {
        return {static_cast<int>(::if_nametoindex(ifname)), ifname};
    }
    [[nodiscard]] static LinkObjects read(const char* ifname) {
        auto editor = LinkEditor::open();
        EXPECT_TRUE(editor.ok());
        auto out = editor->read(place(ifname));
        EXPECT_TRUE(out.ok());
        return *out;
    }
    [[nodiscard]] static std::vector<std::string> texts(const std::vector<LinkRecord>& records) {
        std::vector<std::string> out;
        for (const LinkRecord& each : records) {
            // A link-local address comes by itself, at its own time.
            if (std::string text = to_text(each); text.find("fe80::") == std::string::npos) {
                out.push_back(std::move(text));
            }
        }
        return out;
    }
    [[nodiscard]] bool has(const std::string& command) const { return node_.shell(command); }

    ScratchNamespace node_;
};

TEST_F(LinkObjectsTest, WhatPeopleAndDhcpHaveMadeIsReadAndTheKernelsOwnIsNot) {
    node_.run([&] {
        ASSERT_EQ(
            std::system("ip addr add 192.168.50.1/24 dev uplink0 valid_lft 3600 preferred_lft 60 "
                        "&& ip addr add fd50::1/64 dev uplink0 nodad && "
                        "ip route add default via 192.168.50.9 metric 100 proto dhcp && "
                        "ip -6 route add 2001:db8::/32 from fd50::/64 via fd50::9 && "
                        "ip route add 10.0.0.0/8 via 192.168.50.9 src 192.168.50.1 table 100 && "
                        "ip neigh add 192.168.50.9 lladdr 02:00:00:00:00:09 dev uplink0 && "
                        "ip neigh add 192.168.50.8 lladdr 02:00:00:00:00:08 dev uplink0 nud stale "
                        "&& ip rule add iif uplink0 lookup 100 preference 1000 && "
                        "ip rule add to 10.0.0.0/8 lookup 100"),
            0);
        const LinkObjects seen = read("uplink0");
        EXPECT_EQ(texts(seen.addresses),
                  (std::vector<std::string>{"address 192.168.50.1/24 valid for 3600 s",
                                            "address fd50::1/64"}));
        auto routes = texts(seen.routes);
        std::ranges::sort(routes);
        EXPECT_EQ(routes, (std::vector<std::string>{
                              "route 10.0.0.0/8 via 192.168.50.9 src 192.168.50.1 table 100",
                              "route 2001:db8::/32 from fd50::/64 via fd50::9 metric 1024",
                              "route default via 192.168.50.9 metric 100"}));
        EXPECT_EQ(texts(seen.neighbours),
                  std::vector<std::string>{"neighbour 192.168.50.9 at 02:00:00:00:00:09"});
        EXPECT_EQ(texts(seen.rules), std::vector<std::string>{"rule 1000 to table 100"});
        EXPECT_TRUE(read("host0").routes.empty());
    });
}

TEST_F(LinkObjectsTest, RoutesMoveWithEveryAttributeAndInWhateverOrder) {
    node_.run([&] {
        ASSERT_EQ(
            std::system("ip addr add 192.168.50.1/24 dev uplink0 && "
                        "ip route add 172.16.0.1/32 dev uplink0 && "
                        "ip route add default via 172.16.0.1 dev uplink0 metric 7 mtu 1400 && "
                        "ip rule add oif uplink0 lookup 100 preference 1000 && "
                        "ip neigh add 172.16.0.1 lladdr 02:00:00:00:00:09 dev uplink0"),
            0);
        TakenLink taken{place("uplink0"), read("uplink0"), 0};
        // The route to the gateway stands behind the route by it.
        std::ranges::sort(taken.objects.routes, std::ranges::greater{},
                          [](const LinkRecord& each) { return route_view(each)->via.has_value(); });
        ASSERT_EQ(std::system("ip addr flush dev uplink0; ip addr add 192.168.50.1/24 dev host0"),
                  0);
        EXPECT_EQ(move_to_host(taken, place("host0")), std::vector<std::string>{});
        EXPECT_TRUE(
            has("ip route show default | "
                "grep -q 'default via 172.16.0.1 dev host0 metric 7 mtu 1400'"));
        EXPECT_TRUE(has("ip rule | grep -q 'oif host0 lookup 100'"));
        EXPECT_TRUE(has("ip neigh show dev host0 | grep -q '172.16.0.1 .*PERMANENT'"));
        EXPECT_EQ(move_to_host(taken, place("host0")), std::vector<std::string>{}) << "again";
    });
}

TEST_F(LinkObjectsTest, WhatCannotBeMadeIsNamedAndTheRestIsMade) {
    node_.run([&] {
        ASSERT_EQ(std::system("ip addr add 192.168.50.1/24 dev uplink0 && "
                              "ip route add 10.1.0.0/16 via 192.168.50.9 src 192.168.50.1 && "
                              "ip route add 10.2.0.0/16 via 192.168.50.9"),
                  0);
        const TakenLink taken{place("uplink0"), read("uplink0"), 0};
        ASSERT_EQ(std::system("ip addr flush dev uplink0; ip addr add 192.168.50.2/24 dev host0"),
                  0);
        const auto failures = move_to_host(taken, place("host0"));
        ASSERT_EQ(failures.size(), 1U);
        EXPECT_TRUE(
            failures[0].starts_with("route 10.1.0.0/16 via 192.168.50.9 src 192.168.50.1: "))
            << failures[0];
        EXPECT_TRUE(has("ip route | grep -q '10.2.0.0/16 via 192.168.50.9 dev host0'"));
    });
}

TEST_F(LinkObjectsTest, AnAddressComesWithWhatIsLeftOfItsTimeAndIsUsableAtOnce) {
    node_.run([&] {
        ASSERT_EQ(std::system("ip addr add fd50::1/64 dev uplink0 valid_lft 3600 preferred_lft 90 "
                              "nodad; ip addr add fd50::2/64 dev uplink0 valid_lft 100 "
                              "preferred_lft 90 nodad"),
                  0);
        auto addresses = read("uplink0").addresses;
        std::erase_if(addresses, [](const LinkRecord& each) {
            return address_view(each)->address.length != 64 ||
                   address_view(each)->address.address.as<V6>().is_link_local();
        });
        ASSERT_EQ(addresses.size(), 2U);
        auto editor = LinkEditor::open();
        ASSERT_TRUE(editor.ok());
        // As if a thousand seconds had passed.
        const LinkMove move{.from = "uplink0",
                            .to = place("host0"),
                            .now_s = boot_seconds() + 1000,
                            .skips_detection = true};
        EXPECT_TRUE(editor->put_all(addresses, move).empty());
        for (const LinkRecord& each : read("host0").addresses) {
            const auto view = address_view(each);
            if (view->address == address("fd50::1/64")) {
                EXPECT_NEAR(view->valid_s.value_or(0), 2600, 5);
                EXPECT_EQ(view->preferred_s, 0U) << "it is deprecated by now";
            } else if (view->address == address("fd50::2/64")) {
                EXPECT_NEAR(view->valid_s.value_or(0), kLeastLifetimeSeconds, 5)
                    << "whoever renews it has that long";
            }
        }
        EXPECT_FALSE(has("ip -6 addr show dev host0 | grep fd50 | grep -q tentative"));
        for (const LinkRecord& each : addresses) {
            EXPECT_TRUE(editor->remove(each, move).ok());
            EXPECT_TRUE(editor->remove(each, move).ok()) << "it is gone already";
        }
        EXPECT_FALSE(has("ip -6 addr show dev host0 | grep -q fd50"));
    });
}

TEST(LinkRecords, ThatAreDamagedAreNoneAndHarmless) {
    for (const uint16_t type :
         {RTM_NEWADDR, RTM_NEWROUTE, RTM_NEWNEIGH, RTM_NEWRULE, RTM_NEWLINK}) {
        for (size_t bytes = 0; bytes < 40; ++bytes) {
            for (const uint8_t fill : std::array<uint8_t, 6>{0, 1, 2, 4, 10, 255}) {
                const LinkRecord record{type, 1, std::vector<uint8_t>(bytes, fill)};
                EXPECT_FALSE(to_text(record).empty());
                static_cast<void>(interface_of(record));
                EXPECT_FALSE(is_rule_of(record, "uplink0"));
                EXPECT_TRUE(is_same_object(record, record));
                static_cast<void>(moved_body(record, {"uplink0", {7, "host0"}, 5}));
            }
        }
    }
}

}  // namespace
}  // namespace podlane::control
