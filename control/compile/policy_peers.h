// The pods of the cluster as NetworkPolicies' peers: the addresses that each pair of selectors
// selects, and the number of each named port at each address.
//
// PolicyCompiler (policies.h) takes the sets that its policies name; this keeps them in step with
// pods and namespaces. Control thread.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "control/compile/endpoints.h"
#include "control/kube/store.h"
#include "lib/model/snapshot.h"

namespace podlane::control {

/// Addresses of pods that have a port on this node, which may be known before their Pod objects.
using LocalAddresses = std::map<NamespacedName, std::vector<IpAddress>>;

/// Invariant: after apply() each set holds what its selectors select in the store, each address
/// once. If several pods claim an address, the one with a port here has it, else the one that was
/// created last. Threads: one.
class PolicyPeers {
  public:
    /// `dns`: addresses of the cluster's DNS server, which counts as a pod of kube-system with the
    /// label k8s-app=kube-dns and CoreDNS' port names.
    explicit PolicyPeers(std::vector<IpAddress> dns) : dns_(std::move(dns)) {}

    /// Looks at these pods again: their objects, addresses or namespaces have changed.
    void refresh(const std::set<NamespacedName>& pods, const LocalAddresses& local,
                 const ObjectStore& store);
    /// The namespace's labels have changed: adds its pods, which refresh() must see.
    void forget_namespace(const std::string& name, std::set<NamespacedName>& pods);

    /// The set of a peer's pods, for a policy of `name_space`; each taken one is to be given back.
    [[nodiscard]] PolicySetId take_pods(const PolicyPeer& peer, const std::string& name_space,
                                        const ObjectStore& store);
    /// The set of places that a port's name means.
    [[nodiscard]] PolicySetId take_port(const std::string& name, Protocol protocol);
    void give_back_pods(PolicySetId id);
    void give_back_port(PolicySetId id);

    /// Writes what changed since the last call into the snapshot's sets. True: some set lost
    /// something.
    bool apply(Snapshot& next);

  private:
    /// One pod.
    struct Peer {
        ObjectPtr<Pod> object;             ///< null: it has none
        std::vector<IpAddress> addresses;  ///< that it says; sorted
        std::vector<IpAddress> lost;       ///< those that count as another pod's; sorted
        std::set<PolicySetId> sets;        ///< that it is in
        std::vector<std::pair<PolicySetId, uint16_t>> ports;

        /// Of its addresses: whether it counts as this pod's.
        [[nodiscard]] bool has(const IpAddress& address) const noexcept {
            return !std::binary_search(lost.begin(), lost.end(), address);
        }
    };
    using Peers = std::map<NamespacedName, Peer>;
    using Entry = Peers::value_type;
    struct PodSet {
        std::string key;
        unsigned users = 0;
        std::string name_space;  ///< if it has no namespace selector
        std::optional<LabelSelector> namespaces, pods;
        std::map<std::string, bool> selects_namespace;  ///< facts about them
    };
    struct PortSet {
        std::string key;
        unsigned users = 0;
        PortRef name;
        Protocol protocol = Protocol::kTcp;
    };
    template <Family F>
    struct Edits {
        std::vector<typename F::Address> come, gone;
        std::vector<NamedPlace<F>> ports_come, ports_gone;
    };
    struct BothEdits {
        bool ends = false;  ///< the set has no users any more
        Edits<V4> v4;
        Edits<V6> v6;
    };

    [[nodiscard]] Peer peer_now(const NamespacedName& name, const LocalAddresses& local,
                                const ObjectStore& store) const;
    [[nodiscard]] bool selects(PodSet& set, const std::string& name_space, const Peer& peer,
                               const ObjectStore& store);
    /// Records or removes the pod as the holder of its addresses; adds the pods that claim the same
    /// ones.
    void claim(const Entry& entry, std::set<NamespacedName>& rivals);
    void unclaim(const Entry& entry, std::set<NamespacedName>& rivals);
    [[nodiscard]] const Entry& owner_of(const IpAddress& address,
                                        const LocalAddresses& local) const;
    void join(PolicySetId id, Peer& peer);
    void leave_all(Peer& peer);
    void name_ports(Peer& peer, PolicySetId id, const PortSet& set);
    void edit_pods(PolicySetId id, const Peer& peer, bool come);
    void edit_port(PolicySetId id, const Peer& peer, uint16_t port, bool come);
    [[nodiscard]] PolicySetId free_id();
    template <Family F>
    bool apply_family(PolicySetId id, bool ends, Edits<F>& edits, Snapshot& next) const;

    std::vector<IpAddress> dns_;
    Peers peers_;
    std::unordered_multimap<IpAddress, const Entry*, IpAddressHash> claims_;
    std::map<PolicySetId, PodSet> pod_sets_;
    std::map<PolicySetId, PortSet> port_sets_;
    std::map<std::string, PolicySetId> by_key_;
    std::map<PolicySetId, BothEdits> edits_;
    uint32_t next_id_ = 1;
    std::vector<PolicySetId> free_ids_;
};

}  // namespace podlane::control
