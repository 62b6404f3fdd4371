#include "lib/flow/blocks.h"

#include <algorithm>
#include <utility>

namespace podlane {

namespace {

/// How many blocks move between workers at once.
uint32_t batch_for(uint32_t capacity, unsigned workers) noexcept {
    return std::clamp<uint32_t>(capacity / (16 * workers), 1, 64);
}

/// How many retired blocks one reclaim() frees at most, which bounds a turn.
constexpr uint32_t kReclaimPerTurn = 64;

}  // namespace

template <Family F>
BlockPool<F>::BlockPool(const FlowMemory& memory, uint32_t capacity, unsigned workers)
    : batch_(batch_for(capacity, workers)), caches_(std::make_unique<Cache[]>(workers)) {
    total_ = count_for(capacity, workers);
    arena_ = FlowArena(memory, size_t{total_} * sizeof(Connection<F>));
    // Zeroed memory is a valid array of free blocks: life 0 is kFree.
    blocks_ = static_cast<Connection<F>*>(arena_.data());
}

template <Family F>
uint32_t BlockPool<F>::count_for(uint32_t capacity, unsigned workers) noexcept {
    // With several workers, up to three batches can lie unused in each worker's lists.
    return capacity + (workers > 1 ? workers * 3 * batch_for(capacity, workers) : 0);
}

template <Family F>
void BlockPool<F>::add_free(Connection<F>& block) noexcept {
    Cache& cache = caches_[0];
    push(cache.free, block);
    // Workers in need take them from there.
    if (cache.free.count >= 2 * batch_) share_batch(cache);
}

template <Family F>
void BlockPool<F>::push(List& list, Connection<F>& block) noexcept {
    block.state.next.store(list.head, std::memory_order_relaxed);
    list.head = index_of(block) + 1;
    ++list.count;
}

template <Family F>
Connection<F>* BlockPool<F>::pop(List& list) noexcept {
    if (list.head == 0) return nullptr;
    Connection<F>& block = at(list.head - 1);
    list.head = block.state.next.load(std::memory_order_relaxed);
    --list.count;
    return &block;
}

template <Family F>
Connection<F>* BlockPool<F>::allocate(unsigned worker) noexcept {
    Cache& cache = caches_[worker];
    Connection<F>* block = pop(cache.free);
    if (block == nullptr) block = pop(cache.ready);
    // Fetches the next block's lines while this one is being filled.
    if (cache.free.head != 0) prefetch_block(at(cache.free.head - 1));
    if (block == nullptr) {
        if (cache.fresh_begin != cache.fresh_end || take_fresh(cache)) {
            block = &at(cache.fresh_begin++);
        } else if (take_batch(cache)) {
            block = pop(cache.free);
        }
    }
    if (block == nullptr) return nullptr;
    const uint32_t uses =
        ConnectionState::generation_of(block->state.life.load(std::memory_order_relaxed)) + 1;
    block->state.life.store(uses << 2 | static_cast<uint32_t>(Life::kInserting),
                            std::memory_order_relaxed);
    return block;
}

template <Family F>
void BlockPool<F>::give_back(unsigned worker, Connection<F>& block) noexcept {
    push(caches_[worker].free, block);
}

template <Family F>
void BlockPool<F>::retire(unsigned worker, Connection<F>& block) noexcept {
    push(caches_[worker].retired, block);
}

template <Family F>
void BlockPool<F>::reclaim(unsigned worker, QuiescentDomain& domain) noexcept {
    Cache& cache = caches_[worker];
    if (cache.waiting.count == 0 && cache.retired.count != 0) {
        cache.waiting = std::exchange(cache.retired, {});
        cache.token = domain.start_grace();
    }
    if (cache.waiting.count != 0 && cache.ready.count == 0 && domain.passed(cache.token)) {
        cache.ready = std::exchange(cache.waiting, {});
    }
    for (uint32_t i = 0; i < kReclaimPerTurn; ++i) {
        Connection<F>* const block = pop(cache.ready);
        if (block == nullptr) break;
        push(cache.free, *block);
        if (cache.free.count >= 2 * batch_) share_batch(cache);
    }
}

template <Family F>
void BlockPool<F>::share_batch(Cache& cache) noexcept {
    List batch;
    while (batch.count < batch_) {
        Connection<F>* const block = pop(cache.free);
        if (block == nullptr) break;
        push(batch, *block);
    }
    std::atomic<uint32_t>& link = at(batch.head - 1).state.next_batch;
    uint64_t top = shared_.load(std::memory_order_relaxed);
    uint64_t next;
    do {
        link.store(static_cast<uint32_t>(top), std::memory_order_relaxed);
        next = ((top >> 32) + 1) << 32 | batch.head;
        // Pairs with the acquire in take_batch(): publishes the batch's links, and that we are done
        // with it.
    } while (!shared_.compare_exchange_weak(top, next, std::memory_order_acq_rel,
                                            std::memory_order_relaxed));
    shared_batches_.fetch_add(1, std::memory_order_relaxed);
}

template <Family F>
bool BlockPool<F>::take_batch(Cache& cache) noexcept {
    uint64_t top = shared_.load(std::memory_order_acquire);  // pairs with share_batch()
    uint64_t next;
    do {
        const auto head = static_cast<uint32_t>(top);
        if (head == 0) return false;
        // Another worker may take the block meanwhile. Then this number is stale, and the count in
        // the upper half makes the exchange fail.
        const uint32_t below = at(head - 1).state.next_batch.load(std::memory_order_relaxed);
        next = ((top >> 32) + 1) << 32 | below;
    } while (!shared_.compare_exchange_weak(top, next, std::memory_order_acq_rel,
                                            std::memory_order_acquire));
    shared_batches_.fetch_sub(1, std::memory_order_relaxed);
    cache.free = {static_cast<uint32_t>(top), batch_};
    return true;
}

template <Family F>
bool BlockPool<F>::take_fresh(Cache& cache) noexcept {
    uint32_t begin = fresh_.load(std::memory_order_relaxed);
    uint32_t end;
    do {
        const uint32_t last = std::min(total_, allowed_.load(std::memory_order_relaxed));
        if (begin >= last) return false;
        end = std::min(begin + batch_, last);
    } while (!fresh_.compare_exchange_weak(begin, end, std::memory_order_acq_rel,
                                           std::memory_order_relaxed));
    cache.fresh_begin = begin;
    cache.fresh_end = end;
    return true;
}

template <Family F>
uint32_t BlockPool<F>::stash(unsigned worker) const noexcept {
    const Cache& cache = caches_[worker];
    return cache.free.count + cache.retired.count + cache.waiting.count + cache.ready.count +
           cache.fresh_end - cache.fresh_begin;
}

template class BlockPool<V4>;
template class BlockPool<V6>;

}  // namespace podlane
