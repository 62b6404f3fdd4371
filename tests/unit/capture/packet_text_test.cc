#include "control/capture/packet_text.h"

#include <gmock/gmock.h>

#include "lib/proto/tcp.h"
#include "tests/support/frames.h"

namespace podlane::control {
namespace {

using test::Bytes;
using test::frame;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

FrameView view(const Bytes& bytes) {
    return {bytes, static_cast<uint32_t>(bytes.size())};
}
test::Frame syn(const char* dst, uint16_t port) {
    return frame().eth().ip("10.244.1.10", dst).tcp(4000, port, kTcpSyn);
}

TEST(PacketText, SummaryNamesEndsAndFlags) {
    EXPECT_EQ(packet_summary(view(syn("10.96.0.10", 80).build())),
              "TCP 10.244.1.10:4000 > 10.96.0.10:80 SYN, 54 bytes");
    EXPECT_EQ(packet_summary(view(frame().eth().ip("fd00::1", "fd00::2").udp(1, 2).build())),
              "UDP [fd00::1]:1 > [fd00::2]:2, 62 bytes");
    EXPECT_EQ(
        packet_summary(view(frame().eth().ip("10.0.0.1", "10.0.0.2").icmp_echo(1, 1).build())),
        "ICMP 10.0.0.1 > 10.0.0.2 echo request, 42 bytes");
}

TEST(PacketText, IcmpErrorsSayWhatAndAboutWhichPacket) {
    Bytes quoted = syn("10.96.0.10", 80).build();
    quoted.erase(quoted.begin(), quoted.begin() + 14);
    quoted.resize(28);  // as old routers quote
    EXPECT_EQ(packet_summary(view(
                  frame().eth().ip("10.244.2.1", "10.244.1.10").icmp(3, 0, 0, quoted).build())),
              "ICMP 10.244.2.1 > 10.244.1.10 net unreachable about TCP 10.244.1.10:4000 > "
              "10.96.0.10:80, 70 bytes");
    Bytes six = frame().eth().ip("fd00::1", "fd00::2").udp(1, 2).build();
    six.erase(six.begin(), six.begin() + 14);
    EXPECT_EQ(
        packet_summary(view(frame().eth().ip("fd00::9", "fd00::1").icmp(2, 0, 1450, six).build())),
        "ICMPv6 fd00::9 > fd00::1 packet too big about UDP [fd00::1]:1 > [fd00::2]:2, 110 "
        "bytes");
    // A quotation that is cut says nothing.
    quoted.resize(12);
    EXPECT_EQ(packet_summary(view(
                  frame().eth().ip("10.244.2.1", "10.244.1.10").icmp(3, 9, 0, quoted).build())),
              "ICMP 10.244.2.1 > 10.244.1.10 unreachable, 54 bytes");
}

TEST(PacketText, ArpSaysWhoAsksForWhomAndWhoIsWhere) {
    const Bytes asked =
        frame()
            .eth(test::kMacA, kBroadcastMac)
            .arp_request(test::kMacA, test::v4("10.244.1.10"), test::v4("10.244.1.1"))
            .build();
    EXPECT_EQ(packet_summary(view(asked)),
              "ARP request for 10.244.1.1 by 10.244.1.10, 02:00:00:00:00:0a > ff:ff:ff:ff:ff:ff, "
              "42 bytes");
    Bytes answered = asked;
    answered[21] = 2;
    EXPECT_EQ(packet_summary(view(answered)),
              "ARP reply: 10.244.1.10 is at 02:00:00:00:00:0a, 02:00:00:00:00:0a > "
              "ff:ff:ff:ff:ff:ff, 42 bytes");
}

TEST(PacketText, TunnelHasItsInnerPacketInTheSummary) {
    const Bytes bytes = frame()
                            .eth()
                            .ip("192.168.50.1", "192.168.50.2")
                            .udp(50000, 8472)
                            .vxlan(1)
                            .eth()
                            .ip("10.244.1.10", "10.244.2.10")
                            .udp(7, 8)
                            .build();
    EXPECT_EQ(packet_summary(view(bytes)),
              "VXLAN 192.168.50.1 > 192.168.50.2: UDP 10.244.1.10:7 > 10.244.2.10:8, 42 bytes");
}

TEST(PacketText, GeneveIsToldByItsPortAndItsOptionsArePassedOver) {
    const auto tunnelled = [](const std::vector<uint8_t>& header) {
        return frame()
            .eth()
            .ip("fd50::1", "fd50::2")
            .udp(50000, 6081)
            .payload(header)
            .eth()
            .ip("10.244.1.10", "10.244.2.10")
            .udp(7, 8)
            .build();
    };
    const char* const text =
        "Geneve fd50::1 > fd50::2: UDP 10.244.1.10:7 > 10.244.2.10:8, 42 bytes";
    EXPECT_EQ(packet_summary(view(tunnelled({0, 0, 0x65, 0x58, 0, 0, 1, 0}))), text);
    EXPECT_EQ(packet_summary(view(tunnelled({1, 0, 0x65, 0x58, 0, 0, 1, 0, 0, 0, 0, 0}))), text);
    EXPECT_EQ(packet_summary(view(tunnelled({0, 0, 0x08, 0x00, 0, 0, 1, 0}))),
              "UDP [fd50::1]:50000 > [fd50::2]:6081, 112 bytes")
        << "no frame inside";
}

TEST(PacketText, CutAndBrokenFramesHaveASummaryAsWell) {
    Bytes bytes = syn("10.96.0.10", 80).build();
    for (size_t length = 0; length < bytes.size(); ++length) {
        const Bytes cut(bytes.begin(), bytes.begin() + static_cast<ptrdiff_t>(length));
        EXPECT_FALSE(packet_summary({cut, static_cast<uint32_t>(bytes.size())}).empty());
        EXPECT_FALSE(packet_summary(view(cut)).empty());
        (void)packet_changes(view(bytes), view(cut));
    }
}

TEST(PacketText, ChangesAreThoseOfARewrite) {
    const Bytes before = syn("10.96.0.10", 80).build();
    EXPECT_THAT(packet_changes(view(before), view(before)), IsEmpty());
    const Bytes after = frame()
                            .eth(test::kMacB, test::kMacA)
                            .ip("10.244.1.10", "10.244.1.11")
                            .tcp(4000, 8080, kTcpSyn)
                            .build();
    EXPECT_THAT(packet_changes(view(before), view(after)),
                ElementsAre("source MAC 02:00:00:00:00:0a becomes 02:00:00:00:00:0b",
                            "destination MAC 02:00:00:00:00:0b becomes 02:00:00:00:00:0a",
                            "destination 10.96.0.10:80 becomes 10.244.1.11:8080"));
}

TEST(PacketText, TunnelBeginsAndEnds) {
    const Bytes inner = frame().eth().ip("10.244.1.10", "10.244.2.10").udp(7, 8).build();
    const Bytes outer = frame()
                            .eth()
                            .ip("192.168.50.1", "192.168.50.2")
                            .udp(50000, 8472)
                            .vxlan(1)
                            .eth()
                            .ip("10.244.1.10", "10.244.2.10")
                            .udp(7, 8)
                            .build();
    EXPECT_THAT(packet_changes(view(inner), view(outer)),
                ElementsAre("tunnel 192.168.50.1 > 192.168.50.2 begins"));
    EXPECT_THAT(packet_changes(view(outer), view(inner)),
                ElementsAre("tunnel 192.168.50.1 > 192.168.50.2 ends"));
}

TEST(PacketText, AnIdentityIsWhatTwoNodesSeeAlike) {
    const auto tunnelled = [](uint16_t port) {
        return frame()
            .eth()
            .ip("192.168.50.1", "192.168.50.2")
            .udp(50000, 8472)
            .vxlan(1)
            .eth()
            .ip("10.244.1.10", "10.244.2.10")
            .udp(7, port)
            .build();
    };
    Bytes plain = frame().eth().ip("10.244.1.10", "10.244.2.10").udp(7, 8).build();
    const std::string identity = packet_identity(view(plain));
    EXPECT_FALSE(identity.empty());
    EXPECT_EQ(packet_identity(view(tunnelled(8))), identity);
    EXPECT_NE(packet_identity(view(tunnelled(9))), identity);
    // MAC addresses and what a device does to checksums are not the same behind a node.
    plain[0] ^= 2;
    plain[14 + 20 + 6] ^= 0x55;
    EXPECT_EQ(packet_identity(view(plain)), identity);
    const Bytes later = frame().eth().ip("10.244.1.10", "10.244.2.10").ttl(63).udp(7, 8).build();
    EXPECT_NE(packet_identity(view(later)), identity);
    const Bytes one = syn("10.96.0.10", 80).build();
    EXPECT_NE(packet_identity(view(one)), packet_identity(view(syn("10.96.0.10", 81).build())));
    for (size_t length = 0; length < one.size(); ++length) {
        const Bytes cut(one.begin(), one.begin() + static_cast<ptrdiff_t>(length));
        (void)packet_identity({cut, static_cast<uint32_t>(one.size())});
    }
    EXPECT_TRUE(packet_identity({}).empty());
}

}  // namespace
}  // namespace podlane::control
