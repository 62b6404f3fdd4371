// Takes over the connections of an earlier process from the memory that it left.
//
// Buckets, deadlines and lists of free blocks are not kept: they follow from the connections, and
// rebuilding them needs no trust in what a process was doing when it was killed. A connection
// counts if its `life` is kLive, which is written last.
#include <cstring>
#include <utility>

#include "lib/flow/table.h"

namespace podlane {

namespace {

/// No topology and no Service: the first packet looks both up.
constexpr uint32_t kNoEpoch = UINT32_MAX;

// What another process will read. A change to any of it, or to what a value means, must raise
// kConnectionForm.
static_assert(kConnectionForm == 1);
template <Family F>
constexpr bool kHasForm1 =
    offsetof(FlowEntry<F>, key) == 0 && sizeof(FlowKey<F>) == (std::same_as<F, V4> ? 16 : 40) &&
    offsetof(FlowEntry<F>, flags) == offsetof(FlowEntry<F>, established) + 1 &&
    offsetof(FlowEntry<F>, last_seen) + 4 == offsetof(FlowEntry<F>, established) &&
    offsetof(ConnectionState, life) == 0 && offsetof(ConnectionState, created_s) == 40 &&
    offsetof(ConnectionState, tcp_state) == 46 && offsetof(Connection<F>, state) == 128;
static_assert(kHasForm1<V4> && kHasForm1<V6>);
static_assert(static_cast<int>(TcpState::kEstablished) == 4 &&
              static_cast<int>(TcpState::kResetByReply) == 11);

/// Whether what was left can be a connection of this table.
template <Family F>
bool is_sound(const Connection<F>& block) noexcept {
    return block.entry[0].direction() == FlowDirection::kOriginal &&
           block.entry[1].direction() == FlowDirection::kReply &&
           block.entry[0].key.protocol == block.state.protocol &&
           block.entry[1].key.protocol == block.state.protocol &&
           block.state.tcp_state.load(std::memory_order_relaxed) <= TcpState::kResetByReply &&
           !(block.entry[0].key == block.entry[1].key);
}

/// All that says what the connection is; neither its life nor the lists that its block is in.
template <Family F>
void copy_connection(const Connection<F>& from, Connection<F>& to) noexcept {
    // Its entries have atomic members, which nobody changes meanwhile.
    std::memcpy(static_cast<void*>(to.entry), static_cast<const void*>(from.entry),
                sizeof(to.entry));
    to.state.created_s = from.state.created_s;
    to.state.protocol = from.state.protocol;
    to.state.owner = from.state.owner;
    to.state.tcp_state.store(from.state.tcp_state.load(std::memory_order_relaxed),
                             std::memory_order_relaxed);
    to.state.seen.store(from.state.seen.load(std::memory_order_relaxed), std::memory_order_relaxed);
}

}  // namespace

template <Family F>
uint32_t FlowTable<F>::block_count(const FlowTableOptions& options) noexcept {
    return BlockPool<F>::count_for(
        options.capacity + (options.shares ? options.capacity / kShareOfRoom : 0), options.workers);
}

template <Family F>
uint32_t FlowTable<F>::adopt(uint32_t blocks, uint32_t now_s) noexcept {
    // Blocks that were never used stay unused.
    const auto is_unused = [this](uint32_t block) {
        return blocks_.at(block).state.life.load(std::memory_order_relaxed) == 0;
    };
    while (blocks > 0 && is_unused(blocks - 1)) --blocks;
    blocks_.begin_with(blocks);
    uint32_t adopted = 0;
    for (uint32_t i = 0; i < blocks; ++i) {
        Connection<F>& block = blocks_.at(i);
        const uint32_t life = block.state.life.load(std::memory_order_relaxed);
        if (ConnectionState::life_of(life) == Life::kLive && adopt_one(block, now_s)) {
            ++adopted;
            continue;
        }
        deadlines_.clear(i);
        block.state.life.store(life & ~3u, std::memory_order_relaxed);
        blocks_.add_free(block);
    }
    per_worker_[0].created.store(adopted, std::memory_order_relaxed);
    return adopted;
}

template <Family F>
uint32_t FlowTable<F>::copy_from(std::span<const Connection<F>> left, uint32_t now_s) noexcept {
    uint32_t copied = 0;
    for (const Connection<F>& from : left) {
        if (!from.state.is_live()) continue;
        Connection<F>* const block = blocks_.allocate(0);
        if (block == nullptr) break;
        const uint32_t life = block->state.life.load(std::memory_order_relaxed) & ~3u;
        copy_connection(from, *block);
        if (adopt_one(*block, now_s)) {
            if (traffic_) traffic_->reset(blocks_.index_of(*block));
            block->state.life.store(life | static_cast<uint32_t>(Life::kLive),
                                    std::memory_order_release);
            ++copied;
            continue;
        }
        deadlines_.clear(blocks_.index_of(*block));
        block->state.life.store(life, std::memory_order_relaxed);
        blocks_.give_back(0, *block);
    }
    std::atomic<uint64_t>& created = per_worker_[0].created;
    created.store(created.load(std::memory_order_relaxed) + copied, std::memory_order_relaxed);
    return copied;
}

template <Family F>
bool FlowTable<F>::adopt_one(Connection<F>& block, uint32_t now_s) noexcept {
    if (!is_sound(block) || is_expired(block, timeouts_, now_s)) return false;
    ConnectionState& state = block.state;
    state.owner = static_cast<uint8_t>(state.owner % workers_);
    for (uint16_t& holder : state.holders) holder = kNoHolder;
    for (FlowEntry<F>& entry : block.entry) {
        entry.set_hop({kNoEpoch, 0, kUnknownIngress});
        entry.service_id.store(0, std::memory_order_relaxed);
        entry.service_epoch.store(kNoEpoch, std::memory_order_relaxed);
    }
    state.hash[0] = hash(block.original().key);
    state.hash[1] = hash(block.reply().key);
    if (claim(block.reply().key, state.hash[1], block.reply()).outcome != Claim::kCommitted) {
        return false;
    }
    if (claim(block.original().key, state.hash[0], block.original()).outcome != Claim::kCommitted) {
        clear_slot(state.hash[1], blocks_.number_of(block.reply()));
        return false;
    }
    reschedule(block, now_s);
    return true;
}

template <Family F>
void FlowTable<F>::hold(Connection<F>& connection, uint16_t port, uint16_t service) noexcept {
    connection.state.holders[0] = port;
    connection.state.holders[1] = service;
    if (shares_) count(0, connection, 1);
}

template uint32_t FlowTable<V4>::block_count(const FlowTableOptions&) noexcept;
template uint32_t FlowTable<V6>::block_count(const FlowTableOptions&) noexcept;
template uint32_t FlowTable<V4>::adopt(uint32_t, uint32_t) noexcept;
template uint32_t FlowTable<V6>::adopt(uint32_t, uint32_t) noexcept;
template uint32_t FlowTable<V4>::copy_from(std::span<const Connection<V4>>, uint32_t) noexcept;
template uint32_t FlowTable<V6>::copy_from(std::span<const Connection<V6>>, uint32_t) noexcept;
template void FlowTable<V4>::hold(Connection<V4>&, uint16_t, uint16_t) noexcept;
template void FlowTable<V6>::hold(Connection<V6>&, uint16_t, uint16_t) noexcept;
template bool FlowTable<V4>::adopt_one(Connection<V4>&, uint32_t) noexcept;
template bool FlowTable<V6>::adopt_one(Connection<V6>&, uint32_t) noexcept;

}  // namespace podlane
