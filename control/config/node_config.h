// One node's configuration: the YAML file given to podlaned, read, checked and completed.
//
// The composition root, the compiler of objects and the dataplane's set-up read it; it does not
// change after loading. Control thread only. Each value is checked here once, so that later code
// can rely on it: ranges, duplicates, overlaps, and which address lies in which subnet.
// docs/config.md describes every key for operators.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "control/config/address_range.h"
#include "lib/base/device.h"
#include "lib/base/ip_address.h"
#include "lib/base/mac.h"
#include "lib/base/result.h"
#include "lib/flow/timeouts.h"
#include "lib/proto/overlay.h"

namespace podlane::control {

/// `workers`: how many worker cores, and which ones if the operator chose.
struct WorkersConfig {
    unsigned count = 1;          ///< 1-64
    std::vector<unsigned> cpus;  ///< Linux CPU ids, `count` of them in order; empty = we choose
};

/// `idle`: what a worker does while there are no packets.
enum class IdleMode : uint8_t { kPoll, kAdaptive };

/// `memory.hugepages`: kAuto uses them when the kernel has some.
enum class HugepagesMode : uint8_t { kAuto, kOn, kOff };

struct MemoryConfig {
    HugepagesMode hugepages = HugepagesMode::kAuto;
    uint32_t mbufs = 65536;      ///< packet buffers in all, 1024-16777216
    uint32_t mbuf_bytes = 2176;  ///< data room of one buffer, its 128-byte headroom included
};

/// One of `flows.timeouts`.
struct FlowTimeoutKey {
    std::string_view name;
    uint32_t FlowTimeouts::*member;
};
/// All of them, in the order of docs/config.md.
[[nodiscard]] std::span<const FlowTimeoutKey> flow_timeout_keys() noexcept;

struct FlowsConfig {
    uint32_t capacity = 1U << 20;  ///< connections (not table entries), 1024-268435456
    FlowTimeouts timeouts;         ///< 1 s to a year each
    bool counters = false;         ///< count each connection's packets and bytes
};

/// A static neighbour: never resolved, never aged.
struct NeighborConfig {
    IpAddress address;
    MacAddress mac{};
};

/// Packets to `destination` go to `via`, a router on the uplink's link.
struct UplinkRoute {
    IpPrefix destination;
    IpAddress via;
};

/// One entry of `uplinks`: a port that leads to other nodes and outside.
struct UplinkConfig {
    std::string name;  ///< unique among uplinks and pod ports
    Device device;
    std::vector<InterfaceAddress> addresses;  ///< may be empty; no two alike on the node
    std::vector<IpAddress> gateways;          ///< at most one a family; each in a subnet above
    uint16_t mtu = 1500;                      ///< bytes of the IP packet, 68-65535
    std::optional<MacAddress> mac;            ///< none: the port's own
    std::vector<NeighborConfig> neighbors;
    std::vector<UplinkRoute> routes;  ///< beside the gateways'; no two alike
};

/// `host`: the TAP to this node's kernel.
struct HostConfig {
    std::string interface = "podlane0";  ///< Linux interface name, at most 15 characters
};

/// One entry of `pods.ports`: a pod on a DPDK device instead of a TAP of ours.
struct PodPortConfig {
    std::string name_space;  ///< of the pod
    std::string name;        ///< of the pod
    Device device;
    std::vector<IpAddress> addresses;         ///< each inside pods.cidrs and not the gateway
    MacAddress mac{};                         ///< unicast, unique on the node
    std::vector<IpPrefix> allowed_addresses;  ///< further addresses that it may send from, besides
                                              ///< `addresses`

    /// "NAMESPACE/NAME", as in the file.
    [[nodiscard]] std::string key() const { return name_space + "/" + name; }
};

struct PodsConfig {
    std::vector<IpPrefix> cidrs;            ///< at least one; none overlaps another
    std::optional<MacAddress> gateway_mac;  ///< none: the bridge's own
    uint16_t mtu = 1500;                    ///< bytes of the IP packet; `auto` already resolved
    bool mtu_is_auto = true;                ///< the file said `auto` or nothing
    std::vector<PodPortConfig> ports;
    std::string sockets;    ///< folder of the pods' memif and vhost-user sockets
    bool shortcut = false;  ///< where it can, the kernel carries what pods say to each other

