// Which endpoints a Service port has on this node: the choice that kube-proxy makes.
//
// Sources, in order: the Service's EndpointSlices; its v1 Endpoints object; the Pods that its
// selector matches. Rules: Kubernetes' EndpointSlice API, KEP-1669 (terminating endpoints),
// KEP-2086 (internalTrafficPolicy), KEP-2433 and KEP-3015 (hints, traffic distribution). Pure
// functions over the store; control thread.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <unordered_set>
#include <vector>

#include "control/config/node_config.h"
#include "control/kube/store.h"
#include "lib/model/service.h"

namespace podlane::control {

struct IpAddressHash {
    size_t operator()(const IpAddress& address) const noexcept;
};

/// For each local port for which the runtime asked for host ports: a Pod with only its name, the
/// port's addresses and these host ports.
using MappedPods = std::map<NamespacedName, std::vector<Pod>>;

/// What services need to know of this node.
struct NodeFacts {
    std::string node;                 ///< its name
    std::string zone;                 ///< of its Node object, "" if not known
    std::vector<AddressRange> pools;  ///< for load balancer addresses, which are no host's then
    PortRange node_ports;             ///< a nodePort outside of it is served with a notice
    std::vector<IpPrefix> service_cidrs, pod_cidrs;           ///< likewise clusterIPs
    std::set<IpAddress> own_addresses;                        ///< of the uplinks
    AddressFamily default_family = AddressFamily::kIpv4;      ///< for a Service that names no
                                                              ///< family
    std::unordered_set<IpAddress, IpAddressHash> local_pods;  ///< addresses with a port here
    /// Host ports that the runtime asked for; never null.
    std::shared_ptr<const MappedPods> mapped_pods = std::make_shared<const MappedPods>();
};

/// What an endpoint's hints say about this node: for which zones or nodes it is meant.
enum class Hint : uint8_t { kNone, kElsewhere, kHere };

/// One way to reach a Service port, before the choice.
struct EndpointCandidate {
    IpAddress address;
    uint16_t port = 0;  ///< host order
    bool ready = true;
    bool serving = true;
    bool terminating = false;
    bool local = false;  ///< on this node
    Hint zone_hint = Hint::kNone;
    Hint node_hint = Hint::kNone;
    std::string node;  ///< its node, "" if not stated
    friend auto operator<=>(const EndpointCandidate&, const EndpointCandidate&) = default;
};

/// Where a Service's endpoints came from.
enum class EndpointSource : uint8_t { kNone, kSlices, kEndpoints, kPods };

/// All candidates of one Service: for each of its ports, in the order of Service::ports.
struct ServiceCandidates {
    EndpointSource source = EndpointSource::kNone;
    std::vector<std::vector<EndpointCandidate>> by_port;
    /// Addresses without a stated node: NodeFacts::local_pods decides whether they are local.
    std::vector<IpAddress> unplaced;
    bool by_zone = false;  ///< depends on which zones nodes are in
};

/// Of both families; duplicates (address and port) are removed: the better condition is kept, and
/// an endpoint is local if any of its entries says so.
[[nodiscard]] ServiceCandidates gather_candidates(const Service& service, const ObjectStore& store,
                                                  const NodeFacts& facts);

/// The endpoints that may be used, sorted. `cluster`: all ready ones, except those that hints
/// reserve for others; if none is ready, all that still serve while they terminate. `local`: the
/// same rule for this node's endpoints alone, ignoring hints. `serving`: all that serve, in any
/// state; a flow that has one of them may keep it.
template <Family F>
struct EndpointChoice {
    std::vector<Endpoint<F>> cluster;
    std::vector<Endpoint<F>> local;
    std::vector<Endpoint<F>> serving;
};
template <Family F>
[[nodiscard]] EndpointChoice<F> choose_endpoints(const std::vector<EndpointCandidate>& candidates);

/// Which connections get which of `endpoints` (sorted, no duplicates), the same on every node:
/// Maglev over a hash of address and port. At most 65535; the rest is not used.
template <Family F>
[[nodiscard]] std::shared_ptr<const EndpointSet<F>> make_endpoint_set(
    std::vector<Endpoint<F>> endpoints);

/// The one empty set.
template <Family F>
[[nodiscard]] const std::shared_ptr<const EndpointSet<F>>& empty_endpoint_set();

}  // namespace podlane::control
