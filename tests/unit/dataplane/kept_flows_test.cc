// Workers that go on with the connections of earlier workers.
#include "dataplane/kept_flows.h"

#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <utility>

#include "dataplane/runtime.h"
#include "lib/model/port_sources.h"
#include "tests/unit/dataplane/frames_of.h"

namespace podlane::dataplane {
namespace {

namespace fs = std::filesystem;

template <class F>
class KeptFlowsTest : public testing::Test {
  protected:
    using Here = World<F>;

    KeptFlowsTest() {
        std::string name = "/dev/shm/kept-flows-XXXXXX";
        folder_ = ::mkdtemp(name.data());
        start(0);
    }
    ~KeptFlowsTest() override {
        rig_.reset();
        fs::remove_all(folder_);
    }

    /// Another process, with other port numbers.
    void start(uint16_t first_port, unsigned workers = 1, uint32_t capacity = 1024,
               bool traffic = false) {
        rig_.reset();
        rig_ = std::make_unique<Rig>(workers, capacity, true,
                                     RigMemory{folder_, first_port, {}, traffic});
    }
    /// The traffic of the connection whose first packet had this source port.
    std::optional<FlowTraffic> traffic_of(uint16_t port) {
        const FlowEntry<F>* entry =
            find(key_of<F>(Here::kPodA, port, Here::kService, 80, kProtocolTcp));
        if (entry == nullptr) return std::nullopt;
        return rig_->shared().template flows_of<F>().traffic_of(
            connection_of(const_cast<FlowEntry<F>&>(*entry)));
    }
    std::string log() const {
        std::string out;
        for (const std::string& line : rig_->memory().log) out += line + "\n";
        return out;
    }
    /// Pod A's connection to the Service: its SYN and pod B's answer.
    void connect(uint16_t port) {
        rig_->send(Rig::kPodA, tcp<F>(Names::kPodAMac, Names::kGatewayMac, Here::kPodA, port,
                                      Here::kService, 80, kTcpSyn));
        rig_->take_one(Rig::kPodB);
        rig_->send(Rig::kPodB, tcp<F>(Names::kPodBMac, Names::kPodAMac, Here::kPodB, 8080,
                                      Here::kPodA, port, kTcpSyn | kTcpAck));
        rig_->take_one(Rig::kPodA);
        rig_->send(Rig::kPodA, tcp<F>(Names::kPodAMac, Names::kGatewayMac, Here::kPodA, port,
                                      Here::kService, 80, kTcpAck));
        rig_->take_one(Rig::kPodB);
    }
    FlowEntry<F>* find(const FlowKey<F>& key) {
        FlowTable<F>& table = rig_->shared().template flows_of<F>();
        return table.lookup(key, table.hash(key));
    }

