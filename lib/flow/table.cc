#include "lib/flow/table.h"

#include <algorithm>
#include <string>

#include "lib/flow/claim.h"

namespace podlane {

namespace {

/// How often insert() tries again when workers collide on one key.
constexpr unsigned kInsertTries = 16;
/// Bytes of buckets for a connection: two entries at 2.67 to a bucket, see kSpillAt.
constexpr uint64_t kBucketBytesPerConnection = 48;
constexpr uint32_t kMinBuckets = 16;

/// Lets the other side of a collision proceed; longer each time.
void pause_briefly(unsigned tries) noexcept {
    for (unsigned i = 0; i < (1u << std::min(tries, 6u)); ++i) __builtin_ia32_pause();
}

/// A key's slots in the form that claim_slot() takes.
template <Family F, class EntryAt>
class PairSlots {
  public:
    PairSlots(Bucket* buckets, BucketPair pair, const FlowKey<F>& key, EntryAt entry_at) noexcept
        : bucket_{&buckets[pair.first], &buckets[pair.second]}, key_(key), entry_at_(entry_at) {}

    [[nodiscard]] uint64_t load(unsigned position) const noexcept {
        return at(position).load(std::memory_order_seq_cst);
    }
    [[nodiscard]] bool cas(unsigned position, uint64_t& expected, uint64_t desired) noexcept {
        // Sequentially consistent for the argument in claim.h; as a release, it publishes the entry
        // to the acquire loads in FlowTable's look-ups.
        return at(position).compare_exchange_strong(expected, desired, std::memory_order_seq_cst);
    }
    [[nodiscard]] bool has_spilled() const noexcept {
        return bucket_[0]->spilled.load(std::memory_order_seq_cst) != 0;
    }
    void spill() noexcept { bucket_[0]->spilled.fetch_add(1, std::memory_order_seq_cst); }
    void unspill() noexcept { bucket_[0]->spilled.fetch_sub(1, std::memory_order_seq_cst); }
    [[nodiscard]] bool same_key(uint64_t word) const noexcept {
        return entry_at_(slot::entry_number(word))->key == key_;
    }

  private:
    [[nodiscard]] std::atomic<uint64_t>& at(unsigned position) const noexcept {
        const bool second = position >= kBucketSlots;
        return bucket_[second]->slot[position - (second ? kBucketSlots : 0)];
    }

