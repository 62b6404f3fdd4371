#include "lib/model/service.h"

#include <gtest/gtest.h>

#include <map>
#include <random>

namespace podlane {
namespace {

template <class F>
class FrontendTableTest : public ::testing::Test {
  protected:
    static FrontendKey<F> key(uint64_t n, uint8_t protocol = 6) {
        FrontendKey<F> made;
        auto* bytes = reinterpret_cast<uint8_t*>(&made.address);
        bytes[0] = 10;
        bytes[sizeof(made.address) - 1] = static_cast<uint8_t>(n);
        bytes[sizeof(made.address) - 2] = static_cast<uint8_t>(n >> 8);
        made.port = be16(static_cast<uint16_t>(80 + n % 3));
        made.protocol = protocol;
        return made;
    }
    static std::shared_ptr<const Frontend<F>> frontend(uint32_t id) {
        auto made = std::make_shared<Frontend<F>>();
        made->service = ServiceId{id};
        return made;
    }
};
using Families = ::testing::Types<V4, V6>;
TYPED_TEST_SUITE(FrontendTableTest, Families);

TYPED_TEST(FrontendTableTest, AgreesWithAMapThroughGenerations) {
    constexpr unsigned kSeed = 99;
    std::mt19937 random(kSeed);
    FrontendTable<TypeParam> table;
    std::map<FrontendKey<TypeParam>, ServiceId> oracle;
    std::vector<std::pair<FrontendTable<TypeParam>, decltype(oracle)>> kept;
    for (uint32_t step = 0; step < 5000; ++step) {
        const auto key = this->key(random() % 700, random() % 2 == 0 ? 6 : 17);
        if (random() % 3 == 0) {
            ASSERT_EQ(table.erase(key), oracle.erase(key) == 1);
        } else {
            table.set(key, this->frontend(step));
            oracle[key] = ServiceId{step};
        }
        if (step % 1000 == 999) kept.emplace_back(table, oracle);
    }
    for (const auto& [copy, expected] : kept) {
        ASSERT_EQ(copy.size(), expected.size()) << "seed " << kSeed;
        size_t visited = 0;
        copy.for_each([&](const Frontend<TypeParam>&) { ++visited; });
        ASSERT_EQ(visited, expected.size());
        for (uint32_t n = 0; n < 700; ++n) {
            const auto key = this->key(n);
            const auto at = expected.find(key);
            const auto* found = copy.find(key);
            ASSERT_EQ(found != nullptr, at != expected.end()) << "seed " << kSeed;
            if (found != nullptr) {
                ASSERT_EQ(found->service, at->second);
            }
        }
    }
}

TYPED_TEST(FrontendTableTest, AnAddressMarkIsNoFrontend) {
    FrontendTable<TypeParam> table;
    const auto address = this->key(1).address;
    EXPECT_FALSE(table.has_address(address));
    table.set({address, be16(0), 0}, nullptr);
    EXPECT_TRUE(table.has_address(address));
    EXPECT_EQ(table.find({address, be16(0), 0}), nullptr);
    int visited = 0;
    table.for_each([&](const Frontend<TypeParam>&) { ++visited; });
    EXPECT_EQ(visited, 0);
    EXPECT_TRUE(table.erase({address, be16(0), 0}));
    EXPECT_FALSE(table.has_address(address));
}

TYPED_TEST(FrontendTableTest, ASetOfOneNeedsNoTableAndPicksAmongMore) {
    EndpointSet<TypeParam> set;
    EXPECT_TRUE(set.empty());
    const Endpoint<TypeParam> one{this->key(1).address, be16(80)};
    const Endpoint<TypeParam> two{this->key(2).address, be16(80)};
    set.endpoints = {one};
    EXPECT_EQ(set.pick(12345), one);
    set.endpoints = {one, two};
    set.maglev = MaglevTable::build(std::vector<uint64_t>{1, 2});
    EXPECT_NE(set.pick(0), set.pick(0) == one ? two : one);
    EXPECT_TRUE(set.contains(two));
    EXPECT_FALSE(set.contains({this->key(2).address, be16(81)}));
}

TEST(FrontendKind, HasTheNamesOfTheListing) {
    EXPECT_STREQ(to_string(FrontendKind::kClusterIp), "ClusterIP");
    EXPECT_STREQ(to_string(FrontendKind::kNodePort), "NodePort");
    EXPECT_STREQ(to_string(FrontendKind::kLoadBalancer), "LoadBalancer");
    EXPECT_STREQ(to_string(FrontendKind::kExternalIp), "ExternalIP");
    EXPECT_STREQ(to_string(FrontendKind::kHostPort), "HostPort");
}

}  // namespace
}  // namespace podlane
