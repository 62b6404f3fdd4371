#include "control/dns/upstreams.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace podlane::control {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

const UpstreamDns kFirst{*parse_ip("192.0.2.1")};
const UpstreamDns kSecond{*parse_ip("192.0.2.2"), 5353};

Upstreams both() {
    Upstreams upstreams;
    upstreams.set({kFirst, kSecond});
    return upstreams;
}

TEST(Upstreams, AreAskedInTheirOrder) {
    EXPECT_THAT(both().order(), ElementsAre(kFirst, kSecond));
}

TEST(Upstreams, TwoFailuresInARowMakeOneUnhealthy) {
    Upstreams upstreams = both();
    upstreams.failed(kFirst, 0);
    EXPECT_THAT(upstreams.order(), ElementsAre(kFirst, kSecond));
    upstreams.answered(kFirst, 100);
    upstreams.failed(kFirst, 0);
    EXPECT_THAT(upstreams.order(), ElementsAre(kFirst, kSecond)) << "not in a row";
    upstreams.failed(kFirst, 0);
    EXPECT_THAT(upstreams.order(), ElementsAre(kSecond, kFirst)) << "still tried, at last";
    EXPECT_FALSE(upstreams.all()[0].is_healthy);
    EXPECT_EQ(upstreams.all()[0].failed, 3u);
    EXPECT_EQ(upstreams.all()[0].asked, 4u);
}

TEST(Upstreams, AnUnhealthyOneIsProbedOnceASecondUntilItAnswers) {
    Upstreams upstreams = both();
    upstreams.failed(kFirst, 5000);
    upstreams.failed(kFirst, 5000);
    EXPECT_THAT(upstreams.due(5999), IsEmpty());
    EXPECT_THAT(upstreams.due(6000), ElementsAre(kFirst));
    EXPECT_THAT(upstreams.due(6500), IsEmpty());
    upstreams.failed(kFirst, 7000);
    EXPECT_THAT(upstreams.due(7000), ElementsAre(kFirst));
    upstreams.answered(kFirst, 200);
    EXPECT_THAT(upstreams.due(9000), IsEmpty());
    EXPECT_THAT(upstreams.order(), ElementsAre(kFirst, kSecond));
    EXPECT_EQ(upstreams.all()[0].answer_us, 200u);
}

TEST(Upstreams, OnesThatStayKeepWhatIsKnownOfThem) {
    Upstreams upstreams = both();
    upstreams.failed(kSecond, 0);
    upstreams.failed(kSecond, 0);
    upstreams.set({kSecond});
    ASSERT_EQ(upstreams.all().size(), 1u);
    EXPECT_FALSE(upstreams.all()[0].is_healthy);
    upstreams.answered(kFirst, 1);
    upstreams.failed(kFirst, 1);
    EXPECT_EQ(upstreams.all().size(), 1u) << "one that is gone is forgotten";
}

TEST(Upstreams, OneWithoutEdnsIsRememberedForAnHour) {
    Upstreams upstreams = both();
    EXPECT_TRUE(upstreams.has_edns(kFirst, 0));
    upstreams.lacks_edns(kFirst, 1000);
    EXPECT_FALSE(upstreams.has_edns(kFirst, 1000));
    EXPECT_TRUE(upstreams.has_edns(kSecond, 1000)) << "each by itself";
    upstreams.set({kFirst});
    EXPECT_FALSE(upstreams.has_edns(kFirst, 1000 + Upstreams::kPlainMs - 1));
    EXPECT_TRUE(upstreams.has_edns(kFirst, 1000 + Upstreams::kPlainMs));
}

TEST(Upstreams, OneThatIsSilentToEdnsTwiceInARowIsRememberedAndAfterAnHourOnceIsEnough) {
    Upstreams upstreams = both();
    upstreams.silent_to_edns(kFirst, 0);
    upstreams.took_edns(kFirst);
    upstreams.silent_to_edns(kFirst, 0);
    EXPECT_TRUE(upstreams.has_edns(kFirst, 0)) << "an answer with it lies between the two";
    upstreams.silent_to_edns(kFirst, 1000);
    EXPECT_FALSE(upstreams.has_edns(kFirst, 1000));
    EXPECT_TRUE(upstreams.has_edns(kSecond, 1000));
    const uint64_t later = 1000 + Upstreams::kPlainMs;
    EXPECT_TRUE(upstreams.has_edns(kFirst, later));
    upstreams.silent_to_edns(kFirst, later);
    EXPECT_FALSE(upstreams.has_edns(kFirst, later));
}

TEST(Upstreams, AnUnhealthyOneIsProbedWithAndWithoutEdnsInTurn) {
    Upstreams upstreams = both();
    upstreams.failed(kFirst, 0);
    upstreams.failed(kFirst, 0);
    EXPECT_FALSE(upstreams.probes_plainly(kFirst));
    upstreams.failed(kFirst, 0);
    EXPECT_TRUE(upstreams.probes_plainly(kFirst));
}

TEST(ResolvConf, ALinkLocalServerHasItsInterface) {
    EXPECT_THAT(parse_resolv_conf("nameserver fe80::1%eth0\n"
                                  "nameserver fe80::1%eth1\n"
                                  "nameserver fe80::2%\n"
                                  "nameserver 192.0.2.1%eth0\n"),
                ElementsAre(UpstreamDns{*parse_ip("fe80::1"), 53, "eth0"},
                            UpstreamDns{*parse_ip("fe80::1"), 53, "eth1"}));
}

TEST(ResolvConf, NamesServersAmongOtherThings) {
    EXPECT_THAT(
        parse_resolv_conf("# nameserver 192.0.2.9\n"
                          "search example.com\n"
                          "nameserver 192.0.2.1\n"
                          "nameserver\t2001:db8::1   # the other\n"
                          "nameserver 192.0.2.1\r\n"
                          "nameserver resolver.example.com\n"
                          "nameserver\n"
                          "nameservers 192.0.2.7\n"
                          "options ndots:2\n"
                          "nameserver 192.0.2.2"),
        ElementsAre(UpstreamDns{*parse_ip("192.0.2.1")}, UpstreamDns{*parse_ip("2001:db8::1")},
                    UpstreamDns{*parse_ip("192.0.2.2")}));
    EXPECT_THAT(parse_resolv_conf(""), IsEmpty());
    EXPECT_THAT(parse_resolv_conf("\n\n"), IsEmpty());
}

}  // namespace
}  // namespace podlane::control
