// Frames of many segments, as pods' kernels leave them to the device.
#include "dataplane/large_frames.h"

#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <sys/ioctl.h>

#include <memory>
#include <random>
#include <utility>
#include <vector>

#include "dataplane/ports/tap_marks.h"
#include "lib/proto/overlay.h"
#include "tests/unit/dataplane/frames_of.h"

namespace podlane::dataplane {
namespace {

constexpr size_t kVxlanOuterBytes = 50;

Frame payload_of(size_t bytes) {
    Frame out(bytes);
    for (size_t i = 0; i < bytes; ++i) out[i] = static_cast<uint8_t>(i * 7 + i / 251);
    return out;
}

template <class F>
class LargeFramesTest : public testing::Test {
  protected:
    using Sites = World<F>;

    /// From pod A, with a partial checksum.
    static Frame tcp(const MacAddress& to_mac, const char* to, uint16_t port, const Frame& payload,
                     uint8_t flags = kTcpAck | kTcpPsh, uint32_t sequence = 1000) {
        return test::frame()
            .eth(Names::kPodAMac, to_mac)
            .ip(Sites::kPodA, to)
            .df()
            .tcp(4000, port, flags, sequence)
            .payload(payload)
            .partial_checksum()
            .build();
    }
    static Frame udp(const MacAddress& to_mac, const char* to, const Frame& payload) {
        return test::frame()
            .eth(Names::kPodAMac, to_mac)
            .ip(Sites::kPodA, to)
            .udp(4000, 443)
            .payload(payload)
            .partial_checksum()
            .build();
    }
    static Frame payload_in(const Frame& frame) {
        Headers headers;
        EXPECT_EQ(parse_frame(frame, static_cast<uint32_t>(frame.size()), headers), Drop::kNone);
        return {frame.begin() + headers.payload_offset,
                frame.begin() + static_cast<long>(headers.l3_end())};
    }
    /// Checks that these are the whole packets that `payload` makes, in order.
    static void expect_pieces(const std::vector<Frame>& frames, const Frame& payload,
                              size_t segment_bytes) {
        ASSERT_EQ(frames.size(), (payload.size() + segment_bytes - 1) / segment_bytes);
        Frame joined;
        for (const Frame& frame : frames) {
            const auto seen = look<F>(frame);
            EXPECT_TRUE(seen.checksums_ok) << test::describe(frame);
            if (seen.key.protocol == kProtocolTcp) {
                const auto tcp = load<TcpHeader>(frame.data() + seen.headers.l4_offset);
                EXPECT_EQ(tcp.sequence.host(), 1000 + joined.size());
            }
            const Frame part = payload_in(frame);
            EXPECT_LE(part.size(), segment_bytes);
            joined.insert(joined.end(), part.begin(), part.end());
        }
        EXPECT_EQ(joined, payload);
    }
    static uint8_t gso_of_tcp() { return F::kVersion == 4 ? kVirtioGsoTcp4 : kVirtioGsoTcp6; }

