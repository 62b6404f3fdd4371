// The flow table: one for each family, shared by all workers, without locks.
//
// Workers look up, insert and remove; the slow path fills it and the later stages read it. A block
// (entry.h) holds a connection, a bucket (bucket.h) holds seven tags in one cache line, so an
// established packet touches one bucket line and one entry line. Memory: 244 bytes a connection,
// both directions and buckets included; unused pages cost nothing.
//
// Order of work in a worker's turn: lookup of a burst, inserts for what missed, maintain(), sweep()
// when there is time, and then QuiescentDomain::quiescent().
#pragma once

#include <atomic>
#include <bit>
#include <cassert>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <type_traits>

#include "lib/base/bytes.h"
#include "lib/base/family.h"
#include "lib/base/quiescent.h"
#include "lib/base/result.h"
#include "lib/flow/ageing.h"
#include "lib/flow/blocks.h"
#include "lib/flow/bucket.h"
#include "lib/flow/claim.h"
#include "lib/flow/deadlines.h"
#include "lib/flow/entry.h"
#include "lib/flow/flow_end.h"
#include "lib/flow/hash.h"
#include "lib/flow/shares.h"
#include "lib/flow/timeouts.h"
#include "lib/flow/traffic.h"
#include "lib/proto/flow_key.h"

namespace podlane {

/// Options of a FlowTable.
struct FlowTableOptions {
    uint32_t capacity = 1048576;  ///< connections that it can hold at once; 1 .. 2^28
    unsigned workers = 1;         ///< ids 0 .. workers-1, which are also their reader ids
    uint64_t seed = 0;            ///< of the hash; 0: random
    /// Shares out the last free room to holders that have little, and evicts half-open connections
    /// for new ones. For that, the table has an eighth more room.
    bool shares = false;
    FlowTimeouts timeouts = {};
    FlowMemory memory = {};  ///< where memory comes from; default: anonymous, huge pages if free
    /// The same for the connections themselves; default: `memory`. What another process left there
    /// must not be used before adopt().
    FlowMemory block_memory = {};
    /// Whether packets and bytes of each connection are counted, and where; default: `memory`. As
    /// above, what another process has counted there is of use with adopt() alone.
    bool traffic = false;
    FlowMemory traffic_memory = {};
    /// Whether the node's kernel carries connections as well: it is counted as one more worker.
    bool carried = false;

    /// Who counts packets and bytes.
    [[nodiscard]] unsigned counting() const noexcept { return workers + (carried ? 1 : 0); }
};

/// The slow path's decision about a new connection.
template <Family F>
struct NewConnection {
    FlowKey<F> original;  ///< as the first packet came
    FlowKey<F> reply;     ///< as replies will come; original.reversed() when nothing is translated
    Hop original_hop{};
    Hop reply_hop{};
    uint32_t service_id = 0;  ///< 0: no service
    uint32_t service_epoch = 0;
    uint8_t entry_flags = 0;    ///< EntryFlags
    uint8_t rewrite_flags = 0;  ///< kRewriteDecrementTtl or 0, for both directions
    uint8_t tcp_flags = 0;      ///< of the first packet; sets the TCP state
    uint16_t holders[2] = {kNoHolder, kNoHolder};  ///< it counts for: a port, a service
};

enum class InsertStatus : uint8_t {
    kInserted,    ///< `entry` is the new connection's original direction
    kExists,      ///< another worker was first, or the key was there: `entry` has the original key
    kReplyTaken,  ///< another connection has the reply key: choose another source port; `entry` is
                  ///< that one's, null when it is the original key itself
    kBusy,        ///< workers met on this key too often (Drop::kFlowBusy); very rare
    kFull,        ///< no free block, or no free slot (Drop::kFlowTableFull)
    kShare,       ///< little is free, and one of its holders has much (Drop::kFlowShareFull)
};

template <Family F>
struct InsertResult {
    InsertStatus status;
    FlowEntry<F>* entry;  ///< null unless kInserted, kExists or kReplyTaken
};

/// Sums over all workers; except `active` they only grow.
struct FlowCounters {
    uint64_t active = 0;
    uint64_t capacity = 0;
    uint64_t created = 0;
    uint64_t expired = 0;  ///< by age, or on request
    uint64_t evicted = 0;  ///< to make room
    uint64_t refused = 0;  ///< new connections without room
};

/// Threads: a worker passes its own id and is online in the domain. Any thread that is online in
/// the domain may call lookup*() and for_each(), and any thread at all counters(). A returned entry
/// stays valid until the calling thread's next quiescent(), even if it is removed meanwhile.
template <Family F>
class FlowTable {
  public:
    /// Fails if there is not enough memory. `domain` must outlive the table.
    [[nodiscard]] static Result<std::unique_ptr<FlowTable>> create(const FlowTableOptions& options,
                                                                   QuiescentDomain& domain);
    ~FlowTable();
    FlowTable(const FlowTable&) = delete;
    FlowTable& operator=(const FlowTable&) = delete;

