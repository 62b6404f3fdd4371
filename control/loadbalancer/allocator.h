// Gives Services of type LoadBalancer their addresses from the configured pools, as a controller of
// an API server would: it puts them into the Services' status, where all other code reads them.
// docs/decisions/load-balancer-addresses.md says which Service gets which address and why. Control
// thread.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "control/config/node_config.h"
#include "control/kube/store.h"
#include "control/loadbalancer/memory.h"

namespace podlane::control {

/// Whether the Service's addresses are the pools' business: type LoadBalancer, no
/// loadBalancerClass, served by this proxy.
[[nodiscard]] bool asks_pools(const Service& service) noexcept;

/// What became of the Services that ask.
struct AllocationTotals {
    uint64_t assigned = 0;  ///< have all the addresses that they asked for
    uint64_t pending = 0;   ///< lack an address that they asked for
    uint64_t refused = 0;   ///< how often one began to lack one; only grows
};

/// Invariants: the addresses that it gives are in a pool, each to one Service or to several that
/// share it (annotation allow-shared-ip, MetalLB's rules), and none of them is in a status that
/// another controller set, in externalIPs or in a Node. A Service that has an address keeps it
/// unless it asks for another one or such a status claims it.
class AddressAllocator {
  public:
    /// `config` must outlive the allocator.
    explicit AddressAllocator(const NodeConfig& config) : config_(config) {}

    /// The result of a completed plan; it takes effect with accept().
    struct Outcome {
        AddressMemory memory;
        AllocationTotals totals;
        std::vector<std::string> notices;  ///< one line for each Service that newly lacks one
    };

    /// Puts addresses into the Services of `plan`, which was made on `store` and is not committed.
    /// Adds to the plan the Services that waited for an address and get one now. None: there was
    /// nothing to do. Cost: proportional to the number of Services if the plan has one of type
    /// LoadBalancer.
    [[nodiscard]] std::optional<Outcome> complete(const ObjectStore& store, ChangeSet& plan) const;

    /// The plan is live.
    void accept(Outcome outcome);

    /// The remembered addresses, for the next complete().
    void restore(AddressMemory memory) { memory_ = std::move(memory); }
    [[nodiscard]] const AddressMemory& memory() const noexcept { return memory_; }
    [[nodiscard]] const AllocationTotals& totals() const noexcept { return totals_; }

  private:
    const NodeConfig& config_;
    AddressMemory memory_;
    AllocationTotals totals_;
};

}  // namespace podlane::control
