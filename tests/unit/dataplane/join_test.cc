// Packets from an uplink that are joined into one for a pod.
#include "dataplane/stages/join.h"

#include "tests/unit/dataplane/frames_of.h"

namespace podlane::dataplane {
namespace {

/// One packet of a connection from the peer to pod B.
struct Piece {
    uint32_t sequence;
    size_t bytes;
    uint8_t flags = kTcpAck;
    uint16_t src_port = 4000;
    uint32_t acknowledgment = 77;
    uint8_t tos = 0;
    bool wrong = false;
    uint32_t ip_id = 1;
    bool df = true;
};

template <class F>
class JoinTest : public testing::Test {
  protected:
    using W = World<F>;
    static constexpr size_t kMss = 1000;

    static Frame payload_of(const Piece& piece) {
        Frame out(piece.bytes);
        for (size_t i = 0; i < out.size(); ++i) {
            out[i] = static_cast<uint8_t>((piece.sequence + i) * 7 % 251);
        }
        return out;
    }
    static Frame frame_of(const Piece& piece) {
        test::Frame frame =
            test::frame()
                .eth(Names::kPeerMac, Names::kUplinkMac)
                .ip(W::kPeer, W::kPodB)
                .tos(piece.tos)
                .ip_id(piece.ip_id)
                .df(piece.df)
                .tcp(piece.src_port, 8080, piece.flags, piece.sequence, piece.acknowledgment)
                .data_offset(8)
                .payload(payload_of(piece));
        if (piece.wrong) frame.bad_l4_checksum();
        return frame.pad_to(60).build();
    }
    /// Payload sizes of what pod B gets from this burst, after the connections were made.
    std::vector<size_t> sizes(const std::vector<Piece>& pieces) {
        for (const uint16_t port : {uint16_t{4000}, uint16_t{4001}}) {
            rig.send(Rig::kUplink, frame_of({.sequence = 1, .bytes = 0, .src_port = port}));
        }
        rig.take(Rig::kPodB);
        std::vector<Frame> burst;
        for (const Piece& piece : pieces) burst.push_back(frame_of(piece));
        rig.send_burst(Rig::kUplink, burst);
        frames = rig.take(Rig::kPodB);
        std::vector<size_t> out;
        for (const Frame& frame : frames) {
            const auto seen = look<F>(frame);
            out.push_back(seen.headers.l3_end() - seen.headers.payload_offset);
        }
        return out;
    }