    std::string folder_;
    std::unique_ptr<Rig> rig_;
};
using Families = testing::Types<V4, V6>;
TYPED_TEST_SUITE(KeptFlowsTest, Families);

TYPED_TEST(KeptFlowsTest, AConnectionThroughAServiceGoesOnWhoeverSpeaksFirst) {
    using F = TypeParam;
    using W = World<F>;
    this->connect(4000);
    this->connect(4001);
    this->start(40);
    EXPECT_NE(this->log().find(std::string("flows: 2 are taken over")), std::string::npos)
        << this->log();
    // The server's segment goes to its neighbour by MAC; the bridge must not pass it unchanged.
    this->rig_->send(Rig::kPodB, tcp<F>(Names::kPodBMac, Names::kPodAMac, W::kPodB, 8080, W::kPodA,
                                        4000, kTcpAck | kTcpPsh));
    const auto heard = look<F>(this->rig_->take_one(Rig::kPodA));
    EXPECT_EQ(text(heard.key), text(key_of<F>(W::kService, 80, W::kPodA, 4000, kProtocolTcp)));
    EXPECT_TRUE(heard.checksums_ok);
    this->rig_->send(Rig::kPodA, tcp<F>(Names::kPodAMac, Names::kGatewayMac, W::kPodA, 4001,
                                        W::kService, 80, kTcpAck | kTcpPsh));
    const auto asked = look<F>(this->rig_->take_one(Rig::kPodB));
    EXPECT_EQ(text(asked.key), text(key_of<F>(W::kPodA, 4001, W::kPodB, 8080, kProtocolTcp)));
    EXPECT_EQ(this->rig_->all_drops(), 0u);
    EXPECT_EQ(this->rig_->shared().template flows_of<F>().counters().active, 2u);
    // The second segment of each connection finds everything in place.
    const uint64_t slow = this->rig_->shared().counters[0]->at(PipelineStage::kSlowPath).in.get();
    this->rig_->send(Rig::kPodA, tcp<F>(Names::kPodAMac, Names::kGatewayMac, W::kPodA, 4001,
                                        W::kService, 80, kTcpAck | kTcpPsh));
    EXPECT_EQ(this->rig_->shared().counters[0]->at(PipelineStage::kSlowPath).in.get(), slow);
}

TYPED_TEST(KeptFlowsTest, AnAnswerFromAnotherPodsPortIsStillForged) {
    using F = TypeParam;
    using W = World<F>;
    this->connect(4000);
    this->start(40);
    this->rig_->change([this](Snapshot& next) {
        auto own = std::make_shared<PortSources>();
        own->mac = Names::kPodAMac;
        own->v4.add({ip<V4>(World<V4>::kPodA), 32});
        own->v6.add({ip<V6>(World<V6>::kPodA), 128});
        auto views = std::make_shared<PortViews>(*next.ports);
        (*views)[index_of(this->rig_->port(Rig::kPodA))].sources = own;
        next.ports = views;
    });
    this->rig_->send(Rig::kPodA, tcp<F>(Names::kPodAMac, Names::kGatewayMac, W::kPodB, 8080,
                                        W::kPodA, 4000, kTcpAck | kTcpPsh));
    EXPECT_EQ(this->rig_->drops(Drop::kPodSourceSpoofed), 1u);
    EXPECT_TRUE(this->rig_->take(Rig::kPodA).empty());
}

TYPED_TEST(KeptFlowsTest, AMasqueradedPortStaysItsOwners) {
    using F = TypeParam;
    using W = World<F>;
    // Two clients with the same port, so that the second one gets another port towards pod B.
    std::vector<std::string> before;
    const auto send = [&](const char* client, uint8_t flags) {
        this->rig_->send(Rig::kUplink, tcp<F>(Names::kPeerMac, Names::kUplinkMac, client, 5000,
                                              W::kNode, 30080, flags));
        return text(look<F>(this->rig_->take_one(Rig::kPodB)).key);
    };
    for (const char* client : {W::kPeer, W::kStranger}) before.push_back(send(client, kTcpSyn));
    EXPECT_NE(before[0], before[1]);
    this->start(12);
    EXPECT_EQ(send(W::kStranger, kTcpAck), before[1]);
    EXPECT_EQ(send(W::kPeer, kTcpAck), before[0]);
}

TYPED_TEST(KeptFlowsTest, FlowsHaveTheirServiceAndTheirSharesAgain) {
    using F = TypeParam;
    using W = World<F>;
    this->connect(4000);
    const auto key = key_of<F>(W::kPodA, 4000, W::kService, 80, kProtocolTcp);
    const uint32_t service = this->find(key)->service_id.load();
    const auto holders = connection_of(*this->find(key)).state.holders[1];
    ASSERT_NE(service, 0u);
    this->start(7);
    FlowEntry<F>* const entry = this->find(key);
    ASSERT_NE(entry, nullptr);
    EXPECT_EQ(entry->service_id.load(), service);
    EXPECT_EQ(connection_of(*entry).state.holders[0], index_of(this->rig_->port(Rig::kPodA)));
    EXPECT_EQ(connection_of(*entry).state.holders[1], holders);
}

TYPED_TEST(KeptFlowsTest, ADatagramFlowOfAServiceThatHasGoneIsForgotten) {
    using F = TypeParam;
    using W = World<F>;
    const auto ask = [&](uint16_t port) {
        this->rig_->send(Rig::kPodA, udp<F>(Names::kPodAMac, Names::kGatewayMac, W::kPodA, port,
                                            W::kService, 80));
    };
    ask(4000);
    FlowEntry<F>* entry = this->find(key_of<F>(W::kPodA, 4000, W::kService, 80));
    ASSERT_NE(entry, nullptr);
    // As if it belonged to a Service at port 81, which does not exist.
    Connection<F>& connection = connection_of(*entry);
    connection.original().key.dst_port = be16(81);
    ask(4001);
    this->start(7);
    EXPECT_EQ(this->find(key_of<F>(W::kPodA, 4000, W::kService, 81)), nullptr);
    EXPECT_NE(this->find(key_of<F>(W::kPodA, 4001, W::kService, 80)), nullptr);
    ask(4001);
    EXPECT_EQ(this->rig_->take(Rig::kPodB).size(), 1u);
}

TYPED_TEST(KeptFlowsTest, TwoWorkersGoOnWithThoseOfTwo) {
    using F = TypeParam;
    using W = World<F>;
    this->start(0, 2);
    this->connect(4000);
    this->start(9, 2);
    this->rig_->send(
        Rig::kPodB,
        tcp<F>(Names::kPodBMac, Names::kPodAMac, W::kPodB, 8080, W::kPodA, 4000, kTcpAck | kTcpPsh),
        false, 1);
    const auto heard = look<F>(this->rig_->take_one(Rig::kPodA));
    EXPECT_EQ(text(heard.key), text(key_of<F>(W::kService, 80, W::kPodA, 4000, kProtocolTcp)));
}

TYPED_TEST(KeptFlowsTest, CountsGoOnWithTheirConnections) {
    for (const unsigned workers : {1u, 2u}) {
        this->start(0, workers, 1024, true);
        this->connect(4000);
        const auto before = this->traffic_of(4000);
        ASSERT_TRUE(before);
        EXPECT_EQ(before->packets[0], 2u);
        EXPECT_EQ(before->packets[1], 1u);
        EXPECT_GE(before->bytes[0], 80u);
        this->start(40, workers, 1024, true);
        EXPECT_EQ(this->traffic_of(4000), before);
        this->rig_.reset();
        KeptFlows::remove(this->folder_);
    }
}

TYPED_TEST(KeptFlowsTest, CountsThatMissedSomethingBeginAnew) {
    this->start(0, 1, 1024, true);
    this->connect(4000);
    // This process does not count, and reuses blocks for other connections.
    this->start(40);
    EXPECT_FALSE(this->traffic_of(4000));
    this->connect(4001);
    this->start(0, 1, 1024, true);
    EXPECT_EQ(this->traffic_of(4000), FlowTraffic{});
    EXPECT_EQ(this->traffic_of(4001), FlowTraffic{});
    this->connect(4003);
    EXPECT_EQ(this->traffic_of(4003)->packets[0], 2u);
}

TYPED_TEST(KeptFlowsTest, NothingIsLeftWhereNothingIsToBe) {
    this->start(0, 1, 1024, true);
    this->rig_.reset();
    EXPECT_FALSE(fs::is_empty(this->folder_));
    KeptFlows::remove(this->folder_);
    EXPECT_TRUE(fs::is_empty(this->folder_));
}

TEST(KeptFlowsPlace, AFolderOnADiskHasItsFlowsInMemoryAllTheSame) {
    std::string name = "/var/tmp/kept-flows-XXXXXX";
    const std::string folder = ::mkdtemp(name.data());
    const auto found = [] {
        size_t count = 0;
        for (const auto& each : fs::directory_iterator("/dev/shm")) {
            count += each.path().filename().string().starts_with("podlane-");
        }
        return count;
    };
    const size_t before = found();
    { const Rig rig(1, 1024, true, RigMemory{folder}); }
    EXPECT_TRUE(fs::is_empty(folder));
    EXPECT_EQ(found(), before + 1);
    {
        const Rig rig(1, 1024, true, RigMemory{folder});
        EXPECT_NE(rig.memory().log.front().find("0 are taken over"), std::string::npos);
    }
    KeptFlows::remove(folder);
    EXPECT_EQ(found(), before);
    fs::remove(folder);
}

TYPED_TEST(KeptFlowsTest, AnotherCapacityAndOtherWorkersHaveTheConnections) {
    using F = TypeParam;
    using W = World<F>;
    this->connect(4000);
    for (const auto& [workers, capacity] : {std::pair{1u, 4096u}, {2u, 4096u}, {1u, 512u}}) {
        this->start(20, workers, capacity);
        EXPECT_NE(this->log().find("flows: 1 of 1 are copied from"), std::string::npos)
            << this->log();
        this->rig_->send(Rig::kPodB, tcp<F>(Names::kPodBMac, Names::kPodAMac, W::kPodB, 8080,
                                            W::kPodA, 4000, kTcpAck | kTcpPsh));
        const auto heard = look<F>(this->rig_->take_one(Rig::kPodA));
        EXPECT_EQ(text(heard.key), text(key_of<F>(W::kService, 80, W::kPodA, 4000, kProtocolTcp)));
    }
    EXPECT_TRUE(this->rig_->shared().kept_flows->problems().empty());
}

TYPED_TEST(KeptFlowsTest, CountsOfCopiedConnectionsStartAnew) {
    this->start(0, 1, 1024, true);
    this->connect(4000);
    ASSERT_NE(this->traffic_of(4000)->packets[0], 0u);
    this->start(20, 1, 4096, true);
    ASSERT_TRUE(this->traffic_of(4000).has_value());
    EXPECT_EQ(*this->traffic_of(4000), FlowTraffic{});
}

TYPED_TEST(KeptFlowsTest, OneBesideTheOtherCopiesAndTakesItsPlaceWhenItIsTold) {
    using F = TypeParam;
    this->connect(4000);
    const auto key = key_of<F>(World<F>::kPodA, 4000, World<F>::kService, 80, kProtocolTcp);
    Shared& old = this->rig_->shared();
    Shared next(1);
    next.kept_flows = std::make_unique<KeptFlows>(
        this->folder_, [](LogLevel, std::string_view) {}, true);
    FlowTableOptions options;
    options.capacity = 2048;
    ASSERT_TRUE(create_flow_tables(next, options, 512).ok());
    FlowTable<F>& table = next.template flows_of<F>();
    EXPECT_EQ(table.counters().active, 0u) << "the other one works with them still";
    copy_kept_flows(next);
    EXPECT_EQ(table.counters().active, 1u);
    EXPECT_NE(table.lookup(key, table.hash(key)), nullptr);
    EXPECT_EQ(old.template flows_of<F>().counters().active, 1u);
    ASSERT_NE(this->find(key), nullptr);
    EXPECT_NE(this->find(key)->current_hop().ingress, kUnknownIngress)
        << "nothing of the old one's has changed";
    EXPECT_TRUE(fs::exists(this->folder_ + "/flows.v4.next"));
    next.kept_flows->take_place();
    EXPECT_FALSE(fs::exists(this->folder_ + "/flows.v4.next"));
    EXPECT_TRUE(next.kept_flows->problems().empty());
}

TYPED_TEST(KeptFlowsTest, OneThatDoesNotTakeThePlaceLeavesNothing) {
    this->connect(4000);
    {
        KeptFlows beside(
            this->folder_, [](LogLevel, std::string_view) {}, true);
        FlowTableOptions options;
        (void)beside.open<TypeParam>(options);
        EXPECT_NE(beside.open_affinity<TypeParam>(100), nullptr);
        EXPECT_TRUE(fs::exists(this->folder_ + "/" +
                               (std::same_as<TypeParam, V4> ? "flows.v4.next" : "flows.v6.next")));
    }
    for (const auto& each : fs::directory_iterator(this->folder_)) {
        EXPECT_NE(each.path().extension(), ".next");
    }
}

TYPED_TEST(KeptFlowsTest, ALookSaysWhatIsThereAndWhatDoesNotFit) {
    this->connect(4000);
    const auto seen = look_at_kept_flows(this->folder_);
    ASSERT_TRUE(seen.ok()) << seen.error().message;
    ASSERT_EQ(seen->size(), 4u);
    const bool is_v4 = std::same_as<TypeParam, V4>;
    EXPECT_EQ(seen->at(0), is_v4 ? "flows.v4: 1 connections" : "flows.v4: 0 connections");
    std::ofstream(this->folder_ + "/flows.v6", std::ios::in) << "x";
    EXPECT_NE(look_at_kept_flows(this->folder_).error().message.find("no such memory"),
              std::string::npos);
}

}  // namespace
}  // namespace podlane::dataplane
