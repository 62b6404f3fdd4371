// The Kubernetes objects that the dataplane reads, as plain structs with the fields that concern
// it.
//
// parse.h makes them from text, store.h keeps them, the compiler turns them into a Snapshot.
// Defaults are those that an API server would have filled in, so that the code that reads them
// needs no Kubernetes rules; a field is optional if its absence has a meaning of its own. Objects
// compare equal when the kept fields are equal. Immutable once parsed, so readable on any thread.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <variant>
#include <vector>

#include "control/kube/meta.h"
#include "lib/base/ip_address.h"
#include "lib/base/mac.h"

namespace podlane::control {

// ---------------------------------------------------------------------------------------------
// Node

/// What flannel's annotations (flannel.alpha.coreos.com/...) say of a node.
struct FlannelData {
    std::string backend_type;               ///< an overlay format's word, "host-gw", "" if not said
    std::optional<uint32_t> vni;            ///< from backend-data, else from backend-v6-data
    std::optional<MacAddress> vtep_mac;     ///< from backend-data: of the VTEP over IPv4
    std::optional<MacAddress> vtep_mac_v6;  ///< from backend-v6-data: of the VTEP over IPv6
    std::optional<IpAddress> public_ip;     ///< IPv4
    std::optional<IpAddress> public_ipv6;

    friend bool operator==(const FlannelData&, const FlannelData&) = default;
};

struct Node {
    static constexpr Kind kKind = Kind::kNode;

    Meta meta;
    std::vector<IpPrefix> pod_cidrs;      ///< spec.podCIDRs, else spec.podCIDR
    std::vector<IpAddress> internal_ips;  ///< status.addresses of type InternalIP, in order
    std::vector<IpAddress> external_ips;  ///< status.addresses of type ExternalIP, in order
    std::optional<FlannelData> flannel;   ///< none: no such annotation
    bool ready = true;                    ///< the Ready condition; true if there is none

    friend bool operator==(const Node&, const Node&) = default;
    /// Label topology.kubernetes.io/zone, "" without.
    [[nodiscard]] std::string_view zone() const noexcept;
};

// ---------------------------------------------------------------------------------------------
// Namespace

struct Namespace {
    static constexpr Kind kKind = Kind::kNamespace;

    Meta meta;

    friend bool operator==(const Namespace&, const Namespace&) = default;
};

// ---------------------------------------------------------------------------------------------
// Pod

enum class PodPhase : uint8_t { kPending, kRunning, kSucceeded, kFailed, kUnknown };

/// A port of a container; init containers that keep running (sidecars) are included.
struct ContainerPort {
    std::string name;  ///< "" if it has none
    uint16_t port = 0;
    uint16_t host_port = 0;            ///< 0 = none
    std::optional<IpAddress> host_ip;  ///< none: every address of the node
    Protocol protocol = Protocol::kTcp;

    friend bool operator==(const ContainerPort&, const ContainerPort&) = default;
};

struct Pod {
    static constexpr Kind kKind = Kind::kPod;

    Meta meta;
    std::string node_name;                ///< "" while not scheduled
    std::vector<IpAddress> ips;           ///< status.podIPs, else status.podIP
    std::optional<IpAddress> host_ip;     ///< the node's address
    bool host_network = false;            ///< shares the node's addresses: has no pod port
    PodPhase phase = PodPhase::kPending;  ///< Pending if the text has none
    bool ready = false;                   ///< condition Ready is True
    bool terminating = false;             ///< metadata.deletionTimestamp is set
    std::string deletion_timestamp;       ///< its text, "" unless terminating
    std::string hostname;                 ///< spec.hostname
    std::string subdomain;                ///< spec.subdomain
    std::vector<ContainerPort> ports;
    /// Annotation podlane.io/allowed-addresses: the addresses that it may send from besides its
    /// own.
    std::vector<IpPrefix> allowed_addresses;

