// Token buckets with a manual clock, and a worker's ports with bandwidth limits.
#include "dataplane/rate_meter.h"

#include <thread>

#include "lib/border/bandwidth.h"
#include "tests/unit/dataplane/frames_of.h"

namespace podlane::dataplane {
namespace {

using World4 = World<V4>;
using World6 = World<V6>;

constexpr uint64_t kHz = 2'000'000'000;  // of these tests' clock
constexpr uint64_t kMs = kHz / 1000;
constexpr uint64_t kStart = 77 * kHz;

/// Offers frames of `bytes` at `per_second` for a second; returns the bits that passed.
uint64_t passed(RateMeter& meter, uint64_t from, uint64_t per_second, uint32_t bytes) {
    uint64_t bits = 0;
    for (uint64_t i = 0; i < per_second; ++i) {
        if (meter.take(from + i * kHz / per_second, bytes)) bits += uint64_t{bytes} * 8;
    }
    return bits;
}

TEST(RateMeter, ABurstPassesAtOnceAndWhatIsBeyondItDoesNot) {
    RateMeter meter({.bits_per_second = 8'000'000, .burst_bits = 8'000'000}, kHz);
    for (int i = 0; i < 1000; ++i) EXPECT_TRUE(meter.take(kStart, 1000)) << i;
    EXPECT_FALSE(meter.take(kStart, 1000));
    EXPECT_FALSE(meter.take(kStart, 1)) << "empty is empty, for short frames, too";
    EXPECT_TRUE(meter.take(kStart + kMs, 1000)) << "a thousand bytes a millisecond come back";
    EXPECT_FALSE(meter.take(kStart + kMs, 1));
    // However long the pause, no more than one burst accumulates.
    for (int i = 0; i < 1000; ++i) EXPECT_TRUE(meter.take(kStart + 10 * kHz, 1000)) << i;
    EXPECT_FALSE(meter.take(kStart + 10 * kHz, 1000));
}

TEST(RateMeter, OverTimeTheRateIsThatOfTheLimitWhateverTheFrames) {
    for (const uint32_t bytes : {64u, 1514u, 65'000u}) {
        for (const uint64_t rate : {1'000'000u, 10'000'000u, 100'000'000u}) {
            RateMeter meter({.bits_per_second = rate, .burst_bits = 1}, kHz);
            const uint64_t per_second = 3 * rate / 8 / bytes + 100;  // three times too many
            uint64_t bits = 0;
            (void)passed(meter, kStart - kHz, per_second, bytes);  // the burst
            for (uint64_t second = 0; second < 8; ++second) {
                bits += passed(meter, kStart + second * kHz, per_second, bytes);
            }
            const auto seen = static_cast<double>(bits) / 8 / static_cast<double>(rate);
            EXPECT_NEAR(seen, 1.0, 0.09) << bytes << " bytes at " << rate;
        }
    }
}

TEST(RateMeter, ABurstIsHalfASecondsWorthAtLeast) {
    for (const uint64_t burst : {0u, 80'000u}) {
        RateMeter meter({.bits_per_second = 8'000'000, .burst_bits = burst}, kHz);
        uint64_t bytes = 0;
        while (meter.take(kStart, 1000)) bytes += 1000;
        EXPECT_EQ(bytes, 500'000u);
    }
}

TEST(RateMeter, AFrameLargerThanTheBurstPassesAndIsOwed) {
    RateMeter meter({.bits_per_second = 80'000}, kHz);
    EXPECT_TRUE(meter.take(kStart, 64'000));
    // 6.4 s to pay off; the bucket holds half a second of that.
    EXPECT_FALSE(meter.take(kStart + 5800 * kMs, 64));
    EXPECT_TRUE(meter.take(kStart + 6000 * kMs, 64));
}

TEST(RateMeter, SeveralFramesPassTogetherOrAreLookedAtOneByOne) {
    RateMeter meter({.bits_per_second = 8'000'000, .burst_bits = 8'000'000}, kHz);
    EXPECT_FALSE(meter.take_all(kStart, 1'000'001));
    EXPECT_TRUE(meter.take_all(kStart, 1'000'000)) << "what was refused has taken nothing";
    EXPECT_FALSE(meter.take_all(kStart, 1));
}

TEST(RateMeter, ExtremeLimitsNeitherOverflowNorStop) {
    RateMeter slow({.bits_per_second = 1}, kHz);
    EXPECT_TRUE(slow.take(kStart, 65'535));
    EXPECT_FALSE(slow.take(kStart + 3600 * kHz, 1));
    RateMeter fast({.bits_per_second = UINT64_MAX, .burst_bits = UINT64_MAX}, kHz);
    for (int i = 0; i < 1000; ++i) EXPECT_TRUE(fast.take(kStart, 65'535));
    EXPECT_TRUE(fast.is_limited());
    EXPECT_FALSE(RateMeter({}, kHz).is_limited());
    EXPECT_FALSE(RateMeter({.burst_bits = 5}, kHz).is_limited());
}

TEST(RateMeter, WorkersTogetherGetWhatOneWouldGet) {
    constexpr uint64_t kBurst = 1'000'000;
    RateMeter meter({.bits_per_second = 8'000'000, .burst_bits = kBurst * 8}, kHz);
    std::array<uint64_t, 4> got{};
    std::vector<std::thread> workers;
    for (uint64_t& mine : got) {
        workers.emplace_back([&meter, &mine] {
            for (int i = 0; i < 100'000; ++i) mine += meter.take(kStart, 100) ? 100 : 0;
        });
    }
    for (std::thread& worker : workers) worker.join();
    EXPECT_EQ(got[0] + got[1] + got[2] + got[3], kBurst);
}

class Limits : public testing::Test {
  protected:
    template <Family F>
    Frame a_to_b(uint16_t payload) {
        return udp<F>(Names::kPodAMac, Names::kPodBMac, World<F>::kPodA, 1000, World<F>::kPodB, 9,
                      payload);
    }
    Rig rig;
};

/// One bit per second: a test only has what is in the bucket at the start.
constexpr RateLimit bits_at_once(uint64_t bits) {
    return {.bits_per_second = 1, .burst_bits = bits};
}

TEST_F(Limits, WhatComesFromAPodBeyondItsLimitIsDropped) {
    const Frame frame = a_to_b<V4>(958);
    rig.limit(Rig::kPodA, {.egress = bits_at_once(frame.size() * 8 * 5 / 2)});
    rig.send_burst(Rig::kPodA, {frame, frame, frame, frame, frame});
    EXPECT_EQ(rig.take(Rig::kPodB).size(), 3u);
    EXPECT_EQ(rig.drops(Drop::kBandwidthEgress), 2u);
    const PortCounters& counters = rig.shared().counters[0]->ports[index_of(rig.port(Rig::kPodA))];
    EXPECT_EQ(counters.rx_packets.get(), 5u);
    EXPECT_EQ(counters.rx_bytes.get(), 5 * frame.size());
    EXPECT_EQ(counters.rx_dropped.get(), 2u);
    // Frames to the pod are not limited.
    rig.send(Rig::kPodB,
             udp<V4>(Names::kPodBMac, Names::kPodAMac, World4::kPodB, 9, World4::kPodA, 1000, 958));
    EXPECT_EQ(rig.take(Rig::kPodA).size(), 1u);
}

TEST_F(Limits, WhatGoesToAPodBeyondItsLimitIsDropped) {
    const Frame frame = a_to_b<V6>(938);
    rig.limit(Rig::kPodB, {.ingress = bits_at_once(frame.size() * 8 * 5 / 2)});
    rig.send_burst(Rig::kPodA, {frame, frame, frame, frame, frame});
    EXPECT_EQ(rig.take(Rig::kPodB).size(), 3u) << "in their order, the first ones";
    EXPECT_EQ(rig.drops(Drop::kBandwidthIngress), 2u);
    const PortCounters& counters = rig.shared().counters[0]->ports[index_of(rig.port(Rig::kPodB))];
    EXPECT_EQ(counters.tx_packets.get(), 3u);
    EXPECT_EQ(counters.tx_bytes.get(), 3 * frame.size());
    EXPECT_EQ(counters.tx_dropped.get(), 2u);
    EXPECT_EQ(rig.drops(Drop::kBandwidthEgress), 0u);
}

TEST_F(Limits, ALargeFrameCountsTheHeadersOfAllItsSegments) {
    // 10 segments of 1000 bytes: 54 bytes of headers each.
    const Frame frame = tcp<V4>(Names::kPodAMac, Names::kPodBMac, World4::kPodA, 1000,
                                World4::kPodB, 9, kTcpAck, 10'000);
    ASSERT_EQ(frame.size(), 10'054u);
    constexpr uint64_t kWire = 10 * 1054;
    for (const bool to_pod : {false, true}) {
        Rig other;
        const RateLimit limit = bits_at_once(kWire * 8 * 3 / 2);
        if (to_pod) {
            other.limit(Rig::kPodB, {.ingress = limit});
        } else {
            other.limit(Rig::kPodA, {.egress = limit});
        }
        for (int i = 0; i < 3; ++i) other.send_large(Rig::kPodA, frame, 1000);
        EXPECT_EQ(other.take(Rig::kPodB).size(), 2u) << to_pod;
        EXPECT_EQ(other.drops(to_pod ? Drop::kBandwidthIngress : Drop::kBandwidthEgress), 1u);
    }
    // If only the frames' own bytes were counted, some of this would be left.
    Rig other;
    other.limit(Rig::kPodA, {.egress = bits_at_once((2 * frame.size() + 100) * 8)});
    for (int i = 0; i < 3; ++i) other.send_large(Rig::kPodA, frame, 1000);
    EXPECT_EQ(other.take(Rig::kPodB).size(), 2u);
}

TEST_F(Limits, AHostilesHeaderFillsItsOwnBucketAndNothingElse) {
    rig.limit(Rig::kPodA, {.egress = bits_at_once(1'000'000'000)});
    for (const uint16_t segment : {uint16_t{0}, uint16_t{1}, uint16_t{65535}}) {
        for (const uint16_t start : {uint16_t{0}, uint16_t{34}, uint16_t{65535}}) {
            VirtioNetHeader header{};
            header.flags = kVirtioNeedsChecksum;
            header.gso_type = kVirtioGsoTcp4;
            header.gso_bytes = segment;
            header.checksum_start = start;
            rig.send_with(Rig::kPodA, a_to_b<V4>(100), header);
        }
    }
    EXPECT_EQ(rig.drops(Drop::kBandwidthEgress), 0u);
}

TEST_F(Limits, WorkersShareAPortsBucket) {
    Rig two(2);
    const Frame frame = a_to_b<V4>(958);
    two.limit(Rig::kPodA, {.egress = bits_at_once(frame.size() * 8 * 5 / 2)});
    for (int i = 0; i < 3; ++i) {
        two.send(Rig::kPodA, frame, false, 0);
        two.send(Rig::kPodA, frame, false, 1);
    }
    EXPECT_EQ(two.drops(Drop::kBandwidthEgress), 3u);
}

}  // namespace
}  // namespace podlane::dataplane
