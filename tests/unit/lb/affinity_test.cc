#include "lib/lb/affinity.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <thread>
#include <vector>

#include "lib/lb/endpoint.h"

namespace podlane {
namespace {

template <Family F>
typename F::Address address(uint32_t n) {
    if constexpr (std::same_as<F, V4>) {
        return {be32(0x0a000000 + n)};
    } else {
        Ipv6Address made{{0xfd}};
        for (unsigned i = 0; i < 4; ++i)
            made.bytes[12 + i] = static_cast<uint8_t>(n >> (24 - i * 8));
        return made;
    }
}

template <Family F>
Endpoint<F> endpoint(uint32_t n) {
    return {address<F>(1000 + n), be16(8080)};
}

constexpr auto kAnything = [](const auto&) { return true; };

template <class F>
class Affinity : public testing::Test {
  protected:
    /// Number of the endpoint that client `client` of `service` gets if `candidate` is chosen.
    uint32_t ask(uint32_t client, uint32_t service, uint32_t candidate, uint32_t now = 100,
                 uint32_t timeout = 60) {
        const auto got = table_.settle(address<F>(client), service, endpoint<F>(candidate), now,
                                       timeout, kAnything);
        for (uint32_t n = 0; got && n < 100; ++n) {
            if (*got == endpoint<F>(n)) return n;
        }
        return ~0u;
    }

