// Tables on the memory of an earlier table, as after a process was killed.
#include <cstdlib>
#include <cstring>
#include <memory>
#include <span>

#include "lib/flow/table.h"
#include "tests/unit/flow/support.h"

namespace podlane::test {
namespace {

constexpr uint32_t kCapacity = 1000;
constexpr uint32_t kNow = 5000;

template <class F>
class Adopt : public testing::Test {
  protected:
    Adopt() : memory_(std::aligned_alloc(64, bytes())) { std::memset(memory_, 0, bytes()); }
    ~Adopt() override { std::free(memory_); }

    static FlowTableOptions options(uint64_t seed) {
        FlowTableOptions out;
        out.capacity = kCapacity;
        out.seed = seed;
        return out;
    }
    static size_t bytes() {
        return size_t{FlowTable<F>::block_count(options(1))} * sizeof(Connection<F>);
    }
    /// The next process's table, with another secret.
    std::unique_ptr<FlowTable<F>> open(uint64_t seed) {
        FlowTableOptions out = options(seed);
        out.block_memory.allocate = [](size_t, void* context) { return context; };
        out.block_memory.context = memory_;
        auto table = FlowTable<F>::create(out, domain_);
        EXPECT_TRUE(table.ok()) << table.error().message;
        return std::move(table).value();
    }
    static FlowEntry<F>* find(FlowTable<F>& table, const FlowKey<F>& key) {
        return table.lookup(key, table.hash(key));
    }

