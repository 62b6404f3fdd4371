#include "lib/proto/flow_key.h"

#include <gtest/gtest.h>

#include "tests/unit/flow/support.h"

namespace podlane {
namespace {

using namespace test;

template <class F>
class FlowKeyTest : public ::testing::Test {};
TYPED_TEST_SUITE(FlowKeyTest, Families, FamilyName);

TYPED_TEST(FlowKeyTest, ReversingSwapsTheEndsAndTwiceIsNothing) {
    const auto key = client_key<TypeParam>(5);
    const auto back = key.reversed();
    EXPECT_EQ(back.src, key.dst);
    EXPECT_EQ(back.dst, key.src);
    EXPECT_EQ(back.src_port, key.dst_port);
    EXPECT_EQ(back.dst_port, key.src_port);
    EXPECT_EQ(back.protocol, key.protocol);
    EXPECT_NE(back, key);
    EXPECT_EQ(back.reversed(), key);
}

TYPED_TEST(FlowKeyTest, EveryFieldTellsKeysApart) {
    const auto key = client_key<TypeParam>(5);
    auto other = key;
    other.src = address<TypeParam>(77);
    EXPECT_NE(other, key);
    other = key;
    other.dst_port = be16(81);
    EXPECT_NE(other, key);
    other = key;
    other.protocol = kProtocolTcp;
    EXPECT_NE(other, key);
    other = key;
    other.kind = static_cast<uint8_t>(FlowKind::kFragment);
    EXPECT_NE(other, key);
}

}  // namespace
}  // namespace podlane
