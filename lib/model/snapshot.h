// One generation of everything that control tells the workers: an immutable object graph.
//
// Control compiles it, Dataplane::publish() swaps one pointer, and each worker uses it from its
// next burst on. A burst sees one snapshot. What did not change is shared with the generation
// before. All fields are public: a `const Snapshot` can only be read.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <tuple>
#include <vector>

#include "lib/base/cow_array.h"
#include "lib/base/family.h"
#include "lib/base/mac.h"
#include "lib/fib/fdb.h"
#include "lib/fib/lpm.h"
#include "lib/model/adjacency.h"
#include "lib/model/ids.h"
#include "lib/model/ingress.h"
#include "lib/model/policy.h"
#include "lib/model/port_sources.h"
#include "lib/model/service.h"

namespace podlane {

class DnsZone;  // lib/dns/zone.h

enum class PortKind : uint8_t {
    kNone,
    kUplink,
    kHost,
    kPod,
    kDns,  ///< the cluster's DNS server in control
};

[[nodiscard]] constexpr const char* to_string(PortKind kind) noexcept {
    switch (kind) {
        case PortKind::kNone:
            return "none";
        case PortKind::kUplink:
            return "uplink";
        case PortKind::kHost:
            return "host";
        case PortKind::kPod:
            return "pod";
        case PortKind::kDns:
            return "dns";
    }
    return "";
}

/// What a worker must know of a port to check the frames that come from it.
struct PortView {
    PortKind kind = PortKind::kNone;
    MacAddress mac{};       ///< ours: frames to it are for the router
    MacAddress peer_mac{};  ///< the pod's or the host kernel's; zero on an uplink
    uint16_t mtu = 0;       ///< largest IP packet, bytes
    /// The sources that a pod may send from; null: any, as for a port that is not a pod's.
    std::shared_ptr<const PortSources> sources;
};
using PortViews = std::array<PortView, kMaxPorts>;

enum class RouteKind : uint8_t {
    kUnreachable,  ///< no way there: ICMP unreachable
    kAdjacency,    ///< to `adjacency`: a local pod, a resolved neighbour, a remote node, the host
    kConnected,    ///< on `port`'s link; the neighbour has no adjacency yet: resolve it
    kVia,          ///< through the gateway `via` on `port`, which has no adjacency yet
    kHost,         ///< one of this node's own addresses; `adjacency` is the host port's, 0 if none
    kGateway,      ///< an address of the pod bridge: answers ping, nothing else
    kUnallocated,  ///< service CIDR: an address of no Service is dropped
};

[[nodiscard]] constexpr const char* to_string(RouteKind kind) noexcept {
    switch (kind) {
        case RouteKind::kUnreachable:
            return "unreachable";
        case RouteKind::kAdjacency:
            return "adjacency";
        case RouteKind::kConnected:
            return "connected";
        case RouteKind::kVia:
            return "via";
        case RouteKind::kHost:
            return "host";
        case RouteKind::kGateway:
            return "gateway";
        case RouteKind::kUnallocated:
            return "unallocated";
    }
    return "";
}

/// Where packets to a prefix go. Resolved neighbours are host routes, so one look-up decides.
template <Family F>
struct Route {
    RouteKind kind = RouteKind::kUnreachable;
    PortId port = kNoPort;                 ///< the port that leads there
    AdjacencyId adjacency = kNoAdjacency;  ///< kAdjacency and kHost
    typename F::Address via{};             ///< kVia
    std::string origin;                    ///< for listings: "pod default/web", "node node-b", ...
};

/// The part of a snapshot that exists once for each address family.
template <Family F>
struct FamilyState {
    std::shared_ptr<const Lpm<F, Route<F>>> routes;  ///< never null
    /// Destinations that keep a pod's source address: pod and service CIDRs, node addresses.
    std::shared_ptr<const Lpm<F, uint8_t>> keep_source;  ///< never null
    FrontendTable<F> frontends;
    PolicySets<F> policy_sets;
    std::vector<Prefix<F>> pod_cidrs;                      ///< this node's
    std::vector<typename F::Address> gateways;             ///< the bridge's, one for each pod CIDR
    std::vector<typename F::Address> node_addresses;       ///< this node's, all uplinks
    std::vector<typename F::Address> node_port_addresses;  ///< those that serve NodePorts
    /// Load balancer addresses that this node announces on its uplinks, sorted; null: none.
    std::shared_ptr<const std::vector<typename F::Address>> announced;
    bool has_uplink_source = false;
    typename F::Address uplink_source{};  ///< for masquerading towards the outside
    bool has_vtep = false;
    typename F::Address vtep{};  ///< outer destination that we decapsulate
    /// Outer sources from which tunnel packets are accepted, with their Nodes. Never null.
    std::shared_ptr<const Lpm<F, NodeNumber>> tunnel_peers;
    /// The addresses and the pod CIDRs of each other Node. Never null.
    std::shared_ptr<const Lpm<F, NodeNumber>> node_prefixes;
    /// The inner sources of each Node: node_prefixes. Never null; empty without a tunnel.
    std::shared_ptr<const Lpm<F, NodeNumber>> tunnel_sources;

