// The list of stages with an observer between them: what each stage does to a packet.
#include "dataplane/pipeline.h"

#include <gmock/gmock.h>

#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "dataplane/ports/tap_io.h"
#include "dataplane/probe/observer.h"
#include "dataplane/slowpath/fragments.h"
#include "tests/unit/dataplane/frames_of.h"

namespace podlane::dataplane {
namespace {

using ::testing::ElementsAre;
using ::testing::Pair;

/// The verdicts of one packet, by the stage after which it had them.
struct Verdicts {
    std::vector<std::pair<std::string, Verdict>> seen;

    void begin(std::span<const Packet>) noexcept { seen.clear(); }
    template <Stage S>
    void after(std::span<const Packet> burst) noexcept {
        seen.emplace_back(S::kName, burst.front().verdict);
    }
};
static_assert(StageObserver<Verdicts> && StageObserver<NoObserver>);
// NoObserver takes no room, and its calls are empty: the compiler removes them all.
static_assert(std::is_empty_v<NoObserver> && StageObserver<ProbeObserver>);

template <class F>
class Observed : public testing::Test {
  protected:
    using Here = World<F>;

    Observed() {
        Shared& shared = rig_.shared();
        ctx_->counters = shared.counters[0].get();
        ctx_->flows_v4 = shared.flows_v4.get();
        ctx_->flows_v6 = shared.flows_v6.get();
        ctx_->affinity = shared.affinity.get();
        ctx_->pool = shared.pool;
        ctx_->large_pool = shared.large_pool;
        ctx_->tap_io = &tap_io_;
        ctx_->ports = &shared.ports;
        ctx_->flow_targets = &shared.flow_targets;
        ctx_->recorder = &shared.recorder;
        ctx_->handoff = &shared.handoff;
        ctx_->fragments = fragments_.get();
        ctx_->doorbells = shared.doorbells.data();
        ctx_->control_doorbell = &shared.control_doorbell;
        ctx_->events = shared.events[0].get();
        ctx_->snapshot = &rig_.snapshot();
        ctx_->clock = shared.clock;
        ctx_->tsc = rte_rdtsc();
        ctx_->now_ms = ctx_->clock.milliseconds(ctx_->tsc);
        ctx_->now_s = static_cast<uint32_t>(ctx_->now_ms / 1000);
    }
    /// Runs the frame through the stages, with and without an observer.
    template <class... Observer>
    void run(const Frame& frame, Observer&... observer) {
        Packet& packet = ctx_->packets[0];
        packet.mbuf = rte_pktmbuf_alloc(ctx_->pool);
        packet.in_port = rig_.port(Rig::kPodA);
        packet.flags = 0;
        std::copy(frame.begin(), frame.end(),
                  reinterpret_cast<uint8_t*>(
                      rte_pktmbuf_append(packet.mbuf, static_cast<uint16_t>(frame.size()))));
        Pipeline::run(*ctx_, {&packet, 1}, observer...);
        flush(*ctx_);
    }
    [[nodiscard]] Frame to_service(uint8_t ttl = 64) const {
        auto frame =
            udp<F>(Names::kPodAMac, Names::kGatewayMac, Here::kPodA, 4000, Here::kService, 80);
        if (ttl != 64) set_ttl(frame, ttl);
        return frame;
    }
    static void set_ttl(Frame& frame, uint8_t ttl) {
        uint8_t* l3 = frame.data() + sizeof(EthernetHeader);
        if constexpr (std::same_as<F, V4>) {
            l3[offsetof(Ipv4Header, ttl)] = ttl;
            store(l3 + offsetof(Ipv4Header, checksum), be16(0));
            store(l3 + offsetof(Ipv4Header, checksum),
                  ipv4_header_checksum({l3, sizeof(Ipv4Header)}));
        } else {
            l3[offsetof(Ipv6Header, hop_limit)] = ttl;
        }
    }

