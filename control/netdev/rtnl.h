// Links, addresses, routes and neighbours of the kernel, over a netlink socket.
//
// The makers of TAPs and the guard of uplink interfaces call it; control thread, or the thread of
// in_network_namespace(): a socket belongs to the namespace in which it was opened.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "lib/base/ip_address.h"
#include "lib/base/mac.h"
#include "lib/base/result.h"

struct nl_sock;

namespace podlane::control {

/// AF_INET or AF_INET6.
[[nodiscard]] int family_of(const IpAddress& address);
/// "WHAT: REASON" for what libnl returned, a negative NLE_ code.
[[nodiscard]] Error netlink_failure(const std::string& what, int code);

/// A network interface as the kernel has it.
struct LinkInfo {
    int ifindex = 0;
    std::string kind;  ///< "tun", "veth", ...; empty for hardware and lo
    MacAddress mac{};
    uint32_t mtu = 0;
    bool up = false;  ///< administratively
    bool promiscuous = false;
    bool carrier = false;  ///< of a TAP: a process has a queue open
    std::string alias;     ///< free text, for people and for its creator
    int peer = 0;          ///< of a veth: the other end's index, in its namespace
};

/// What to change; absent values stay unchanged.
struct LinkChange {
    std::optional<std::string> name;  ///< the link must be down
    std::optional<MacAddress> mac;
    std::optional<uint32_t> mtu;
    std::optional<uint32_t> tx_queue_length;  ///< frames
    std::optional<bool> up;
    std::optional<bool> promiscuous;
    std::optional<std::string> alias;
    std::optional<int> netns_fd;  ///< move it into this namespace
};

/// A route on one interface.
struct KernelRoute {
    IpPrefix destination;
    std::optional<IpAddress> via;
    bool onlink = false;  ///< `via` is reachable though no address's subnet holds it
    std::optional<IpAddress> preferred_source;
    uint32_t metric = 0;   ///< 0: the family's default
    uint8_t protocol = 4;  ///< its origin, as numbered in rtnetlink(7): "static"
    uint32_t table = 254;  ///< the main one

    friend bool operator==(const KernelRoute&, const KernelRoute&) = default;
};

class Rtnl {
  public:
    [[nodiscard]] static Result<Rtnl> open();

    /// None if there is no such interface.
    [[nodiscard]] Result<std::optional<LinkInfo>> find_link(const std::string& ifname);
    /// The names of all interfaces of the namespace.
    [[nodiscard]] Result<std::vector<std::string>> link_names();
    [[nodiscard]] Result<void> change_link(const std::string& ifname, const LinkChange& change);
    [[nodiscard]] Result<void> change_link(int ifindex, const LinkChange& change);
    [[nodiscard]] Result<void> delete_link(int ifindex);
    /// Frames go to the device at once, whatever the kernel's default queueing discipline is.
    /// Before the interface is up for the first time: the default would be made then.
    [[nodiscard]] Result<void> send_unqueued(int ifindex);
    /// Whether programs can be at the interface's ingress (clsact, or its forerunner).
    [[nodiscard]] Result<bool> has_ingress(int ifindex);
    /// Removes all programs there. It is not an error if there are none.
    [[nodiscard]] Result<void> remove_ingress(int ifindex);
    /// Two new ends of a veth, both down: `ifname` in this namespace, `peer` in that one (none: in
    /// this one as well).
    [[nodiscard]] Result<void> add_veth(const std::string& ifname, const std::string& peer,
                                        std::optional<int> peer_netns_fd = std::nullopt);
    /// IPv6 addresses skip duplicate address detection.
    [[nodiscard]] Result<void> add_address(int ifindex, const InterfaceAddress& address);
    /// It is not an error if it does not exist.
    [[nodiscard]] Result<void> delete_address(int ifindex, const InterfaceAddress& address);
    [[nodiscard]] Result<std::vector<InterfaceAddress>> addresses(int ifindex);
    /// False if the table has such a route already.
    [[nodiscard]] Result<bool> add_route(int ifindex, const KernelRoute& route);
    /// False if the table has no such route by the interface.
    [[nodiscard]] Result<bool> delete_route(int ifindex, const KernelRoute& route);
    /// The routes of the main table that lead out of the interface by one next hop.
    [[nodiscard]] Result<std::vector<KernelRoute>> routes(int ifindex);
    /// A permanent entry.
    [[nodiscard]] Result<void> add_neighbor(int ifindex, const IpAddress& address,
                                            const MacAddress& mac);

  private:
    struct Close {
        void operator()(nl_sock* socket) const noexcept;
    };
    Rtnl() = default;
    std::unique_ptr<nl_sock, Close> socket_;
};

}  // namespace podlane::control
