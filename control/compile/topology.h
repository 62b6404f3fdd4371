// Turns a node's configuration, its ports, its neighbours and the other nodes into the part of a
// Snapshot that says where packets go: ports, bridge, next hops, routes.
//
// The Compiler (compiler.h) calls it on the control thread, with a copy of the live snapshot to
// change. It cannot fail: invalid input is left out with a notice.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "control/compile/topology_tables.h"
#include "control/config/node_config.h"
#include "control/kube/store.h"
#include "lib/base/ip_address.h"
#include "lib/base/mac.h"
#include "lib/border/dataplane.h"
#include "lib/model/snapshot.h"

namespace podlane::control {

/// A pod that has a port on this node.
struct PodPort {
    std::string name;  ///< "namespace/name"
    PortId port = kNoPort;
    MacAddress mac{};  ///< the pod's own
    std::vector<IpAddress> addresses;
    uint16_t mtu = 0;  ///< largest IP packet, bytes; 0: pods.mtu of the configuration
    /// Requested by the runtime. No two ports of one pod have the same.
    std::vector<ContainerPort> host_ports = {};
};

/// What control knows of a neighbour. kUnresolved: requested, no answer yet.
enum class NeighbourStatus : uint8_t { kUnresolved, kResolved, kFailed };

struct NeighbourView {
    PortId port = kNoPort;
    IpAddress address;
    MacAddress mac{};  ///< of a resolved one
    NeighbourStatus status = NeighbourStatus::kUnresolved;
};

/// A MAC address that the bridge learned behind a pod port.
struct LearnedMac {
    MacAddress mac{};
    PortId port = kNoPort;
};

/// What the running node adds to its configuration. Order does not matter.
struct TopologyInput {
    std::vector<PortInfo> ports;  ///< Dataplane::ports(); uplinks are found by their name
    std::vector<PodPort> pods;
    std::vector<NeighbourView> neighbours;  ///< those of the configuration need not be here
    std::vector<LearnedMac> learned;
};

/// The VTEP's MAC address of a podlane node whose overlay.mac is `auto`: 02 and 40 bits of the
/// FNV-1a hash of its address's bytes. A peer without an annotation is assumed to have this one, so
/// that podlane nodes agree without communication. docs/decisions/vtep-mac.md.
[[nodiscard]] MacAddress derive_vtep_mac(const IpAddress& node_address) noexcept;

/// This node's VTEP: its address (the first uplink address of the overlay's family), and MAC.
/// Zero MAC and false if the overlay is direct or no uplink has such an address.
struct Vtep {
    bool enabled = false;
    IpAddress address;
    MacAddress mac{};
};
[[nodiscard]] Vtep vtep_of(const NodeConfig& config) noexcept;

/// The pod bridge's MAC address: pods.gatewayMac, or one derived from the node's name.
[[nodiscard]] MacAddress gateway_mac_of(const NodeConfig& config) noexcept;

/// Compiles topologies one after the other.
///
/// Invariants: an AdjacencyId keeps its key while the key is in use, and is reused for another key
/// only under another topology_epoch; the epoch rises when an address leaves an adjacency that is
/// still in use. A change of a neighbour's MAC address, or its silence, changes only an adjacency's
/// content. Unchanged parts are shared with the previous snapshot. docs/decisions/neighbours.md
/// says why.
/// Threads: one.
class TopologyCompiler {
  public:
    /// `config` must outlive the compiler.
    explicit TopologyCompiler(const NodeConfig& config) : config_(config) {}

    /// Changes the topology part of `next`, a copy of the snapshot that the last call made.
    /// Notices are one line each: which part of a Node, a pod or a port had to be left out. Notices
    /// of the last call are not repeated.
    void compile(const TopologyInput& input, const ObjectStore& store, Snapshot& next,
                 std::vector<std::string>& notices);

    /// Next hops of all nodes and the default gateways; sorted. Valid after compile().
    [[nodiscard]] const std::vector<WantedNeighbour>& wanted_neighbours() const noexcept {
        return last_.wanted;
    }

    /// Nodes without a route to their pods, because another Node has their podCIDR.
    [[nodiscard]] const std::vector<RefusedObject>& refused() const noexcept {
        return last_.refused;
    }

    /// The other Nodes by name, and their numbers in the last snapshot. A number that a Node has
    /// left goes to another one only after all other numbers.
    [[nodiscard]] const std::map<std::string, NodeNumber>& node_numbers() const noexcept {
        return node_numbers_;
    }

  private:
    [[nodiscard]] AdjacencyId id_of(const AdjacencyKey& key);
    [[nodiscard]] NodeNumber number_of(const std::string& node);
    void retire_unused_ids(const std::map<AdjacencyId, Adjacency>& used);

    const NodeConfig& config_;
    std::map<AdjacencyKey, AdjacencyId> ids_;
    std::vector<uint32_t> free_ids_;
    std::vector<uint32_t> retired_ids_;  // flows of this epoch may still name them
    uint32_t next_id_ = 1;               // 0 is kNoAdjacency
    std::map<std::string, NodeNumber> node_numbers_;
    uint16_t next_node_ = 0;
    TopologyTables last_;
    std::set<std::string> last_notices_;
};

}  // namespace podlane::control