    [[nodiscard]] uint64_t hash(const FlowKey<F>& key) const noexcept {
        return flow_hash(key, secret_);
    }

    // A look-up in three steps, for callers that interleave them over a burst.
    /// Step 1: prefetches the first bucket's line. Inlined: g++ drops calls of functions that only
    /// prefetch.
    const Bucket& prefetch(uint64_t hash) const noexcept;
    /// Step 2: compares tags in the first bucket, which step 1 returned, and prefetches the
    /// matching entry's line. Without a match (null), prefetches the second bucket if the key can
    /// be there.
    [[nodiscard]] FlowEntry<F>* candidate(const Bucket& first, uint64_t hash) const noexcept;
    /// Step 3: the entry of `key`, or null. `candidate` is step 2's result.
    [[nodiscard]] FlowEntry<F>* confirm(const FlowKey<F>& key, uint64_t hash,
                                        FlowEntry<F>* candidate) const noexcept;

    /// The entry of `key`, or null. `hash` is hash(key).
    [[nodiscard]] FlowEntry<F>* lookup(const FlowKey<F>& key, uint64_t hash) const noexcept;

    /// Prefetches the line that insert() will need for a connection with this reply key. The line
    /// for its original key came with the look-up that missed.
    [[gnu::always_inline]] void prefetch_insert(const FlowKey<F>& reply) const noexcept {
        prefetch(hash(reply));
    }

    /// Makes a connection, unless its original key is present by now. Lock-free; a few hundred
    /// loads at most if workers collide on one key.
    [[nodiscard]] InsertResult<F> insert(unsigned worker, const NewConnection<F>& spec,
                                         uint32_t now_s) noexcept;

    /// The number of connections that block_memory must hold.
    [[nodiscard]] static uint32_t block_count(const FlowTableOptions& options) noexcept;
    /// Takes over the connections that another process left in the first `blocks` of block_memory,
    /// before any worker runs: those that are complete and not too old. Each has to find its route
    /// and its Service again. Returns their number.
    uint32_t adopt(uint32_t blocks, uint32_t now_s) noexcept;
    /// Copies the connections of another table, which does not change meanwhile, whatever its
    /// capacity and number of workers: as adopt(), one by one, while there is room. Their counts
    /// start anew. Returns the number copied.
    uint32_t copy_from(std::span<const Connection<F>> left, uint32_t now_s) noexcept;
    /// Sets the holders that an adopted connection counts for. Before any worker runs, once.
    void hold(Connection<F>& connection, uint16_t port, uint16_t service) noexcept;
    /// From now on new connections use only the first `blocks`, which have memory. Control, at any
    /// time; never less than before.
    void allow_blocks(uint32_t blocks) noexcept { blocks_.allow(blocks); }
    /// The number of blocks that have been used so far.
    [[nodiscard]] uint32_t used_blocks() const noexcept { return blocks_.limit(); }

