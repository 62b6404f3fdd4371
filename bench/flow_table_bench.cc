// The flow table: the cost of a look-up, hit and miss, by number of connections, and of a
// connection's life. Tables always have room for 1 M connections. Items are keys or connections, so
// the time for each is the inverse of items_per_second.

#include <benchmark/benchmark.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <memory>
#include <random>
#include <vector>

#include "lib/flow/table.h"

namespace podlane {
namespace {

constexpr uint32_t kCapacity = 1048576;
constexpr unsigned kBurst = 32;

template <Family F>
typename F::Address address(uint32_t n) {
    typename F::Address out{};
    auto* bytes = reinterpret_cast<uint8_t*>(&out);
    bytes[0] = std::same_as<F, V4> ? 10 : 0xfd;
    for (unsigned i = 0; i < 3; ++i) bytes[sizeof out - 1 - i] = static_cast<uint8_t>(n >> (8 * i));
    return out;
}

template <Family F>
NewConnection<F> connection(uint32_t n) {
    NewConnection<F> spec{};
    spec.original = {address<F>(n >> 10),
                     address<F>(0xff0001),
                     be16(static_cast<uint16_t>(1024 + (n & 1023))),
                     be16(80),
                     kProtocolTcp,
                     0,
                     0};
    spec.reply = spec.original.reversed();
    spec.reply.src = address<F>(0xff0100 + n % 50);
    spec.reply.src_port = be16(8080);
    spec.tcp_flags = kTcpAck;
    return spec;
}

template <Family F>
struct Filled {
    QuiescentDomain domain;
    std::unique_ptr<FlowTable<F>> table;
    std::vector<FlowKey<F>> hits;  ///< in random order, replies and originals
    std::vector<FlowKey<F>> misses;

    explicit Filled(uint32_t count) {
        domain.online(0);
        FlowTableOptions options;
        options.capacity = kCapacity;
        options.seed = 1;
        table = std::move(FlowTable<F>::create(options, domain)).value();
        for (uint32_t n = 0; n < count; ++n) {
            const auto spec = connection<F>(n);
            (void)table->insert(0, spec, 1);
            hits.push_back(n % 2 == 0 ? spec.original : spec.reply);
            auto missing = spec.original;
            missing.dst_port = be16(81);
            misses.push_back(missing);
        }
        std::mt19937 random(1);
        std::shuffle(hits.begin(), hits.end(), random);
        std::shuffle(misses.begin(), misses.end(), random);
    }
};

template <Family F>
Filled<F>& filled(uint32_t count) {
    // Only one at a time: a million connections take 250 MB.
    static std::unique_ptr<Filled<F>> held;
    static uint32_t held_count = 0;
    if (held_count != count) {
        held.reset();
        held = std::make_unique<Filled<F>>(count);
        held_count = count;
    }
    return *held;
}

template <Family F>
void look_up_bulk(benchmark::State& state, bool hit) {
    auto& data = filled<F>(static_cast<uint32_t>(state.range(0)));
    const auto& keys = hit ? data.hits : data.misses;
    std::array<uint64_t, kBurst> hashes;
    std::array<const Bucket*, kBurst> buckets;
    std::array<FlowEntry<F>*, kBurst> out;
    size_t at = 0;
    uint64_t found = 0;
    for (auto _ : state) {
        for (size_t i = 0; i < kBurst; ++i) {
            hashes[i] = data.table->hash(keys[at + i]);
            buckets[i] = &data.table->prefetch(hashes[i]);
        }
        for (size_t i = 0; i < kBurst; ++i) {
            out[i] = data.table->candidate(*buckets[i], hashes[i]);
        }
        for (size_t i = 0; i < kBurst; ++i) {
            found += data.table->confirm(keys[at + i], hashes[i], out[i]) != nullptr;
        }
        at += kBurst;
        if (at + kBurst > keys.size()) at = 0;
    }
    state.SetItemsProcessed(static_cast<int64_t>(state.iterations()) * kBurst);
    state.counters["hit_ratio"] =
        static_cast<double>(found) / (static_cast<double>(state.iterations()) * kBurst);
}

template <Family F>
void BM_LookupBulkHit(benchmark::State& state) {
    look_up_bulk<F>(state, true);
}
template <Family F>
void BM_LookupBulkMiss(benchmark::State& state) {
    look_up_bulk<F>(state, false);
}

/// One key after another, as without a burst.
template <Family F>
void BM_LookupSingleHit(benchmark::State& state) {
    auto& data = filled<F>(static_cast<uint32_t>(state.range(0)));
    size_t at = 0;
    for (auto _ : state) {
        const FlowKey<F>& key = data.hits[at];
        benchmark::DoNotOptimize(data.table->lookup(key, data.table->hash(key)));
        if (++at == data.hits.size()) at = 0;
    }
    state.SetItemsProcessed(static_cast<int64_t>(state.iterations()));
}

/// A connection's life: insert, find, remove, and the grace period after which its block is free.
template <Family F>
void BM_InsertRemove(benchmark::State& state) {
    auto& data = filled<F>(static_cast<uint32_t>(state.range(0)));
    uint32_t n = kCapacity;
    for (auto _ : state) {
        const auto result = data.table->insert(0, connection<F>(n), 1);
        if (result.entry != nullptr) data.table->remove(0, connection_of(*result.entry));
        if (++n % kBurst == 0) {
            data.table->maintain(0, 1);
            data.domain.quiescent(0);
        }
    }
    state.SetItemsProcessed(static_cast<int64_t>(state.iterations()));
}

/// A pass of the sweep over connections that stay; items are blocks.
template <Family F>
void BM_Sweep(benchmark::State& state) {
    const auto count = static_cast<uint32_t>(state.range(0));
    auto& data = filled<F>(count);
    static uint32_t now = 2;
    for (auto _ : state) {
        // Seconds pass faster here than connections may age: mark none as silent.
        if (++now % 200 == 0) {
            (void)data.table->for_each(
                [](Connection<F>& connection) { connection.original().touch(now); }, 0, ~0u);
        }
        uint32_t looked_at = 0;
        while (looked_at < count) looked_at += data.table->sweep(0, now, 4096);
    }
    state.SetItemsProcessed(static_cast<int64_t>(state.iterations()) * count);
}

BENCHMARK(BM_LookupBulkHit<V4>)->Arg(4096)->Arg(65536)->Arg(1048576);
BENCHMARK(BM_LookupBulkMiss<V4>)->Arg(4096)->Arg(65536)->Arg(1048576);
BENCHMARK(BM_LookupSingleHit<V4>)->Arg(4096)->Arg(65536)->Arg(1048576);
BENCHMARK(BM_InsertRemove<V4>)->Arg(4096)->Arg(65536)->Arg(524288);
BENCHMARK(BM_Sweep<V4>)->Arg(65536)->Arg(1048576);
BENCHMARK(BM_LookupBulkHit<V6>)->Arg(4096)->Arg(65536)->Arg(1048576);
BENCHMARK(BM_LookupBulkMiss<V6>)->Arg(4096)->Arg(65536)->Arg(1048576);
BENCHMARK(BM_InsertRemove<V6>)->Arg(4096)->Arg(524288);

}  // namespace
}  // namespace podlane

BENCHMARK_MAIN();