    Rig rig;
};
using Families = testing::Types<V4, V6>;
TYPED_TEST_SUITE(LargeFramesTest, Families);

TYPED_TEST(LargeFramesTest, ANeighbourGetsThemAsTheyCame) {
    for (const size_t bytes : {1449u, 2900u, 20000u, 65000u}) {
        const Frame sent =
            this->tcp(Names::kPodBMac, World<TypeParam>::kPodB, 80, payload_of(bytes));
        this->rig.send_large(Rig::kPodA, sent, 1448);
        EXPECT_EQ(this->rig.take_one(Rig::kPodB), sent);
        const VirtioNetHeader& header = this->rig.last_header();
        EXPECT_TRUE(this->rig.last_was_partial());
        EXPECT_EQ(header.gso_type, this->gso_of_tcp());
        EXPECT_EQ(header.gso_bytes, 1448u);
        const auto headers = look<TypeParam>(sent).headers;
        EXPECT_EQ(header.header_bytes, headers.payload_offset);
        EXPECT_EQ(header.checksum_start, headers.l4_offset);
        EXPECT_EQ(header.checksum_offset, 16u);
    }
    EXPECT_EQ(this->rig.all_drops(), 0u);
}

TYPED_TEST(LargeFramesTest, OneThatIsNoLargerThanASegmentIsAPlainPacket) {
    const Frame sent = this->tcp(Names::kPodBMac, World<TypeParam>::kPodB, 80, payload_of(1448));
    this->rig.send_large(Rig::kPodA, sent, 1448);
    EXPECT_EQ(this->rig.take_one(Rig::kPodB), sent);
    EXPECT_EQ(this->rig.last_header().gso_type, kVirtioGsoNone);
}

TYPED_TEST(LargeFramesTest, AServiceTranslatesThemWhole) {
    using W = World<TypeParam>;
    const Frame payload = payload_of(30000);
    this->rig.send_large(Rig::kPodA, this->tcp(Names::kGatewayMac, W::kService, 80, payload), 1380);
    const Frame out = this->rig.take_one(Rig::kPodB);
    const auto seen = look<TypeParam>(out);
    EXPECT_EQ(text(seen.key),
              text(key_of<TypeParam>(W::kPodA, 4000, W::kPodB, 8080, kProtocolTcp)));
    EXPECT_EQ(load<be16>(out.data() + seen.headers.l4_offset + offsetof(TcpHeader, checksum)),
              partial_checksum<TypeParam>(seen.key.src, seen.key.dst, kProtocolTcp,
                                          seen.headers.l4_bytes()));
    EXPECT_EQ(this->payload_in(out), payload);
    EXPECT_EQ(this->rig.last_header().gso_bytes, 1380u);
    EXPECT_EQ(this->rig.all_drops(), 0u);
}

TYPED_TEST(LargeFramesTest, AnUplinkGetsTheirPieces) {
    const Frame payload = payload_of(40000);
    this->rig.send_large(Rig::kPodA,
                         this->tcp(Names::kGatewayMac, World<TypeParam>::kPeer, 80, payload), 1400);
    this->expect_pieces(this->rig.take(Rig::kUplink), payload, 1400);
    this->rig.send_large(Rig::kPodA,
                         this->udp(Names::kGatewayMac, World<TypeParam>::kPeer, payload), 1200);
    this->expect_pieces(this->rig.take(Rig::kUplink), payload, 1200);
    EXPECT_EQ(this->rig.all_drops(), 0u);
}

TYPED_TEST(LargeFramesTest, ATunnelWrapsEachPiece) {
    const Frame payload = payload_of(40001);
    this->rig.send_large(
        Rig::kPodA, this->tcp(Names::kGatewayMac, World<TypeParam>::kRemotePod, 80, payload), 1380);
    std::vector<Frame> inner;
    for (const Frame& frame : this->rig.take(Rig::kUplink)) {
        EXPECT_LE(frame.size(), 1514u);
        EXPECT_EQ(look<V4>(frame).key.dst_port, be16(8472));
        inner.emplace_back(frame.begin() + kVxlanOuterBytes, frame.end());
    }
    this->expect_pieces(inner, payload, 1380);
    EXPECT_EQ(this->rig.all_drops(), 0u);
}

TYPED_TEST(LargeFramesTest, PiecesStayBehindWhatCameBefore) {
    using W = World<TypeParam>;
    const auto packet = [&](size_t bytes, uint32_t sequence) {
        return this->tcp(Names::kGatewayMac, W::kRemotePod, 80, payload_of(bytes), kTcpAck,
                         sequence);
    };
    this->rig.send(Rig::kPodA, packet(100, 900), true);
    this->rig.take(Rig::kUplink);
    VirtioNetHeader header{};
    header.flags = kVirtioNeedsChecksum;
    header.gso_type = this->gso_of_tcp();
    header.gso_bytes = 1000;
    const VirtioNetHeader plain{};
    this->rig.arrive(Rig::kPodA, packet(100, 1000), plain);
    this->rig.arrive(Rig::kPodA, packet(3000, 1100), header);
    this->rig.arrive(Rig::kPodA, packet(100, 4100), plain);
    this->rig.turn();
    std::vector<uint32_t> sequences;
    for (const Frame& frame : this->rig.take(Rig::kUplink)) {
        const Frame inner(frame.begin() + kVxlanOuterBytes, frame.end());
        const auto seen = look<TypeParam>(inner);
        sequences.push_back(load<TcpHeader>(inner.data() + seen.headers.l4_offset).sequence.host());
    }
    EXPECT_EQ(sequences, (std::vector<uint32_t>{1000, 1100, 2100, 3100, 4100}));
}

TYPED_TEST(LargeFramesTest, TooBigIsWhatItsPiecesAre) {
    using W = World<TypeParam>;
    this->rig.send_large(Rig::kPodA,
                         this->tcp(Names::kGatewayMac, W::kRemotePod, 80, payload_of(9000)), 1460);
    EXPECT_EQ(this->rig.drops(Drop::kTooBig), 1u);
    EXPECT_TRUE(look<TypeParam>(this->rig.take_one(Rig::kPodA)).headers.has(Headers::kIcmpError));
    EXPECT_TRUE(this->rig.take(Rig::kUplink).empty());
}

TYPED_TEST(LargeFramesTest, APodThatRefusesThemGetsTheirPieces) {
    const Frame payload = payload_of(5000);
    this->rig.refuse_large(Rig::kPodB);
    this->rig.send_large(Rig::kPodA,
                         this->tcp(Names::kPodBMac, World<TypeParam>::kPodB, 80, payload), 1448);
    const auto frames = this->rig.take(Rig::kPodB);
    ASSERT_EQ(frames.size(), 4u);
    EXPECT_TRUE(this->rig.last_was_partial());
    EXPECT_EQ(this->rig.last_header().gso_type, kVirtioGsoNone);
    EXPECT_EQ(this->payload_in(frames[3]).size(), 5000u - 3 * 1448);
}

TYPED_TEST(LargeFramesTest, AFloodedOneArrivesWhole) {
    const Frame sent =
        this->udp(MacAddress{{2, 0, 0, 0, 9, 9}}, World<TypeParam>::kPodB, payload_of(30000));
    this->rig.send_large(Rig::kPodA, sent, 1400);
    EXPECT_EQ(this->rig.take_one(Rig::kPodB), sent);
    EXPECT_EQ(this->rig.last_header().gso_type, kVirtioGsoUdpL4);
}

TYPED_TEST(LargeFramesTest, WithoutLargeBuffersTheUsualOnesServe) {
    std::vector<rte_mbuf*> all;
    while (rte_mbuf* mbuf = rte_pktmbuf_alloc(this->rig.shared().large_pool)) all.push_back(mbuf);
    const Frame sent = this->tcp(Names::kPodBMac, World<TypeParam>::kPodB, 80, payload_of(65000));
    this->rig.send_large(Rig::kPodA, sent, 1448);
    EXPECT_EQ(this->rig.take_one(Rig::kPodB), sent);
    for (rte_mbuf* mbuf : all) rte_pktmbuf_free(mbuf);
}

TYPED_TEST(LargeFramesTest, WithoutAnyBufferThePiecesAreLostAndCounted) {
    const auto owned = std::make_unique<WorkerCtx>();
    const auto counters = std::make_unique<WorkerCounters>();
    WorkerCtx& ctx = *owned;
    ctx.counters = counters.get();
    ctx.pool = this->rig.shared().pool;
    const Frame frame = this->tcp(Names::kGatewayMac, World<TypeParam>::kPeer, 80, payload_of(500));
    rte_mbuf* mbuf = rte_pktmbuf_alloc(ctx.pool);
    std::copy(
        frame.begin(), frame.end(),
        reinterpret_cast<uint8_t*>(rte_pktmbuf_append(mbuf, static_cast<uint16_t>(frame.size()))));
    set_tap_marks(*mbuf, {0, 0, 100, 0, 0});
    Packet packet{};
    packet.mbuf = mbuf;
    packet.frame = rte_pktmbuf_mtod(mbuf, uint8_t*);
    packet.headers = look<TypeParam>(frame).headers;
    std::vector<rte_mbuf*> all;
    while (rte_mbuf* other = rte_pktmbuf_alloc(ctx.pool)) all.push_back(other);
    cut(ctx, packet, [](WorkerCtx&, Packet&) { FAIL() << "a piece out of nothing"; });
    EXPECT_EQ(packet.verdict, Verdict::kConsumed);
    EXPECT_EQ(counters->drops[static_cast<size_t>(Drop::kNoMbuf)].get(), 5u);
    for (rte_mbuf* other : all) rte_pktmbuf_free(other);
}

TYPED_TEST(LargeFramesTest, WhatCannotBeCutIsDroppedByName) {
    using W = World<TypeParam>;
    const Frame tcp = this->tcp(Names::kGatewayMac, W::kService, 80, payload_of(6000));
    const Frame udp = this->udp(Names::kGatewayMac, W::kService, payload_of(6000));
    const Frame syn = this->tcp(Names::kGatewayMac, W::kService, 80, payload_of(6000), kTcpSyn);
    const Frame icmp = ping<TypeParam>(Names::kPodAMac, Names::kGatewayMac, W::kPodA, W::kPodB, 1);
    const uint8_t other = this->gso_of_tcp() == kVirtioGsoTcp4 ? kVirtioGsoTcp6 : kVirtioGsoTcp4;
    uint64_t sent = 0;
    const auto refuse = [&](const Frame& frame, uint8_t type, uint16_t bytes) {
        this->rig.send_with(Rig::kPodA, frame, {kVirtioNeedsChecksum, type, 0, bytes, 34, 16, 0});
        EXPECT_EQ(this->rig.drops(Drop::kOffloadBadSegments), ++sent);
    };
    refuse(tcp, this->gso_of_tcp(), 0);
    refuse(tcp, this->gso_of_tcp(), 2);  // 3,000 pieces
    refuse(tcp, other, 1000);
    refuse(tcp, kVirtioGsoUdpL4, 1000);
    refuse(tcp, kVirtioGsoUdp, 1000);
    refuse(tcp, 0x7f, 1000);
    refuse(udp, this->gso_of_tcp(), 1000);
    refuse(syn, this->gso_of_tcp(), 1000);
    refuse(icmp, kVirtioGsoUdpL4, 10);
    EXPECT_EQ(this->rig.all_drops(), sent);
}

TYPED_TEST(LargeFramesTest, AChecksumElsewhereIsFinishedOrRefused) {
    using W = World<TypeParam>;
    const auto frame = [](const Frame& payload) {
        return test::frame()
            .eth(Names::kPodAMac, Names::kPodBMac)
            .ip(W::kPodA, W::kPodB)
            .protocol(99)
            .payload(payload)
            .build();
    };
    Frame payload = payload_of(101);
    const Frame sent = frame(payload);
    const auto start = static_cast<uint16_t>(sent.size() - payload.size() + 10);
    this->rig.send_with(Rig::kPodA, sent, {kVirtioNeedsChecksum, 0, 0, 0, start, 6, 0});
    const be16 sum = complete_partial_checksum(std::span(payload).subspan(10));
    store(payload.data() + 16, sum);
    EXPECT_EQ(this->rig.take_one(Rig::kPodB), frame(payload));
    EXPECT_FALSE(this->rig.last_was_partial());
    uint64_t refused = 0;
    const auto behind = static_cast<uint16_t>(sent.size() - 1);
    const std::vector<std::pair<uint16_t, uint16_t>> outside{
        {60000, 16}, {10, 60000}, {65535, 65535}, {behind, 0}};
    for (const auto& [from, offset] : outside) {
        this->rig.send_with(Rig::kPodA, sent, {kVirtioNeedsChecksum, 0, 0, 0, from, offset, 0});
        EXPECT_EQ(this->rig.drops(Drop::kOffloadBadChecksum), ++refused);
    }
}

TYPED_TEST(LargeFramesTest, NoHeaderThatAPodCanSendDoesHarm) {
    using W = World<TypeParam>;
    std::mt19937 random(TypeParam::kVersion);
    const std::vector<Frame> frames{
        this->tcp(Names::kGatewayMac, W::kService, 80, payload_of(3000)),
        this->tcp(Names::kGatewayMac, W::kRemotePod, 80, payload_of(9000)),
        this->tcp(Names::kPodBMac, W::kPodB, 80, payload_of(2500)),
        this->udp(Names::kGatewayMac, W::kPeer, payload_of(5000)),
        this->udp(MacAddress{{255, 255, 255, 255, 255, 255}}, W::kPodB, payload_of(100)),
        ping<TypeParam>(Names::kPodAMac, Names::kGatewayMac, W::kPodA, W::kGateway, 1)};
    const auto any = [&](std::initializer_list<unsigned> likely) {
        const size_t pick = random() % (likely.size() + 1);
        return static_cast<uint16_t>(pick < likely.size() ? *(likely.begin() + pick) : random());
    };
    const auto flip = [](uint8_t& byte, unsigned long bit) {
        byte = static_cast<uint8_t>(byte ^ 1u << bit);
    };
    for (int i = 0; i < 4000; ++i) {
        Frame frame = frames[random() % frames.size()];
        if (random() % 4 == 0) frame.resize(random() % frame.size() + 1);
        if (random() % 4 == 0) flip(frame[random() % frame.size()], random() % 8);
        this->rig.send_with(
            Rig::kPodA, frame,
            {static_cast<uint8_t>(any({0, 1, 2, 3})), static_cast<uint8_t>(any({0, 1, 4, 5, 0x81})),
             any({0, 54}), any({0, 1, 100, 1000, 1460}), any({34, 54, 14}), any({6, 16}), any({})});
        for (const Frame& out : this->rig.take(Rig::kUplink)) ASSERT_LE(out.size(), 1514u);
        this->rig.take(Rig::kPodA);
        this->rig.take(Rig::kPodB);
        this->rig.take(Rig::kHost);
    }
    // All buffers have come back.
    Rig again;
    again.send(Rig::kPodA, frames.back());
    EXPECT_EQ(again.take(Rig::kPodA).size(), 1u);
}

TEST(LargeFrames, ATapInServiceAgreesOnThem) {
    const int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
    ifreq request{};
    request.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR | IFF_MULTI_QUEUE;
    if (fd < 0 || ioctl(fd, TUNSETIFF, &request) != 0) GTEST_SKIP() << "no TAP without root";
    TapPortSpec spec;
    spec.queue_fds = {fd};
    const auto opened = open_tap_port(std::move(spec), 1).value();
    EXPECT_TRUE(opened->port.caps.tx_tso);
    EXPECT_TRUE(opened->port.caps.rx_large);
    EXPECT_GT(opened->port.rx_frame_bytes, 65535u);
}

TEST(LargeFrames, DatagramsWithoutDfAreFragmentedPieceByPiece) {
    using W = World<V4>;
    Rig rig;
    const Frame payload = payload_of(3000);
    rig.send_large(Rig::kPodA,
                   test::frame()
                       .eth(Names::kPodAMac, Names::kGatewayMac)
                       .ip(W::kPodA, W::kPeer)
                       .udp(4000, 443)
                       .payload(payload)
                       .partial_checksum()
                       .build(),
                   1500);
    size_t bytes = 0;
    for (const Frame& frame : rig.take(Rig::kUplink)) {
        const auto seen = look<V4>(frame);
        EXPECT_TRUE(seen.headers.has(Headers::kFragment));
        EXPECT_LE(seen.headers.l3_bytes, 1500u);
        bytes += seen.headers.l4_bytes();
    }
    EXPECT_EQ(bytes, payload.size() + 2 * sizeof(UdpHeader));
}

}  // namespace
}  // namespace podlane::dataplane
