// Which endpoints a Service port has on this node: the choice that kube-proxy makes.
//
// Sources, in order: the Service's EndpointSlices; its v1 Endpoints object; the Pods that its
// selector matches. Rules: Kubernetes' EndpointSlice API, KEP-1669 (terminating endpoints),
// KEP-2086 (internalTrafficPolicy). Pure functions over the store; control thread.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <unordered_set>
#include <vector>

#include "control/config/node_config.h"
#include "control/kube/store.h"
#include "lib/state/service.h"

namespace podlane::control {

struct IpAddressHash {
    size_t operator()(const IpAddress& address) const noexcept;
};

/// What services need to know of this node.
struct NodeFacts {
    std::string node;      ///< its name
    PortRange node_ports;  ///< a nodePort outside of it is served with a notice
    AddressFamily default_family = AddressFamily::kIpv4;      ///< of a Service that says nothing
    std::unordered_set<IpAddress, IpAddressHash> local_pods;  ///< addresses with a port here
};

/// One way to reach a Service port, before the choice.
struct EndpointCandidate {
    IpAddress address;
    uint16_t port = 0;  ///< host order
    bool ready = true;
    bool serving = true;
    bool terminating = false;
    bool local = false;  ///< on this node
    std::string zone;    ///< "" if not known
    friend auto operator<=>(const EndpointCandidate&, const EndpointCandidate&) = default;
};

/// Where a Service's endpoints came from.
enum class EndpointSource : uint8_t { kNone, kSlices, kEndpoints, kPods };

/// All candidates of one Service: for each of its ports, in the order of Service::ports.
struct ServiceCandidates {
    EndpointSource source = EndpointSource::kNone;
    std::vector<std::vector<EndpointCandidate>> by_port;
    /// Addresses whose node nobody named: whether they are local depends on NodeFacts::local_pods.
    std::vector<IpAddress> unplaced;
};

/// Of both families; duplicates (address and port) removed, the better condition kept.
[[nodiscard]] ServiceCandidates gather_candidates(const Service& service, const ObjectStore& store,
                                                  const NodeFacts& facts);

/// The endpoints that may be used, sorted. `cluster`: all ready ones, and if there is none all that
/// still serve while they terminate. `local`: the same rule over this node's endpoints alone.
template <Family F>
struct EndpointChoice {
    std::vector<podlane::Endpoint<F>> cluster;
    std::vector<podlane::Endpoint<F>> local;
};
template <Family F>
[[nodiscard]] EndpointChoice<F> choose_endpoints(const std::vector<EndpointCandidate>& candidates);

/// Which connections get which of `endpoints` (sorted, no duplicates), the same on every node:
/// Maglev over a hash of address and port. At most 65535; the rest is not used.
template <Family F>
[[nodiscard]] std::shared_ptr<const EndpointSet<F>> make_endpoint_set(
    std::vector<podlane::Endpoint<F>> endpoints);

/// The one empty set.
template <Family F>
[[nodiscard]] const std::shared_ptr<const EndpointSet<F>>& empty_endpoint_set();

}  // namespace podlane::control
