// What `get` lists, as plain typed rows: one struct for each kind.
//
// The node model fills them on the control thread; rows_json.h makes JSON of them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "control/compile/frontend_list.h"
#include "control/config/node_config.h"
#include "control/kube/objects.h"
#include "control/neighbour/neighbour_table.h"
#include "control/netdev/pod_socket.h"
#include "control/show/views.h"
#include "lib/base/ip_address.h"
#include "lib/base/mac.h"
#include "lib/border/bandwidth.h"
#include "lib/border/flows.h"
#include "lib/border/port_state.h"
#include "lib/model/ids.h"

namespace podlane::control {

/// A Kubernetes object.
struct ObjectRow {
    Object object;
    std::string owner;
    std::optional<size_t> pods_here;  ///< of a NetworkPolicy: pods of this node that it selects
};

struct PortRow {
    std::string name;
    unsigned id = 0;
    PortKind kind = PortKind::kNone;
    bool is_static = false;  ///< a pod's, of the configuration
    std::string device;
    Link link;
    MacAddress mac{};
    uint16_t mtu = 0;                                   ///< bytes
    std::vector<IpAddress> addresses;                   ///< of a pod, or the DNS server
    std::vector<InterfaceAddress> interface_addresses;  ///< of an uplink, or the host interface
    unsigned queues = 0;
    std::string pod;                        ///< "namespace/name"; "" for other ports
    std::string container;                  ///< "" if the runtime named none
    std::string netns, ifname;              ///< of a pod's TAP
    std::vector<ContainerPort> host_ports;  ///< requested by a pod's runtime
    Bandwidth bandwidth;                    ///< likewise
    PodSocket socket;                       ///< for a pod, instead of an interface
};

struct NeighbourRow {
    IpAddress address;
    MacAddress mac{};  ///< zero: not known
    std::string port;
    NeighbourState state = NeighbourState::kStatic;
    std::optional<uint64_t> age_seconds;  ///< since it answered last
};

enum class FdbKind : uint8_t { kStatic, kLearned, kRemote };

struct FdbRow {
    MacAddress mac{};
    std::string port;
    FdbKind kind = FdbKind::kStatic;
    std::optional<IpAddress> vtep;        ///< of another node
    std::optional<uint64_t> age_seconds;  ///< since it was learned
};

/// The purpose of a route, not what the workers do with it.
enum class RoutePurpose : uint8_t { kLocal, kConnected, kPod, kNode, kDefault, kUnreachable };

struct RouteRow {
    IpPrefix prefix;
    RoutePurpose purpose = RoutePurpose::kConnected;
    std::optional<IpAddress> via;
    std::string port;          ///< "" if it leads to none
    std::string node;          ///< the Node of the pods there; "" for other routes
    std::string_view overlay;  ///< how it leads to the node: "direct", or a format's word
    uint16_t mtu = 0;          ///< 0: not known
    std::string origin;        ///< why it was created
};

struct FlowRow {
    FlowInfo flow;
    std::string service;  ///< "namespace/name"; "" without
    std::string in_port, out_port;
    bool is_kernels = false;  ///< the node's kernel carries it, no worker
};

struct WorkerRow {
    unsigned id = 0;
    int cpu = -1;  ///< -1: not known
    int tid = 0;   ///< Linux thread id
    int numa_node = 0;
    uint64_t generation = 0;
    uint64_t rx_packets = 0;
    uint64_t busy_cycles = 0, idle_cycles = 0;  ///< of the TSC
    std::vector<std::string> queues;            ///< that it polls: "uplink0:0"
};

/// A load balancer address out of the pools that a Service has.
struct AddressRow {
    IpAddress address;
    NamespacedName service;
    std::string node;      ///< that answers for it; "" for none
    bool is_here = false;  ///< this one does
    std::vector<std::string> candidates;
};

using Rows = std::variant<std::vector<ObjectRow>, std::vector<PortRow>, std::vector<NeighbourRow>,
                          std::vector<FdbRow>, std::vector<RouteRow>, std::vector<FlowRow>,
                          std::vector<WorkerRow>, std::vector<FrontendRow>, std::vector<AddressRow>,
                          std::vector<RefusedView>>;

/// As `get` answers.
struct Listing {
    std::string kind;  ///< as it was asked for
    Rows rows;
    std::optional<uint64_t> total;  ///< if a limit cut the rows
    FlowCursor next = 0;            ///< for flows: where to continue; 0: there are no more
};

}  // namespace podlane::control
