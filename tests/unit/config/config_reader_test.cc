#include "control/config/config_reader.h"

#include <gtest/gtest.h>

namespace podlane::control {
namespace {

TEST(UpstreamServer, IsAnAddressMaybeWithAPort) {
    const auto text = [](std::string_view given) {
        const auto server = parse_upstream_dns(given);
        return server ? to_string(*server) : "none";
    };
    EXPECT_EQ(text("192.0.2.1"), "192.0.2.1:53");
    EXPECT_EQ(text("192.0.2.1:5353"), "192.0.2.1:5353");
    EXPECT_EQ(text("2001:db8::1"), "[2001:db8::1]:53");
    EXPECT_EQ(text("[2001:db8::1]:5353"), "[2001:db8::1]:5353");
    EXPECT_EQ(text("fe80::1%eth0"), "[fe80::1%eth0]:53");
    EXPECT_EQ(text("[fe80::1%bond0.7]:5353"), "[fe80::1%bond0.7]:5353");
    for (const char* wrong : {"", "dns.example.com", "192.0.2.1:0", "192.0.2.1:65536",
                              "192.0.2.1:", "192.0.2.1:x", "[192.0.2.1]:53", "[2001:db8::1]",
                              "2001:db8::1%eth0", "fe80::1%", "fe80::1%a/b", "192.0.2:53"}) {
        EXPECT_EQ(text(wrong), "none") << wrong;
    }
}

TEST(Timeout, IsHoursMinutesAndSecondsInThisOrder) {
    EXPECT_EQ(parse_seconds("90s"), 90U);
    EXPECT_EQ(parse_seconds("1h"), 3600U);
    EXPECT_EQ(parse_seconds("24h0m0s"), 86400U) << "as kube-proxy's configuration has it";
    EXPECT_EQ(parse_seconds("1h30m5s"), 5405U);
    for (const char* text : {"", "s", "1", "1d", "0s", "1m1h", "1h1h", "-1s", "1.5h", "9000h",
                             "1h ", "4294967297s", "1 s"}) {
        EXPECT_FALSE(parse_seconds(text)) << text;
    }
}

TEST(PortRange, IsTwoPortsInOrder) {
    EXPECT_EQ(parse_port_range("30000-32767")->last, 32767);
    EXPECT_TRUE(parse_port_range("80-80")->contains(80));
    for (const char* text : {"80", "0-10", "10-65536", "20-10", "10-", "-10", "a-b", "1 - 2", ""}) {
        EXPECT_FALSE(parse_port_range(text)) << text;
    }
}

}  // namespace
}  // namespace podlane::control
