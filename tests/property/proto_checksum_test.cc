// Incremental checksums against full recomputation on random packets and changes.
#include <gtest/gtest.h>

#include <string>

#include "lib/proto/checksum.h"
#include "lib/proto/parse.h"
#include "tests/support/frames.h"
#include "tests/support/mutate.h"
#include "tests/support/seed.h"

namespace podlane {
namespace {

using test::Bytes;

constexpr size_t kRounds = 100'000;

template <class F>
class ChecksumProperty : public ::testing::Test {
  protected:
    using Address = typename F::Address;

    // Values at the edges of ones'-complement arithmetic are frequent.
    uint8_t byte() {
        const uint64_t value = random_();
        if (value % 4 == 0) return 0x00;
        return value % 4 == 1 ? 0xff : static_cast<uint8_t>(value >> 8);
    }
    Bytes bytes(size_t count) {
        Bytes out(count);
        for (auto& value : out) value = byte();
        return out;
    }
    Address address() { return load<Address>(bytes(sizeof(Address)).data()); }
    be16 port() { return load<be16>(bytes(2).data()); }

    const uint64_t seed_ = test::test_seed();
    test::Random random_{seed_};
    ::testing::ScopedTrace trace_{__FILE__, __LINE__, "PODLANE_TEST_SEED=" + std::to_string(seed_)};
};
using Families = ::testing::Types<V4, V6>;
TYPED_TEST_SUITE(ChecksumProperty, Families);

// All that a rewrite changes: both addresses and both ports.
template <Family F>
struct Endpoints {
    typename F::Address src, dst;
    be16 src_port, dst_port;

    void put(Bytes& l4) const {
        store(l4.data(), src_port);
        store(l4.data() + 2, dst_port);
    }
    [[nodiscard]] ChecksumDelta addresses_to(const Endpoints& now) const {
        return checksum_delta(src, now.src) + checksum_delta(dst, now.dst);
    }
    [[nodiscard]] ChecksumDelta to(const Endpoints& now) const {
        return addresses_to(now) + checksum_delta(src_port, now.src_port) +
               checksum_delta(dst_port, now.dst_port);
    }
    [[nodiscard]] be16 sum(const Bytes& l4, uint8_t protocol) const {
        return l4_checksum<F>(src, dst, protocol, l4);
    }
};

TYPED_TEST(ChecksumProperty, ADeltaGivesWhatWholeRecomputationGives) {
    for (size_t round = 0; round < kRounds; ++round) {
        const Endpoints<TypeParam> was{this->address(), this->address(), this->port(),
                                       this->port()};
        const Endpoints<TypeParam> now{this->address(), this->address(), this->port(),
                                       this->port()};
        const bool udp = this->random_() % 2 == 0;
        const uint8_t protocol = udp ? kProtocolUdp : kProtocolTcp;
        Bytes l4 = this->bytes(4 + this->random_() % 60);
        was.put(l4);
        const be16 before = was.sum(l4, protocol);
        now.put(l4);
        const be16 after = now.sum(l4, protocol);
        const auto delta = was.to(now);
        const be16 applied =
            udp ? udp_checksum_apply(before, delta) : checksum_apply(before, delta);
        ASSERT_EQ(applied, after) << "round " << round;
        const auto back = delta.reversed();
        ASSERT_EQ(udp ? udp_checksum_apply(applied, back) : checksum_apply(applied, back), before)
            << "round " << round;
    }
}

TYPED_TEST(ChecksumProperty, APartialChecksumIsCompletedAsIfNothingHadChanged) {
    for (size_t round = 0; round < kRounds; ++round) {
        const Endpoints<TypeParam> was{this->address(), this->address(), this->port(),
                                       this->port()};
        const Endpoints<TypeParam> now{this->address(), this->address(), this->port(),
                                       this->port()};
        Bytes l4 = this->bytes(20 + this->random_() % 60);
        const auto l4_bytes = static_cast<uint32_t>(l4.size());
        constexpr size_t field = 16;
        store(l4.data() + field, be16(0));
        now.put(l4);
        const be16 after = now.sum(l4, kProtocolTcp);
        const be16 partial = partial_checksum<TypeParam>(was.src, was.dst, kProtocolTcp, l4_bytes);
        store(l4.data() + field, partial_checksum_apply(partial, was.addresses_to(now)));
        ASSERT_EQ(complete_partial_checksum(l4), after) << "round " << round;
    }
}

TYPED_TEST(ChecksumProperty, AnyCutIntoSegmentsGivesTheSameSum) {
    for (size_t round = 0; round < kRounds / 10; ++round) {
        const auto src = this->address();
        const auto dst = this->address();
        const Bytes whole = this->bytes(1 + this->random_() % 200);
        std::vector<std::span<const uint8_t>> segments;
        for (size_t at = 0; at < whole.size();) {
            const size_t count = std::min(whole.size() - at, this->random_() % 40);
            segments.push_back(std::span(whole).subspan(at, count));
            at += count;
        }
        ASSERT_EQ((l4_checksum<TypeParam>(src, dst, kProtocolTcp, segments)),
                  (l4_checksum<TypeParam>(src, dst, kProtocolTcp, whole)))
            << "round " << round;
    }
}

}  // namespace
}  // namespace podlane