    /// Removes `connection`, which was found since this worker's last quiescent(). False: another
    /// worker has done so. Not counted as expired.
    bool remove(unsigned worker, Connection<F>& connection) noexcept;

    /// Evicts an unproven connection for another that needs its place. False: it is proven by now,
    /// or gone.
    bool give_up(unsigned worker, Connection<F>& connection) noexcept;

    /// For Noted::kShorterTimeout: makes the sweep look in time.
    void reschedule(const Connection<F>& connection, uint32_t now_s) noexcept {
        deadlines_.set(blocks_.index_of(connection), next_check_s(connection, timeouts_, now_s));
    }

    /// Once per loop turn, before quiescent(): takes back blocks with their grace period over and,
    /// if few are free, evicts. Without work it costs a few loads of the worker's own line.
    void maintain(unsigned worker, uint32_t now_s) noexcept;

    /// Ages at most `budget` blocks. Workers share one pass over the table each second, so
    /// connections of a sleeping worker age as well. Returns the number of blocks looked at: 0 when
    /// this second's pass is done.
    unsigned sweep(unsigned worker, uint32_t now_s, unsigned budget) noexcept;

    /// From now on `listener`, which must outlive the table, is told of connections that end; null:
    /// no listener. Any thread.
    void tell_ends(FlowEndListener<F>* listener) noexcept {
        ends_.store(listener, std::memory_order_release);  // pairs with unlink()
    }

    /// Whether packets and bytes are counted.
    [[nodiscard]] bool counts_traffic() const noexcept { return traffic_.has_value(); }
    /// Where this worker counts packets of this direction, if they are counted.
    [[nodiscard]] TrafficCounts::Cell& traffic_cell(unsigned worker,
                                                    const FlowEntry<F>& entry) const noexcept {
        return traffic_->cell(worker, blocks_.number_of(entry) / 3, entry.place());
    }
    /// Where control counts what the kernel has carried; null if that is not counted.
    [[nodiscard]] TrafficCounts::Cell* carried_cell(const FlowEntry<F>& entry) const noexcept {
        return traffic_ && carried_ ? &traffic_cell(workers_, entry) : nullptr;
    }
    /// What the connection has carried; nothing if that is not counted. Any thread that may look
    /// at the connection.
    [[nodiscard]] std::optional<FlowTraffic> traffic_of(
        const Connection<F>& connection) const noexcept {
        if (!traffic_) return std::nullopt;
        return traffic_->sum(blocks_.index_of(connection));
    }

    [[nodiscard]] FlowCounters counters() const noexcept;
    [[nodiscard]] uint32_t capacity() const noexcept { return capacity_; }
    [[nodiscard]] const FlowTimeouts& timeouts() const noexcept { return timeouts_; }

    /// The live connection in a block if it is the one of that use of the block, else null. For
    /// callers that are online.
    [[nodiscard]] Connection<F>* connection_at(uint32_t block, uint32_t generation) const noexcept {
        if (block >= blocks_.limit()) return nullptr;
        Connection<F>& connection = blocks_.at(block);
        const uint32_t life = connection.state.life.load(std::memory_order_acquire);
        const bool is_it = ConnectionState::life_of(life) == Life::kLive &&
                           ConnectionState::generation_of(life) == generation;
        return is_it ? &connection : nullptr;
    }
    /// The number of a connection's block.
    [[nodiscard]] uint32_t block_of(const Connection<F>& connection) const noexcept {
        return blocks_.index_of(connection);
    }

