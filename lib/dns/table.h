// A persistent hash table from short byte strings to immutable objects, for the zone.
//
// Like FrontendTable: a copy shares what does not change. So one change copies the spine, one chunk
// of it and one shard of some ten entries, however large the cluster is.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lib/base/cow_array.h"
#include "lib/base/stable_hash.h"

namespace podlane {

/// Threads: as for CowArray.
template <class T>
class DnsTable {
  public:
    using Ptr = std::shared_ptr<const T>;

    /// The object for `key`, or nullptr. Cost: one hash and a search of some ten entries.
    [[nodiscard]] const T* find(std::string_view key) const noexcept {
        const Entry* entry = find_entry(key, hash(key));
        return entry != nullptr ? entry->value.get() : nullptr;
    }
    [[nodiscard]] size_t size() const noexcept { return count_; }

    /// Builder only: adds or replaces an object; null removes it.
    void set(std::string_view key, Ptr value) {
        const uint64_t h = hash(key);
        const auto& shard = shards_[h % kShards];
        Shard next = shard ? *shard : Shard{};
        const auto at = std::find_if(next.begin(), next.end(), [&](const Entry& entry) {
            return entry.hash == h && entry.key == key;
        });
        if (at != next.end() && value) {
            at->value = std::move(value);
        } else if (at != next.end()) {
            next.erase(at);
            --count_;
        } else if (value) {
            const auto before = std::find_if(next.begin(), next.end(),
                                             [&](const Entry& entry) { return entry.hash > h; });
            next.insert(before, Entry{h, std::string(key), std::move(value)});
            ++count_;
        } else {
            return;
        }
        shards_.set(h % kShards, std::make_shared<const Shard>(std::move(next)));
    }

  private:
    struct Entry {
        uint64_t hash;
        std::string key;
        Ptr value;
    };
    using Shard = std::vector<Entry>;  // by hash
    static constexpr size_t kShards = 4096;

    /// FNV-1a, with a last step that mixes all bits into those that pick the shard.
    static uint64_t hash(std::string_view key) noexcept {
        const uint64_t h = fnv1a(key);
        return h ^ h >> 32;
    }
    const Entry* find_entry(std::string_view key, uint64_t h) const noexcept {
        const auto& shard = shards_[h % kShards];
        if (!shard) return nullptr;
        auto at = std::lower_bound(shard->begin(), shard->end(), h,
                                   [](const Entry& entry, uint64_t x) { return entry.hash < x; });
        for (; at != shard->end() && at->hash == h; ++at) {
            if (at->key == key) return &*at;
        }
        return nullptr;
    }

    CowArray<std::shared_ptr<const Shard>> shards_;
    size_t count_ = 0;
};

}  // namespace podlane