    friend bool operator==(const Pod&, const Pod&) = default;
    /// Succeeded and Failed pods have given up their addresses.
    [[nodiscard]] bool is_finished() const noexcept {
        return phase == PodPhase::kSucceeded || phase == PodPhase::kFailed;
    }
    /// The number that `ref` means in this pod: itself, or the first container port of that name
    /// and protocol; 0 if there is none.
    [[nodiscard]] uint16_t resolve_port(const PortRef& ref, Protocol protocol) const noexcept;
};

// ---------------------------------------------------------------------------------------------
// Service

enum class ServiceType : uint8_t { kClusterIp, kNodePort, kLoadBalancer, kExternalName };
enum class TrafficPolicy : uint8_t { kCluster, kLocal };
enum class AddressFamily : uint8_t { kIpv4, kIpv6 };
enum class IpFamilyPolicy : uint8_t { kSingleStack, kPreferDualStack, kRequireDualStack };
enum class TrafficDistribution : uint8_t { kNone, kPreferSameZone, kPreferSameNode };

struct ServicePort {
    std::string name;  ///< "" if the Service has one unnamed port
    Protocol protocol = Protocol::kTcp;
    uint16_t port = 0;
    PortRef target_port;     ///< `port` if the text has none
    uint16_t node_port = 0;  ///< 0 = none given
    std::string app_protocol;

    friend bool operator==(const ServicePort&, const ServicePort&) = default;
};

/// One of status.loadBalancer.ingress.
struct LoadBalancerIngress {
    std::optional<IpAddress> ip;
    std::string hostname;
    bool is_proxy = false;  ///< ipMode: Proxy; nodes must not intercept the address then

    friend bool operator==(const LoadBalancerIngress&, const LoadBalancerIngress&) = default;
};

/// Why a Service lacks an address from the pools; no reason: it has its address, or wants none.
struct AddressProblem {
    std::string reason;   ///< one CamelCase word, as in Kubernetes' conditions
    std::string message;  ///< one line

    friend bool operator==(const AddressProblem&, const AddressProblem&) = default;
};

struct Service {
    static constexpr Kind kKind = Kind::kService;

    Meta meta;
    ServiceType type = ServiceType::kClusterIp;
    bool headless = false;               ///< clusterIP: None
    std::vector<IpAddress> cluster_ips;  ///< clusterIPs, else clusterIP; empty when headless or
                                         ///< not allocated
    std::vector<ServicePort> ports;
    std::optional<Labels> selector;  ///< none: absent; Kubernetes treats an empty one the same
    std::vector<IpAddress> external_ips;
    std::string external_name;  ///< of type ExternalName
    std::vector<LoadBalancerIngress> load_balancer;
    std::vector<IpPrefix> source_ranges;  ///< loadBalancerSourceRanges; empty = all sources
    std::string load_balancer_class;      ///< "" = the default
    /// Texts of spec.loadBalancerIP, else of the annotations that say the same; not checked.
    std::vector<std::string> requested_addresses;
    /// Annotation allow-shared-ip: Services with one key may have one address of the pools; "" =
    /// none.
    std::string sharing_key;
    bool from_pools = false;         ///< `load_balancer` was given here, by loadBalancer.pools
    AddressProblem address_problem;  ///< found here
    uint32_t affinity_seconds = 0;   ///< sessionAffinity ClientIP's timeout; 0 = None
    TrafficPolicy external_policy = TrafficPolicy::kCluster;
    TrafficPolicy internal_policy = TrafficPolicy::kCluster;
    uint16_t health_check_node_port = 0;  ///< 0 = none
    bool publish_not_ready = false;
    std::vector<AddressFamily> ip_families;  ///< as given; may be empty
    std::optional<IpFamilyPolicy> ip_family_policy;
    TrafficDistribution traffic_distribution = TrafficDistribution::kNone;
    std::string topology_mode;  ///< annotation service.kubernetes.io/topology-mode, or the older
                                ///< topology-aware-hints

