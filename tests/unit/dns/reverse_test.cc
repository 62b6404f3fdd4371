#include "lib/dns/reverse.h"

#include <gtest/gtest.h>

namespace podlane {
namespace {

std::optional<ReverseName> reverse(const char* text) {
    DnsName name;
    name.assign(dns_name_from_text(text).value());
    return parse_reverse_name(name);
}

TEST(ReverseName, IsAnAddressFromTheRight) {
    const auto v4 = reverse("5.1.244.10.in-addr.arpa");
    ASSERT_TRUE(v4);
    EXPECT_TRUE(v4->is_whole());
    EXPECT_EQ(to_string(v4->address), "10.244.1.5");
    const auto v6 =
        reverse("5.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.4.4.2.0.A.0.d.f.ip6.arpa");
    ASSERT_TRUE(v6);
    EXPECT_TRUE(v6->is_whole());
    EXPECT_EQ(to_string(v6->address), "fd0a:244::5");
}

TEST(ReverseName, OfAPartSaysItsBits) {
    const auto two = reverse("244.10.in-addr.arpa");
    ASSERT_TRUE(two);
    EXPECT_EQ(two->bits, 16u);
    EXPECT_FALSE(two->is_whole());
    EXPECT_FALSE(two->is_more);
    EXPECT_EQ(to_string(two->address), "10.244.0.0");
    EXPECT_EQ(reverse("in-addr.arpa")->bits, 0u);
    EXPECT_EQ(reverse("d.f.ip6.arpa")->bits, 8u);
}

TEST(ReverseName, OddLabelsBelongToNoAddress) {
    for (const char* text : {"x.1.244.10.in-addr.arpa", "256.1.244.10.in-addr.arpa",
                             "05.1.244.10.in-addr.arpa", "1.5.1.244.10.in-addr.arpa",
                             "1234.1.244.10.in-addr.arpa", "g.d.f.ip6.arpa", "00.d.f.ip6.arpa"}) {
        const auto found = reverse(text);
        ASSERT_TRUE(found) << text;
        EXPECT_TRUE(found->is_more) << text;
        EXPECT_FALSE(found->is_whole()) << text;
    }
    EXPECT_EQ(reverse("x.1.244.10.in-addr.arpa")->bits, 24u);
}

TEST(ReverseName, OfAnotherDomainIsNone) {
    EXPECT_FALSE(reverse("arpa"));
    EXPECT_FALSE(reverse("5.1.244.10.in-addr.local"));
    EXPECT_FALSE(reverse("web.default.svc.cluster.local"));
}

TEST(ReverseZone, ReachesToTheNextLabel) {
    EXPECT_EQ(reverse_zone_bits(*parse_prefix("10.96.0.0/12")), 16u);
    EXPECT_EQ(reverse_zone_bits(*parse_prefix("10.244.0.0/16")), 16u);
    EXPECT_EQ(reverse_zone_bits(*parse_prefix("fd00:10:96::/111")), 112u);
}

TEST(DashedAddress, HasDashesForDotsOrColons) {
    EXPECT_EQ(to_string(*parse_dashed_address("10-244-1-5")), "10.244.1.5");
    EXPECT_EQ(to_string(*parse_dashed_address("fd00-10-244--5")), "fd00:10:244::5");
    EXPECT_EQ(to_string(*parse_dashed_address("--1")), "::1");
    for (const char* text : {"", "10-244-1", "10-244-1-256", "web", "10.244.1.5", "fd00::5",
                             "1-2-3-4-5", "fd00-10-244--g"}) {
        EXPECT_FALSE(parse_dashed_address(text)) << text;
    }
    EXPECT_FALSE(parse_dashed_address(std::string_view("10-244-1-5\0x", 12)));
}

}  // namespace
}  // namespace podlane
