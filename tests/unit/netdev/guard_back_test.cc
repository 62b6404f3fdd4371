// What a guard takes from an interface, and how it gives it back.
#include <fmt/format.h>
#include <net/if.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <string>
#include <tuple>

#include "control/netdev/guard_parts.h"
#include "control/netdev/kernel_guard.h"
#include "control/netdev/sysctl.h"
#include "tests/unit/netdev/namespaces.h"

namespace podlane::control {
namespace {

/// A node with an interface "uplink0".
class GuardBack : public NetdevTest {
  protected:
    void SetUp() override {
        NetdevTest::SetUp();
        if (IsSkipped()) return;
        ASSERT_TRUE(
            node_.shell("ip link add uplink0 type veth peer name wire0 && "
                        "ip link set uplink0 up && ip link set wire0 up"));
    }

    ScratchNamespace node_;
};

TEST_F(GuardBack, NeighboursRoutesOfAllTablesAndOtherAddressesAreAsBefore) {
    const std::string path = std::string(::testing::TempDir()) + "podlane-guard-shown";
    const auto shown = [&] {
        EXPECT_TRUE(
            node_.shell("(ip -4 -d addr show dev uplink0; ip -4 -d route show table all; "
                        "ip neigh show nud permanent; ip rule) | "
                        "sed 's/lft [0-9]*sec/lft N/g; / state /d' | sort > " +
                        path));
        std::ifstream file(path);
        return std::string(std::istreambuf_iterator<char>(file), {});
    };
    node_.run([&] {
        ASSERT_EQ(std::system("ip addr add 192.168.50.1/24 dev uplink0 valid_lft 900 "
                              "preferred_lft 900 && "
                              "ip addr add 192.168.50.2/24 dev uplink0 label uplink0:1 && "
                              "ip route add default via 192.168.50.9 table 100 && "
                              "ip rule add iif uplink0 lookup 100 && "
                              "ip neigh add 192.168.50.8 lladdr 02:00:00:00:00:08 dev uplink0"),
                  0);
        const std::string before = shown();
        {
            auto guard = guard_kernel_interface("uplink0", KernelInterfaceUse::kPacketSocket,
                                                {address("192.168.50.1/24")});
            ASSERT_TRUE(guard.ok()) << guard.error().message;
            EXPECT_TRUE(node_.shell("ip addr show uplink0 | grep -q 192.168.50.2/24"))
                << "it would have gone with the first address of its subnet";
            EXPECT_EQ(guard->taken().objects.neighbours.size(), 1U);
            guard->look();
            EXPECT_TRUE(guard->taken().place ==
                        (LinkPlace{static_cast<int>(::if_nametoindex("uplink0")), "uplink0"}));
        }
        EXPECT_EQ(shown(), before);
    });
    ::unlink(path.c_str());
}

TEST_F(GuardBack, ALeaseThatIsRenewedCountsAnewAndOneThatLapsesIsReportedOnce) {
    node_.run([&] {
        ASSERT_EQ(std::system("ip addr add 192.168.50.1/24 dev uplink0 valid_lft 1 "
                              "preferred_lft 1"),
                  0);
        auto guard = guard_kernel_interface("uplink0", KernelInterfaceUse::kPacketSocket,
                                            {address("192.168.50.1/24")});
        ASSERT_TRUE(guard.ok()) << guard.error().message;
        const auto lapsed = [&] {
            guard->look();
            for (const std::string& line : guard->take_warnings()) {
                if (line.find("the time of 192.168.50.1/24 is over") != line.npos) return true;
            }
            return false;
        };
        bool was_reported = false;
        for (int i = 0; i < 40 && !was_reported; ++i) {
            was_reported = lapsed();
            ::usleep(100'000);
        }
        EXPECT_TRUE(was_reported);
        EXPECT_FALSE(lapsed());
        ASSERT_EQ(std::system("ip addr add 192.168.50.1/24 dev uplink0 valid_lft 900 "
                              "preferred_lft 900"),
                  0);
        EXPECT_FALSE(lapsed());
        const auto kept = guard->taken().objects.addresses;
        const auto lease = std::ranges::find_if(kept, [](const LinkRecord& each) {
            return address_view(each)->address == address("192.168.50.1/24");
        });
        ASSERT_NE(lease, kept.end());
        EXPECT_NEAR(address_view(*lease)->valid_s.value_or(0), 900, 5);
    });
}

TEST_F(GuardBack, ANicThatWasGoneGetsItsAddressesAndAnotherOneDoesNot) {
    const std::string memory = std::string(::testing::TempDir()) + "podlane-gone.json";
    const auto make = [&](const char* mac) {
        return node_.shell(
            fmt::format("ip link del uplink0 2>/dev/null; ip link add uplink0 "
                        "address {} type veth peer name wire9 && "
                        "ip link set uplink0 up",
                        mac));
    };
    node_.run([&] {
        for (const char* back : {"02:00:00:00:00:05", "02:00:00:00:00:06"}) {
            ASSERT_TRUE(make("02:00:00:00:00:05"));
            ASSERT_EQ(std::system("ip addr add 192.168.50.1/24 dev uplink0"), 0);
            auto guard = guard_kernel_interface("uplink0", KernelInterfaceUse::kXdpSocket,
                                                {address("192.168.50.1/24")}, memory);
            ASSERT_TRUE(guard.ok()) << guard.error().message;
            EXPECT_TRUE(guard->set_host("podlane0", "node-a").ok());
            EXPECT_EQ(guard->host() + guard->owner(), "podlane0node-a");
            ASSERT_TRUE(make(back));
            guard->restore();
            const bool is_same = std::string(back).ends_with("05");
            EXPECT_EQ(node_.shell("ip addr show uplink0 | grep -q 192.168.50.1/24"), is_same);
            const auto warnings = guard->take_warnings();
            EXPECT_EQ(warnings.size(), is_same ? 0U : 1U);
            if (!warnings.empty()) {
                EXPECT_NE(warnings[0].find("192.168.50.1/24 cannot be given back"),
                          std::string::npos)
                    << warnings[0];
            }
        }
    });
    ::unlink(memory.c_str());
}

TEST_F(GuardBack, ItCanBeSaidBeforehandWhatWouldBeTaken) {
    node_.run([&] {
        ASSERT_EQ(std::system("ip addr add 192.168.50.1/24 dev uplink0 && "
                              "ip addr add 198.51.100.7/24 dev uplink0"),
                  0);
        const auto seen = preview_take_over("uplink0", {address("192.168.50.1/24")}, "");
        ASSERT_TRUE(seen.ok()) << seen.error().message;
        EXPECT_FALSE(seen->is_taken);
        ASSERT_FALSE(seen->lines.empty());
        EXPECT_EQ(seen->lines.front(), "address 192.168.50.1/24");
        EXPECT_EQ(seen->lines.back(),
                  "stays: address 198.51.100.7/24, which the uplink does not have");
        EXPECT_TRUE(node_.shell("ip addr show uplink0 | grep -q 192.168.50.1/24"));
        EXPECT_FALSE(preview_take_over("nothing0", {}, "").ok());
    });
}

TEST_F(GuardBack, AdvertisementsAreFollowedAsTheKernelDoes) {
    node_.run([] {
        for (const auto& [accept_ra, forwarding, followed] : {std::tuple("0", "0", 0),
                                                              {"1", "0", 1},
                                                              {"1", "1", 0},
                                                              {"2", "1", 2},
                                                              {"2", "0", 2}}) {
            const auto set = [](const char* key, const char* value) {
                return write_sysctl(interface_sysctl("ipv6", "uplink0", key), value).ok();
            };
            ASSERT_TRUE(set("accept_ra", accept_ra) && set("forwarding", forwarding));
            EXPECT_EQ(followed_advertisements("uplink0"), followed) << accept_ra << forwarding;
        }
        EXPECT_EQ(followed_advertisements("nothing0"), 0);
    });
}

}  // namespace
}  // namespace podlane::control
