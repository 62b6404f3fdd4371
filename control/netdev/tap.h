// TAP interfaces: how pods and the node's own kernel are connected to the dataplane.
//
// Control makes them, with addresses and routes, and hands the queues to the workers. Control
// thread only; root is needed. A pod's TAP is made in the pod's namespace, and its queues keep that
// namespace alive: so code that makes one must watch the namespace's path (netns_id()). After
// remove(), or when somebody else deletes it, poll() on a queue reports POLLERR, and read() fails
// with EBADFD ("File descriptor in bad state") as soon as the kernel is done, frames and EAGAIN
// before that notwithstanding; that is how the dataplane notices.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "control/netdev/link_objects.h"
#include "lib/base/ip_address.h"
#include "lib/base/mac.h"
#include "lib/base/result.h"

namespace podlane::control {

/// Queues that one TAP can have.
inline constexpr unsigned kMaxTapQueues = 16;

/// A route through the TAP.
struct TapRoute {
    IpPrefix destination;                       ///< /0 is the default route
    std::optional<IpAddress> via;               ///< none: on-link, the kernel resolves each address
    std::optional<IpAddress> preferred_source;  ///< must be an address of this host
};

/// A permanent neighbour entry: the kernel never sends requests for it.
struct TapNeighbor {
    IpAddress address;
    MacAddress mac{};
};

/// Offloads that the kernel may leave to the reader of the queues.
struct TapOffloads {
    bool checksum = true;  ///< partial TCP/UDP checksums, marked in the header (TUN_F_CSUM)
    bool tso4 = false;     ///< TCP/IPv4 frames larger than the MTU; needs `checksum`
    bool tso6 = false;     ///< the same over IPv6

    bool operator==(const TapOffloads&) const = default;
};

struct TapRequest {
    std::string netns_path;  ///< "/run/netns/x" or "/proc/PID/ns/net"; empty: our own
    std::string ifname;      ///< 1-15 characters; must not exist there yet
    /// By which its owner knows it again; an interface with this alias that nobody has open is
    /// replaced. Empty: none.
    std::string alias = {};
    MacAddress mac{};     ///< of the kernel's end
    uint16_t mtu = 1500;  ///< bytes of the IP packet, 68-65535; 1280 at least with IPv6
    unsigned queues = 1;  ///< 1-16
    std::vector<InterfaceAddress> addresses;
    std::vector<IpAddress> gateways;  ///< default routes, at most one a family; one outside every
                                      ///< subnet of `addresses` is taken as on-link
    std::vector<TapRoute> routes;
    std::vector<TapNeighbor> neighbors;
    bool bring_up_lo = false;
    TapOffloads offloads;
    std::vector<TakenLink> taken;  ///< see HostTapRequest
};

/// A TAP that exists while one of its queues is open.
class TapDevice {
  public:
    TapDevice(TapDevice&& other) noexcept;
    TapDevice& operator=(TapDevice&& other) noexcept;
    ~TapDevice();

    /// Non-blocking, close-on-exec; each frame has kTapHeaderBytes before it (port_caps.h).
    [[nodiscard]] const std::vector<int>& queue_fds() const noexcept { return queue_fds_; }
    /// Gives the queues away: the caller closes them, and the TAP lives until then.
    [[nodiscard]] std::vector<int> release_queue_fds() noexcept;
    [[nodiscard]] const std::string& ifname() const noexcept { return ifname_; }
    [[nodiscard]] const std::string& netns_path() const noexcept { return netns_path_; }
    [[nodiscard]] int ifindex() const noexcept { return ifindex_; }  ///< in its own namespace
    [[nodiscard]] const MacAddress& mac() const noexcept { return mac_; }
    [[nodiscard]] uint16_t mtu() const noexcept { return mtu_; }

    /// Closes the queues that are still ours and deletes the interface, even if the queues have
    /// been given away. Does nothing if it is gone already, or if another interface has taken its
    /// name.
    void remove() noexcept;

  private:
    friend Result<TapDevice> create_tap(const TapRequest& request);
    TapDevice() = default;
    void close_queues() noexcept;

    std::vector<int> queue_fds_;
    std::string ifname_;
    std::string netns_path_;
    int ifindex_ = 0;
    MacAddress mac_{};
    uint16_t mtu_ = 0;
};

/// Makes a TAP, up and ready: IPv6 addresses are usable at once (no duplicate address detection,
/// router advertisements are ignored). A failure leaves nothing behind, and the message names the
/// namespace, the interface and the cause.
[[nodiscard]] Result<TapDevice> create_tap(const TapRequest& request);

struct PodTapRequest {
    std::string netns_path;
    std::string ifname = "eth0";
    MacAddress mac{};
    uint16_t mtu = 1500;
    unsigned queues = 1;
    std::vector<InterfaceAddress> addresses;  ///< with the length of the pod CIDR
    std::vector<IpAddress> gateways;          ///< the pod bridge's, one a family
    TapOffloads offloads;
    bool shortcut = false;  ///< a veth and a TAP (pod_pair.h), so that the kernel can carry flows

    bool operator==(const PodTapRequest&) const = default;
};

/// A pod's interface: with default routes through the bridge, and `lo` up.
[[nodiscard]] Result<TapDevice> create_pod_tap(const PodTapRequest& request);

struct HostTapRequest {
    std::string ifname = "podlane0";
    MacAddress mac{};  ///< the uplink's: to the outside the kernel and podlane are one host
    uint16_t mtu = 1500;
    unsigned queues = 1;
    std::vector<InterfaceAddress> addresses;  ///< the uplinks'
    std::vector<IpAddress> gateways;          ///< the uplinks', at most one a family
    std::vector<IpPrefix> cluster_cidrs;      ///< pod and service CIDRs, routed to podlane
    /// The gateways for cluster_cidrs: the bridge's gateways, one for each family, and its MAC.
    /// Without a gateway of the family the CIDR is on-link: podlane must then answer ARP or ND for
    /// all of it.
    std::vector<TapNeighbor> routers;
    TapOffloads offloads;
    /// Uplinks' interfaces whose routes move_to_host() will bring here: a default route among them
    /// takes the place of a gateway's, and router advertisements are followed as there.
    std::vector<TakenLink> taken;
    bool shortcut = false;  ///< with the program on it, so that the kernel can carry flows
};

/// The interface to the node's own kernel, in the namespace of this process. Its source towards
/// the cluster is the first address of the family; CIDRs of a family without address are left out.
[[nodiscard]] Result<TapDevice> create_host_tap(const HostTapRequest& request);

struct ServerTapRequest {
    std::string ifname = "dns";
    MacAddress mac{};
    uint16_t mtu = 1500;
    unsigned queues = 1;
    std::vector<IpAddress> addresses;  ///< the server's, alone in their subnets
    MacAddress router{};               ///< the dataplane's: everything is routed to it
    TapOffloads offloads;
};

/// The interface of a server that podlaned runs itself, in the namespace at `netns_path`. It
/// resolves no neighbours: all traffic goes through a made-up gateway.
[[nodiscard]] Result<TapDevice> create_server_tap(const std::string& netns_path,
                                                  const ServerTapRequest& request);

}  // namespace podlane::control
