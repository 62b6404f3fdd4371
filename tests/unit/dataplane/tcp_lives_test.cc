// TCP connections from their first packet to their last, and what happens in between.
#include <set>

#include "tests/unit/dataplane/frames_of.h"

namespace podlane::dataplane {
namespace {

constexpr uint8_t kSynAck = kTcpSyn | kTcpAck;
constexpr uint8_t kFinAck = kTcpFin | kTcpAck;
constexpr uint8_t kRstAck = kTcpRst | kTcpAck;

template <class F>
class TcpLivesTest : public testing::Test {
  protected:
    using Here = World<F>;

    /// From pod A to the ClusterIP with pod B as endpoint, and back.
    void ask(uint8_t flags) { rig.send(Rig::kPodA, frame_to_service(4000, flags)); }
    void answer(uint8_t flags, uint16_t endpoint_port = 8080) {
        rig.send(Rig::kPodB, tcp<F>(Names::kPodBMac, Names::kPodAMac, Here::kPodB, endpoint_port,
                                    Here::kPodA, 4000, flags));
    }
    static Frame frame_to_service(uint16_t port, uint8_t flags) {
        return tcp<F>(Names::kPodAMac, Names::kGatewayMac, Here::kPodA, port, Here::kService, 80,
                      flags);
    }
    void establish() {
        ask(kTcpSyn);
        answer(kSynAck);
        ask(kTcpAck);
        answer(kTcpAck);
        EXPECT_EQ(state(), TcpState::kEstablished);
        forget_frames();
    }
    void forget_frames() {
        for (const auto who : {Rig::kPodA, Rig::kPodB, Rig::kUplink}) rig.take(who);
    }
    FlowTable<F>& flows() { return rig.shared().template flows_of<F>(); }
    uint64_t active() { return flows().counters().active; }
    TcpState state_of(const FlowKey<F>& key) {
        FlowEntry<F>* const entry = flows().lookup(key, flows().hash(key));
        return entry == nullptr ? TcpState::kNone : connection_of(*entry).state.tcp_state.load();
    }
    TcpState state() {
        return state_of(key_of<F>(Here::kPodA, 4000, Here::kService, 80, kProtocolTcp));
    }
    void pass_seconds(uint64_t seconds) { rig.pass(seconds * 1000); }
    /// Directs new connections to the Service to this port of pod B.
    void serve_at(uint16_t port) {
        rig.change([&](Snapshot& next) {
            auto& frontends = next.template family<F>().frontends;
            const FrontendKey<F> key{ip<F>(Here::kService), be16(80), kProtocolTcp};
            Frontend<F> moved = *frontends.find(key);
            auto set = std::make_shared<EndpointSet<F>>();
            set->endpoints = {{ip<F>(Here::kPodB), be16(port)}};
            moved.inside = moved.outside = set;
            frontends.set(key, std::make_shared<Frontend<F>>(moved));
        });
    }