    [[nodiscard]] bool is_node_address(const typename F::Address& address) const noexcept {
        return std::find(node_addresses.begin(), node_addresses.end(), address) !=
               node_addresses.end();
    }
};

/// The overlay in the workers' form.
struct OverlayView {
    bool enabled = false;
    OverlayFormat format = OverlayFormat::kVxlan;
    uint32_t vni = 0;  ///< 24 bits, host order
    be16 port{};       ///< outer UDP destination port
    MacAddress mac{};  ///< our VTEP MAC: the inner destination of frames for us
};

/// The epochs of isolated flows begin here; topology_epoch never gets this far.
inline constexpr uint32_t kIsolatedEpochs = uint32_t{1} << 31;

/// One generation.
struct Snapshot {
    uint64_t generation = 0;
    /// Rises when an address leads elsewhere than to its former adjacency, or when an adjacency's
    /// index changes its meaning. Flows compiled under an older epoch are routed again at their
    /// next packet. So are flows with an adjacency of kNone, without a new epoch.
    uint32_t topology_epoch = 1;
    /// The same for flows of isolated pods: rises with topology_epoch, and when a connection that
    /// was allowed may no longer be. Its top bit tells it from a topology_epoch.
    uint32_t isolated_epoch = kIsolatedEpochs;
    FamilyState<V4> v4;
    FamilyState<V6> v6;
    OverlayView overlay;
    MacAddress gateway_mac{};                 ///< the pod bridge's own
    CowArray<Adjacency> adjacencies;          ///< by AdjacencyId
    CowArray<uint32_t, 1024> service_epochs;  ///< by ServiceId: docs/decisions/frontends.md
    std::shared_ptr<const PortViews> ports;   ///< by PortId; never null
    std::shared_ptr<const Fdb> fdb;           ///< MAC -> port index; never null
    std::vector<PortId> bridge_ports;         ///< pod ports, for flooding
    PortId host_port = kNoPort;
    PortId host_uplink = kNoPort;        ///< has the host port's MAC; takes its frames to groups
    std::shared_ptr<const DnsZone> dns;  ///< the cluster's names; null: not answered here
    /// By PortId; null: no NetworkPolicy selects the port's pod.
    CowArray<std::shared_ptr<const PodPolicies>, kMaxPorts> pod_policies;

    template <Family F>
    [[nodiscard]] const FamilyState<F>& family() const noexcept {
        if constexpr (std::same_as<F, V4>) {
            return v4;
        } else {
            return v6;
        }
    }
    template <Family F>
    [[nodiscard]] FamilyState<F>& family() noexcept {
        if constexpr (std::same_as<F, V4>) {
            return v4;
        } else {
            return v6;
        }
    }
    [[nodiscard]] const PortView& port(PortId id) const noexcept { return (*ports)[index_of(id)]; }
    /// Whether any pod of this node has had a policy since the node started.
    [[nodiscard]] bool has_policies() const noexcept { return pod_policies.size() != 0; }
    /// Whether a NetworkPolicy selects the port's pod. False for kNoPort.
    [[nodiscard]] bool polices(PortId id) const noexcept {
        return has_policies() && pod_policies[index_of(id)] != nullptr;
    }
    /// Whether what was compiled for a flow under `epoch` is still valid.
    [[nodiscard]] bool is_current(uint32_t epoch) const noexcept {
        return epoch == topology_epoch || epoch == isolated_epoch;
    }
};

/// An empty snapshot, which workers start with.
[[nodiscard]] std::shared_ptr<Snapshot> make_empty_snapshot();

}  // namespace podlane
