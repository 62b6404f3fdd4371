#include "lib/flow/ageing.h"

#include <algorithm>
#include <array>

#include "lib/flow/table.h"

namespace podlane {

namespace {

/// How many blocks one search for connections to evict looks at, and how many it evicts at most.
constexpr uint32_t kEvictSample = 128;
constexpr uint32_t kMaxEvict = 64;
/// How many blocks it looks at if it finds few.
constexpr uint32_t kMostEvictLooks = 512;
/// For how many new connections one turn makes room: four bursts.
constexpr uint32_t kMaxCame = 256;
/// How many blocks a sweep takes from the shared pass at once: enough for some to be due.
constexpr uint32_t kSweepStep = 512;

struct Candidate {
    EvictionPriority worth;
    uint32_t idle;
    uint32_t block;
    int64_t held;  // by its first holder
};

}  // namespace

// pass_ holds the second in which the current pass over the table began (upper half) and the next
// block of it (lower half). Workers advance it by compare-and-swap, so that each step is one
// worker's.
template <Family F>
unsigned FlowTable<F>::sweep(unsigned worker, uint32_t now_s, unsigned budget) noexcept {
    unsigned looked_at = 0;
    const uint32_t limit = blocks_.limit();
    while (looked_at < budget) {
        uint64_t pass = pass_.load(std::memory_order_relaxed);
        auto begin = static_cast<uint32_t>(pass);
        auto second = static_cast<uint32_t>(pass >> 32);
        if (begin >= limit) {
            if (limit == 0 || static_cast<int32_t>(now_s - second) <= 0) return looked_at;
            begin = 0;
            second = now_s;
        }
        const uint32_t step = std::min({kSweepStep, budget - looked_at, limit - begin});
        const uint64_t next = uint64_t{second} << 32 | (begin + step);
        if (!pass_.compare_exchange_strong(pass, next, std::memory_order_relaxed)) continue;
        age(worker, begin, begin + step, now_s);
        looked_at += step;
    }
    return looked_at;
}

// In three rounds, so that cache misses of the due connections overlap: first which are due, by the
// deadlines alone; then which of those have expired; then their removal.
template <Family F>
void FlowTable<F>::age(unsigned worker, uint32_t begin, uint32_t end, uint32_t now_s) noexcept {
    std::array<uint32_t, kSweepStep> due;
    unsigned count = 0;
    for (uint32_t i = begin; i < end; ++i) {
        if (deadlines_.at(i) > now_s) continue;
        due[count++] = i;
        const Connection<F>& connection = blocks_.at(i);
        __builtin_prefetch(&connection.state);
        for (const FlowEntry<F>& entry : connection.entry) __builtin_prefetch(&entry);
    }
    unsigned expired = 0;
    for (unsigned n = 0; n < count; ++n) {
        const uint32_t block = due[n];
        const uint32_t seen = deadlines_.at(block);
        const Connection<F>& connection = blocks_.at(block);
        if (!connection.state.is_live()) {
            deadlines_.replace(block, seen, Deadlines::kNever);
        } else if (is_expired(connection, timeouts_, now_s)) {
            due[expired++] = block;
            for (const uint64_t hash : connection.state.hash) prefetch(hash);
        } else {
            // Has no effect if the connection's state has changed meanwhile.
            deadlines_.replace(block, seen, next_check_s(connection, timeouts_, now_s));
        }
    }
    for (unsigned n = 0; n < expired; ++n) {
        if (unlink(worker, blocks_.at(due[n]), FlowEnd::kExpired)) {
            PerWorker::add(per_worker_[worker].expired);
        }
    }
}

template <Family F>
void FlowTable<F>::maintain(unsigned worker, uint32_t now_s) noexcept {
    blocks_.reclaim(worker, domain_);
    if (shares_) [[likely]] {
        keep_room(worker, now_s);
        return;
    }
    // Below 1/64 free, each worker keeps a batch ready, so that a new connection does not have to
    // wait for a grace period.
    if (uint64_t{blocks_.spare()} * 64 >= room_) [[likely]]
        return;
    const uint32_t stash = blocks_.stash(worker);
    if (stash < blocks_.batch()) evict(worker, now_s, blocks_.batch() - stash, 0);
}

// Half-open and finished connections may use room that no other connection needs. When little is
// free, as many of them go as new ones come. While more than 3/32 are free, they get a second for
// their handshake. has_share() becomes strict only below 2/32, so a flood evicts its own
// connections first.
template <Family F>
void FlowTable<F>::keep_room(unsigned worker, uint32_t now_s) noexcept {
    PerWorker& mine = per_worker_[worker];
    const uint64_t now =
        mine.created.load(std::memory_order_relaxed) + mine.refused.load(std::memory_order_relaxed);
    const auto came = static_cast<uint32_t>(std::min<uint64_t>(now - mine.came_before, kMaxCame));
    mine.came_before = now;
    const uint64_t free = blocks_.spare();
    if (came == 0 || free * 32 >= uint64_t{room_} * 4) [[likely]]
        return;
    const uint32_t least_idle_s = free * 32 >= uint64_t{room_} * 3 ? 1 : 0;
    for (uint32_t left = came; left > 0; left -= std::min(left, kMaxEvict)) {
        evict(worker, now_s, std::min(left, kMaxEvict), least_idle_s);
    }
}

template <Family F>
void FlowTable<F>::evict(unsigned worker, uint32_t now_s, uint32_t wanted,
                         uint32_t least_idle_s) noexcept {
    const uint32_t limit = blocks_.limit();
    if (limit == 0) return;
    PerWorker& mine = per_worker_[worker];
    std::array<Candidate, kEvictSample> found;
    const size_t enough =
        shares_ ? std::min<size_t>(kEvictSample, 2 * size_t{wanted}) : kEvictSample;
    const uint32_t looks = std::min(shares_ ? kMostEvictLooks : kEvictSample, limit);
    size_t count = 0;
    for (uint32_t i = 0; i < looks && count < enough; ++i) {
        if (mine.evict_cursor >= limit) mine.evict_cursor = 0;
        const uint32_t block = mine.evict_cursor++;
        const Connection<F>& connection = blocks_.at(block);
        if (!connection.state.is_live()) continue;
        const EvictionPriority worth = eviction_priority(connection);
        if (worth == EvictionPriority::kKept) continue;
        const uint32_t idle = idle_s(connection, now_s);
        if (worth == EvictionPriority::kUnproven && idle < least_idle_s) continue;
        const int64_t held = shares_ ? held_by(connection.state.holders[0]) : 0;
        found[count++] = {worth, idle, block, held};
    }
    // If there are few, there is no flood, and young ones may finish their handshake.
    if (shares_ && count < enough) {
        const auto end =
            std::remove_if(found.begin(), found.begin() + static_cast<ptrdiff_t>(count),
                           [](const Candidate& each) {
                               return each.worth == EvictionPriority::kUnproven && each.idle == 0;
                           });
        count = static_cast<size_t>(end - found.begin());
    }
    // Lowest priority first, then the holder with the most, then the oldest, then the lower block,
    // so that the order is unique.
    const auto cheaper = [](const Candidate& a, const Candidate& b) {
        if (a.worth != b.worth) return a.worth < b.worth;
        if (a.held != b.held) return a.held > b.held;
        return a.idle != b.idle ? a.idle > b.idle : a.block < b.block;
    };
    const size_t take = std::min<size_t>({wanted, kMaxEvict, count});
    std::partial_sort(found.begin(), found.begin() + static_cast<ptrdiff_t>(take),
                      found.begin() + static_cast<ptrdiff_t>(count), cheaper);
    for (size_t i = 0; i < take; ++i) {
        if (unlink(worker, blocks_.at(found[i].block), FlowEnd::kEvicted)) {
            PerWorker::add(mine.evicted);
        }
    }
}

// This file's part of the class; table.cc instantiates the rest.
template unsigned FlowTable<V4>::sweep(unsigned, uint32_t, unsigned) noexcept;
template void FlowTable<V4>::age(unsigned, uint32_t, uint32_t, uint32_t) noexcept;
template void FlowTable<V4>::keep_room(unsigned, uint32_t) noexcept;
template void FlowTable<V4>::maintain(unsigned, uint32_t) noexcept;
template void FlowTable<V4>::evict(unsigned, uint32_t, uint32_t, uint32_t) noexcept;
template unsigned FlowTable<V6>::sweep(unsigned, uint32_t, unsigned) noexcept;
template void FlowTable<V6>::age(unsigned, uint32_t, uint32_t, uint32_t) noexcept;
template void FlowTable<V6>::keep_room(unsigned, uint32_t) noexcept;
template void FlowTable<V6>::maintain(unsigned, uint32_t) noexcept;
template void FlowTable<V6>::evict(unsigned, uint32_t, uint32_t, uint32_t) noexcept;

}  // namespace podlane
