#include "lib/lb/affinity.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstring>
#include <new>
#include <random>

namespace podlane {

ZeroedMemory::ZeroedMemory(size_t bytes)
    : bytes_(bytes),
      data_(mmap(nullptr, bytes, PROT_READ | PROT_WRITE,
                 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)) {
    if (data_ == MAP_FAILED) throw std::bad_alloc();
}

ZeroedMemory::~ZeroedMemory() {
    munmap(data_, bytes_);
}

namespace {

uint64_t random_seed() {
    std::random_device device;
    return uint64_t{device()} << 32 | device();
}

template <unsigned Ways>
uint32_t buckets_for(uint32_t clients) noexcept {
    return std::max<uint32_t>(1, static_cast<uint32_t>((uint64_t{clients} * 2 + Ways - 1) / Ways));
}

}  // namespace

template <Family F>
AffinityTable<F>::AffinityTable(uint32_t clients, uint64_t seed, void* kept)
    : capacity_(clients), bucket_count_(buckets_for<kWays>(clients)) {
    if (kept == nullptr) kept = own_.emplace(bytes_for(clients)).data();
    buckets_ = static_cast<Bucket*>(kept) + 1;
    auto& header = *static_cast<Header*>(kept);
    if (header.seed == 0) header.seed = seed != 0 ? seed : random_seed();
    seed_ = header.seed;
    if (own_) return;
    for (uint32_t i = 0; i < bucket_count_; ++i) {
        // Its owner was writing when the process ended.
        if (buckets_[i].claimed.load(std::memory_order_relaxed) == 0) continue;
        buckets_[i].entries = {};
        buckets_[i].claimed.store(0, std::memory_order_relaxed);
    }
}

template <Family F>
size_t AffinityTable<F>::bytes_for(uint32_t clients) noexcept {
    return (size_t{buckets_for<kWays>(clients)} + 1) * sizeof(Bucket);
}

template <Family F>
uint32_t AffinityTable<F>::copy_from(const void* left, size_t bytes, uint32_t now_s) noexcept {
    uint32_t copied = 0;
    const auto* const buckets = static_cast<const Bucket*>(left);
    for (size_t i = 1; i < bytes / sizeof(Bucket); ++i) {
        // Whoever had it was writing when it ended.
        if (buckets[i].claimed.load(std::memory_order_relaxed) != 0) continue;
        for (const Entry& entry : buckets[i].entries) {
            if (entry.service == kFree || now_s > entry.until_s) continue;
            const auto settled = settle(entry.client, entry.service, entry.endpoint, now_s,
                                        entry.until_s - now_s, [](const auto&) { return true; });
            copied += settled ? 1 : 0;
        }
    }
    return copied;
}

template <Family F>
typename AffinityTable<F>::Bucket& AffinityTable<F>::bucket_of(const typename F::Address& client,
                                                               uint32_t service) const noexcept {
    uint64_t h = seed_ ^ service;
    const auto* bytes = reinterpret_cast<const uint8_t*>(&client);
    for (size_t i = 0; i < sizeof(client); i += 4) {
        uint32_t word = 0;
        std::memcpy(&word, bytes + i, 4);
        h = (h ^ word) * 0xff51afd7ed558ccdu;
        h ^= h >> 32;
    }
    const uint64_t index = ((h & 0xffffffffu) * bucket_count_) >> 32;
    return buckets_[index];
}

template class AffinityTable<V4>;
template class AffinityTable<V6>;

}  // namespace podlane
