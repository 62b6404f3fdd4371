// Session affinity: which endpoint a client of a Service port had last, for Services with
// spec.sessionAffinity ClientIP.
//
// One table for each family, shared by all workers, since a client's connections come in on any of
// them. Only a connection's first packet uses it. docs/decisions/session-affinity.md explains the
// design, and what happens when it is full.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "lib/lb/endpoint.h"

namespace podlane {

/// Zeroed memory that costs nothing until it is touched. Throws std::bad_alloc without it.
class ZeroedMemory {
  public:
    explicit ZeroedMemory(size_t bytes);
    ~ZeroedMemory();
    ZeroedMemory(const ZeroedMemory&) = delete;
    ZeroedMemory& operator=(const ZeroedMemory&) = delete;
    [[nodiscard]] void* data() const noexcept { return data_; }

  private:
    size_t bytes_;
    void* data_;
};

/// Threads: any. A bucket belongs to the thread that has claimed it, for some ten nanoseconds.
/// After kClaimTries a thread stops waiting and goes without.
template <Family F>
class AffinityTable {
  public:
    /// Room for `clients` of Services: that many entries, in buckets with as much room again.
    /// `kept`: bytes_for(clients) that are zero, or what another process left there, even after
    /// kill -9; null: memory of its own.
    explicit AffinityTable(uint32_t clients, uint64_t seed = 0, void* kept = nullptr);
    [[nodiscard]] static size_t bytes_for(uint32_t clients) noexcept;

    /// The endpoint for the client's new connection: the one that it had, if its time is not over
    /// and `usable(endpoint)`, else `candidate`. Either is remembered for `timeout_s` from now on,
    /// or up to a second longer, since the clock has whole seconds: a timeout of 1 s never ends
    /// sooner. None: there is no room to remember another client.
    template <class Usable>
    [[nodiscard]] std::optional<Endpoint<F>> settle(const typename F::Address& client,
                                                    uint32_t service, const Endpoint<F>& candidate,
                                                    uint32_t now_s, uint32_t timeout_s,
                                                    Usable usable) noexcept {
        const Claim claim(bucket_of(client, service));
        if (!claim) return std::nullopt;
        Entry* room = nullptr;
        for (Entry& entry : claim->entries) {
            const bool over = entry.service == kFree || now_s > entry.until_s;
            if (entry.service == service && entry.client == client) {
                if (over || !usable(entry.endpoint)) entry.endpoint = candidate;
                entry.until_s = now_s + timeout_s;
                return entry.endpoint;
            }
            if (over && room == nullptr) room = &entry;
        }
        if (room == nullptr) return std::nullopt;
        *room = {client, service, candidate, now_s + timeout_s};
        return candidate;
    }

    /// The client's last endpoint, if its time is not over; changes nothing.
    [[nodiscard]] std::optional<Endpoint<F>> find(const typename F::Address& client,
                                                  uint32_t service, uint32_t now_s) const noexcept {
        const Claim claim(bucket_of(client, service));
        if (!claim) return std::nullopt;
        for (const Entry& entry : claim->entries) {
            if (entry.service == service && entry.client == client && now_s <= entry.until_s) {
                return entry.endpoint;
            }
        }
        return std::nullopt;
    }

    /// Takes what another table remembers, which has `bytes` of memory at `left` and rests: of any
    /// capacity. Before anybody uses this one. Returns how many clients of Services that are.
    uint32_t copy_from(const void* left, size_t bytes, uint32_t now_s) noexcept;

    [[nodiscard]] uint32_t capacity() const noexcept { return capacity_; }

  private:
    static constexpr uint32_t kFree = 0;
    static constexpr unsigned kWays = std::same_as<F, V4> ? 6 : 5;
    static constexpr unsigned kClaimTries = 256;

    struct Entry {
        typename F::Address client;
        uint32_t service;  ///< affinity_key() in lib/decide; kFree: unused
        Endpoint<F> endpoint;
        uint32_t until_s;  ///< remembered through this second of the workers' clock
    };
    struct alignas(kCacheLine) Bucket {
        std::atomic<uint32_t> claimed;
        std::array<Entry, kWays> entries;
    };
    static_assert(sizeof(Bucket) == (std::same_as<F, V4> ? 128 : 256));
    /// Before the buckets, in the place of one.
    struct Header {
        uint64_t seed;
    };

    /// Owns a bucket for its lifetime, or nothing.
    class Claim {
      public:
        explicit Claim(Bucket& bucket) noexcept {
            for (unsigned tries = 0; tries < kClaimTries; ++tries) {
                // Pairs with the release below: what the last owner wrote is there.
                if (bucket.claimed.load(std::memory_order_relaxed) == 0 &&
                    bucket.claimed.exchange(1, std::memory_order_acquire) == 0) {
                    bucket_ = &bucket;
                    return;
                }
                __builtin_ia32_pause();
            }
        }
        ~Claim() {
            if (bucket_ != nullptr) bucket_->claimed.store(0, std::memory_order_release);
        }
        Claim(const Claim&) = delete;
        Claim& operator=(const Claim&) = delete;
        explicit operator bool() const noexcept { return bucket_ != nullptr; }
        Bucket* operator->() const noexcept { return bucket_; }

      private:
        Bucket* bucket_ = nullptr;
    };

    [[nodiscard]] Bucket& bucket_of(const typename F::Address& client,
                                    uint32_t service) const noexcept;

    uint32_t capacity_;
    uint32_t bucket_count_;
    std::optional<ZeroedMemory> own_;
    Bucket* buckets_;
    uint64_t seed_;  // so that outsiders cannot aim at one bucket
};

extern template class AffinityTable<V4>;
extern template class AffinityTable<V6>;

/// The form of kept entries; raised when another version of podlaned could not read what this one
/// writes.
inline constexpr uint32_t kAffinityForm = 1;

/// The tables of a node.
struct AffinityTables {
    /// `kept_v4`, `kept_v6`: see AffinityTable.
    explicit AffinityTables(uint32_t clients, void* kept_v4 = nullptr, void* kept_v6 = nullptr)
        : v4(clients, 0, kept_v4), v6(clients, 0, kept_v6) {}

    template <Family F>
    [[nodiscard]] auto& of() noexcept {
        if constexpr (std::same_as<F, V4>) {
            return v4;
        } else {
            return v6;
        }
    }
    template <Family F>
    [[nodiscard]] const auto& of() const noexcept {
        return const_cast<AffinityTables*>(this)->of<F>();
    }

    AffinityTable<V4> v4;
    AffinityTable<V6> v6;
};

}  // namespace podlane