    Rig rig;
};
using Families = testing::Types<V4, V6>;
TYPED_TEST_SUITE(TcpLivesTest, Families);

TYPED_TEST(TcpLivesTest, ASynWithoutAnswerIsForgottenAfterTwoMinutes) {
    this->ask(kTcpSyn);
    EXPECT_EQ(this->state(), TcpState::kSynSent);
    this->pass_seconds(119);
    EXPECT_EQ(this->active(), 1u);
    this->pass_seconds(2);
    EXPECT_EQ(this->active(), 0u);
}

TYPED_TEST(TcpLivesTest, AHandshakeThatItsClientDoesNotFinishIsForgottenAfterAMinute) {
    this->ask(kTcpSyn);
    this->answer(kSynAck);
    EXPECT_EQ(this->state(), TcpState::kSynReceived);
    this->pass_seconds(59);
    EXPECT_EQ(this->active(), 1u);
    this->pass_seconds(2);
    EXPECT_EQ(this->active(), 0u);
}

TYPED_TEST(TcpLivesTest, ARefusedConnectionIsForgottenAfterTenSecondsAndItsClientTold) {
    using F = TypeParam;
    using W = World<F>;
    this->ask(kTcpSyn);
    this->answer(kRstAck);
    const auto told = look<F>(this->rig.take_one(Rig::kPodA));
    EXPECT_EQ(text(told.key), text(key_of<F>(W::kService, 80, W::kPodA, 4000, kProtocolTcp)));
    EXPECT_TRUE(told.headers.tcp_flags & kTcpRst);
    EXPECT_EQ(this->state(), TcpState::kClose);
    this->pass_seconds(9);
    EXPECT_EQ(this->active(), 1u);
    this->pass_seconds(2);
    EXPECT_EQ(this->active(), 0u);
}

TYPED_TEST(TcpLivesTest, AForgedResetDoesNotEndAConnectionThatGoesOn) {
    for (const bool by_client : {true, false}) {
        this->establish();
        if (by_client) {
            this->ask(kTcpRst);
        } else {
            this->answer(kTcpRst);
        }
        this->pass_seconds(100);
        // Segments of the other end prove nothing; those of the end that the RST named do.
        if (by_client) {
            this->answer(kTcpAck);
            EXPECT_NE(this->state(), TcpState::kEstablished);
            this->ask(kTcpAck);
        } else {
            this->ask(kTcpAck);
            EXPECT_NE(this->state(), TcpState::kEstablished);
            this->answer(kTcpAck);
        }
        EXPECT_EQ(this->state(), TcpState::kEstablished);
        this->pass_seconds(10'000);
        EXPECT_EQ(this->active(), 1u) << "idle, and as good as before";
        this->ask(kTcpAck);
        this->answer(kTcpAck);
        EXPECT_EQ(this->rig.all_drops(), 0u);
        this->forget_frames();
    }
}

TYPED_TEST(TcpLivesTest, AResetThatNothingContradictsEndsTheConnection) {
    this->establish();
    this->answer(kTcpRst);
    this->ask(kTcpAck);  // was under way
    this->answer(kTcpRst);
    this->pass_seconds(119);
    EXPECT_EQ(this->active(), 1u);
    this->pass_seconds(2);
    EXPECT_EQ(this->active(), 0u);
}

TYPED_TEST(TcpLivesTest, APortUsedAgainIsANewConnectionWithAnEndpointOfItsOwn) {
    using F = TypeParam;
    using W = World<F>;
    const auto end_by_fin = [this] {
        this->answer(kFinAck);
        this->ask(kTcpAck);
        this->ask(kFinAck);
        this->answer(kTcpAck);
        EXPECT_EQ(this->state(), TcpState::kTimeWait);
    };
    const auto end_by_reset = [this] { this->ask(kTcpRst); };
    uint16_t endpoint = 8080;
    for (const bool by_fin : {true, false}) {
        this->serve_at(endpoint);
        this->ask(kTcpSyn);
        this->answer(kSynAck, endpoint);
        this->ask(kTcpAck);
        if (by_fin) {
            end_by_fin();
        } else {
            end_by_reset();
        }
        this->forget_frames();
        this->serve_at(++endpoint);
        // A late segment from the old endpoint still finds its way.
        this->answer(kTcpAck, static_cast<uint16_t>(endpoint - 1));
        EXPECT_EQ(look<F>(this->rig.take_one(Rig::kPodA)).key.src, ip<F>(W::kService));
        this->ask(kTcpSyn);
        EXPECT_EQ(text(look<F>(this->rig.take_one(Rig::kPodB)).key),
                  text(key_of<F>(W::kPodA, 4000, W::kPodB, endpoint, kProtocolTcp)));
        EXPECT_EQ(this->state(), TcpState::kSynSent);
        this->answer(kSynAck, endpoint);
        EXPECT_EQ(text(look<F>(this->rig.take_one(Rig::kPodA)).key),
                  text(key_of<F>(W::kService, 80, W::kPodA, 4000, kProtocolTcp)));
        this->ask(kTcpAck);
        EXPECT_EQ(this->state(), TcpState::kEstablished);
        EXPECT_EQ(this->active(), 1u) << "the old one is gone";
        this->ask(kTcpRst);  // for the next turn
        this->forget_frames();
        ++endpoint;
    }
    EXPECT_EQ(this->rig.all_drops(), 0u);
}

TYPED_TEST(TcpLivesTest, EndsThatOpenAtTheSameTimeHaveOneConnection) {
    using F = TypeParam;
    using W = World<F>;
    const auto one = [&](uint8_t flags) {
        this->rig.send(Rig::kPodA, tcp<F>(Names::kPodAMac, Names::kGatewayMac, W::kPodA, 4000,
                                          W::kPeer, 5000, flags));
        return this->rig.take(Rig::kUplink).size();
    };
    const auto other = [&](uint8_t flags) {
        this->rig.send(Rig::kUplink, tcp<F>(Names::kPeerMac, Names::kUplinkMac, W::kPeer, 5000,
                                            W::kPodA, 4000, flags));
        return this->rig.take(Rig::kPodA).size();
    };
    const auto key = key_of<F>(W::kPodA, 4000, W::kPeer, 5000, kProtocolTcp);
    EXPECT_EQ(one(kTcpSyn) + other(kTcpSyn), 2u);
    EXPECT_EQ(this->state_of(key), TcpState::kSynSentBoth);
    EXPECT_EQ(one(kSynAck) + other(kSynAck), 2u);
    EXPECT_EQ(one(kTcpAck) + other(kTcpAck), 2u);
    EXPECT_EQ(this->state_of(key), TcpState::kEstablished);
    EXPECT_EQ(this->flows().counters().created, 1u);
    this->pass_seconds(10'000);
    EXPECT_EQ(this->active(), 1u);
}

/// All connections that one client address can have to one address and port.
template <class F>
class AllPortsTest : public testing::Test {
  protected:
    static constexpr unsigned kBatch = 64;
    Rig rig{1, 131072};

    /// Every source port once, from `client`, with packets made by `ask`; the server's replies,
    /// made by `answer` from what it saw, come back as from `asked`.
    template <class Ask, class Answer>
    void open_all(Rig::Who client, Ask ask, Answer answer, const FlowKey<F>& asked) {
        std::set<uint16_t> seen_ports;
        for (unsigned first = 1; first < 65536; first += kBatch) {
            std::vector<Frame> questions, answers;
            for (unsigned port = first; port < std::min(first + kBatch, 65536u); ++port) {
                questions.push_back(ask(static_cast<uint16_t>(port)));
            }
            rig.send_burst(client, questions);
            for (const Frame& frame : rig.take(Rig::kPodB)) {
                const auto seen = look<F>(frame);
                ASSERT_TRUE(seen.checksums_ok);
                ASSERT_TRUE(seen_ports.insert(seen.key.src_port.host()).second);
                answers.push_back(answer(seen.key));
            }
            rig.send_burst(Rig::kPodB, answers);
            unsigned port = first;
            for (const Frame& frame : rig.take(client)) {
                const auto back = look<F>(frame);
                ASSERT_TRUE(back.checksums_ok);
                FlowKey<F> wanted = asked.reversed();
                wanted.dst_port = be16(static_cast<uint16_t>(port++));
                ASSERT_EQ(back.key, wanted) << text(back.key) << " is not " << text(wanted);
            }
            ASSERT_EQ(port, std::min(first + kBatch, 65536u)) << "answers are missing";
        }
        EXPECT_EQ(seen_ports.size(), 65535u);
        EXPECT_EQ(rig.all_drops(), 0u);
    }
};
TYPED_TEST_SUITE(AllPortsTest, Families);

TYPED_TEST(AllPortsTest, OneClientHas65535ConnectionsThroughAClusterIp) {
    using F = TypeParam;
    using W = World<F>;
    this->open_all(
        Rig::kPodA,
        [](uint16_t port) {
            return tcp<F>(Names::kPodAMac, Names::kGatewayMac, W::kPodA, port, W::kService, 80,
                          kTcpSyn);
        },
        [](const FlowKey<F>& seen) {
            return tcp<F>(Names::kPodBMac, Names::kPodAMac, W::kPodB, 8080, W::kPodA,
                          seen.src_port.host(), kSynAck);
        },
        key_of<F>(W::kPodA, 0, W::kService, 80, kProtocolTcp));
}

TYPED_TEST(AllPortsTest, OneClientHas65535ConnectionsThroughANodePortThatMasquerades) {
    using F = TypeParam;
    using W = World<F>;
    this->open_all(
        Rig::kUplink,
        [](uint16_t port) {
            return tcp<F>(Names::kPeerMac, Names::kUplinkMac, W::kPeer, port, W::kNode, 30080,
                          kTcpSyn);
        },
        [](const FlowKey<F>& seen) {
            return tcp<F>(Names::kPodBMac, Names::kGatewayMac, W::kPodB, 8080, W::kGateway,
                          seen.src_port.host(), kSynAck);
        },
        key_of<F>(W::kPeer, 0, W::kNode, 30080, kProtocolTcp));
}

}  // namespace
}  // namespace podlane::dataplane
