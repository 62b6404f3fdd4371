#include "lib/flow/table.h"

#include <gtest/gtest.h>

#include <set>
#include <string>
#include <vector>

#include "lib/flow/flow_end.h"
#include "tests/unit/flow/support.h"

namespace podlane {
namespace {

using namespace test;

template <class F>
class FlowTableTest : public ::testing::Test {};
TYPED_TEST_SUITE(FlowTableTest, Families, FamilyName);

TYPED_TEST(FlowTableTest, AConnectionIsFoundByBothItsKeys) {
    OneWorker<TypeParam> worker(64);
    const auto result = worker.insert(client_connection<TypeParam>(1), 100);
    ASSERT_EQ(result.status, InsertStatus::kInserted);
    auto* original = worker.find(client_key<TypeParam>(1));
    auto* reply = worker.find(reply_key<TypeParam>(1));
    ASSERT_EQ(original, result.entry);
    ASSERT_NE(reply, nullptr);
    EXPECT_EQ(&opposite_of(*original), reply);
    EXPECT_EQ(&connection_of(*original), &connection_of(*reply));
    EXPECT_EQ(original->direction(), FlowDirection::kOriginal);
    EXPECT_EQ(reply->direction(), FlowDirection::kReply);
    EXPECT_EQ(original->current_hop(), (Hop{7, 2}));
    EXPECT_EQ(reply->current_hop(), (Hop{7, 3}));
    EXPECT_EQ(original->service_id.load(), 3u);
    EXPECT_EQ(original->service_epoch.load(), 11u);
    EXPECT_EQ(original->last_seen.load(), 100u);
}

TYPED_TEST(FlowTableTest, TheRewritesLeadToTheOtherDirectionsKeyReversed) {
    OneWorker<TypeParam> worker(64);
    const auto result = worker.insert(client_connection<TypeParam>(1));
    const auto forward = rewrite_of(*result.entry);
    const auto back = rewrite_of(opposite_of(*result.entry));
    EXPECT_EQ(forward.dst, address<TypeParam>(0x700001));
    EXPECT_EQ(forward.dst_port, be16(8080));
    EXPECT_EQ(result.entry->rewrite_flags(), kRewriteDstAddress | kRewriteDstPort);
    EXPECT_EQ(back.src, address<TypeParam>(0x600001));
    EXPECT_EQ(back.src_port, be16(80));
    EXPECT_EQ(opposite_of(*result.entry).rewrite_flags(), kRewriteSrcAddress | kRewriteSrcPort);
}

TYPED_TEST(FlowTableTest, AnUnknownKeyIsNotFound) {
    OneWorker<TypeParam> worker(64);
    (void)worker.insert(client_connection<TypeParam>(1));
    EXPECT_EQ(worker.find(client_key<TypeParam>(2)), nullptr);
}

TYPED_TEST(FlowTableTest, ASecondInsertOfAKeyGivesTheFirstsEntry) {
    OneWorker<TypeParam> worker(64);
    const auto first = worker.insert(client_connection<TypeParam>(1));
    const auto same = worker.insert(client_connection<TypeParam>(1));
    EXPECT_EQ(same.status, InsertStatus::kExists);
    EXPECT_EQ(same.entry, first.entry);
    // With another endpoint: the first one's choice stands, and the second leaves nothing behind.
    const auto other = worker.insert(client_connection<TypeParam>(1, 2));
    EXPECT_EQ(other.status, InsertStatus::kExists);
    EXPECT_EQ(other.entry, first.entry);
    EXPECT_EQ(worker.find(reply_key<TypeParam>(1, 2)), nullptr);
    EXPECT_EQ(worker.table().counters().active, 1u);
}

TYPED_TEST(FlowTableTest, TheReplyKeyOfAnotherConnectionIsTaken) {
    OneWorker<TypeParam> worker(64);
    (void)worker.insert(client_connection<TypeParam>(1));
    auto rival = client_connection<TypeParam>(2);
    rival.reply = reply_key<TypeParam>(1);
    EXPECT_EQ(worker.insert(rival).status, InsertStatus::kReplyTaken);
    EXPECT_EQ(worker.find(client_key<TypeParam>(2)), nullptr);
    EXPECT_EQ(worker.table().counters().active, 1u);
}

TYPED_TEST(FlowTableTest, AConnectionToItselfIsNotMade) {
    OneWorker<TypeParam> worker(64);
    auto spec = client_connection<TypeParam>(1);
    spec.original.dst = spec.original.src;
    spec.original.dst_port = spec.original.src_port;
    spec.reply = spec.original.reversed();
    EXPECT_EQ(worker.insert(spec).status, InsertStatus::kReplyTaken);
    EXPECT_EQ(worker.find(spec.original), nullptr);
}

TYPED_TEST(FlowTableTest, TheOtherEndsFirstPacketFindsTheConnection) {
    OneWorker<TypeParam> worker(64);
    auto spec = client_connection<TypeParam>(1);
    spec.reply = spec.original.reversed();
    const auto first = worker.insert(spec);
    std::swap(spec.original, spec.reply);
    const auto second = worker.insert(spec);
    EXPECT_EQ(second.status, InsertStatus::kExists);
    EXPECT_EQ(second.entry, &opposite_of(*first.entry));
}

TYPED_TEST(FlowTableTest, ARemovedConnectionIsGoneAndItsBlockComesBack) {
    OneWorker<TypeParam> worker(1);
    const auto first = worker.insert(client_connection<TypeParam>(1));
    EXPECT_TRUE(worker.table().remove(0, connection_of(*first.entry)));
    EXPECT_FALSE(worker.table().remove(0, connection_of(*first.entry)));
    EXPECT_EQ(worker.find(client_key<TypeParam>(1)), nullptr);
    EXPECT_EQ(worker.find(reply_key<TypeParam>(1)), nullptr);
    // Not before its grace period is over.
    EXPECT_EQ(worker.insert(client_connection<TypeParam>(2)).status, InsertStatus::kFull);
    EXPECT_EQ(first.entry->key, client_key<TypeParam>(1));
    worker.settle();
    EXPECT_EQ(worker.insert(client_connection<TypeParam>(2)).status, InsertStatus::kInserted);
}

TYPED_TEST(FlowTableTest, ABlocksGenerationTellsItsTenantsApart) {
    OneWorker<TypeParam> worker(1);
    auto* entry = worker.insert(client_connection<TypeParam>(1)).entry;
    auto& state = connection_of(*entry).state;
    const uint32_t before = ConnectionState::generation_of(state.life.load());
    worker.table().remove(0, connection_of(*entry));
    worker.settle();
    ASSERT_EQ(worker.insert(client_connection<TypeParam>(2)).entry, entry);
    EXPECT_NE(ConnectionState::generation_of(state.life.load()), before);
}

TYPED_TEST(FlowTableTest, ItHoldsItsWholeCapacityAndRefusesMore) {
    constexpr uint32_t kCapacity = 20000;
    OneWorker<TypeParam> worker(kCapacity);
    for (uint32_t n = 0; n < kCapacity; ++n) {
        auto spec = client_connection<TypeParam>(n);
        ASSERT_EQ(worker.insert(spec).status, InsertStatus::kInserted) << n;
    }
    EXPECT_EQ(worker.insert(client_connection<TypeParam>(kCapacity)).status, InsertStatus::kFull);
    const FlowCounters counters = worker.table().counters();
    EXPECT_EQ(counters.active, kCapacity);
    EXPECT_EQ(counters.created, kCapacity);
    EXPECT_EQ(counters.refused, 1u);
    EXPECT_EQ(counters.capacity, kCapacity);
    for (uint32_t n = 0; n < kCapacity; ++n) {
        ASSERT_NE(worker.find(client_key<TypeParam>(n)), nullptr) << n;
        ASSERT_NE(worker.find(reply_key<TypeParam>(n)), nullptr) << n;
    }
}

TYPED_TEST(FlowTableTest, ALookupInStepsAnswersAsSingleOnes) {
    OneWorker<TypeParam> worker(5000);
    for (uint32_t n = 0; n < 5000; n += 2) (void)worker.insert(client_connection<TypeParam>(n));
    for (const size_t count : {0u, 1u, 7u, 32u, 64u}) {
        std::vector<FlowKey<TypeParam>> keys;
        for (uint32_t i = 0; i < count; ++i) keys.push_back(client_key<TypeParam>(i * 37 % 5000));
        const FlowTable<TypeParam>& table = worker.table();
        std::vector<uint64_t> hashes(count);
        std::vector<const Bucket*> buckets(count);
        std::vector<FlowEntry<TypeParam>*> found(count);
        for (size_t i = 0; i < count; ++i) {
            hashes[i] = table.hash(keys[i]);
            buckets[i] = &table.prefetch(hashes[i]);
        }
        for (size_t i = 0; i < count; ++i) found[i] = table.candidate(*buckets[i], hashes[i]);
        for (size_t i = 0; i < count; ++i) found[i] = table.confirm(keys[i], hashes[i], found[i]);
        for (size_t i = 0; i < count; ++i) {
            EXPECT_EQ(found[i], worker.find(keys[i]));
            EXPECT_EQ(found[i] != nullptr, i * 37 % 5000 % 2 == 0);
        }
    }
}

TYPED_TEST(FlowTableTest, AVisitInPartsSeesEachLiveConnectionOnce) {
    OneWorker<TypeParam> worker(300);
    for (uint32_t n = 0; n < 300; ++n) (void)worker.insert(client_connection<TypeParam>(n));
    for (uint32_t n = 0; n < 300; n += 3) {
        worker.table().remove(0, connection_of(*worker.find(client_key<TypeParam>(n))));
    }
    std::multiset<uint32_t> seen;
    uint32_t from = 0;
    do {
        from = worker.table().for_each(
            [&](Connection<TypeParam>& c) {
                seen.insert(c.original().current_hop().adjacency - 1);
            },
            from, 17);
    } while (from != 0);
    EXPECT_EQ(seen.size(), 200u);
    for (uint32_t n = 0; n < 300; ++n) EXPECT_EQ(seen.count(n), n % 3 == 0 ? 0u : 1u) << n;
}

TYPED_TEST(FlowTableTest, MemoryCanBeTheCallers) {
    struct Heap {
        std::vector<std::unique_ptr<std::byte[]>> given;
        int released = 0;
    } heap;
    FlowTableOptions options;
    options.capacity = 100;
    options.memory.context = &heap;
    options.memory.allocate = [](size_t bytes, void* context) -> void* {
        auto& mine = *static_cast<Heap*>(context);
        mine.given.push_back(std::make_unique<std::byte[]>(bytes + kCacheLine));
        void* at = mine.given.back().get();
        size_t room = bytes + kCacheLine;
        return std::align(kCacheLine, bytes, at, room);
    };
    options.memory.release = [](void*, size_t, void* context) {
        ++static_cast<Heap*>(context)->released;
    };
    QuiescentDomain domain;
    domain.online(0);
    {
        auto table = FlowTable<TypeParam>::create(options, domain);
        ASSERT_TRUE(table.ok());
        EXPECT_EQ(table.value()->insert(0, client_connection<TypeParam>(1), 1).status,
                  InsertStatus::kInserted);
    }
    EXPECT_EQ(heap.given.size(), 3u);
    EXPECT_EQ(heap.released, 3);
}

TYPED_TEST(FlowTableTest, MemoryThatIsNotToBeHadIsAnErrorThatNamesTheOption) {
    FlowTableOptions options;
    options.memory.allocate = [](size_t, void*) -> void* { return nullptr; };
    QuiescentDomain domain;
    const auto table = FlowTable<TypeParam>::create(options, domain);
    ASSERT_FALSE(table.ok());
    EXPECT_NE(table.error().message.find("flows.capacity"), std::string::npos);
}

TEST(FlowTable, AnIpv4ConnectionTakesAtMost256Bytes) {
    size_t bytes = 0;
    FlowTableOptions options;
    options.capacity = 1048576;
    options.workers = 4;
    options.memory.context = &bytes;
    options.memory.allocate = [](size_t wanted, void* context) -> void* {
        *static_cast<size_t*>(context) += wanted;
        return nullptr;
    };
    QuiescentDomain domain;
    (void)FlowTable<V4>::create(options, domain);
    EXPECT_GT(bytes, 0u);
    EXPECT_LE(bytes / options.capacity, 256u);
}

TEST(FlowTable, CapacitiesAndWorkersOutOfRangeAreRefused) {
    QuiescentDomain domain;
    EXPECT_FALSE(FlowTable<V4>::create({.capacity = 0}, domain).ok());
    EXPECT_FALSE(FlowTable<V4>::create({.capacity = (1u << 28) + 1}, domain).ok());
    EXPECT_FALSE(FlowTable<V4>::create({.workers = 0}, domain).ok());
    EXPECT_FALSE(FlowTable<V4>::create({.workers = 1000}, domain).ok());
}

template <class F>
class Ends final : public FlowEndListener<F> {
  public:
    void ended(unsigned worker, const Connection<F>& connection, FlowEnd why) noexcept override {
        EXPECT_EQ(worker, 0u);
        last = connection.original().key;
        told.emplace_back(to_string(why));
    }
    std::vector<std::string> told;
    FlowKey<F> last{};
};

TYPED_TEST(FlowTableTest, WhoListensIsToldOfEachEndOnceAndWhy) {
    OneWorker<TypeParam> worker(64);
    Ends<TypeParam> ends;
    (void)worker.insert(client_connection<TypeParam>(1));
    EXPECT_TRUE(worker.table().remove(0, connection_of(*worker.find(client_key<TypeParam>(1)))));
    EXPECT_TRUE(ends.told.empty()) << "nobody listens yet";
    worker.table().tell_ends(&ends);
    const auto first = worker.insert(client_connection<TypeParam>(2));
    Connection<TypeParam>& connection = connection_of(*first.entry);
    EXPECT_TRUE(worker.table().remove(0, connection));
    EXPECT_FALSE(worker.table().remove(0, connection));
    EXPECT_EQ(ends.told, std::vector<std::string>{"removed"});
    EXPECT_EQ(ends.last, client_key<TypeParam>(2));
    const auto second = worker.insert(client_connection<TypeParam>(3));
    EXPECT_TRUE(worker.table().give_up(0, connection_of(*second.entry)));
    (void)worker.insert(client_connection<TypeParam>(4), 100);
    worker.sweep(100'000);
    EXPECT_EQ(ends.told, (std::vector<std::string>{"removed", "evicted", "expired"}));
    EXPECT_EQ(ends.last, client_key<TypeParam>(4));
    worker.table().tell_ends(nullptr);
}

}  // namespace
}  // namespace podlane