    AffinityTable<F> table_{1000, 1};
};
using Families = testing::Types<V4, V6>;
TYPED_TEST_SUITE(Affinity, Families);

TYPED_TEST(Affinity, AClientGetsTheEndpointThatItHad) {
    EXPECT_EQ(this->ask(1, 7, 0), 0u);
    EXPECT_EQ(this->ask(1, 7, 1), 0u);
    EXPECT_EQ(this->ask(2, 7, 1), 1u) << "another client";
    EXPECT_EQ(this->ask(1, 8, 2), 2u) << "another Service";
    EXPECT_EQ(this->ask(1, 7, 3), 0u);
}

TYPED_TEST(Affinity, EachConnectionBeginsTheTimeAnew) {
    EXPECT_EQ(this->ask(1, 7, 0, 100), 0u);
    EXPECT_EQ(this->ask(1, 7, 1, 159), 0u);
    EXPECT_EQ(this->ask(1, 7, 1, 219), 0u) << "maybe 59.1 s after the last, as seconds are whole";
    EXPECT_EQ(this->ask(1, 7, 1, 280), 1u) << "60 s without a connection";
}

TYPED_TEST(Affinity, AnEndpointThatCannotBeUsedIsForgotten) {
    EXPECT_EQ(this->ask(1, 7, 0), 0u);
    const auto none = [](const auto&) { return false; };
    EXPECT_EQ(this->table_.settle(address<TypeParam>(1), 7, endpoint<TypeParam>(1), 100, 60, none),
              endpoint<TypeParam>(1));
    EXPECT_EQ(this->ask(1, 7, 0), 1u);
}

TYPED_TEST(Affinity, LookingChangesNothing) {
    const auto client = address<TypeParam>(1);
    EXPECT_FALSE(this->table_.find(client, 7, 100).has_value());
    EXPECT_EQ(this->ask(1, 7, 3), 3u);
    EXPECT_EQ(this->table_.find(client, 7, 160), endpoint<TypeParam>(3));
    EXPECT_FALSE(this->table_.find(client, 7, 161).has_value());
    EXPECT_EQ(this->ask(1, 7, 4, 161), 4u);
}

TYPED_TEST(Affinity, WhenItIsFullClientsAreKeptAndNewOnesAreNotTaken) {
    unsigned refused = 0;
    std::vector<uint32_t> kept;
    for (uint32_t client = 0; client < 10'000; ++client) {
        if (this->ask(client, 7, client % 50) == ~0u) {
            ++refused;
        } else {
            kept.push_back(client);
        }
    }
    EXPECT_GE(kept.size(), this->table_.capacity());
    EXPECT_GT(refused, 7000u);
    for (const uint32_t client : kept) EXPECT_EQ(this->ask(client, 7, 99), client % 50);
    EXPECT_EQ(this->ask(20'000, 7, 1, 161), 1u) << "their time is over: there is room again";
}

TYPED_TEST(Affinity, ItsCapacityFitsButForFewClients) {
    unsigned refused = 0;
    for (uint32_t client = 0; client < this->table_.capacity(); ++client) {
        refused += this->ask(client * 7919, 7, 1) == ~0u;
    }
    EXPECT_LT(refused, this->table_.capacity() / 20);
}

TYPED_TEST(Affinity, WorkersThatMeetOnOneClientAgree) {
    constexpr unsigned kThreads = 4, kClients = 200;
    std::vector<std::vector<Endpoint<TypeParam>>> got(kThreads);
    std::atomic<unsigned> waiting{kThreads};
    std::vector<std::thread> threads;
    for (unsigned t = 0; t < kThreads; ++t) {
        threads.emplace_back([&, t] {
            --waiting;
            while (waiting != 0) {
            }
            for (uint32_t client = 0; client < kClients; ++client) {
                for (;;) {
                    // None: another thread held the bucket for very long, for example one that the
                    // kernel stopped there. A worker goes on without affinity.
                    const auto choice = this->table_.settle(
                        address<TypeParam>(client), 7, endpoint<TypeParam>(t), 100, 60, kAnything);
                    if (!choice) continue;
                    got[t].push_back(*choice);
                    break;
                }
            }
        });
    }
    for (auto& thread : threads) thread.join();
    for (unsigned t = 1; t < kThreads; ++t) EXPECT_EQ(got[t], got[0]);
}

template <class F>
class KeptAffinity : public testing::Test {
  protected:
    static constexpr uint32_t kClients = 100;

    KeptAffinity()
        : bytes_(AffinityTable<F>::bytes_for(kClients)),
          memory_(static_cast<uint8_t*>(std::aligned_alloc(256, (bytes_ + 255) / 256 * 256))) {
        std::fill_n(memory_, bytes_, uint8_t{0});
        AffinityTable<F> before(kClients, 0, memory_);
        for (uint32_t n = 0; n < 50; ++n) {
            (void)before.settle(address<F>(n), 7, endpoint<F>(n), 100, 60, kAnything);
        }
    }
    ~KeptAffinity() override { std::free(memory_); }
    size_t remembered(const AffinityTable<F>& table) {
        size_t count = 0;
        for (uint32_t n = 0; n < 50; ++n) {
            const auto got = table.find(address<F>(n), 7, 110);
            count += got == std::optional(endpoint<F>(n));
        }
        return count;
    }

    size_t bytes_;
    uint8_t* memory_;
};
TYPED_TEST_SUITE(KeptAffinity, Families);

TYPED_TEST(KeptAffinity, TheNextTableThereRemembersWhatOneBeforeItDid) {
    const AffinityTable<TypeParam> table(this->kClients, 0, this->memory_);
    EXPECT_EQ(this->remembered(table), 50u);
}

TYPED_TEST(KeptAffinity, WhatWasBeingWrittenIsForgottenAndHasRoomAgain) {
    // Every other bucket was claimed when the process ended; the first place is not a bucket.
    constexpr size_t kBucket = std::same_as<TypeParam, V4> ? 128 : 256;
    for (size_t at = kBucket; at < this->bytes_; at += 2 * kBucket) this->memory_[at] = 1;
    AffinityTable<TypeParam> table(this->kClients, 0, this->memory_);
    const size_t left = this->remembered(table);
    EXPECT_GT(left, 0u);
    EXPECT_LT(left, 50u);
    for (uint32_t n = 0; n < 50; ++n) {
        const auto got =
            table.settle(address<TypeParam>(n), 7, endpoint<TypeParam>(n), 110, 60, kAnything);
        EXPECT_EQ(got, endpoint<TypeParam>(n));
    }
}

TYPED_TEST(KeptAffinity, ATableOfAnySizeTakesWhatItRemembersAndItStaysAsItIs) {
    for (const uint32_t clients : {400u, 100u}) {
        AffinityTable<TypeParam> other(clients);
        EXPECT_EQ(other.copy_from(this->memory_, this->bytes_, 110), 50u);
        EXPECT_EQ(this->remembered(other), 50u);
        AffinityTable<TypeParam> late(clients);
        EXPECT_EQ(late.copy_from(this->memory_, this->bytes_, 161), 0u) << "their time is over";
    }
    const AffinityTable<TypeParam> table(this->kClients, 0, this->memory_);
    EXPECT_EQ(this->remembered(table), 50u);
}

TEST(AffinityTables, HaveOneForEachFamily) {
    AffinityTables tables(100);
    EXPECT_EQ(&tables.of<V4>(), &tables.v4);
    EXPECT_EQ(&tables.of<V6>(), &tables.v6);
    EXPECT_EQ(tables.v6.capacity(), 100u);
}

TEST(ZeroedMemory, IsZero) {
    const ZeroedMemory memory(100'000);
    const auto* bytes = static_cast<const uint8_t*>(memory.data());
    EXPECT_EQ(std::count(bytes, bytes + 100'000, 0), 100'000);
}

TEST(Endpoint, IsOrderedByAddressAndPort) {
    EXPECT_LT(endpoint<V4>(1), endpoint<V4>(2));
    EXPECT_LT((Endpoint<V4>{address<V4>(1), be16(80)}), (Endpoint<V4>{address<V4>(1), be16(81)}));
}

}  // namespace
}  // namespace podlane