    /// Calls `visit(Connection<F>&)` for the live connections in `max` blocks from block `from` on,
    /// or until it returns false, if it returns something; returns the block to continue at, or 0
    /// at the end. A connection that comes or goes meanwhile may be missed. The caller must be
    /// online throughout, and quiescent between calls.
    template <class Visitor>
    uint32_t for_each(Visitor&& visit, uint32_t from, uint32_t max) const {
        const uint32_t end = blocks_.limit();
        for (uint32_t i = from; i < end; ++i) {
            if (i - from == max) return i;
            Connection<F>& connection = blocks_.at(i);
            // Live, and we are online: its plain members are stable until our next quiescent point.
            if (!connection.state.is_live()) continue;
            if constexpr (std::is_void_v<decltype(visit(connection))>) {
                visit(connection);
            } else if (!visit(connection)) {
                return i + 1 < end ? i + 1 : 0;
            }
        }
        return 0;
    }

  private:
    /// Written by its worker alone.
    struct alignas(kCacheLine) PerWorker {
        std::atomic<uint64_t> created{0}, removed{0}, expired{0}, evicted{0}, refused{0};
        uint32_t evict_cursor = 0;  ///< where the next search for connections to evict begins
        uint64_t came_before = 0;   ///< created and refused, at the last maintain()
        HeldCounts held;

        /// One writer: no atomic read-modify-write is needed.
        static void add(std::atomic<uint64_t>& counter) noexcept {
            counter.store(counter.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
        }
    };

    FlowTable(const FlowTableOptions& options, QuiescentDomain& domain);

    [[nodiscard]] FlowEntry<F>* find_in(const Bucket& bucket, uint32_t mark,
                                        const FlowKey<F>& key) const noexcept;
    /// Looks in the key's second bucket, where the key can be only if its first one has spilled.
    [[nodiscard]] FlowEntry<F>* find_spilled(const Bucket& first, const FlowKey<F>& key,
                                             uint64_t hash) const noexcept;
    [[nodiscard]] ClaimResult claim(const FlowKey<F>& key, uint64_t hash,
                                    FlowEntry<F>& entry) noexcept;
    /// Empties the committed slot of an entry, if it is still there.
    void clear_slot(uint64_t hash, uint32_t entry_number) noexcept;
    /// If the entry's connection is being removed, empties its slot and returns true.
    bool help_if_dead(uint64_t hash, uint32_t entry_number) noexcept;
    void fill(Connection<F>& block, unsigned worker, const NewConnection<F>& spec,
              const uint64_t (&hashes)[2], uint32_t now_s) noexcept;
    [[nodiscard]] InsertResult<F> try_insert(Connection<F>& block, const NewConnection<F>& spec,
                                             bool& published) noexcept;
    bool unlink(unsigned worker, Connection<F>& connection, FlowEnd why) noexcept;
    [[nodiscard]] bool adopt_one(Connection<F>& block, uint32_t now_s) noexcept;
    /// Whether its holders' shares allow a new connection.
    [[nodiscard]] bool has_share(const NewConnection<F>& spec) const noexcept;
    void count(unsigned worker, const Connection<F>& connection, int32_t change) noexcept;
    /// Ages blocks [begin, end), at most kSweepStep.
    void age(unsigned worker, uint32_t begin, uint32_t end, uint32_t now_s) noexcept;
    void keep_room(unsigned worker, uint32_t now_s) noexcept;
    /// Evicts half-open connections only if they have been idle for `least_idle_s`.
    void evict(unsigned worker, uint32_t now_s, uint32_t wanted, uint32_t least_idle_s) noexcept;
    [[nodiscard]] int64_t held_by(uint16_t holder) const noexcept {
        int64_t held = 0;
        for (unsigned i = 0; i < workers_; ++i) held += per_worker_[i].held.get(holder);
        return held;
    }

    /// The table's room beyond its capacity is this part of the capacity; it is shared last.
    static constexpr uint32_t kShareOfRoom = 8;
    /// has_share() applies below this part of the room; a holder may then have at most this many
    /// times what is free.
    static constexpr uint32_t kStrict = 16;
    /// A port has little if it has at most this part of what a holder may have.
    static constexpr int64_t kLittle = 8;

