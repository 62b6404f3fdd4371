#include "lib/telemetry/snat_shortages.h"

#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <thread>

namespace podlane {
namespace {

SnatTarget target(uint16_t port, uint8_t protocol = 6) {
    return {parse_ip("192.168.50.1")->as<V4>(), parse_ip("203.0.113.9")->as<V4>(), port, protocol};
}

TEST(SnatShortages, ATargetLacksPortsFromItsRefusalUntilOneIsFound) {
    SnatShortages shortages;
    EXPECT_FALSE(shortages.lacks(target(443)));
    shortages.refuse(target(443));
    EXPECT_TRUE(shortages.lacks(target(443)));
    EXPECT_FALSE(shortages.lacks(target(80)));
    EXPECT_FALSE(shortages.lacks(target(443, 17)));
    shortages.relieve(target(443));
    EXPECT_FALSE(shortages.lacks(target(443)));
    shortages.relieve(target(80));
    EXPECT_FALSE(shortages.lacks(target(80)));
}

TEST(SnatShortages, RefusalsAreCountedForEachTargetAndStayAfterRelief) {
    SnatShortages shortages;
    EXPECT_FALSE(shortages.read(0));
    const SnatTarget six{parse_ip("fd50::1")->as<V6>(), parse_ip("2001:db8::9")->as<V6>(), 53, 17};
    for (int i = 0; i < 3; ++i) shortages.refuse(target(443));
    shortages.refuse(six);
    shortages.relieve(target(443));
    ASSERT_TRUE(shortages.read(0) && shortages.read(1));
    EXPECT_EQ(shortages.read(0)->target, target(443));
    EXPECT_EQ(shortages.read(0)->refused, 3u);
    EXPECT_EQ(shortages.read(1)->target, six);
    EXPECT_EQ(shortages.read(1)->refused, 1u);
    EXPECT_FALSE(shortages.read(2));
}

TEST(SnatShortages, TheLeastLatelyRefusedGivesWay) {
    SnatShortages shortages;
    for (uint16_t port = 0; port < SnatShortages::kSlots; ++port) shortages.refuse(target(port));
    shortages.refuse(target(0));
    shortages.refuse(target(999));
    EXPECT_TRUE(shortages.lacks(target(0)));
    EXPECT_FALSE(shortages.lacks(target(1)));
    EXPECT_TRUE(shortages.lacks(target(999)));
    EXPECT_EQ(shortages.read(1)->target, target(999));
    EXPECT_EQ(shortages.read(1)->refused, 1u);
}

TEST(SnatShortages, AReaderNeverSeesATargetThatNobodyWrote) {
    const auto shortages = std::make_unique<SnatShortages>();
    const auto odd = [](uint16_t n) {
        SnatTarget made = target(n);
        made.source.bytes.fill(static_cast<uint8_t>(n));
        made.source.is_v6 = made.destination.is_v6 = true;
        made.destination.bytes = made.source.bytes;
        return made;
    };
    std::atomic<bool> stop{false};
    std::thread writer([&] {
        for (uint16_t n = 0; !stop; n = static_cast<uint16_t>((n + 1) % 200)) {
            shortages->refuse(odd(n));
        }
    });
    for (unsigned seen = 0, tries = 0; seen < 20'000 && tries < 20'000'000; ++tries) {
        const auto shortage = shortages->read(tries % SnatShortages::kSlots);
        if (!shortage) continue;
        ++seen;
        ASSERT_EQ(shortage->target, odd(shortage->target.port));
    }
    stop = true;
    writer.join();
}

}  // namespace
}  // namespace podlane
