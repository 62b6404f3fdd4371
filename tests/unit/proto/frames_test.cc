#include "tests/support/frames.h"

#include <gtest/gtest.h>

#include "lib/proto/ethernet.h"
#include "lib/proto/tcp.h"

namespace podlane::test {
namespace {

TEST(Frames, AUdpFrameIsTheseBytes) {
    const Bytes expected{0x02, 0,    0,    0,    0,    0x0b, 0x02, 0,    0,    0,    0,
                         0x0a, 0x08, 0x00, 0x45, 0x00, 0x00, 0x1e, 0x00, 0x01, 0x00, 0x00,
                         0x40, 0x11, 0x66, 0xcc, 0x0a, 0x00, 0x00, 0x01, 0x0a, 0x00, 0x00,
                         0x02, 0x03, 0xe8, 0x00, 0x35, 0x00, 0x0a, 0xe7, 0xb9, 0x00, 0x01};
    EXPECT_EQ(frame().eth().ip("10.0.0.1", "10.0.0.2").udp(1000, 53).payload(2).build(), expected);
}

TEST(Frames, TheResultIsExactlyAsLongAsTheFrame) {
    const auto bytes = frame().eth().ip("fd00::1", "fd00::2").tcp(1, 2, kTcpSyn).build();
    EXPECT_EQ(bytes.size(), 14u + 40 + 20);
    EXPECT_EQ(bytes.capacity(), bytes.size());
}

TEST(Frames, ADescriptionTellsTheLayers) {
    EXPECT_EQ(describe(frame()
                           .eth()
                           .vlan(100)
                           .ip("10.0.0.1", "10.96.0.1")
                           .df()
                           .tcp(40000, 80, kTcpSyn | kTcpAck, 1, 2)
                           .payload(3)
                           .build()),
              "eth 02:00:00:00:00:0a > 02:00:00:00:00:0b / vlan tci 100 / ipv4 10.0.0.1 > "
              "10.96.0.1 ttl 64 id 1 df length 43 / tcp 40000 > 80 SA seq 1 ack 2 / 3 bytes 00 01 "
              "02");
    EXPECT_EQ(describe(frame()
                           .eth(kMacA, kBroadcastMac)
                           .arp_request(kMacA, v4("10.0.0.1"), v4("10.0.0.2"))
                           .build()),
              "eth 02:00:00:00:00:0a > ff:ff:ff:ff:ff:ff / arp request 02:00:00:00:00:0a 10.0.0.1 "
              "> 00:00:00:00:00:00 10.0.0.2");
}

TEST(Frames, ADescriptionLooksIntoATunnel) {
    const auto text = describe(frame()
                                   .eth()
                                   .ip("192.168.50.1", "192.168.50.2")
                                   .udp(50000, 8472)
                                   .no_udp_checksum()
                                   .vxlan(1)
                                   .eth()
                                   .ip("fd00::1", "fd00::2")
                                   .udp(7, 9)
                                   .build());
    EXPECT_NE(text.find("/ vxlan 1 / eth 02:"), std::string::npos) << text;
    EXPECT_NE(text.find("udp 7 > 9 / 0 bytes"), std::string::npos) << text;
    EXPECT_EQ(text.find("BAD"), std::string::npos) << text;
}

TEST(Frames, ADescriptionNamesWhatIsWrong) {
    EXPECT_NE(describe(frame().eth().ip("10.0.0.1", "10.0.0.2").udp(1, 2).bad_l4_checksum().build())
                  .find("BAD CHECKSUM"),
              std::string::npos);
    EXPECT_NE(describe(frame().eth().ip("10.0.0.1", "10.0.0.2").udp(1, 2).bad_ip_checksum().build())
                  .find("MALFORMED ip_bad_checksum"),
              std::string::npos);
    EXPECT_NE(describe(Bytes(5)).find("MALFORMED frame_too_short / 5 bytes"), std::string::npos);
}

TEST(Frames, EveryProtocolGetsARightChecksum) {
    for (const auto& [src, dst] : {std::pair{"10.0.0.1", "10.0.0.2"}, {"fd00::1", "fd00::2"}}) {
        const Frame base = frame().eth().ip(src, dst);
        for (Frame f : {Frame(base).udp(1, 2), Frame(base).tcp(1, 2, 0), Frame(base).sctp(1, 2),
                        Frame(base).icmp_echo(1, 2)}) {
            const auto good = f.payload(11).build();
            EXPECT_EQ(describe(good).find("BAD"), std::string::npos) << describe(good);
            const auto bad = f.bad_l4_checksum().build();
            EXPECT_NE(describe(bad).find("BAD CHECKSUM"), std::string::npos) << describe(bad);
        }
    }
}

}  // namespace
}  // namespace podlane::test
