// What crosses the thread border besides snapshots: plain events up, plain commands down.
//
// Workers never wait for control and control never waits for a worker: both rings are bounded, and
// a full one only delays learning, since the next packet causes the same event.
#pragma once

#include <cstdint>
#include <type_traits>

#include "lib/base/mac.h"
#include "lib/base/raw_address.h"
#include "lib/model/ids.h"

namespace podlane {

enum class EventKind : uint8_t {
    kNeighbourNeeded,  ///< a packet waits for `address` on `port`
    kNeighbourSeen,    ///< ARP or ND on `port` says that `address` has `mac`
    kMacLearned,       ///< a frame came from `mac` on pod port `port`, which the FDB does not know
    kPortLost,         ///< the port's device is gone (the pod's namespace died)
    kFlowProven,       ///< `flow` is one that the kernel can carry (carried.h)
    kWakeMissed,       ///< the port's device does not wake its idle worker, which polls instead
};

/// From a worker to control.
struct Event {
    EventKind kind{};
    bool solicited = false;  ///< kNeighbourSeen: an answer to a request of ours
    PortId port = kNoPort;
    MacAddress mac{};
    RawAddress address{};
    uint64_t flow = 0;  ///< kFlowProven: FlowRef::packed()
};
static_assert(std::is_trivially_copyable_v<Event>);

enum class CommandKind : uint8_t {
    kSolicit,   ///< send an ARP request or neighbour solicitation for `address` on `port`
    kAnnounce,  ///< send a gratuitous ARP or unsolicited advertisement for `address`
    /// The same, but to the pods on the bridge, on behalf of the one at `port`, which does not get
    /// it.
    kAnnouncePod,
    kPurge,  ///< remove all connections with `address` at either end
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
