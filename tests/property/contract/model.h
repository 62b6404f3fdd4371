// What Kubernetes promises about packets to Services: the reference that Podlane is tested against.
//
// Written from Kubernetes' documentation (Service; Virtual IPs and Service Proxies; EndpointSlices;
// Topology Aware Routing; "Using Source IP") and from KEP-1669 (terminating endpoints), KEP-1860
// (ipMode), KEP-2086 (internalTrafficPolicy), KEP-2433 and KEP-3015 (hints, trafficDistribution)
// and KEP-3866 (kube-proxy's nftables mode). It shares with the product only the plain structs of
// objects, keeps no state and prepares nothing: for each packet it goes through all objects.
// docs/decisions/frontends.md says what Kubernetes leaves open.
#pragma once

#include <compare>
#include <cstdint>
#include <string>
#include <vector>

#include "control/kube/objects.h"
#include "lib/base/ip_address.h"

namespace podlane::contract {

/// All objects, and what this node knows of itself.
struct Cluster {
    std::string node;  ///< this one's name
    std::vector<IpAddress> node_addresses;
    std::vector<IpPrefix> node_port_addresses;  ///< empty: all of the node's
    std::vector<IpPrefix> pod_cidrs;            ///< of all nodes
    std::vector<IpPrefix> service_cidrs;        ///< the first one gives a Service's default family
    std::vector<IpAddress> local_pods;          ///< addresses of pods that have a port here

    std::vector<control::ObjectPtr<control::Node>> nodes;
    std::vector<control::ObjectPtr<control::Pod>> pods;
    std::vector<control::ObjectPtr<control::Service>> services;
    std::vector<control::ObjectPtr<control::EndpointSlice>> slices;
    std::vector<control::ObjectPtr<control::Endpoints>> endpoints;
};

/// How a packet came to the node.
enum class From : uint8_t { kPod, kHost, kUplink, kOverlay };

struct Packet {
    From from = From::kPod;
    IpAddress src, dst;
    uint8_t protocol = 6;  ///< IANA number
    uint16_t src_port = 0, dst_port = 0;
};

/// Where a packet may go, and whether its source address then becomes this node's.
struct Target {
    IpAddress address;
    uint16_t port = 0;
    bool snat = false;
    friend auto operator<=>(const Target&, const Target&) = default;
};

enum class What : uint8_t {
    kNoService,  ///< Services do not touch it
    kReject,     ///< refused with a notice to the sender
    kDrop,       ///< lost silently
    kForward,    ///< to one of `targets`
};

struct Expected {
    What what = What::kNoService;
    std::vector<Target> targets;    ///< sorted
    std::string service_port;       ///< the key of session affinity: "ns/name:port/PROTO"
    uint32_t affinity_seconds = 0;  ///< 0: a new choice for every connection
    control::ObjectPtr<control::Service> service;  ///< kForward: the Service; null for a host port
};

[[nodiscard]] Expected expect(const Cluster& cluster, const Packet& packet);

/// Whether a UDP flow with this first `packet` may keep the endpoint that it got.
[[nodiscard]] bool may_stay(const Cluster& cluster, const Packet& packet, const IpAddress& endpoint,
                            uint16_t port);

[[nodiscard]] std::string to_string(const Packet& packet);
[[nodiscard]] std::string to_string(const Expected& expected);

}  // namespace podlane::contract
