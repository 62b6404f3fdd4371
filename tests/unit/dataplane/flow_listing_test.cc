// Connections as control sees them: one by its key, pages of those that match, never all at once.
#include "dataplane/flow_listing.h"

#include <rte_cycles.h>

#include <set>
#include <string>

#include "dataplane/flow_ends.h"
#include "lib/border/flows.h"
#include "tests/unit/dataplane/frames_of.h"

namespace podlane::dataplane {
namespace {

constexpr unsigned kControlReader = kMaxWorkers;

IpAddress address(const char* text) {
    return parse_ip(text).value();
}

template <class F>
class FlowListing : public testing::Test {
  protected:
    FlowReader reader() {
        Shared& shared = rig_.shared();
        // A little more than 5 s after the workers' last action.
        const uint32_t now_s = shared.clock.seconds(rte_rdtsc()) + 5;
        return {*shared.flows_v4, *shared.flows_v6, shared.domain, kControlReader, now_s,
                rig_.snapshot()};
    }
    void open(uint16_t source_port) {
        rig_.send(Rig::kPodA, tcp<F>(Names::kPodAMac, Names::kGatewayMac, World<F>::kPodA,
                                     source_port, World<F>::kService, 80, kTcpSyn));
    }
    /// The source ports of all that match, page by page.
    std::multiset<uint16_t> ports(const FlowFilter& filter, size_t limit, unsigned* pages) {
        std::multiset<uint16_t> out;
        FlowCursor cursor = 0;
        *pages = 0;
        do {
            const FlowPage page = reader().page(filter, limit, cursor);
            EXPECT_LE(page.flows.size(), limit);
            for (const FlowInfo& flow : page.flows) out.insert(flow.src_port);
            cursor = page.next;
            ++*pages;
        } while (cursor != 0 && *pages < 100);
        return out;
    }
    size_t count(const FlowFilter& filter) {
        unsigned pages = 0;
        return ports(filter, 100, &pages).size();
    }

