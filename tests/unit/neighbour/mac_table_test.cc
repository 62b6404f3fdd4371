#include "control/neighbour/mac_table.h"

#include <gtest/gtest.h>

namespace podlane::control {
namespace {

constexpr PortId kWeb{3};
constexpr PortId kDb{4};

MacAddress mac(uint16_t n) {
    return {{2, 0, 0, 0, static_cast<uint8_t>(n >> 8), static_cast<uint8_t>(n)}};
}

TEST(MacTable, LearnsWhereAnAddressIs) {
    MacTable table;
    EXPECT_TRUE(table.learn(mac(1), kWeb, 0));
    EXPECT_FALSE(table.learn(mac(1), kWeb, 5));
    EXPECT_EQ(table.learned().at(mac(1)).port, kWeb);
}

TEST(MacTable, AnAddressMoves) {
    MacTable table;
    (void)table.learn(mac(1), kWeb, 0);
    EXPECT_TRUE(table.learn(mac(1), kDb, 1));
    EXPECT_EQ(table.learned().at(mac(1)).port, kDb);
}

TEST(MacTable, StaticAddressesCannotBeLearned) {
    MacTable table;
    (void)table.learn(mac(1), kWeb, 0);
    table.add_static(mac(1), kDb);
    EXPECT_TRUE(table.learned().empty());
    EXPECT_FALSE(table.learn(mac(1), kWeb, 1));
    table.remove_port(kDb);
    EXPECT_TRUE(table.learn(mac(1), kWeb, 2));
}

TEST(MacTable, GroupAddressesAreNobodys) {
    MacTable table;
    EXPECT_FALSE(table.learn(kBroadcastMac, kWeb, 0));
    EXPECT_FALSE(table.learn({}, kWeb, 0));
}

TEST(MacTable, AddressesAge) {
    MacTable table;
    (void)table.learn(mac(1), kWeb, 0);
    (void)table.learn(mac(2), kWeb, 1000);
    EXPECT_FALSE(table.tick(MacTable::kAgeMs - 1));
    EXPECT_TRUE(table.tick(MacTable::kAgeMs));
    EXPECT_EQ(table.learned().size(), 1u);
    EXPECT_TRUE(table.tick(MacTable::kAgeMs + 1000));
    EXPECT_TRUE(table.learned().empty());
}

TEST(MacTable, APortCannotFillIt) {
    MacTable table;
    for (uint16_t i = 0; i < MacTable::kMaxPerPort; ++i) {
        EXPECT_TRUE(table.learn(mac(i), kWeb, 0)) << i;
    }
    EXPECT_FALSE(table.learn(mac(MacTable::kMaxPerPort), kWeb, 0));
    EXPECT_TRUE(table.learn(mac(MacTable::kMaxPerPort), kDb, 0));
    EXPECT_TRUE(table.tick(MacTable::kAgeMs));
    EXPECT_TRUE(table.learn(mac(1), kWeb, MacTable::kAgeMs));
}

TEST(MacTable, ARemovedPortTakesItsAddressesAlong) {
    MacTable table;
    (void)table.learn(mac(1), kWeb, 0);
    table.add_static(mac(2), kWeb);
    (void)table.learn(mac(3), kDb, 0);
    table.remove_port(kWeb);
    EXPECT_EQ(table.learned().size(), 1u);
    EXPECT_TRUE(table.learn(mac(2), kDb, 0));
}

}  // namespace
}  // namespace podlane::control
