#include "lib/flow/hash.h"

#include <gtest/gtest.h>

#include <bit>
#include <set>
#include <vector>

#include "lib/flow/bucket.h"
#include "tests/unit/flow/support.h"

namespace podlane {
namespace {

using namespace test;

template <class F>
class HashTest : public ::testing::Test {};
TYPED_TEST_SUITE(HashTest, Families, FamilyName);

TYPED_TEST(HashTest, EveryBitOfTheKeyCounts) {
    const HashSecret secret = make_hash_secret(1);
    auto key = client_key<TypeParam>(1);
    const uint64_t before = flow_hash(key, secret);
    auto* bytes = reinterpret_cast<uint8_t*>(&key);
    double flipped = 0;
    for (unsigned bit = 0; bit < sizeof key * 8; ++bit) {
        bytes[bit / 8] ^= static_cast<uint8_t>(1u << (bit % 8));
        const int changed = std::popcount(flow_hash(key, secret) ^ before);
        EXPECT_GT(changed, 8) << bit;
        flipped += changed;
        bytes[bit / 8] ^= static_cast<uint8_t>(1u << (bit % 8));
    }
    // Half of the result's bits on average.
    EXPECT_NEAR(flipped / (sizeof key * 8.0), 32.0, 3.0);
}

TYPED_TEST(HashTest, ConsecutiveKeysSpreadEvenlyAndWithoutCollision) {
    const HashSecret secret = make_hash_secret(2);
    std::set<uint64_t> seen;
    std::vector<unsigned> hits(1024);
    for (uint32_t n = 0; n < 102400; ++n) {
        const uint64_t hash = flow_hash(client_key<TypeParam>(n), secret);
        seen.insert(hash);
        ++hits[first_bucket(hash, 1024)];
    }
    EXPECT_EQ(seen.size(), 102400u);
    double chi_squared = 0;
    for (const unsigned h : hits) chi_squared += (h - 100.0) * (h - 100.0) / 100.0;
    EXPECT_LT(chi_squared, 1300.0);  // 1023 degrees of freedom: above 6 sigma
}

TYPED_TEST(HashTest, KeysThatCollideUnderOneSecretDoNotUnderAnother) {
    const HashSecret one = make_hash_secret(1);
    const HashSecret other = make_hash_secret(2);
    unsigned shared = 0;
    unsigned still = 0;
    const uint32_t bucket = first_bucket(flow_hash(client_key<TypeParam>(0), one), 256);
    const uint32_t other_bucket = first_bucket(flow_hash(client_key<TypeParam>(0), other), 256);
    for (uint32_t n = 1; n < 100000; ++n) {
        const auto key = client_key<TypeParam>(n);
        if (first_bucket(flow_hash(key, one), 256) != bucket) continue;
        ++shared;
        if (first_bucket(flow_hash(key, other), 256) == other_bucket) ++still;
    }
    EXPECT_GT(shared, 200u);
    EXPECT_LT(still, shared / 20);
}

TEST(HashSecret, IsRandomUnlessSeeded) {
    EXPECT_NE(make_hash_secret().word[0], make_hash_secret().word[0]);
    EXPECT_EQ(make_hash_secret(5).word[2], make_hash_secret(5).word[2]);
    EXPECT_NE(make_hash_secret(5).word[1], make_hash_secret(6).word[1]);
}

}  // namespace
}  // namespace podlane