    Rig rig_{1, 1u << 17};  // more than one look covers
};
using Families = testing::Types<V4, V6>;
TYPED_TEST_SUITE(FlowListing, Families);

TYPED_TEST(FlowListing, AConnectionIsFoundByItsFirstPacketAndByNoOther) {
    using W = World<TypeParam>;
    this->open(4000);
    FlowTuple first{kProtocolTcp, address(W::kPodA), address(W::kService), 4000, 80};
    const auto flow = this->reader().find(first);
    ASSERT_TRUE(flow);
    EXPECT_EQ(flow->dst, address(W::kService));
    EXPECT_EQ(flow->reply_src, address(W::kPodB));
    EXPECT_EQ(flow->reply_src_port, 8080);
    EXPECT_EQ(flow->state, "SYN_SENT");
    EXPECT_EQ(flow->service, ServiceId{7});
    const FlowTuple reply{kProtocolTcp, flow->reply_src, flow->reply_dst, 8080, 4000};
    EXPECT_FALSE(this->reader().find(reply)) << "an answer is no first packet";
    first.src_port = 4001;
    EXPECT_FALSE(this->reader().find(first));
}

TYPED_TEST(FlowListing, PagesNameEachConnectionOnceAndAreBounded) {
    std::multiset<uint16_t> all;
    for (uint16_t port = 4000; port < 4007; ++port) {
        this->open(port);
        all.insert(port);
    }
    unsigned pages = 0;
    EXPECT_EQ(this->ports({}, 3, &pages), all);
    EXPECT_GE(pages, 3u);
    EXPECT_EQ(this->ports({}, 100, &pages), all);
    EXPECT_TRUE(this->reader().page({}, 0, 0).flows.empty());
}

TYPED_TEST(FlowListing, AFilterPicksByEndProtocolStateAndService) {
    using W = World<TypeParam>;
    this->open(4000);
    this->open(4001);
    this->rig_.send(Rig::kPodA, udp<TypeParam>(Names::kPodAMac, Names::kGatewayMac, W::kPodA, 4000,
                                               W::kRemotePod, 53));
    const auto with = [&](auto set) {
        FlowFilter filter;
        set(filter);
        return this->count(filter);
    };
    EXPECT_EQ(with([](FlowFilter&) {}), 3u);
    EXPECT_EQ(with([](FlowFilter& f) { f.protocol = kProtocolUdp; }), 1u);
    EXPECT_EQ(with([](FlowFilter& f) { f.dst = address(W::kService); }), 2u);
    EXPECT_EQ(with([](FlowFilter& f) { f.src = address(W::kService); }), 0u);
    EXPECT_EQ(with([](FlowFilter& f) { f.dst_port = 53; }), 1u);
    EXPECT_EQ(with([](FlowFilter& f) { f.state = "SYN_SENT"; }), 2u);
    EXPECT_EQ(with([](FlowFilter& f) { f.subjects = {{.addresses = {address(W::kPodB)}}}; }), 2u)
        << "the endpoint behind the Service";
    EXPECT_EQ(with([](FlowFilter& f) { f.subjects = {{.port = 4000}}; }), 2u);
    EXPECT_EQ(with([](FlowFilter& f) {
                  f.subjects = {{.addresses = {address(W::kService)}, .port = 4000}};
              }),
              0u)
        << "the port is that of the same end";
    EXPECT_EQ(with([](FlowFilter& f) { f.subjects = {{.services = {ServiceId{7}}}}; }), 2u);
    EXPECT_EQ(
        with([](FlowFilter& f) {
            f.subjects = {{.addresses = {address(W::kRemotePod)}, .services = {ServiceId{7}}}};
        }),
        3u)
        << "one of a name's two meanings is enough";
    EXPECT_EQ(
        with([](FlowFilter& f) {
            f.subjects = {{.addresses = {address(W::kRemotePod)}}, {.services = {ServiceId{7}}}};
        }),
        0u)
        << "of two subjects both";
    EXPECT_EQ(with([](FlowFilter& f) { f.worker = 0; }), 3u);
    EXPECT_EQ(with([](FlowFilter& f) { f.worker = 1; }), 0u);
}

TYPED_TEST(FlowListing, AgeAndIdlenessAreOfTheWorkersClock) {
    this->open(4000);
    const auto with = [&](auto set) {
        FlowFilter filter;
        set(filter);
        return this->count(filter);
    };
    EXPECT_EQ(with([](FlowFilter& f) { f.least_age_s = 4; }), 1u);
    EXPECT_EQ(with([](FlowFilter& f) { f.least_age_s = 60; }), 0u);
    EXPECT_EQ(with([](FlowFilter& f) { f.most_age_s = 3; }), 0u);
    EXPECT_EQ(with([](FlowFilter& f) { f.least_idle_s = 4; }), 1u);
    EXPECT_EQ(with([](FlowFilter& f) { f.least_idle_s = 60; }), 0u);
}

TYPED_TEST(FlowListing, AConnectionThatPoliciesForbidMeanwhileIsNamedWithTheReason) {
    this->open(4000);
    FlowFilter blocked;
    blocked.blocked = true;
    EXPECT_EQ(this->count(blocked), 0u);
    this->rig_.change([&](Snapshot& next) {
        auto closed = std::make_shared<CompiledPolicy>();  // selects it and allows nothing
        closed->name = "default/nothing";
        PodPolicies policies{.pod = "default/b", .ingress = {closed}, .egress = {}};
        next.pod_policies.set(index_of(this->rig_.port(Rig::kPodB)),
                              std::make_shared<const PodPolicies>(std::move(policies)));
    });
    EXPECT_EQ(this->count(blocked), 1u);
    const FlowPage page = this->reader().page({}, 9, 0);
    ASSERT_EQ(page.flows.size(), 1u);
    EXPECT_EQ(page.flows[0].blocked, Drop::kPolicyIngress);
}

}  // namespace
}  // namespace podlane::dataplane
