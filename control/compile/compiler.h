// Makes the next generation of the Snapshot: objects, ports and neighbours in, one immutable graph
// out, which shares unchanged parts with the previous generation.
//
// The daemon calls it on the control thread for every change: commit the change to the ObjectStore,
// next(), Dataplane::publish(); if next() refuses, revert the store, and nothing has changed.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "control/compile/announcer.h"
#include "control/compile/names.h"
#include "control/compile/policies.h"
#include "control/compile/services.h"
#include "control/compile/topology.h"
#include "control/config/node_config.h"
#include "control/kube/store.h"
#include "lib/base/result.h"
#include "lib/model/snapshot.h"

namespace podlane::control {

/// What has changed since the last next().
struct Changes {
    /// Committed to the store already; null: none. For a `replace` the set that plan_replace() gave
    /// serves as well as any.
    const ChangeSet* objects = nullptr;
    /// The whole of it, when ports, pods, neighbours or learned MACs changed; null: as before.
    const TopologyInput* topology = nullptr;
    OnConflict on_conflict = OnConflict::kRefuse;
};

/// The family of a Service that names none: like an API server, that of the first service CIDR.
[[nodiscard]] AddressFamily default_family(const NodeConfig& config) noexcept;

/// A new generation, to be published.
struct Compiled {
    std::shared_ptr<const Snapshot> snapshot;
    std::vector<std::string> notices;  ///< one line each, for the log and the reply
};

/// Threads: one.
class Compiler {
  public:
    /// `config` must outlive the compiler.
    explicit Compiler(const NodeConfig& config);

    /// Generations continue after this one. Call before the first next().
    void count_from(uint64_t generation);

    /// The generation after the last one (generation + 1). On an error nothing has changed here;
    /// the message is one line and names both objects in conflict.
    Result<Compiled> next(const ObjectStore& store, const Changes& changes);

    /// Whether next() would succeed with these objects, and its notices; changes nothing. Commit
    /// the changes first, or to a copy of the store.
    Result<std::vector<std::string>> check(const ObjectStore& store, const ChangeSet& objects,
                                           OnConflict on_conflict = OnConflict::kRefuse) const;

    /// Objects that are not fully served because of a conflict with another one; call it after
    /// next().
    [[nodiscard]] std::vector<RefusedObject> refused() const;

    /// The last generation; at first an empty one, generation 0.
    [[nodiscard]] const std::shared_ptr<const Snapshot>& current() const noexcept {
        return current_;
    }
    /// For NeighbourTable::set_wanted(), after next().
    [[nodiscard]] const std::vector<WantedNeighbour>& wanted_neighbours() const noexcept {
        return topology_.wanted_neighbours();
    }
    /// The other Nodes by name, after next().
    [[nodiscard]] const std::map<std::string, NodeNumber>& node_numbers() const noexcept {
        return topology_.node_numbers();
    }
    /// Which node answers for which load balancer address, after next().
    [[nodiscard]] const Announcer& announcer() const noexcept { return announcer_; }
    /// Names for ServiceIds: statistics, flows.
    [[nodiscard]] const ServiceCompiler& services() const noexcept { return services_; }
    /// Which NetworkPolicies concern this node, after next().
    [[nodiscard]] const PolicyCompiler& policies() const noexcept { return policies_; }

  private:
    std::shared_ptr<const Snapshot> current_;
    bool is_first_ = true;  ///< no generation has been compiled yet
    TopologyInput input_;
    NodeFacts facts_;
    TopologyCompiler topology_;
    ServiceCompiler services_;
    Announcer announcer_;
    NameCompiler names_;
    PolicyCompiler policies_;
};

}  // namespace podlane::control
