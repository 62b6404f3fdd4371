// A small node for tests and benchmarks of the packet path: its addresses, and its snapshot.
#pragma once

#include <cstdint>
#include <memory>

#include "lib/base/ip_address.h"
#include "lib/base/mac.h"
#include "lib/model/snapshot.h"

namespace podlane::dataplane {

/// MAC addresses that the world's snapshot knows.
struct RigNames {
    static constexpr MacAddress kGatewayMac{{2, 0, 0, 0, 0, 1}};
    static constexpr MacAddress kPodAMac{{2, 0, 0, 0, 0, 0xa}};
    static constexpr MacAddress kPodBMac{{2, 0, 0, 0, 0, 0xb}};
    static constexpr MacAddress kUplinkMac{{2, 0, 0, 0, 1, 1}};
    static constexpr MacAddress kPeerMac{{2, 0, 0, 0, 1, 2}};  ///< on-link neighbour, resolved
    static constexpr MacAddress kVtepMac{{2, 0, 0, 0, 2, 1}};
    static constexpr MacAddress kPeerVtepMac{{2, 0, 0, 0, 2, 2}};
};

/// The world's ports, in the snapshot's order.
struct WorldPorts {
    PortId pod_a, pod_b, uplink, host;
};

/// Indexes of the world's adjacencies.
enum Adjacent : uint32_t { kToPodA = 1, kToPodB, kToHost, kToPeer, kToRemotePods };

/// The world, in both families (IPv4 shown):
///   pod A 10.244.1.10, pod B 10.244.1.11, gateway 10.244.1.1, pod CIDR 10.244.1.0/24
///   uplink 192.168.50.1/24, neighbour 192.168.50.2 resolved, the rest of the subnet not,
///   default route by 192.168.50.254 (unresolved), host port with the uplink's MAC
///   remote node 192.168.50.2 with pods 10.244.2.0/24 behind VXLAN, VNI 1
///   Service 10.96.0.10:80 -> pod B :8080 (TCP, UDP), NodePort 30080 the same, masqueraded
///   Service 10.96.0.11:80 without endpoints; service CIDR 10.96.0.0/16
[[nodiscard]] std::shared_ptr<Snapshot> make_world(const WorldPorts& ports);

/// The world's addresses in family F.
template <Family F>
struct World;
template <>
struct World<V4> {
    static constexpr const char* kPodA = "10.244.1.10";
    static constexpr const char* kPodB = "10.244.1.11";
    static constexpr const char* kGateway = "10.244.1.1";
    static constexpr const char* kNode = "192.168.50.1";
    static constexpr const char* kPeer = "192.168.50.2";
    static constexpr const char* kStranger = "192.168.50.77";
    static constexpr const char* kRouter = "192.168.50.254";
    static constexpr const char* kOutside = "203.0.113.9";
    static constexpr const char* kRemotePod = "10.244.2.20";
    static constexpr const char* kService = "10.96.0.10";
    static constexpr const char* kEmptyService = "10.96.0.11";
    static constexpr const char* kUnallocated = "10.96.0.99";
    static constexpr const char* kPodCidr = "10.244.1.0/24";
    static constexpr const char* kRemoteCidr = "10.244.2.0/24";
    static constexpr const char* kServiceCidr = "10.96.0.0/16";
    static constexpr const char* kUplinkCidr = "192.168.50.0/24";
    static constexpr const char* kClusterCidr = "10.244.0.0/16";
};
template <>
struct World<V6> {
    static constexpr const char* kPodA = "fd00:1::10";
    static constexpr const char* kPodB = "fd00:1::11";
    static constexpr const char* kGateway = "fd00:1::1";
    static constexpr const char* kNode = "fd50::1";
    static constexpr const char* kPeer = "fd50::2";
    static constexpr const char* kStranger = "fd50::77";
    static constexpr const char* kRouter = "fd50::fe";
    static constexpr const char* kOutside = "2001:db8::9";
    static constexpr const char* kRemotePod = "fd00:2::20";
    static constexpr const char* kService = "fd96::10";
    static constexpr const char* kEmptyService = "fd96::11";
    static constexpr const char* kUnallocated = "fd96::99";
    static constexpr const char* kPodCidr = "fd00:1::/64";
    static constexpr const char* kRemoteCidr = "fd00:2::/64";
    static constexpr const char* kServiceCidr = "fd96::/112";
    static constexpr const char* kUplinkCidr = "fd50::/64";
    static constexpr const char* kClusterCidr = "fd00::/16";
};

template <Family F>
[[nodiscard]] typename F::Address ip(const char* text) {
    return parse_ip(text).value().as<F>();
}

}  // namespace podlane::dataplane
