#include "control/config/address_range.h"

#include <gtest/gtest.h>

namespace podlane::control {
namespace {

AddressRange range(std::string_view text) {
    return parse_address_range(text).value();
}

TEST(AddressRange, IsAPrefixOrTwoEnds) {
    EXPECT_EQ(to_string(range("192.0.2.200/29")), "192.0.2.200-192.0.2.207");
    EXPECT_EQ(to_string(range("192.0.2.9/32")), "192.0.2.9");
    EXPECT_EQ(to_string(range("192.0.2.9")), "192.0.2.9");
    EXPECT_EQ(to_string(range("0.0.0.0/0")), "0.0.0.0-255.255.255.255");
    EXPECT_EQ(to_string(range("192.0.2.1 - 192.0.2.3")), "192.0.2.1-192.0.2.3");
    EXPECT_EQ(to_string(range("2001:db8::/124")), "2001:db8::-2001:db8::f");
    EXPECT_EQ(to_string(range("2001:db8::7/128")), "2001:db8::7");
    for (const char* text : {"", "-", "192.0.2.1/24", "192.0.2.2-192.0.2.1",
                             "192.0.2.1-2001:db8::1", "192.0.2.1-", "a-b"}) {
        EXPECT_FALSE(parse_address_range(text)) << text;
    }
}

TEST(AddressRange, CountsItsAddressesUpToALimit) {
    EXPECT_EQ(range("192.0.2.200/29").count(), 8U);
    EXPECT_EQ(range("192.0.2.1-192.0.2.1").count(), 1U);
    EXPECT_EQ(range("2001:db8::fffe-2001:db8::1:0001").count(), 4U);
    EXPECT_EQ(range("2001:db8:0:1:ffff:ffff:ffff:ffff-2001:db8:0:2::1").count(), 3U);
    EXPECT_EQ(range("2001:db8::/64").count(), uint64_t{1} << 31);
    EXPECT_EQ(range("2001:db8::/32").count(), uint64_t{1} << 31);
    EXPECT_EQ(range("0.0.0.0/0").count(), uint64_t{1} << 31);
}

TEST(AddressRange, HoldsAddressesOfItsFamilyAlone) {
    EXPECT_TRUE(range("192.0.2.0/30").contains(*parse_ip("192.0.2.3")));
    EXPECT_FALSE(range("192.0.2.0/30").contains(*parse_ip("192.0.2.4")));
    EXPECT_FALSE(range("0.0.0.0/0").contains(*parse_ip("::1")));
    EXPECT_TRUE(range("192.0.2.0/30").overlaps(range("192.0.2.3-192.0.2.9")));
    EXPECT_FALSE(range("192.0.2.0/30").overlaps(range("192.0.2.4-192.0.2.9")));
    EXPECT_FALSE(range("0.0.0.0/0").overlaps(range("::/0")));
}

}  // namespace
}  // namespace podlane::control
