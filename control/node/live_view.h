// The live state of this node, as read by listings, counters and explanations.
//
// Made by the node for one call, from its members; control thread only.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "control/compile/announcer.h"
#include "control/config/node_config.h"
#include "control/kube/store.h"
#include "control/loadbalancer/allocator.h"
#include "control/neighbour/mac_table.h"
#include "control/neighbour/neighbour_table.h"
#include "control/node/local_ports.h"
#include "control/node/object_owners.h"
#include "control/node/shortcut.h"
#include "lib/border/dataplane.h"

namespace podlane::control {

struct LiveView {
    const NodeConfig& config;
    const ObjectStore& store;
    Dataplane& dataplane;
    const Snapshot& snapshot;
    const NeighbourTable& neighbours;
    const MacTable& macs;
    const AttachedPods& pods;
    const LocalPorts& ports;
    const ObjectOwners& owners;
    const AddressAllocator& addresses;
    const Announcer& announcer;
    const Shortcut& shortcut;
    uint64_t now_ms = 0;
};

/// Ports by id, to name them. Made once for a call.
class PortNames {
  public:
    explicit PortNames(const Dataplane& dataplane) {
        for (PortInfo& port : dataplane.ports()) {
            const PortId id = port.id;
            ports_.emplace(id, std::move(port));
        }
    }
    /// "" if there is no such port.
    [[nodiscard]] std::string_view name(PortId id) const {
        const PortInfo* port = find(id);
        return port != nullptr ? std::string_view(port->name) : std::string_view();
    }
    [[nodiscard]] const PortInfo* find(PortId id) const {
        const auto at = ports_.find(id);
        return at != ports_.end() ? &at->second : nullptr;
    }
    [[nodiscard]] const PortInfo* find(std::string_view port_name) const {
        for (const auto& [id, port] : ports_) {
            if (port.name == port_name) return &port;
        }
        return nullptr;
    }
    [[nodiscard]] const std::map<PortId, PortInfo>& all() const noexcept { return ports_; }

  private:
    std::map<PortId, PortInfo> ports_;
};

/// The destination of a tunnel adjacency's outer header; the adjacency must be one.
[[nodiscard]] IpAddress tunnel_destination(const Adjacency& adjacency);
/// The CPU that a worker is bound to, or, if it is not bound, the one where it ran last; -1:
/// unknown.
[[nodiscard]] int cpu_of(const WorkerInfo& worker);
/// Names of services by ServiceId, "namespace/name", from the snapshot's frontends.
[[nodiscard]] std::map<ServiceId, std::string> service_names(const Snapshot& snapshot);

}  // namespace podlane::control
