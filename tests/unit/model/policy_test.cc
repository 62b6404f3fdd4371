#include "lib/model/policy.h"

#include <gtest/gtest.h>

#include "lib/base/ip_address.h"
#include "lib/model/snapshot.h"

namespace podlane {
namespace {

template <class F>
struct Texts;
template <>
struct Texts<V4> {
    static constexpr const char *kA = "10.244.1.10", *kB = "10.244.1.11", *kBlock = "10.244.0.0/16",
                                *kHole = "10.244.1.10/31";
};
template <>
struct Texts<V6> {
    static constexpr const char *kA = "fd00::10", *kB = "fd00::20", *kBlock = "fd00::/64",
                                *kHole = "fd00::10/124";
};

template <class F>
class PolicyData : public testing::Test {
  protected:
    using Address = typename F::Address;
    const Address a = parse_ip(Texts<F>::kA)->template as<F>();
    const Address b = parse_ip(Texts<F>::kB)->template as<F>();
};
using Families = testing::Types<V4, V6>;
TYPED_TEST_SUITE(PolicyData, Families);

TYPED_TEST(PolicyData, ASetThatIsNotThereHasNobody) {
    PolicySets<TypeParam> sets;
    EXPECT_FALSE(sets.has_pod(PolicySetId{3}, this->a));
    EXPECT_FALSE(sets.has_port(PolicySetId{3}, {this->a, be16(80)}));
    sets.pods.set(3, std::make_shared<std::vector<typename TypeParam::Address>>(1, this->a));
    EXPECT_TRUE(sets.has_pod(PolicySetId{3}, this->a));
    EXPECT_FALSE(sets.has_pod(PolicySetId{3}, this->b));
    EXPECT_FALSE(sets.has_pod(PolicySetId{2}, this->a));
}

TYPED_TEST(PolicyData, ANamedPortIsANumberOfOnePod) {
    PolicySets<TypeParam> sets;
    std::vector<NamedPlace<TypeParam>> places{{this->a, be16(80)}, {this->b, be16(8080)}};
    std::sort(places.begin(), places.end());
    sets.ports.set(1, std::make_shared<std::vector<NamedPlace<TypeParam>>>(places));
    EXPECT_TRUE(sets.has_port(PolicySetId{1}, {this->b, be16(8080)}));
    EXPECT_FALSE(sets.has_port(PolicySetId{1}, {this->a, be16(8080)}));
}

TYPED_TEST(PolicyData, ABlockHasHoles) {
    const PolicyBlock<TypeParam> block{
        parse_prefix(Texts<TypeParam>::kBlock)->template as<TypeParam>(),
        {parse_prefix(Texts<TypeParam>::kHole)->template as<TypeParam>()}};
    EXPECT_FALSE(block.contains(this->a));
    EXPECT_EQ(block.contains(this->b), this->b != this->a && !block.except[0].contains(this->b));
    EXPECT_FALSE(block.contains(typename TypeParam::Address{}));
}

TEST(IsolatedEpochs, AreNeverTopologyEpochs) {
    const auto snapshot = make_empty_snapshot();
    EXPECT_FALSE(snapshot->has_policies());
    EXPECT_FALSE(snapshot->polices(kNoPort));
    EXPECT_TRUE(snapshot->is_current(snapshot->topology_epoch));
    EXPECT_TRUE(snapshot->is_current(snapshot->isolated_epoch));
    EXPECT_FALSE(snapshot->is_current(0));
    EXPECT_LT(snapshot->topology_epoch, kIsolatedEpochs);
}

}  // namespace
}  // namespace podlane