    /// The gateway of each CIDR: its first address (network + 1), in the order of `cidrs`.
    [[nodiscard]] std::vector<IpAddress> gateways() const;
    /// True if `address` is in one of the CIDRs.
    [[nodiscard]] bool contains(const IpAddress& address) const noexcept;
};

struct OverlayConfig {
    /// None (`direct`): routes between nodes over the L2 that they share.
    std::optional<OverlayFormat> format = OverlayFormat::kVxlan;
    uint32_t vni = 1;                                              ///< 1-16777215
    uint16_t port = overlay_info(OverlayFormat::kVxlan).ports[0];  ///< UDP, host order
    std::optional<MacAddress> mac;  ///< our VTEP's; none: derived from the node's address
    bool over_v6 = false;           ///< outer header is IPv6: no uplink has an IPv4 address
    uint16_t overhead_bytes = 50;   ///< what encapsulation adds to the IP packet: 50, 70 or 0
};

/// An inclusive range of ports, host order.
struct PortRange {
    uint16_t first = 30000;
    uint16_t last = 32767;

    [[nodiscard]] constexpr bool contains(uint16_t port) const noexcept {
        return port >= first && port <= last;
    }
};

/// A resolver for names outside of the cluster.
struct UpstreamDns {
    IpAddress address;
    uint16_t port = 53;     ///< host order
    std::string interface;  ///< by which a link-local one is asked; else empty

    friend auto operator<=>(const UpstreamDns&, const UpstreamDns&) = default;
};

/// "192.0.2.1:53", "[fe80::1%eth0]:53".
[[nodiscard]] std::string to_string(const UpstreamDns& server);
/// "192.0.2.1", "2001:db8::1" or, as in resolv.conf(5), "fe80::1%eth0".
[[nodiscard]] std::optional<UpstreamDns> parse_scoped_address(std::string_view text);

struct ClusterConfig {
    std::vector<IpPrefix> pod_cidrs;      ///< never masqueraded; include pods.cidrs
    std::vector<IpPrefix> service_cidrs;  ///< ClusterIPs; overlap no pod CIDR
    PortRange node_ports;
    /// Which of this node's addresses serve NodePorts: those in these prefixes, or the first of
    /// each family alone; with neither, all.
    std::vector<IpPrefix> node_port_addresses;
    bool node_ports_on_primary = false;
    std::string domain = "cluster.local";
    /// Where this node answers DNS queries, at most one address for each family; `auto` is already
    /// resolved. Empty: off.
    std::vector<IpAddress> dns;
    /// DNS servers for other names, in this order; none: those in the host's /etc/resolv.conf.
    std::optional<std::vector<UpstreamDns>> upstream_dns;
};

/// `loadBalancer`: addresses for Services of type LoadBalancer that get none from another
/// controller.
struct LoadBalancerConfig {
    std::vector<AddressRange> pools;  ///< empty: none is given; none overlaps another
    std::string state;                ///< file that keeps them over a restart

    [[nodiscard]] bool contains(const IpAddress& address) const noexcept;
};

struct NodeConfig {
    std::string document;  ///< file or document name it was read from
    std::string node;      ///< this node's name, as in Kubernetes
    std::string socket = "/run/podlane/podlane.sock";
    std::string read_only_socket;  ///< the read-only socket; empty: there is none
    WorkersConfig workers;
    IdleMode idle = IdleMode::kAdaptive;
    MemoryConfig memory;
    FlowsConfig flows;
    std::vector<UplinkConfig> uplinks;
    std::optional<HostConfig> host;  ///< none: no host TAP
    PodsConfig pods;
    OverlayConfig overlay;
    ClusterConfig cluster;
    LoadBalancerConfig load_balancer;
    std::vector<std::string> objects;  ///< files or folders; relative ones already made relative
                                       ///< to the configuration's folder
};

/// Reads and checks FILE. The error's message is one line: FILE:LINE:COL: KEY: what is wrong.
[[nodiscard]] Result<NodeConfig> load_node_config(const std::string& path);

/// The same from text; errors show `name` as the file, and relative `objects` paths begin at its
/// folder.
[[nodiscard]] Result<NodeConfig> load_node_config_from_text(std::string_view text,
                                                            const std::string& name);

/// What podlaned would do with this configuration, for `podlaned --check`: several lines, each
/// ended by a newline.
[[nodiscard]] std::string describe(const NodeConfig& config, std::string_view memory = {});

}  // namespace podlane::control