    HashSecret secret_;
    uint32_t capacity_;
    uint32_t room_;  ///< capacity_ and the room beyond it
    bool shares_;
    uint32_t bucket_count_;
    FlowArena bucket_memory_;
    Bucket* buckets_;
    BlockPool<F> blocks_;
    Deadlines deadlines_;
    std::optional<TrafficCounts> traffic_;
    QuiescentDomain& domain_;
    unsigned workers_;
    bool carried_;
    FlowTimeouts timeouts_;
    std::unique_ptr<PerWorker[]> per_worker_;
    std::atomic<FlowEndListener<F>*> ends_{nullptr};
    alignas(kCacheLine) std::atomic<uint64_t> pass_{0};  ///< the sweep's second and next block
};

template <Family F>
[[gnu::always_inline]] inline const Bucket& FlowTable<F>::prefetch(uint64_t hash) const noexcept {
    const Bucket& first = buckets_[first_bucket(hash, bucket_count_)];
    __builtin_prefetch(&first);
    return first;
}

template <Family F>
inline FlowEntry<F>* FlowTable<F>::candidate(const Bucket& bucket, uint64_t hash) const noexcept {
    const uint32_t mark = slot::mark_of_hash(hash);
    for (unsigned mask = match_marks(bucket, mark); mask != 0; mask &= mask - 1) {
        // Pairs with the compare-and-swap that committed the slot: the entry's content is visible.
        const uint64_t word = bucket.slot[std::countr_zero(mask)].load(std::memory_order_acquire);
        if (static_cast<uint32_t>(word >> 32) != mark) [[unlikely]]
            continue;  // removed meanwhile
        FlowEntry<F>* const entry = blocks_.entry_at(slot::entry_number(word));
        __builtin_prefetch(entry);
        return entry;
    }
    if (bucket.has_spilled())
        __builtin_prefetch(&buckets_[bucket_pair(hash, bucket_count_).second]);
    return nullptr;
}

template <Family F>
inline FlowEntry<F>* FlowTable<F>::find_in(const Bucket& bucket, uint32_t mark,
                                           const FlowKey<F>& key) const noexcept {
    for (unsigned mask = match_marks(bucket, mark); mask != 0; mask &= mask - 1) {
        // Pairs with the compare-and-swap that committed the slot.
        const uint64_t word = bucket.slot[std::countr_zero(mask)].load(std::memory_order_acquire);
        if (static_cast<uint32_t>(word >> 32) != mark) continue;  // removed meanwhile
        FlowEntry<F>* const entry = blocks_.entry_at(slot::entry_number(word));
        if (entry->key == key) return entry;
    }
    return nullptr;
}

template <Family F>
inline FlowEntry<F>* FlowTable<F>::lookup(const FlowKey<F>& key, uint64_t hash) const noexcept {
    const Bucket& first = buckets_[first_bucket(hash, bucket_count_)];
    FlowEntry<F>* const entry = find_in(first, slot::mark_of_hash(hash), key);
    return entry != nullptr ? entry : find_spilled(first, key, hash);
}

template <Family F>
inline FlowEntry<F>* FlowTable<F>::find_spilled(const Bucket& first, const FlowKey<F>& key,
                                                uint64_t hash) const noexcept {
    if (!first.has_spilled()) [[likely]]
        return nullptr;
    return find_in(buckets_[bucket_pair(hash, bucket_count_).second], slot::mark_of_hash(hash),
                   key);
}

template <Family F>
inline FlowEntry<F>* FlowTable<F>::confirm(const FlowKey<F>& key, uint64_t hash,
                                           FlowEntry<F>* candidate) const noexcept {
    if (candidate == nullptr) {
        // Not in the first bucket. Entries do not move, so looking once is enough.
        return find_spilled(buckets_[first_bucket(hash, bucket_count_)], key, hash);
    }
    if (candidate->key == key) [[likely]]
        return candidate;
    return lookup(key, hash);
}

extern template class FlowTable<V4>;
extern template class FlowTable<V6>;

}  // namespace podlane
