// Gives Services of type LoadBalancer their addresses from the configured pools, as a controller
// beside an API server would: what comes from here stands in their status, for everything else to
// read. docs/decisions/load-balancer-addresses.md says who gets which and why. Control thread.
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
    uint64_t assigned = 0;  ///< have all that they asked for
    uint64_t pending = 0;   ///< lack an address that they asked for
    uint64_t refused = 0;   ///< how often one began to lack one; only grows
};

/// Invariants: the addresses that it gives are in a pool, each to one Service or to several that
/// share it (annotation allow-shared-ip, MetalLB's rules), and to none that a
/// Service's status set by others, its externalIPs or a Node has. A Service that has an address
/// keeps it while it asks for nothing else and nobody's status claims it.
class AddressAllocator {
  public:
    /// `config` must outlive the allocator.
    explicit AddressAllocator(const NodeConfig& config) : config_(config) {}

    /// What a completed plan brings; nothing of it counts before accept().
    struct Outcome {
        AddressMemory memory;
        AllocationTotals totals;
        std::vector<std::string> notices;  ///< one line for each Service that newly lacks one
    };

    /// Puts addresses into the Services of `plan`, which was made on `store` and is not committed,
    /// and adds those to it that change for it: they waited for an address. None: nothing to do.
    /// Cost: as the number of Services, where the plan has one of type LoadBalancer.
    [[nodiscard]] std::optional<Outcome> complete(const ObjectStore& store, ChangeSet& plan) const;

    /// The plan is live.
    void accept(Outcome outcome);

    /// What is remembered from before, for the next complete().
    void restore(AddressMemory memory) { memory_ = std::move(memory); }
    [[nodiscard]] const AddressMemory& memory() const noexcept { return memory_; }
    [[nodiscard]] const AllocationTotals& totals() const noexcept { return totals_; }

  private:
    const NodeConfig& config_;
    AddressMemory memory_;
    AllocationTotals totals_;
};

}  // namespace podlane::control
