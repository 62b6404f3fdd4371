// What crosses the thread border besides snapshots: plain events up, plain commands down.
//
// Workers never wait for control and control never waits for a worker: both rings are bounded, and
// a full one only delays learning (the next packet says the same again).
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <type_traits>

#include "lib/base/ip_address.h"
#include "lib/base/mac.h"
#include "lib/state/ids.h"

namespace podlane {

/// An address of either family as plain bytes, for rings.
struct RawAddress {
    std::array<uint8_t, 16> bytes{};  ///< IPv4: the first four
    bool is_v6 = false;

    RawAddress() = default;
    RawAddress(const Ipv4Address& a) noexcept {  // NOLINT(google-explicit-constructor)
        __builtin_memcpy(bytes.data(), &a, sizeof(a));
    }
    RawAddress(const Ipv6Address& a) noexcept : bytes(a.bytes), is_v6(true) {}  // NOLINT
    [[nodiscard]] IpAddress to_ip() const noexcept {
        if (is_v6) return Ipv6Address{bytes};
        Ipv4Address a{};
        __builtin_memcpy(&a, bytes.data(), sizeof(a));
        return a;
    }
    friend auto operator<=>(const RawAddress&, const RawAddress&) noexcept = default;
    [[nodiscard]] static RawAddress from(const IpAddress& a) noexcept {
        return a.is_v4() ? RawAddress(a.as<V4>()) : RawAddress(a.as<V6>());
    }
};

enum class EventKind : uint8_t {
    kNeighbourNeeded,  ///< a packet waits for `address` on `port`
    kNeighbourSeen,    ///< ARP or ND on `port` says that `address` has `mac`
    kMacLearned,       ///< a frame came from `mac` on pod port `port`, which the FDB does not know
    kPortLost,         ///< the port's device is gone (the pod's namespace died)
};

/// From a worker to control.
struct Event {
    EventKind kind{};
    bool solicited = false;  ///< kNeighbourSeen: an answer to a request of ours
    PortId port = kNoPort;
    MacAddress mac{};
    RawAddress address{};
};
static_assert(std::is_trivially_copyable_v<Event>);

enum class CommandKind : uint8_t {
    kSolicit,   ///< send an ARP request or neighbour solicitation for `address` on `port`
    kAnnounce,  ///< send a gratuitous ARP or unsolicited advertisement for `address`
    kPurge,     ///< remove all connections in which `address` takes part
};

/// From control to worker 0.
struct Command {
    CommandKind kind{};
    PortId port = kNoPort;
    MacAddress mac{};      ///< kSolicit: unicast probe to it, or zero for broadcast/multicast
    MacAddress our_mac{};  ///< the sender's MAC to use
    RawAddress address{};  ///< the target
    RawAddress source{};   ///< kSolicit: the sender's address to use
};
static_assert(std::is_trivially_copyable_v<Command>);

}  // namespace podlane
