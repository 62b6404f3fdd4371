// Keeps the NetworkPolicies of a Snapshot in step with policies, pods and namespaces: only policies
// that select a pod of this node are compiled, and a peer that comes or goes changes only the sets
// that contain it.
//
// The Compiler (compiler.h) calls it on the control thread, with a copy of the live snapshot to
// change. docs/network-policy.md says what the rules mean.
#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "control/compile/policy_peers.h"
#include "control/compile/topology.h"
#include "control/kube/store.h"
#include "lib/model/snapshot.h"

namespace podlane::control {

/// Cost of a change: of a pod elsewhere, as many selectors as this node's policies have different
/// ones, and a copy of the sets of addresses that the pod is in; of a policy, or a pod of this
/// node, this node's pods times the policies of their namespaces, and for each selector that is new
/// here a look at every pod. Invariants: after any sequence of updates the snapshot answers as
/// after one update of everything in the store; isolated_epoch rises whenever something may be
/// forbidden that was not, and topology_epoch too when that concerns a pod that no policy selected.
/// Threads: one.
class PolicyCompiler {
  public:
    /// `dns`: see PolicyPeers.
    explicit PolicyCompiler(std::vector<IpAddress> dns) : peers_(std::move(dns)) {}

    /// `objects` and `pods` (those with a port here) may be null: as before. `next` is a copy of
    /// the snapshot that the last call made, or of one with the same policies.
    void update(const ChangeSet* objects, const std::vector<PodPort>* pods,
                const ObjectStore& store, Snapshot& next);

    /// How many pods of this node the policy selects.
    [[nodiscard]] size_t selected(const NamespacedName& policy) const;

  private:
    struct Active {
        ObjectPtr<NetworkPolicy> object;
        std::shared_ptr<const CompiledPolicy> compiled;
        std::vector<PolicySetId> pods, ports;  ///< that it has taken
        size_t selected = 0;
    };
    /// What a change touches.
    struct Touched {
        std::set<NamespacedName> pods;
        std::set<std::string> namespaces;
        bool policies = false;
        bool local = false;  ///< ports, or pods that have one
    };

    void note(const ChangeSet& changes, Touched& touched) const;
    void note(const std::vector<PodPort>& pods, Touched& touched);
    [[nodiscard]] Active compile(const ObjectPtr<NetworkPolicy>& policy, const ObjectStore& store);
    [[nodiscard]] CompiledRule compile(const PolicyRule& rule, const std::string& name_space,
                                       const ObjectStore& store, Active& into);
    void give_back(const Active& active);
    /// Compiles what selects pods of this node, and says which policies each has.
    void select(const ObjectStore& store, Snapshot& next);
    void install(const NamespacedName& pod, PortId port, const std::vector<NamespacedName>& names,
                 Snapshot& next);

    PolicyPeers peers_;
    LocalAddresses local_;
    /// A pod has more than one while its next sandbox is made before the last one's end.
    std::multimap<NamespacedName, PortId> ports_;
    std::map<NamespacedName, Active> active_;
    /// Ports of pods that have policies now, and pods of the last generation.
    std::map<PortId, NamespacedName> isolated_;
    std::set<NamespacedName> seen_;
    bool took_away_ = false;       ///< of an isolated pod
    bool newly_isolated_ = false;  ///< a pod that was not
};

}  // namespace podlane::control
