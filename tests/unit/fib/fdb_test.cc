#include "lib/fib/fdb.h"

#include <gtest/gtest.h>

#include <map>
#include <random>

namespace podlane {
namespace {

MacAddress mac_of(uint64_t number) {
    MacAddress mac{};
    for (size_t i = 0; i < 6; ++i) mac.bytes[5 - i] = static_cast<uint8_t>(number >> (8 * i));
    return mac;
}

TEST(Fdb, AgreesWithAMap) {
    constexpr unsigned kSeed = 77;
    std::mt19937_64 random(kSeed);
    for (const size_t count : {0u, 1u, 7u, 250u, 5000u}) {
        std::vector<std::pair<MacAddress, uint16_t>> entries;
        std::map<MacAddress, uint16_t> oracle;
        for (size_t i = 0; i < count; ++i) {
            // Neighbouring addresses, as pods have them, and some of them twice.
            const MacAddress mac = mac_of(0x020000000000u + random() % (count * 2));
            const auto port = static_cast<uint16_t>(random() % 512);
            entries.push_back({mac, port});
            oracle[mac] = port;
        }
        const Fdb fdb(entries);
        for (size_t i = 0; i < count * 3 + 10; ++i) {
            const MacAddress mac = mac_of(0x020000000000u + i);
            const auto at = oracle.find(mac);
            ASSERT_EQ(fdb.find(mac), at != oracle.end() ? at->second : Fdb::kMissing)
                << "seed " << kSeed;
        }
    }
}

TEST(Fdb, AnEmptyOneHasNothingNotEvenBroadcastOrZero) {
    const Fdb fdb;
    EXPECT_EQ(fdb.find(kBroadcastMac), Fdb::kMissing);
    EXPECT_EQ(fdb.find({}), Fdb::kMissing);
}

TEST(Fdb, AllZeroAndAllOnesAreKeysLikeOthers) {
    const Fdb fdb({{MacAddress{}, uint16_t{1}}, {kBroadcastMac, uint16_t{2}}});
    EXPECT_EQ(fdb.find({}), 1);
    EXPECT_EQ(fdb.find(kBroadcastMac), 2);
}

}  // namespace
}  // namespace podlane