    Rig rig_;
    std::unique_ptr<Fragments> fragments_ = std::make_unique<Fragments>(*rig_.shared().counters[0]);
    TapIo tap_io_;
    std::unique_ptr<WorkerCtx> ctx_ = std::make_unique<WorkerCtx>();
    Verdicts verdicts_;
};
using Families = testing::Types<V4, V6>;
TYPED_TEST_SUITE(Observed, Families);

TYPED_TEST(Observed, AFirstPacketTakesTheSlowPathAndTheSecondDoesNot) {
    this->run(this->to_service(), this->verdicts_);
    EXPECT_THAT(this->verdicts_.seen,
                ElementsAre(Pair("parse", Verdict::kLookUp), Pair("decap", Verdict::kLookUp),
                            Pair("lookup", Verdict::kSlow), Pair("slow_path", Verdict::kForward),
                            Pair("join", Verdict::kForward), Pair("forward", Verdict::kSend),
                            Pair("tx", Verdict::kSend)));
    this->run(this->to_service(), this->verdicts_);
    EXPECT_THAT(this->verdicts_.seen,
                ElementsAre(Pair("parse", Verdict::kLookUp), Pair("decap", Verdict::kLookUp),
                            Pair("lookup", Verdict::kForward), Pair("slow_path", Verdict::kForward),
                            Pair("join", Verdict::kForward), Pair("forward", Verdict::kSend),
                            Pair("tx", Verdict::kSend)));
    EXPECT_EQ(this->rig_.take(Rig::kPodB).size(), 2u);
}

TYPED_TEST(Observed, StagesCountWhatComesAndWhatTheyPassOn) {
    const auto counts = [this](PipelineStage stage) {
        const StageCounts& each = this->rig_.shared().counters[0]->at(stage);
        return std::pair(each.in.get(), each.out());
    };
    const auto all = [&counts] {
        std::vector<std::pair<uint64_t, uint64_t>> out;
        for (size_t i = 0; i < kPipelineStages.size(); ++i) {
            out.push_back(counts(static_cast<PipelineStage>(i)));
        }
        return out;
    };
    // parse, decap, lookup, defer, slow path, join, forward, tx.
    this->run(this->to_service());
    EXPECT_THAT(all(), ElementsAre(Pair(1, 1), Pair(0, 0), Pair(1, 1), Pair(0, 0), Pair(1, 1),
                                   Pair(0, 0), Pair(1, 1), Pair(1, 1)));
    this->run(this->to_service());
    EXPECT_THAT(all(), ElementsAre(Pair(2, 2), Pair(0, 0), Pair(2, 2), Pair(0, 0), Pair(1, 1),
                                   Pair(0, 0), Pair(2, 2), Pair(2, 2)));
    // A packet that the slow path drops, and one that parse drops.
    const auto answered = counts(PipelineStage::kTx).first;
    this->run(this->to_service(1));
    EXPECT_EQ(counts(PipelineStage::kSlowPath), std::pair(uint64_t{2}, uint64_t{1}));
    EXPECT_EQ(counts(PipelineStage::kTx).first, answered + 1) << "the sender is told";
    Frame cut = this->to_service();
    cut.resize(20);
    this->run(cut);
    EXPECT_EQ(counts(PipelineStage::kParse), std::pair(uint64_t{4}, uint64_t{3}));
    EXPECT_EQ(counts(PipelineStage::kLookup).first, 3u);
}

TYPED_TEST(Observed, ItIsTheStagesThatTheWorkersRun) {
    this->run(this->to_service(), this->verdicts_);
    const auto observed = this->rig_.take(Rig::kPodB);
    this->run(this->to_service());
    const auto unobserved = this->rig_.take(Rig::kPodB);
    ASSERT_EQ(observed.size(), 1u);
    EXPECT_EQ(observed, unobserved);
}

TYPED_TEST(Observed, AStageThatDropsIsSeenToDoSo) {
    this->run(this->to_service(1), this->verdicts_);
    EXPECT_THAT(this->verdicts_.seen,
                ElementsAre(Pair("parse", Verdict::kLookUp), Pair("decap", Verdict::kLookUp),
                            Pair("lookup", Verdict::kSlow), Pair("slow_path", Verdict::kDrop),
                            Pair("join", Verdict::kDrop), Pair("forward", Verdict::kDrop),
                            Pair("tx", Verdict::kDrop)));
    EXPECT_EQ(this->ctx_->packets[0].reason, Drop::kIpTtlExpired);
    EXPECT_EQ(this->rig_.shared().template flows_of<TypeParam>().counters().created, 0u)
        << "a packet that goes nowhere makes no flow";
}

}  // namespace
}  // namespace podlane::dataplane