    QuiescentDomain domain_;
    void* memory_;
};

using Families = testing::Types<V4, V6>;
TYPED_TEST_SUITE(Adopt, Families);

TYPED_TEST(Adopt, WhatWasWholeIsThereUnderAnotherSecretAndFindsItsWayAnew) {
    uint32_t used = 0;
    {
        auto table = this->open(1);
        for (uint32_t n = 0; n < 500; ++n) {
            ASSERT_EQ(table->insert(0, client_connection<TypeParam>(n), kNow).status,
                      InsertStatus::kInserted);
        }
        for (uint32_t n = 0; n < 100; ++n) {
            auto* entry = this->find(*table, client_key<TypeParam>(n));
            ASSERT_NE(entry, nullptr);
            ASSERT_TRUE(table->remove(0, connection_of(*entry)));
        }
        used = table->used_blocks();
    }
    auto table = this->open(2);
    EXPECT_EQ(table->adopt(used, kNow + 1), 400u);
    EXPECT_EQ(table->counters().active, 400u);
    for (uint32_t n = 0; n < 500; ++n) {
        auto* entry = this->find(*table, client_key<TypeParam>(n));
        ASSERT_EQ(entry != nullptr, n >= 100) << n;
        auto* reply = this->find(*table, reply_key<TypeParam>(n));
        ASSERT_EQ(reply != nullptr, n >= 100) << n;
        if (entry == nullptr) continue;
        EXPECT_EQ(&opposite_of(*entry), reply);
        EXPECT_EQ(entry->current_hop().adjacency, 0u);
        EXPECT_EQ(entry->current_hop().ingress, kUnknownIngress);
        EXPECT_EQ(entry->service_id.load(), 0u) << "an id of another process means nothing";
    }
    // All of the room can be used, and no more.
    uint32_t more = 0;
    while (table->insert(0, client_connection<TypeParam>(1000 + more), kNow).status ==
           InsertStatus::kInserted) {
        ++more;
    }
    EXPECT_EQ(more, kCapacity - 400);
}

TYPED_TEST(Adopt, WhatWasHalfMadeHalfRemovedOrTooOldIsNot) {
    uint32_t used = 0;
    {
        auto table = this->open(1);
        for (uint32_t n = 0; n < 4; ++n) {
            const uint32_t seen_s = n == 3 ? kNow - 1000 : kNow;
            auto made = table->insert(0, client_connection<TypeParam>(n), seen_s);
            ASSERT_EQ(made.status, InsertStatus::kInserted);
            std::atomic<uint32_t>& life = connection_of(*made.entry).state.life;
            const uint32_t uses = life.load() & ~3u;
            if (n == 0) life = uses | static_cast<uint32_t>(Life::kInserting);
            if (n == 1) life = uses | static_cast<uint32_t>(Life::kDead);
        }
        used = table->used_blocks();
    }
    auto table = this->open(2);
    EXPECT_EQ(table->adopt(used, kNow), 1u);
    EXPECT_NE(this->find(*table, client_key<TypeParam>(2)), nullptr);
    for (const uint32_t n : {0u, 1u, 3u}) {
        EXPECT_EQ(this->find(*table, client_key<TypeParam>(n)), nullptr) << n;
        EXPECT_EQ(table->insert(0, client_connection<TypeParam>(n), kNow).status,
                  InsertStatus::kInserted);
    }
}

TYPED_TEST(Adopt, TwoWithOneKeyCountOnce) {
    uint32_t used = 0;
    {
        auto table = this->open(1);
        auto first = table->insert(0, client_connection<TypeParam>(1), kNow);
        auto second = table->insert(0, client_connection<TypeParam>(2), kNow);
        Connection<TypeParam>& copy = connection_of(*second.entry);
        copy.entry[0].key = first.entry->key;
        used = table->used_blocks();
    }
    auto table = this->open(2);
    EXPECT_EQ(table->adopt(used, kNow), 1u);
    EXPECT_EQ(this->find(*table, reply_key<TypeParam>(2)), nullptr);
}

TYPED_TEST(Adopt, BlocksWithoutMemoryAreNotHandedOut) {
    auto table = this->open(1);
    table->allow_blocks(64);
    uint32_t made = 0;
    while (table->insert(0, client_connection<TypeParam>(made), kNow).status ==
           InsertStatus::kInserted) {
        ++made;
    }
    EXPECT_EQ(made, 64u);
    table->allow_blocks(128);
    EXPECT_EQ(table->insert(0, client_connection<TypeParam>(made), kNow).status,
              InsertStatus::kInserted);
}

TYPED_TEST(Adopt, ConnectionsOfATableOfAnySizeAreCopiedAndThatOneStaysAsItIs) {
    auto table = this->open(1);
    for (uint32_t n = 0; n < 500; ++n) {
        ASSERT_EQ(table->insert(0, client_connection<TypeParam>(n), kNow).status,
                  InsertStatus::kInserted);
    }
    ASSERT_TRUE(table->remove(0, connection_of(*this->find(*table, client_key<TypeParam>(7)))));
    const auto* const blocks = static_cast<const Connection<TypeParam>*>(this->memory_);
    for (const uint32_t capacity : {400u, 4000u}) {
        FlowTableOptions options;
        options.capacity = capacity;
        options.workers = capacity == 4000 ? 3 : 1;
        QuiescentDomain domain;
        auto other = FlowTable<TypeParam>::create(options, domain);
        ASSERT_TRUE(other.ok());
        const uint32_t copied =
            (*other)->copy_from(std::span(blocks, table->used_blocks()), kNow + 1);
        EXPECT_EQ(copied, capacity == 400 ? 400u : 499u) << "as many as there is room for";
        EXPECT_EQ((*other)->counters().active, copied);
        uint32_t found = 0;
        for (uint32_t n = 0; n < 500; ++n) {
            auto* entry = this->find(**other, client_key<TypeParam>(n));
            if (entry == nullptr) continue;
            ++found;
            EXPECT_EQ(this->find(**other, reply_key<TypeParam>(n)), &opposite_of(*entry));
            EXPECT_EQ(entry->current_hop().ingress, kUnknownIngress);
            EXPECT_EQ(connection_of(*entry).state.created_s, kNow);
        }
        EXPECT_EQ(found, copied);
        auto* one = this->find(**other, client_key<TypeParam>(3));
        ASSERT_NE(one, nullptr);
        EXPECT_TRUE((*other)->remove(0, connection_of(*one)));
        // A second copy adds at most the one that was removed.
        EXPECT_LE((*other)->copy_from(std::span(blocks, table->used_blocks()), kNow + 1), 1u);
    }
    EXPECT_EQ(table->counters().active, 499u);
    EXPECT_NE(this->find(*table, client_key<TypeParam>(3)), nullptr);
}

}  // namespace
}  // namespace podlane::test