    friend bool operator==(const Service&, const Service&) = default;
    /// True if its endpoints are pods that it selects.
    [[nodiscard]] bool has_selector() const noexcept { return selector && !selector->empty(); }
};

// ---------------------------------------------------------------------------------------------
// EndpointSlice and Endpoints

enum class AddressType : uint8_t { kIpv4, kIpv6, kFqdn };

/// A port of an EndpointSlice or of an Endpoints subset. A slice's port without a number means
/// "all ports"; a proxy has nothing to forward to then.
struct EndpointPort {
    std::string name;  ///< "" for null, as in Kubernetes
    std::optional<uint16_t> port;
    Protocol protocol = Protocol::kTcp;
    std::string app_protocol;

    friend bool operator==(const EndpointPort&, const EndpointPort&) = default;
};

/// One endpoint as objects list it. Conditions are resolved: without a value `ready` and `serving`
/// are true and `terminating` is false (discovery.k8s.io/v1 EndpointConditions, and kube-proxy).
struct SliceEndpoint {
    IpAddress address;  ///< the first; an endpoint's addresses are interchangeable by definition
    bool ready = true;
    bool serving = true;
    bool terminating = false;
    std::string node_name;
    std::string zone;
    std::string hostname;
    std::string pod;  ///< targetRef's name if its kind is Pod; it is in the slice's namespace
    std::vector<std::string> hint_zones;  ///< hints.forZones
    std::vector<std::string> hint_nodes;  ///< hints.forNodes

    friend bool operator==(const SliceEndpoint&, const SliceEndpoint&) = default;
};

struct EndpointSlice {
    static constexpr Kind kKind = Kind::kEndpointSlice;

    Meta meta;
    std::string service;  ///< label kubernetes.io/service-name; "" belongs to no Service
    AddressType address_type = AddressType::kIpv4;
    std::vector<EndpointPort> ports;
    std::vector<SliceEndpoint>
        endpoints;  ///< left empty for address type FQDN, which no proxy serves

    friend bool operator==(const EndpointSlice&, const EndpointSlice&) = default;
};

/// A subset of a v1 Endpoints: the product of its addresses and ports.
struct EndpointSubset {
    std::vector<SliceEndpoint> endpoints;  ///< `addresses` are ready, `notReadyAddresses` are not
    std::vector<EndpointPort> ports;

    friend bool operator==(const EndpointSubset&, const EndpointSubset&) = default;
};

/// v1 Endpoints: belongs to the Service of its own name.
struct Endpoints {
    static constexpr Kind kKind = Kind::kEndpoints;

    Meta meta;
    std::vector<EndpointSubset> subsets;

    friend bool operator==(const Endpoints&, const Endpoints&) = default;
};

// ---------------------------------------------------------------------------------------------
// NetworkPolicy

/// One of a rule's ports. Without `port` it means every port of the protocol.
struct PolicyPort {
    Protocol protocol = Protocol::kTcp;
    std::optional<PortRef> port;
    uint16_t end_port = 0;  ///< inclusive; 0 = just `port`

    friend bool operator==(const PolicyPort&, const PolicyPort&) = default;
};

struct IpBlock {
    IpPrefix cidr;
    std::vector<IpPrefix> except;  ///< each inside `cidr`

    friend bool operator==(const IpBlock&, const IpBlock&) = default;
};

/// One of a rule's `from` or `to`. Either `ip_block`, or one or both selectors: pods of the
/// policy's own namespace without a namespace selector, all pods of those namespaces without a pod
/// selector.
struct PolicyPeer {
    std::optional<LabelSelector> pod_selector;
    std::optional<LabelSelector> namespace_selector;
    std::optional<IpBlock> ip_block;

    friend bool operator==(const PolicyPeer&, const PolicyPeer&) = default;
};

struct PolicyRule {
    std::vector<PolicyPort> ports;  ///< empty = all
    std::vector<PolicyPeer> peers;  ///< empty = all peers

    friend bool operator==(const PolicyRule&, const PolicyRule&) = default;
};

struct NetworkPolicy {
    static constexpr Kind kKind = Kind::kNetworkPolicy;

    Meta meta;
    LabelSelector pod_selector;
    bool affects_ingress = true;  ///< policyTypes, with Kubernetes' defaults applied
    bool affects_egress = false;
    std::vector<PolicyRule> ingress;  ///< empty while affected = no traffic is allowed
    std::vector<PolicyRule> egress;