    Bucket* bucket_[2];
    const FlowKey<F>& key_;
    EntryAt entry_at_;
};

template <Family F>
void fill_entry(FlowEntry<F>& entry, const NewConnection<F>& spec, FlowDirection direction,
                uint32_t now_s) noexcept {
    const bool is_reply = direction == FlowDirection::kReply;
    const FlowKey<F>& from = is_reply ? spec.reply : spec.original;
    const FlowKey<F>& other = is_reply ? spec.original : spec.reply;
    entry.key = from;
    entry.service_id.store(spec.service_id, std::memory_order_relaxed);
    const auto extra =
        static_cast<uint8_t>(spec.rewrite_flags | spec.entry_flags | (is_reply ? kEntryReply : 0));
    entry.keep(make_rewrite(from, other.reversed(), extra));
    entry.hop.store((is_reply ? spec.reply_hop : spec.original_hop).packed(),
                    std::memory_order_relaxed);
    entry.service_epoch.store(spec.service_epoch, std::memory_order_relaxed);
    entry.last_seen.store(now_s, std::memory_order_relaxed);
    entry.established.store(0, std::memory_order_relaxed);
}

}  // namespace

template <Family F>
Result<std::unique_ptr<FlowTable<F>>> FlowTable<F>::create(const FlowTableOptions& options,
                                                           QuiescentDomain& domain) {
    constexpr uint32_t kMaxCapacity = 1u << 28;
    if (options.capacity == 0 || options.capacity > kMaxCapacity) {
        return Error{"flow table: capacity " + std::to_string(options.capacity) + " is not in 1.." +
                     std::to_string(kMaxCapacity)};
    }
    if (options.workers == 0 || options.workers > QuiescentDomain::kMaxReaders) {
        return Error{"flow table: " + std::to_string(options.workers) +
                     " workers, allowed are 1.." + std::to_string(QuiescentDomain::kMaxReaders)};
    }
    std::unique_ptr<FlowTable> table(new FlowTable(options, domain));
    if (table->buckets_ == nullptr || !table->blocks_.ok() || !table->deadlines_.ok() ||
        (table->traffic_ && !table->traffic_->ok())) {
        return Error{"flow table: no memory for " + std::to_string(options.capacity) +
                     " connections; lower flows.capacity"};
    }
    return table;
}

template <Family F>
FlowTable<F>::FlowTable(const FlowTableOptions& options, QuiescentDomain& domain)
    : secret_(make_hash_secret(options.seed)),
      capacity_(options.capacity),
      room_(options.capacity + (options.shares ? options.capacity / kShareOfRoom : 0)),
      shares_(options.shares),
      bucket_count_(std::max(
          kMinBuckets, static_cast<uint32_t>(room_ * kBucketBytesPerConnection / sizeof(Bucket)))),
      bucket_memory_(options.memory, size_t{bucket_count_} * sizeof(Bucket)),
      buckets_(static_cast<Bucket*>(bucket_memory_.data())),
      blocks_(options.block_memory.allocate != nullptr ? options.block_memory : options.memory,
              room_, options.workers),
      deadlines_(options.memory, blocks_.total()),
      domain_(domain),
      workers_(options.workers),
      carried_(options.carried),
      timeouts_(options.timeouts),
      per_worker_(std::make_unique<PerWorker[]>(options.workers)) {
    if (!options.traffic) return;
    traffic_.emplace(
        options.traffic_memory.allocate != nullptr ? options.traffic_memory : options.memory,
        blocks_.total(), options.counting());
}

template <Family F>
FlowTable<F>::~FlowTable() = default;

template <Family F>
ClaimResult FlowTable<F>::claim(const FlowKey<F>& key, uint64_t hash,
                                FlowEntry<F>& entry) noexcept {
    const auto find = [this](uint32_t number) { return blocks_.entry_at(number); };
    PairSlots<F, decltype(find)> slots(buckets_, bucket_pair(hash, bucket_count_), key, find);
    return claim_slot(slots, slot::make(slot::mark_of_hash(hash), blocks_.number_of(entry)));
}

template <Family F>
void FlowTable<F>::clear_slot(uint64_t hash, uint32_t entry_number) noexcept {
    const uint64_t committed = slot::make(slot::mark_of_hash(hash), entry_number);
    const BucketPair pair = bucket_pair(hash, bucket_count_);
    Bucket& first = buckets_[pair.first];
    for (Bucket* bucket : {&first, &buckets_[pair.second]}) {
        for (std::atomic<uint64_t>& each : bucket->slot) {
            if (each.load(std::memory_order_relaxed) != committed) continue;
            uint64_t expected = committed;
            // Fails if another worker helped. Release: what we did to the entry comes before.
            const bool is_ours = each.compare_exchange_strong(
                expected, 0, std::memory_order_acq_rel, std::memory_order_relaxed);
            if (is_ours && bucket != &first) first.spilled.fetch_sub(1, std::memory_order_acq_rel);
            return;
        }
    }
}

template <Family F>
InsertResult<F> FlowTable<F>::insert(unsigned worker, const NewConnection<F>& spec,
                                     uint32_t now_s) noexcept {
    // A packet to its own source: both directions have one key, which no rewrite could tell apart.
    if (spec.original == spec.reply) return {InsertStatus::kReplyTaken, nullptr};
    // Saves a block its grace period if another worker, or an earlier packet of the same burst, was
    // first; also in a full table.
    const uint64_t hashes[2] = {hash(spec.original), hash(spec.reply)};
    // The claims will read both buckets: let the misses overlap.
    for (const uint64_t each : hashes) prefetch(each);
    FlowEntry<F>* const earlier = lookup(spec.original, hashes[0]);
    if (earlier != nullptr && connection_of(*earlier).state.is_live()) {
        return {InsertStatus::kExists, earlier};
    }
    if (shares_ && !has_share(spec)) {
        PerWorker::add(per_worker_[worker].refused);
        return {InsertStatus::kShare, nullptr};
    }
    Connection<F>* const block = blocks_.allocate(worker);
    if (block == nullptr) {
        PerWorker::add(per_worker_[worker].refused);
        return {InsertStatus::kFull, nullptr};
    }
    fill(*block, worker, spec, hashes, now_s);

    bool published = false;
    InsertResult<F> result{InsertStatus::kBusy, nullptr};
    for (unsigned tries = 0; tries < kInsertTries && result.status == InsertStatus::kBusy;
         ++tries) {
        if (tries != 0) pause_briefly(tries);
        result = try_insert(*block, spec, published);
    }
    if (result.status == InsertStatus::kInserted) {
        const uint32_t life = block->state.life.load(std::memory_order_relaxed);
        // Pairs with the acquire in ConnectionState::is_live().
        block->state.life.store((life & ~3u) | static_cast<uint32_t>(Life::kLive),
                                std::memory_order_release);
        PerWorker::add(per_worker_[worker].created);
        if (shares_) count(worker, *block, 1);
        return result;
    }
    if (result.status == InsertStatus::kFull) PerWorker::add(per_worker_[worker].refused);
    const uint32_t life = block->state.life.load(std::memory_order_relaxed);
    block->state.life.store(life | static_cast<uint32_t>(Life::kDead), std::memory_order_release);
    if (published) {
        blocks_.retire(worker, *block);
    } else {
        blocks_.give_back(worker, *block);
    }
    return result;
}

template <Family F>
void FlowTable<F>::fill(Connection<F>& block, unsigned worker, const NewConnection<F>& spec,
                        const uint64_t (&hashes)[2], uint32_t now_s) noexcept {
    fill_entry(block.entry[0], spec, FlowDirection::kOriginal, now_s);
    fill_entry(block.entry[1], spec, FlowDirection::kReply, now_s);
    ConnectionState& state = block.state;
    const bool is_tcp = spec.original.protocol == kProtocolTcp;
    state.hash[0] = hashes[0];
    state.hash[1] = hashes[1];
    state.created_s = now_s;
    state.protocol = spec.original.protocol;
    state.owner = static_cast<uint8_t>(worker);
    state.tcp_state.store(
        is_tcp ? next_state(TcpState::kNone, FlowDirection::kOriginal, spec.tcp_flags)
               : TcpState::kNone,
        std::memory_order_relaxed);
    state.seen.store(1, std::memory_order_relaxed);
    state.holders[0] = spec.holders[0];
    state.holders[1] = spec.holders[1];
    if (traffic_) [[unlikely]]
        traffic_->reset(blocks_.index_of(block));
    reschedule(block, now_s);
}

// The reply comes first, so that no packet can leave by the original entry with a reply that would
// miss.
template <Family F>
InsertResult<F> FlowTable<F>::try_insert(Connection<F>& block, const NewConnection<F>& spec,
                                         bool& published) noexcept {
    const uint64_t original_hash = block.state.hash[0];
    const uint64_t reply_hash = block.state.hash[1];
    const InsertResult<F> busy{InsertStatus::kBusy, nullptr};

    const ClaimResult reply = claim(spec.reply, reply_hash, block.reply());
    published |= reply.published;
    if (reply.outcome == Claim::kFull) return {InsertStatus::kFull, nullptr};
    if (reply.outcome == Claim::kBusy) return busy;
    if (reply.outcome == Claim::kExists) {
        const uint32_t number = slot::entry_number(reply.word);
        FlowEntry<F>& holder = *blocks_.entry_at(number);
        if (help_if_dead(reply_hash, number)) return busy;
        // Another worker may have made this connection, or be about to.
        FlowEntry<F>* const winner = lookup(spec.original, original_hash);
        if (winner != nullptr) {
            return connection_of(*winner).state.is_live()
                       ? InsertResult<F>{InsertStatus::kExists, winner}
                       : busy;
        }
        const bool same = opposite_of(holder).key == spec.original;
        return same ? busy : InsertResult<F>{InsertStatus::kReplyTaken, &holder};
    }

    const ClaimResult original = claim(spec.original, original_hash, block.original());
    if (original.outcome == Claim::kCommitted) {
        return {InsertStatus::kInserted, &block.original()};
    }
    clear_slot(reply_hash, blocks_.number_of(block.reply()));
    if (original.outcome == Claim::kFull) return {InsertStatus::kFull, nullptr};
    if (original.outcome == Claim::kBusy) return busy;
    // Only a complete connection can be used. One that is being made may yet be given up: two
    // workers may each open one end of the same connection at once, and hold the key that the other
    // one needs.
    const uint32_t number = slot::entry_number(original.word);
    FlowEntry<F>* const winner = blocks_.entry_at(number);
    if (help_if_dead(original_hash, number)) return busy;
    return connection_of(*winner).state.is_live() ? InsertResult<F>{InsertStatus::kExists, winner}
                                                  : busy;
}

template <Family F>
bool FlowTable<F>::help_if_dead(uint64_t hash, uint32_t entry_number) noexcept {
    const ConnectionState& state = connection_of(*blocks_.entry_at(entry_number)).state;
    if (ConnectionState::life_of(state.life.load(std::memory_order_acquire)) != Life::kDead) {
        return false;
    }
    clear_slot(hash, entry_number);
    return true;
}

template <Family F>
bool FlowTable<F>::has_share(const NewConnection<F>& spec) const noexcept {
    const uint64_t free = blocks_.spare();
    if (free * kStrict >= room_) [[likely]]
        return true;
    // The less is free, the less one holder may have. If n holders want all of it, each gets what
    // the others leave, and something always remains for a holder that has little.
    const auto most = static_cast<int64_t>(free * kStrict);
    const auto [port, service] = spec.holders;
    const int64_t of_port = port < kHolders ? held_by(port) : most;
    if (of_port > most) return false;
    // A Service that has much is no reason to refuse a port that has little: most of the Service's
    // connections may be another port's.
    return service >= kHolders || held_by(service) <= most || of_port <= most / kLittle;
}

template <Family F>
void FlowTable<F>::count(unsigned worker, const Connection<F>& connection,
                         int32_t change) noexcept {
    for (const uint16_t holder : connection.state.holders) {
        per_worker_[worker].held.add(holder, change);
    }
}

template <Family F>
bool FlowTable<F>::give_up(unsigned worker, Connection<F>& connection) noexcept {
    if (eviction_priority(connection) != EvictionPriority::kUnproven) return false;
    if (!unlink(worker, connection, FlowEnd::kEvicted)) return false;
    PerWorker::add(per_worker_[worker].evicted);
    return true;
}

template <Family F>
bool FlowTable<F>::unlink(unsigned worker, Connection<F>& connection, FlowEnd why) noexcept {
    uint32_t life = connection.state.life.load(std::memory_order_acquire);
    if (ConnectionState::life_of(life) != Life::kLive) return false;
    const uint32_t dead = (life & ~3u) | static_cast<uint32_t>(Life::kDead);
    // Acquire: the content that insert() wrote; release: pairs with help_if_dead().
    if (!connection.state.life.compare_exchange_strong(life, dead, std::memory_order_acq_rel,
                                                       std::memory_order_relaxed)) {
        return false;
    }
    // The original first: from here on its packets miss, and a reply alone starts no connection.
    clear_slot(connection.state.hash[0], blocks_.number_of(connection.original()));
    clear_slot(connection.state.hash[1], blocks_.number_of(connection.reply()));
    deadlines_.clear(blocks_.index_of(connection));
    if (shares_) count(worker, connection, -1);
    // Pairs with tell_ends(). The block is ours until it is retired.
    if (auto* const listener = ends_.load(std::memory_order_acquire)) [[unlikely]]
        listener->ended(worker, connection, why);
    blocks_.retire(worker, connection);
    PerWorker::add(per_worker_[worker].removed);
    return true;
}

template <Family F>
bool FlowTable<F>::remove(unsigned worker, Connection<F>& connection) noexcept {
    return unlink(worker, connection, FlowEnd::kRemoved);
}

template <Family F>
FlowCounters FlowTable<F>::counters() const noexcept {
    FlowCounters sum;
    uint64_t removed = 0;
    for (unsigned i = 0; i < workers_; ++i) {
        const PerWorker& each = per_worker_[i];
        // Removed before created, so that `active` does not seem negative for long.
        removed += each.removed.load(std::memory_order_relaxed);
        sum.created += each.created.load(std::memory_order_relaxed);
        sum.expired += each.expired.load(std::memory_order_relaxed);
        sum.evicted += each.evicted.load(std::memory_order_relaxed);
        sum.refused += each.refused.load(std::memory_order_relaxed);
    }
    sum.active = sum.created > removed ? sum.created - removed : 0;
    sum.capacity = capacity_;
    return sum;
}

template class FlowTable<V4>;
template class FlowTable<V6>;

}  // namespace podlane
