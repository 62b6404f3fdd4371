// Which node answers for a load balancer address. Each node computes the same result without
// communication, by rendezvous hashing over the nodes that can serve it.
// docs/decisions/load-balancer-announcement.md.
//
// Part of the Compiler (compiler.h): control thread. The workers answer ARP and neighbour discovery
// for this node's addresses; the node model announces changes.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "control/compile/endpoints.h"
#include "control/config/node_config.h"
#include "control/kube/store.h"
#include "lib/model/snapshot.h"

namespace podlane::control {

/// A load balancer address from loadBalancer.pools, and the nodes that may answer for it.
struct AnnouncedAddress {
    NamespacedName service;
    std::shared_ptr<const std::vector<std::string>> candidates;  ///< sorted; never null
    std::string node;      ///< one of them; "" where there is none
    bool can_be = false;   ///< this node is one of them
    bool is_here = false;  ///< this node is the one
};

/// Who of `candidates` has the address: the one with the highest hash of both. "" for none.
[[nodiscard]] std::string_view rendezvous(const std::vector<std::string>& candidates,
                                          const IpAddress& address) noexcept;

/// The nodes on which an endpoint of the family serves the Service, sorted: ready ones or, if there
/// is none, those that still serve while they terminate.
[[nodiscard]] std::vector<std::string> nodes_with_endpoints(const Service& service,
                                                            const ObjectStore& store,
                                                            const NodeFacts& facts, bool is_v4);

/// Follows Services and Nodes. A change costs as much as the Services that it names; a change of
/// the ready nodes costs as much as all Services with an address.
class Announcer {
  public:
    /// `config` must outlive the announcer.
    explicit Announcer(const NodeConfig& config) : config_(config) {}

    /// `services`: what may have changed of Services and their endpoints. `nodes`: whether Nodes
    /// may have. Puts this node's addresses into `next`.
    void update(const std::set<NamespacedName>& services, bool nodes, const ObjectStore& store,
                const NodeFacts& facts, Snapshot& next);

    [[nodiscard]] const std::map<IpAddress, AnnouncedAddress>& addresses() const noexcept {
        return addresses_;
    }
    /// Rises when they may have changed.
    [[nodiscard]] uint64_t version() const noexcept { return version_; }

  private:
    /// Nodes that are ready, or all if none is. Returns whether they have changed.
    bool follow_nodes(const ObjectStore& store);
    void follow_service(const NamespacedName& name, const ObjectStore& store,
                        const NodeFacts& facts);
    /// The node that has the address now.
    void settle(const IpAddress& address, const ObjectStore& store, const NodeFacts& facts);
    [[nodiscard]] std::shared_ptr<const std::vector<std::string>> candidates_of(
        const Service& service, const ObjectStore& store, const NodeFacts& facts, bool is_v4) const;

    const NodeConfig& config_;
    std::shared_ptr<const std::vector<std::string>> ready_ =
        std::make_shared<const std::vector<std::string>>();
    std::map<NamespacedName, std::vector<IpAddress>> by_service_;
    std::map<IpAddress, std::set<NamespacedName>> claims_;
    std::map<IpAddress, AnnouncedAddress> addresses_;
    uint64_t version_ = 0;
};

}  // namespace podlane::control
