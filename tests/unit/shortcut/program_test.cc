// The BPF program against the workers' rewrite: the same packets, the same bytes. Needs root, and a
// kernel that takes the program.
#include "control/shortcut/program.h"

#include <algorithm>
#include <random>
#include <tuple>

#include "control/shortcut/object_file.h"
#include "tests/unit/shortcut/program_rig.h"

namespace podlane::control {
namespace {

template <Family F>
void compare(auto put, auto run) {
    std::mt19937_64 random(test::test_seed());
    for (unsigned round = 0; round < 400; ++round) {
        const uint8_t protocol = round % 2 == 0 ? kProtocolTcp : kProtocolUdp;
        const FlowKey<F> from = random_key<F>(random, protocol);
        FlowKey<F> to = from;
        // Bridged, routed, and translated: destination, source, both, ports alone.
        const uint8_t extra = round % 3 == 0 ? 0 : kRewriteDecrementTtl;
        const FlowKey<F> other = random_key<F>(random, protocol);
        if ((round / 2) % 2 != 0)
            std::tie(to.dst, to.dst_port) = std::tie(other.dst, other.dst_port);
        if ((round / 4) % 3 == 2)
            std::tie(to.src, to.src_port) = std::tie(other.src, other.src_port);
        if ((round / 8) % 5 == 4) to.dst_port = other.src_port;
        put(way_of<F>(from, to, extra), protocol);
        const bool bridged = make_rewrite(from, to, extra).flags == 0;
        const Bytes frame = frame_of<F>(random, from, bridged ? kOther : kGateway);
        const auto [out, carried] = run(frame);
        EXPECT_TRUE(carried) << "round " << round;
        EXPECT_EQ(out, by_worker<F>(frame, from, to, extra)) << "round " << round;
    }
}

TEST(ShortcutObject, IsAnElfFile) {
    const auto object = shortcut_object();
    ASSERT_GT(object.size(), 1000u);
    EXPECT_EQ(std::string(object.begin(), object.begin() + 4),
              "\x7f"
              "ELF");
}

TEST_F(ShortcutProgramTest, Ipv4PacketsAreWhatAWorkerMakesThem) {
    compare<V4>([this](const CarriedWay& way, uint8_t protocol) { put(way, protocol); },
                [this](const Bytes& frame) { return run(frame); });
}

TEST_F(ShortcutProgramTest, Ipv6PacketsAreWhatAWorkerMakesThem) {
    compare<V6>([this](const CarriedWay& way, uint8_t protocol) { put(way, protocol); },
                [this](const Bytes& frame) { return run(frame); });
}

TEST_F(ShortcutProgramTest, WhatIsNotPlainOrNotValidGoesToPodlaned) {
    std::mt19937_64 random(test::test_seed());
    FlowKey<V4> from = random_key<V4>(random, kProtocolTcp);
    const FlowKey<V4> to = random_key<V4>(random, kProtocolTcp);
    const CarriedWay way = way_of<V4>(from, to, kRewriteDecrementTtl);
    put(way, kProtocolTcp);
    const auto tcp = [&](uint8_t flags) {
        return test::frame()
            .eth(kPod, kGateway)
            .ip<V4>(from.src, from.dst)
            .tcp(from.src_port.host(), from.dst_port.host(), flags);
    };
    const Bytes good = tcp(kTcpAck).payload(100).build();
    EXPECT_TRUE(run(good).second);

    expect_given_up(test::frame()
                        .eth(kOther, kGateway)
                        .ip<V4>(from.src, from.dst)
                        .tcp(from.src_port.host(), from.dst_port.host(), kTcpAck)
                        .build(),
                    "another sender's MAC address");
    expect_given_up(test::frame()
                        .eth(kPod, kPod)
                        .ip<V4>(from.src, from.dst)
                        .tcp(from.src_port.host(), from.dst_port.host(), kTcpAck)
                        .build(),
                    "a frame for a third one");
    expect_given_up(tcp(kTcpAck).ttl(1).build(), "the last hop");
    expect_given_up(tcp(kTcpAck).payload(2000).build(), "larger than the MTU");
    Bytes padded = good;
    padded.push_back(0);
    expect_given_up(padded, "bytes behind the packet");
    Bytes fragment = good;
    fragment[14 + 6] = 0x20;
    expect_given_up(fragment, "a fragment");
    from.src_port = be16(static_cast<uint16_t>(from.src_port.host() ^ 1));
    expect_given_up(tcp(kTcpAck).build(), "another connection");
    from.src_port = way.src_port;

    kernel_->epochs().topology = kEpoch + 1;
    expect_given_up(good, "an epoch that has passed");
    kernel_->epochs().isolated = kEpoch;
    EXPECT_TRUE(run(good).second);
    kernel_->state(1).service = uint64_t{3} << 32 | 7;
    expect_given_up(good, "a Service that has changed");
    kernel_->epochs().services[3] = 7;
    EXPECT_TRUE(run(good).second);
    kernel_->epochs().paused = 1;
    expect_given_up(good, "while it is paused");
    kernel_->epochs().paused = 0;

    for (const uint8_t flag : {kTcpSyn, kTcpFin, kTcpRst}) {
        kernel_->state(1).stopped = kernel_->state(2).stopped = 0;
        EXPECT_TRUE(run(good).second);
        expect_given_up(tcp(static_cast<uint8_t>(flag | kTcpAck)).build(), "SYN, FIN or RST");
        EXPECT_EQ(kernel_->state(2).stopped, 1u) << "the other direction goes on";
        expect_given_up(good, "after SYN, FIN or RST");
    }
}

constexpr uint16_t kTunnelPort = 8472;
constexpr size_t kOuterBytes = kOverlayOuterBytes<V4>;

/// The headers in front of what goes from this node to that one.
std::array<uint8_t, kOuterBytes> outer_headers(const char* from, const char* to) {
    const Bytes frame = test::frame()
                            .eth(kNic, kRouter)
                            .ip(from, to)
                            .ttl(64)
                            .udp(0, kTunnelPort)
                            .payload(Bytes{8, 0, 0, 0, 0, 0, 7, 0})
                            .build();
    std::array<uint8_t, kOuterBytes> out{};
    std::copy_n(frame.begin(), out.size(), out.begin());
    out[40] = out[41] = 0;  // no checksum
    return out;
}

constexpr const char* kHere = "192.168.50.1";
constexpr const char* kThere = "192.168.50.2";

void finish(Bytes& frame, uint8_t ecn) {
    store(frame.data() + 16, be16(static_cast<uint16_t>(frame.size() - 14)));
    store(frame.data() + 38, be16(static_cast<uint16_t>(frame.size() - 34)));
    frame[15] = ecn;
    store(frame.data() + 24, be16(0));
    store(frame.data() + 24, checksum_fold(checksum_partial(std::span(frame).subspan(14, 20))));
}

/// The inner frame behind those headers, as a node sends it.
Bytes tunnelled(const std::array<uint8_t, kOuterBytes>& outer, const Bytes& inner,
                uint8_t ecn = 0) {
    Bytes frame(outer.size() + inner.size());
    std::ranges::copy(inner, std::ranges::copy(outer, frame.begin()).out);
    finish(frame, ecn);
    return frame;
}

template <Family F>
void compare_into_tunnel(auto put, auto run) {
    std::mt19937_64 random(test::test_seed());
    for (unsigned round = 0; round < 100; ++round) {
        const uint8_t protocol = round % 2 == 0 ? kProtocolTcp : kProtocolUdp;
        const FlowKey<F> from = random_key<F>(random, protocol);
        FlowKey<F> to = from;
        const FlowKey<F> other = random_key<F>(random, protocol);
        if (round % 4 < 2) std::tie(to.dst, to.dst_port) = std::tie(other.dst, other.dst_port);
        CarriedWay way = way_of<F>(from, to, kRewriteDecrementTtl);
        way.outer = outer_headers(kHere, kThere);
        way.into_tunnel = true;
        put(way, protocol);
        const Bytes frame = frame_of<F>(random, from, kGateway);
        auto [out, carried] = run(frame);
        ASSERT_TRUE(carried) << "round " << round;
        ASSERT_EQ(out.size(), frame.size() + kOuterBytes);
        EXPECT_EQ(checksum_fold(checksum_partial(std::span(out).subspan(14, 20))), be16(0))
            << "outer checksum";
        const auto port = load<be16>(out.data() + 34).host();
        EXPECT_GE(port, 49152);
        // Identification, checksum and source port are the program's own.
        Bytes expected = tunnelled(way.outer, by_worker<F>(frame, from, to, kRewriteDecrementTtl));
        for (const size_t at : {18u, 19u, 24u, 25u, 34u, 35u}) expected[at] = out[at];
        EXPECT_EQ(out, expected) << "round " << round;
    }
}

TEST_F(ShortcutProgramTest, IntoTheTunnelPacketsAreWhatAWorkerMakesThem) {
    const auto with = [this](const CarriedWay& way, uint8_t protocol) {
        put(way, protocol, SHORTCUT_LEAVES | SHORTCUT_MACS);
    };
    compare_into_tunnel<V4>(with, [this](const Bytes& frame) { return run(frame); });
    compare_into_tunnel<V6>(with, [this](const Bytes& frame) { return run(frame); });
}

template <Family F>
void compare_from_nic(bool in_tunnel, auto put, auto run) {
    std::mt19937_64 random(test::test_seed());
    for (unsigned round = 0; round < 100; ++round) {
        const uint8_t protocol = round % 2 == 0 ? kProtocolTcp : kProtocolUdp;
        const FlowKey<F> from = random_key<F>(random, protocol);
        FlowKey<F> to = from;
        const FlowKey<F> other = random_key<F>(random, protocol);
        if (round % 4 < 2) std::tie(to.src, to.src_port) = std::tie(other.src, other.src_port);
        CarriedWay way = way_of<F>(from, to, kRewriteDecrementTtl);
        way.out_of_tunnel = in_tunnel;
        if (in_tunnel) way.outer = outer_headers(kThere, kHere);
        put(way, protocol);
        const Bytes inner = frame_of<F>(random, from, kGateway);
        Bytes frame = in_tunnel ? tunnelled(way.outer, inner) : inner;
        const auto [out, carried] = run(frame);
        ASSERT_TRUE(carried) << "round " << round;
        EXPECT_EQ(out, (by_worker<F>(inner, from, to, kRewriteDecrementTtl))) << "round " << round;
    }
}

TEST_F(ShortcutProgramTest, FromANicPacketsAreWhatAWorkerMakesThem) {
    kernel_->epochs().tunnel_port = be16(kTunnelPort).raw;
    there_.run([this] { ASSERT_TRUE(program_->connect_nic(one_, two_, kRouter).ok()); });
    const auto with = [this](const CarriedWay& way, uint8_t protocol) {
        put(way, protocol, SHORTCUT_COMES | SHORTCUT_MACS);
    };
    const auto from_nic = [this](const Bytes& frame) { return run(frame, kFromNic); };
    for (const bool in_tunnel : {false, true}) {
        compare_from_nic<V4>(in_tunnel, with, from_nic);
        compare_from_nic<V6>(in_tunnel, with, from_nic);
    }
}

TEST_F(ShortcutProgramTest, WhatDoesNotComeAsItMustOutOfTheTunnelGoesToPodlaned) {
    kernel_->epochs().tunnel_port = be16(kTunnelPort).raw;
    there_.run([this] { ASSERT_TRUE(program_->connect_nic(one_, two_, kRouter).ok()); });
    std::mt19937_64 random(test::test_seed());
    const FlowKey<V4> from = random_key<V4>(random, kProtocolUdp);
    CarriedWay way = way_of<V4>(from, from, kRewriteDecrementTtl);
    way.out_of_tunnel = true;
    way.outer = outer_headers(kThere, kHere);
    put(way, kProtocolUdp, SHORTCUT_COMES | SHORTCUT_MACS);
    const Bytes inner = frame_of<V4>(random, from, kGateway);
    const Bytes good = tunnelled(way.outer, inner);
    EXPECT_TRUE(run(good, kFromNic).second);

    const auto given_up = [&](const char* what, auto&& change) {
        Bytes frame = good;
        change(frame);
        expect_given_up(frame, what, kFromNic);
    };
    expect_given_up(inner, "not in the tunnel", kFromNic);
    expect_given_up(tunnelled(outer_headers("192.168.50.3", kHere), inner), "another node",
                    kFromNic);
    expect_given_up(tunnelled(outer_headers(kThere, "192.168.50.9"), inner), "another address",
                    kFromNic);
    given_up("another network", [](Bytes& frame) { ++frame[48]; });
    given_up("a UDP checksum", [](Bytes& frame) { frame[41] = 1; });
    given_up("another port", [](Bytes& frame) { ++frame[37]; });
    given_up("another MAC address", [](Bytes& frame) { ++frame[5]; });
    given_up("another inner MAC address", [](Bytes& frame) { ++frame[50 + 5]; });
    given_up("a fragment", [](Bytes& frame) { frame[20] = 0x20; });
    given_up("bytes behind the packet", [](Bytes& frame) { frame.push_back(0); });
    expect_given_up(tunnelled(way.outer, inner, 3), "congestion to be noted inside", kFromNic);
    kernel_->epochs().tunnel_port = 0;
    expect_given_up(good, "without a tunnel", kFromNic);
    kernel_->epochs().tunnel_port = be16(kTunnelPort).raw;
    kernel_->epochs().form = 0;
    expect_given_up(good, "before podlaned has begun", kFromNic);
}

}  // namespace
}  // namespace podlane::control