    Rig rig;
    std::vector<Frame> frames;
};
using Families = testing::Types<V4, V6>;
TYPED_TEST_SUITE(JoinTest, Families);

TYPED_TEST(JoinTest, APodGetsWhatFollowsInOnePiece) {
    EXPECT_EQ(
        this->sizes({{1000, 1000}, {2000, 1000}, {3000, 1000}, {4000, 10, kTcpAck | kTcpPsh}}),
        std::vector<size_t>{3010});
    const Frame& frame = this->frames.at(0);
    const auto seen = look<TypeParam>(frame);
    EXPECT_EQ(seen.headers.tcp_flags, kTcpAck | kTcpPsh);
    EXPECT_EQ(frame.size(), seen.headers.l3_end());
    EXPECT_TRUE(std::equal(frame.begin() + seen.headers.payload_offset, frame.end(),
                           this->payload_of({1000, 3010}).begin()));
    const VirtioNetHeader& header = this->rig.last_header();
    EXPECT_EQ(header.gso_bytes, 1000u);
    EXPECT_EQ(header.gso_type, TypeParam::kVersion == 4 ? kVirtioGsoTcp4 : kVirtioGsoTcp6);
    EXPECT_EQ(header.flags, kVirtioNeedsChecksum);
    EXPECT_EQ(load<be16>(frame.data() + seen.headers.l4_offset + offsetof(TcpHeader, checksum)),
              partial_checksum<TypeParam>(seen.key.src, seen.key.dst, kProtocolTcp,
                                          seen.headers.l4_bytes()));
    EXPECT_EQ(this->rig.all_drops(), 0u);
}

TYPED_TEST(JoinTest, ConnectionsThatTakeTurnsAreJoinedEach) {
    EXPECT_EQ(
        this->sizes(
            {{1000, 1000}, {1000, 500, kTcpAck, 4001}, {2000, 1000}, {1500, 500, kTcpAck, 4001}}),
        (std::vector<size_t>{2000, 1000}));
}

TYPED_TEST(JoinTest, WhatTheReceiverMustSeeApartStaysApart) {
    const auto apart = [&](const Piece& second) {
        EXPECT_EQ(this->sizes({{1000, 1000}, second}), (std::vector<size_t>{1000, second.bytes}))
            << second.sequence << ' ' << int{second.flags};
        EXPECT_EQ(this->rig.last_header().gso_type, kVirtioGsoNone);
    };
    apart({2001, 1000});                        // a gap
    apart({1000, 1000});                        // repeated
    apart({2000, 1001});                        // larger than the first
    apart({2000, 1000, kTcpAck | kTcpFin});     // FIN
    apart({2000, 1000, kTcpAck | kTcpUrg});     //
    apart({2000, 1000, kTcpAck | kTcpCwr});     //
    apart({2000, 0});                           // no data
    apart({2000, 1000, kTcpAck, 4000, 78});     // acknowledges more
    apart({2000, 1000, kTcpAck, 4000, 77, 3});  // congestion experienced
    apart({.sequence = 2000, .bytes = 1000, .wrong = true});
}

TYPED_TEST(JoinTest, AWrongChecksumIsNotMadeRight) {
    EXPECT_EQ(
        this->sizes({{.sequence = 1000, .bytes = 1000, .wrong = true}, {2000, 1000}, {3000, 1000}}),
        (std::vector<size_t>{1000, 2000}));
    EXPECT_FALSE(look<TypeParam>(this->frames.at(0)).checksums_ok);
}

TYPED_TEST(JoinTest, NothingOvertakesAnother) {
    EXPECT_EQ(this->sizes({{1000, 1000}, {2000, 0}, {2000, 1000}, {3000, 1000}}),
              (std::vector<size_t>{1000, 0, 2000}));
    EXPECT_EQ(this->sizes({{1000, 1000}, {2000, 900}, {2900, 1000}}),
              (std::vector<size_t>{1900, 1000}));
    EXPECT_EQ(this->sizes({{1000, 1000, kTcpAck | kTcpPsh}, {2000, 1000}, {3000, 1000}}),
              (std::vector<size_t>{1000, 2000}));
}

TYPED_TEST(JoinTest, APodThatRefusesLargeFramesGetsThePieces) {
    this->rig.refuse_large(Rig::kPodB);
    EXPECT_EQ(this->sizes({{1000, 1000}, {2000, 1000}}), (std::vector<size_t>{1000, 1000}));
}

TYPED_TEST(JoinTest, MoreConnectionsThanPlacesLoseNothing) {
    std::vector<Piece> pieces;
    for (uint32_t round = 0; round < 2; ++round) {
        for (uint16_t port = 4000; port < 4012; ++port) {
            pieces.push_back({1000 + 1000 * round, 1000, kTcpAck, port});
        }
    }
    size_t bytes = 0;
    for (const size_t each : this->sizes(pieces)) bytes += each;
    EXPECT_EQ(bytes, 24000u);
}

TEST(Join, WithoutDfIdentificationsMustFollow) {
    class Here : public JoinTest<V4> {
      public:
        using JoinTest<V4>::sizes;
        void TestBody() override {}
    };
    Here here;
    EXPECT_EQ(here.sizes({{.sequence = 1000, .bytes = 1000, .ip_id = 7, .df = false},
                          {.sequence = 2000, .bytes = 1000, .ip_id = 8, .df = false},
                          {.sequence = 3000, .bytes = 1000, .ip_id = 8, .df = false}}),
              (std::vector<size_t>{2000, 1000}));
}

}  // namespace
}  // namespace podlane::dataplane
