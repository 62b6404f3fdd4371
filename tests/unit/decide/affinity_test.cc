// Session affinity in decisions.
#include <gmock/gmock.h>

#include <set>

#include "lib/lb/affinity.h"
#include "tests/unit/decide/network.h"

namespace podlane::test {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;

template <class F>
class Affinity : public ::testing::Test {
  protected:
    static std::string text(const typename F::Address& address) {
        return to_string(IpAddress(address));
    }
    /// A ClusterIP with three endpoints and an affinity of 60 s.
    Frontend<F> serve_three() {
        using N = Names<F>;
        auto frontend =
            net_.frontend(FrontendKind::kClusterIp, N::kClusterIp, 80,
                          {net_.endpoint(N::kPod, 8080), net_.endpoint(N::kOtherPod, 8080),
                           net_.endpoint(N::kRemotePod, 8080)});
        frontend.affinity_seconds = 60;
        net_.serve(frontend);
        return frontend;
    }
    Network<F> net_;
};
using Families = ::testing::Types<V4, V6>;
TYPED_TEST_SUITE(Affinity, Families);

TYPED_TEST(Affinity, AClientWithSessionAffinityKeepsItsEndpointWhileThatIsThere) {
    using N = Names<TypeParam>;
    auto& net = this->net_;
    auto frontend = this->serve_three();
    AffinityTable<TypeParam> table(100);
    const auto ask = [&](uint16_t source_port, uint32_t now) {
        auto query = net.query(PortKind::kPod, N::kPod, N::kClusterIp, 80);
        query.key.src_port = be16(source_port);
        query.hash = service_hash(query.key);
        query.affinity = &table;
        query.now_s = now;
        NoTrace none;
        const auto silent = decide<TypeParam>(*net.snapshot, query, none);
        // `explain` gives the same afterwards.
        query.remembered = table.find(query.key.src, affinity_key(frontend), now);
        EXPECT_EQ(net.ask(query).to.dst, silent.to.dst);
        return this->text(silent.to.dst);
    };
    const auto all = [&](uint32_t now) {
        std::set<std::string> got;
        for (uint16_t port = 1; port < 40; ++port) got.insert(ask(port, now));
        return got;
    };
    const auto first = all(100);
    ASSERT_EQ(first.size(), 1u);
    EXPECT_EQ(all(159), first);
    EXPECT_THAT(net.steps(), Contains(HasSubstr("the client's by sessionAffinity")));
    // Others come and go; then its own goes.
    frontend.inside =
        net.set({net.endpoint(first.begin()->c_str(), 8080), net.endpoint(N::kNeighbour, 8080)});
    net.serve(frontend);
    EXPECT_EQ(all(160), first);
    frontend.inside = net.set({net.endpoint(N::kNeighbour, 8080), net.endpoint(N::kOutside, 8080)});
    net.serve(frontend);
    const auto second = all(161);
    EXPECT_EQ(second.size(), 1u);
    EXPECT_NE(second, first);
    std::set<std::string> later;
    for (uint16_t port = 1; port < 40; ++port) later.insert(ask(port, 1000u * port));
    EXPECT_EQ(later.size(), 2u) << "when its time is over it may get another one";
}

TYPED_TEST(Affinity, AServicePortIsKnownByItsNamesInEachProcess) {
    Frontend<TypeParam> frontend = this->serve_three();
    frontend.service_name = "default/web";
    frontend.port_name = "http";
    frontend.protocol = kProtocolTcp;
    const uint32_t key = affinity_key(frontend);
    frontend.service = ServiceId{77};
    frontend.kind = FrontendKind::kNodePort;
    EXPECT_EQ(affinity_key(frontend), key);
    EXPECT_EQ(key, 2069427831u) << "written down in files: a change raises kAffinityForm";
    std::set<uint32_t> keys{key};
    frontend.port_name = "https";
    keys.insert(affinity_key(frontend));
    frontend.protocol = kProtocolUdp;
    keys.insert(affinity_key(frontend));
    frontend.service_name = "default/webhttps";
    frontend.port_name = "";
    keys.insert(affinity_key(frontend));
    EXPECT_EQ(keys.size(), 4u);
}

TYPED_TEST(Affinity, WithoutRoomForAClientItsAddressChoosesTheEndpoint) {
    using N = Names<TypeParam>;
    auto& net = this->net_;
    (void)this->serve_three();
    AffinityTable<TypeParam> table(1);
    const auto endpoint = net.endpoint(N::kPod, 8080);
    for (uint32_t service = 100; service < 120; ++service) {
        (void)table.settle(net.address(N::kPod), service, endpoint, 0, 1000,
                           [](const auto&) { return true; });
    }
    std::set<std::string> got;
    for (uint16_t port = 1; port < 40; ++port) {
        auto query = net.query(PortKind::kPod, N::kPod, N::kClusterIp, 80);
        query.key.src_port = be16(port);
        query.hash = service_hash(query.key);
        query.affinity = &table;
        NoTrace none;
        const auto decision = decide<TypeParam>(*net.snapshot, query, none);
        EXPECT_TRUE(decision.affinity_full);
        got.insert(this->text(decision.to.dst));
    }
    EXPECT_EQ(got.size(), 1u);
}

}  // namespace
}  // namespace podlane::test
