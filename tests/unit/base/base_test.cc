// Bytes, results, rings and the list of drop reasons.
#include <gtest/gtest.h>

#include <set>
#include <string>
#include <thread>

#include "lib/base/bytes.h"
#include "lib/base/drop.h"
#include "lib/base/ip_address.h"
#include "lib/base/join.h"
#include "lib/base/raw_address.h"
#include "lib/base/result.h"
#include "lib/base/spsc_ring.h"
#include "lib/base/stable_hash.h"
#include "lib/model/ids.h"

namespace podlane {
namespace {

TEST(RawAddress, KeepsItsFamilyAndItsBytes) {
    for (const char* text : {"192.168.50.1", "fd00::1", "0.0.0.0", "::"}) {
        const IpAddress address = *parse_ip(text);
        EXPECT_EQ(RawAddress::from(address).to_ip(), address);
        EXPECT_EQ(RawAddress::from(address).is_v6, address.is_v6());
    }
}

TEST(BigEndian, StandsInNetworkOrderAndComparesAsANumber) {
    const be16 port(0x1234);
    const auto* bytes = reinterpret_cast<const uint8_t*>(&port);
    EXPECT_EQ(bytes[0], 0x12);
    EXPECT_EQ(port.host(), 0x1234);
    EXPECT_LT(be16(255), be16(256));
    EXPECT_EQ(be32::from_raw(be32(7).raw), be32(7));
    static_assert(byte_swap(uint64_t{1}) == uint64_t{1} << 56);
}

TEST(Drop, EachReasonHasItsOwnNameAndAHelpLine) {
    std::set<std::string_view> names;
    for (const DropInfo& info : kDropInfo) {
        EXPECT_TRUE(names.insert(info.name).second) << info.name;
        EXPECT_FALSE(info.help.empty()) << info.name;
    }
    EXPECT_EQ(drop_info(Drop::kTooBig).name, "too_big");
}

TEST(Result, IsAValueOrAnError) {
    const Result<int> good = 7;
    ASSERT_TRUE(good.ok());
    EXPECT_EQ(*good, 7);
    const Result<std::string> bad = Error{"no", "file.yaml", 3, "a.b"};
    ASSERT_FALSE(bad);
    EXPECT_EQ(bad.error().line, 3);
    EXPECT_TRUE(Result<void>().ok());
    EXPECT_FALSE(Result<void>(Error{"no"}).ok());
}

TEST(SpscRing, IsBoundedAndKeepsOrder) {
    SpscRing<int, 4> ring;
    int out = 0;
    EXPECT_FALSE(ring.pop(out));
    for (int i = 0; i < 4; ++i) EXPECT_TRUE(ring.push(i));
    EXPECT_FALSE(ring.push(4));
    EXPECT_EQ(ring.size(), 4u);
    for (int i = 0; i < 4; ++i) {
        ASSERT_TRUE(ring.pop(out));
        EXPECT_EQ(out, i);
    }
}

TEST(SpscRing, PassesEverythingBetweenTwoThreads) {
    constexpr uint64_t kCount = 20000;
    SpscRing<uint64_t, 64> ring;
    std::thread producer([&] {
        for (uint64_t i = 1; i <= kCount;) {
            if (ring.push(i)) {
                ++i;
            } else {
                std::this_thread::yield();
            }
        }
    });
    uint64_t expected = 1;
    for (uint64_t got = 0; expected <= kCount;) {
        if (!ring.pop(got)) {
            std::this_thread::yield();
            continue;
        }
        ASSERT_EQ(got, expected);
        ++expected;
    }
    producer.join();
}

TEST(StableHash, IsTheSameOnEveryMachine) {
    // Nodes of different releases must choose alike: these values must never change.
    EXPECT_EQ(stable_hash(std::string_view("")), 17280346270528514342u);
    EXPECT_EQ(stable_hash(std::string_view("default/web")), 305892612206984066u);
    EXPECT_NE(stable_hash(std::string_view("a")), stable_hash(std::string_view("a"), 1));
}

TEST(Ids, IndexTheirTables) {
    EXPECT_EQ(index_of(PortId{5}), 5u);
    EXPECT_EQ(index_of(kNoAdjacency), 0u);
    EXPECT_GE(index_of(kNoPort), kMaxPorts);
    EXPECT_EQ(index_of(kNoService), 0u);
}

TEST(Join, PutsCommasBetween) {
    EXPECT_EQ(join(std::vector<int>{}), "");
    EXPECT_EQ(join(std::vector<int>{1, 22}), "1, 22");
}

}  // namespace
}  // namespace podlane