    friend bool operator==(const NetworkPolicy&, const NetworkPolicy&) = default;
};

// ---------------------------------------------------------------------------------------------
// Ingress

enum class PathType : uint8_t { kExact, kPrefix, kImplementationSpecific };

struct IngressBackend {
    std::string service;
    PortRef port;

    friend bool operator==(const IngressBackend&, const IngressBackend&) = default;
};

struct IngressPath {
    std::string path;  ///< "" = every path
    PathType type = PathType::kImplementationSpecific;
    IngressBackend backend;

    friend bool operator==(const IngressPath&, const IngressPath&) = default;
};

struct IngressRule {
    std::string host;  ///< "" = every host; may begin with "*."
    std::vector<IngressPath> paths;

    friend bool operator==(const IngressRule&, const IngressRule&) = default;
};

struct IngressTls {
    std::vector<std::string> hosts;
    std::string secret_name;

    friend bool operator==(const IngressTls&, const IngressTls&) = default;
};

struct Ingress {
    static constexpr Kind kKind = Kind::kIngress;

    Meta meta;
    std::string class_name;  ///< spec.ingressClassName, else annotation kubernetes.io/ingress.class
    std::optional<IngressBackend> default_backend;
    std::vector<IngressRule> rules;
    std::vector<IngressTls> tls;
    std::vector<std::string>
        addresses;  ///< status.loadBalancer.ingress: ips and hostnames, to show

    friend bool operator==(const Ingress&, const Ingress&) = default;
};

struct IngressClass {
    static constexpr Kind kKind = Kind::kIngressClass;

    Meta meta;
    std::string controller;
    bool is_default = false;  ///< annotation ingressclass.kubernetes.io/is-default-class

    friend bool operator==(const IngressClass&, const IngressClass&) = default;
};

/// A Secret of type kubernetes.io/tls; others are not needed here, and are not kept.
struct Secret {
    static constexpr Kind kKind = Kind::kSecret;

    Meta meta;
    std::string certificate;  ///< data["tls.crt"], decoded: PEM, the chain's leaf first
    std::string key;          ///< data["tls.key"], decoded: PEM; never printed

    friend bool operator==(const Secret&, const Secret&) = default;
};

/// Ranges from which an API server assigns clusterIPs, besides its own configuration (KEP-1880).
struct ServiceCidr {
    static constexpr Kind kKind = Kind::kServiceCidr;

    Meta meta;
    std::vector<IpPrefix> cidrs;

    friend bool operator==(const ServiceCidr&, const ServiceCidr&) = default;
};

// ---------------------------------------------------------------------------------------------

template <class T>
using ObjectPtr = std::shared_ptr<const T>;

template <class First, class... Rest>
using VariantOf = std::variant<Rest...>;
#define PODLANE_POINTER(type, ...) , ObjectPtr<type>
/// Any one object; never null. The alternatives stand in the order of Kind.
using Object = VariantOf<void PODLANE_KINDS(PODLANE_POINTER)>;
#undef PODLANE_POINTER

/// Calls `visit(std::type_identity<T>())` for the struct of each kind, in the order of Kind.
template <class Visit>
void for_each_kind(Visit visit) {
#define PODLANE_VISIT(type, ...) visit(std::type_identity<type>());
    PODLANE_KINDS(PODLANE_VISIT)
#undef PODLANE_VISIT
}

#define PODLANE_CHECK(type, ...) static_assert(type::kKind == Kind::k##type);
PODLANE_KINDS(PODLANE_CHECK)
#undef PODLANE_CHECK

[[nodiscard]] inline Kind kind_of(const Object& object) noexcept {
    return static_cast<Kind>(object.index());
}
[[nodiscard]] const Meta& meta_of(const Object& object) noexcept;
[[nodiscard]] ObjectKey key_of(const Object& object);
/// Equal in the kept fields; the origin is ignored.
[[nodiscard]] bool equal_objects(const Object& a, const Object& b);

}  // namespace podlane::control
