// Services as the slow path sees them: frontends (an address, protocol and port that this node
// serves) and the endpoints behind them. Immutable, shared between snapshots.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "lib/base/cow_array.h"
#include "lib/base/family.h"
#include "lib/base/ip_address.h"
#include "lib/lb/endpoint.h"
#include "lib/lb/maglev.h"
#include "lib/model/ids.h"

namespace podlane {

/// The endpoints for one kind of traffic, sorted, and the table that picks among them.
template <Family F>
struct EndpointSet {
    std::vector<Endpoint<F>> endpoints;
    MaglevTable maglev;  ///< empty for fewer than two endpoints

    [[nodiscard]] bool empty() const noexcept { return endpoints.empty(); }
    /// The endpoint for a packet's hash; endpoints must not be empty.
    [[nodiscard]] const Endpoint<F>& pick(uint32_t hash) const noexcept {
        return endpoints.size() == 1 ? endpoints.front() : endpoints[maglev.pick(hash)];
    }
    [[nodiscard]] bool contains(const Endpoint<F>& endpoint) const noexcept {
        return std::binary_search(endpoints.begin(), endpoints.end(), endpoint);
    }
};

enum class FrontendKind : uint8_t { kClusterIp, kNodePort, kLoadBalancer, kExternalIp, kHostPort };

[[nodiscard]] constexpr const char* to_string(FrontendKind kind) noexcept {
    switch (kind) {
        case FrontendKind::kClusterIp:
            return "ClusterIP";
        case FrontendKind::kNodePort:
            return "NodePort";
        case FrontendKind::kLoadBalancer:
            return "LoadBalancer";
        case FrontendKind::kExternalIp:
            return "ExternalIP";
        case FrontendKind::kHostPort:
            return "HostPort";
    }
    return "";
}

/// An address, protocol and port at which this node serves a Service.
template <Family F>
struct Frontend {
    FrontendKind kind = FrontendKind::kClusterIp;
    uint8_t protocol = 0;          ///< IANA number: 6, 17 or 132
    bool any_address = false;      ///< a NodePort: every node address
    bool drop_when_empty = false;  ///< policy Local without a local endpoint: drop, not reject
    bool masquerade_outside =
        false;  ///< traffic that takes `outside` gets this node's source address
    typename F::Address address{};
    be16 port{};
    ServiceId service = kNoService;
    uint32_t affinity_seconds = 0;                  ///< 0: no session affinity
    std::shared_ptr<const EndpointSet<F>> inside;   ///< for this node's pods and kernel; never null
    std::shared_ptr<const EndpointSet<F>> outside;  ///< for traffic from elsewhere; never null
    /// Sorted: further endpoints that a UDP flow may keep, since they still serve; null: none.
    std::shared_ptr<const std::vector<Endpoint<F>>> serving;
    std::shared_ptr<const std::vector<Prefix<F>>> source_ranges;  ///< null: any source
    std::string service_name;  ///< "namespace/name", for explain and listings
    std::string port_name;

    /// Whether a UDP flow that has `endpoint` may keep it.
    [[nodiscard]] bool may_keep(const Endpoint<F>& endpoint) const noexcept {
        return inside->contains(endpoint) || outside->contains(endpoint) ||
               (serving && std::binary_search(serving->begin(), serving->end(), endpoint));
    }
};

/// The key of a frontend. Port 0 with protocol 0: "this address is a ClusterIP".
template <Family F>
struct FrontendKey {
    typename F::Address address{};  ///< zero for a NodePort
    be16 port{};
    uint8_t protocol = 0;
    friend constexpr auto operator<=>(const FrontendKey&, const FrontendKey&) noexcept = default;
};

/// All frontends of one family: a persistent hash table of small immutable shards.
/// Threads: as for CowArray.
template <Family F>
class FrontendTable {
  public:
    using Ptr = std::shared_ptr<const Frontend<F>>;
    struct Entry {
        FrontendKey<F> key;
        Ptr frontend;  ///< null for an address mark
    };

    /// The frontend at this key, or nullptr. Cost: one hash and a scan of some ten entries.
    [[nodiscard]] const Frontend<F>* find(const FrontendKey<F>& key) const noexcept {
        const Entry* entry = find_entry(key);
        return entry != nullptr ? entry->frontend.get() : nullptr;
    }
    /// Whether any Service has this address as a ClusterIP: a packet to another port of it is
    /// rejected.
    [[nodiscard]] bool has_address(const typename F::Address& address) const noexcept {
        return find_entry({address, be16(0), 0}) != nullptr;
    }
    [[nodiscard]] size_t size() const noexcept { return count_; }

    /// Builder only: adds or replaces.
    void set(const FrontendKey<F>& key, Ptr frontend) {
        Shard next = copy_of(key);
        const auto at = std::lower_bound(next.begin(), next.end(), key, before);
        if (at != next.end() && at->key == key) {
            at->frontend = std::move(frontend);
        } else {
            next.insert(at, Entry{key, std::move(frontend)});
            ++count_;
        }
        shards_.set(shard_of(key), std::make_shared<const Shard>(std::move(next)));
    }
    /// Builder only: removes; false when it was not there.
    bool erase(const FrontendKey<F>& key) {
        if (find_entry(key) == nullptr) return false;
        Shard next = copy_of(key);
        next.erase(std::lower_bound(next.begin(), next.end(), key, before));
        shards_.set(shard_of(key), std::make_shared<const Shard>(std::move(next)));
        --count_;
        return true;
    }
    /// Calls `visit(const Frontend<F>&)` for each frontend, in no order.
    template <class Visit>
    void for_each(Visit visit) const {
        for (size_t i = 0; i < kShards; ++i) {
            const auto& shard = shards_[i];
            if (!shard) continue;
            for (const Entry& entry : *shard) {
                if (entry.frontend) visit(*entry.frontend);
            }
        }
    }

  private:
    using Shard = std::vector<Entry>;
    static constexpr size_t kShards = 4096;

    static bool before(const Entry& entry, const FrontendKey<F>& key) { return entry.key < key; }
    static size_t shard_of(const FrontendKey<F>& key) noexcept {
        uint64_t h = (uint64_t{key.port.raw} << 8 | key.protocol) * 0x9e3779b97f4a7c15u;
        const auto* bytes = reinterpret_cast<const uint8_t*>(&key.address);
        for (size_t i = 0; i < sizeof(key.address); i += 4) {
            uint32_t word = 0;
            __builtin_memcpy(&word, bytes + i, 4);
            h = (h ^ word) * 0xff51afd7ed558ccdu;
            h ^= h >> 32;
        }
        return static_cast<size_t>(h) & (kShards - 1);
    }
    const Entry* find_entry(const FrontendKey<F>& key) const noexcept {
        const auto& shard = shards_[shard_of(key)];
        if (!shard) return nullptr;
        const auto at = std::lower_bound(shard->begin(), shard->end(), key, before);
        return at != shard->end() && at->key == key ? &*at : nullptr;
    }
    Shard copy_of(const FrontendKey<F>& key) const {
        const auto& shard = shards_[shard_of(key)];
        return shard ? *shard : Shard{};
    }

    CowArray<std::shared_ptr<const Shard>> shards_;
    size_t count_ = 0;
};

}  // namespace podlane
