#include "lib/fib/lpm.h"

#include <gtest/gtest.h>

#include <optional>
#include <random>

#include "lib/base/ip_address.h"

namespace podlane {
namespace {

template <class F>
class LpmTest : public ::testing::Test {
  protected:
    using Routes = std::vector<std::pair<Prefix<F>, int>>;

    /// Few distinct bytes, so that prefixes nest.
    typename F::Address random_address() {
        typename F::Address address{};
        auto* bytes = reinterpret_cast<uint8_t*>(&address);
        for (size_t i = 0; i < sizeof(address); ++i) {
            bytes[i] = static_cast<uint8_t>(random() % 3 == 0 ? random() : random() % 2);
        }
        return address;
    }
    Prefix<F> random_prefix() {
        const auto length = static_cast<uint8_t>(random() % (F::kAddressBits + 1));
        return {random_address().masked(length), length};
    }
    /// The slow, obvious way.
    static std::optional<std::pair<Prefix<F>, int>> scan(const Routes& routes,
                                                         const typename F::Address& address) {
        std::optional<std::pair<Prefix<F>, int>> best;
        for (const auto& route : routes) {
            if (!route.first.contains(address)) continue;
            if (!best || route.first.length >= best->first.length) best = route;
        }
        return best;
    }

    static constexpr unsigned kSeed = 20260823;
    std::mt19937 random{kSeed};
};
using Families = ::testing::Types<V4, V6>;
TYPED_TEST_SUITE(LpmTest, Families);

TYPED_TEST(LpmTest, AgreesWithALinearScan) {
    for (int round = 0; round < 20; ++round) {
        typename TestFixture::Routes routes;
        const size_t count = this->random() % 300;
        for (size_t i = 0; i < count; ++i) {
            routes.push_back({this->random_prefix(), static_cast<int>(i)});
        }
        const Lpm<TypeParam, int> lpm(routes);
        for (int i = 0; i < 500; ++i) {
            auto address = this->random_address();
            if (count > 0 && i % 2 == 0) address = routes[this->random() % count].first.address;
            const auto expected = this->scan(routes, address);
            const int* found = lpm.find(address);
            Prefix<TypeParam> prefix{};
            const bool has_prefix = lpm.find_prefix(address, prefix);
            ASSERT_EQ(found != nullptr, expected.has_value()) << "seed " << this->kSeed;
            ASSERT_EQ(has_prefix, expected.has_value());
            if (expected) {
                ASSERT_EQ(*found, expected->second) << "seed " << this->kSeed;
                ASSERT_EQ(prefix, expected->first);
            }
        }
    }
}

TYPED_TEST(LpmTest, AnEmptyTableHasNothing) {
    const Lpm<TypeParam, int> lpm;
    EXPECT_EQ(lpm.find({}), nullptr);
    EXPECT_EQ(lpm.size(), 0u);
}

TYPED_TEST(LpmTest, TheDefaultRouteMatchesEverythingAndAHostRouteItself) {
    const auto host = this->random_address();
    const Lpm<TypeParam, int> lpm({{{{}, 0}, 1}, {{host, TypeParam::kAddressBits}, 2}});
    EXPECT_EQ(*lpm.find(host), 2);
    auto other = host;
    reinterpret_cast<uint8_t*>(&other)[sizeof(other) - 1] ^= 1;
    EXPECT_EQ(*lpm.find(other), 1);
}

TYPED_TEST(LpmTest, TheLaterOfTwoEqualPrefixesWinsAndIsCountedOnce) {
    const Prefix<TypeParam> prefix = this->random_prefix();
    const Lpm<TypeParam, int> lpm({{prefix, 1}, {prefix, 2}});
    EXPECT_EQ(lpm.size(), 1u);
    EXPECT_EQ(*lpm.find(prefix.address), 2);
}

TYPED_TEST(LpmTest, VisitsLongestPrefixesFirstAndThenByAddress) {
    typename TestFixture::Routes routes;
    for (int i = 0; i < 50; ++i) routes.push_back({this->random_prefix(), i});
    const Lpm<TypeParam, int> lpm(routes);
    std::vector<Prefix<TypeParam>> seen;
    lpm.for_each([&](const Prefix<TypeParam>& prefix, int value) {
        EXPECT_EQ(routes[static_cast<size_t>(value)].first, prefix);
        seen.push_back(prefix);
    });
    EXPECT_EQ(seen.size(), lpm.size());
    EXPECT_TRUE(std::is_sorted(seen.begin(), seen.end(), [](const auto& a, const auto& b) {
        return a.length != b.length ? a.length > b.length : a.address < b.address;
    }));
}

}  // namespace
}  // namespace podlane
