// The border between control and the workers: all that control can ask of the dataplane.
//
// Control knows this interface only; dataplane/ implements it; main puts the two together.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "lib/base/ip_address.h"
#include "lib/base/mac.h"
#include "lib/base/result.h"
#include "lib/border/events.h"
#include "lib/border/flows.h"
#include "lib/border/log_level.h"
#include "lib/border/port_caps.h"
#include "lib/border/port_state.h"
#include "lib/border/probe.h"
#include "lib/model/ids.h"
#include "lib/model/snapshot.h"
#include "lib/telemetry/counters.h"

namespace podlane {

/// A port as control and `get ports` see it.
struct PortInfo {
    PortId id = kNoPort;
    std::string name;  ///< "uplink0", "podlane0", "default/web"
    PortKind kind = PortKind::kNone;
    std::string device;  ///< DPDK device or TAP interface name
    MacAddress mac{};    ///< the device's own; of a TAP, the far side's
    uint16_t mtu = 0;    ///< bytes
    PortCaps caps{};
    bool is_tap = false;  ///< a TAP made by control, no DPDK device
};

/// A TAP made by control, for the workers to read and write. One queue for each worker.
struct TapPortSpec {
    std::string name;
    PortKind kind = PortKind::kPod;
    std::string ifname;
    MacAddress mac{};
    uint16_t mtu = 1500;
    uint8_t vnet_header_bytes = 12;  ///< of the virtio_net_hdr before each frame (TUNSETVNETHDRSZ)
    std::vector<int> queue_fds;      ///< ownership passes to the dataplane; closed on remove_port()
};

struct WorkerInfo {
    unsigned id = 0;
    int cpu = -1;
    int tid = 0;  ///< Linux thread id
};

/// Where a client's connections to a Service port go, by sessionAffinity.
struct AffinityInfo {
    IpAddress endpoint;
    uint16_t port = 0;  ///< host order
};

/// Packet buffers.
struct BufferTotals {
    uint32_t total = 0;
    uint32_t free = 0;  ///< that nobody holds
};

struct FlowTotals {
    uint64_t active = 0, capacity = 0, created = 0, expired = 0, evicted = 0, refused = 0;
};

/// Threads: everything on the control thread. No call blocks a worker.
class Dataplane {
  public:
    virtual ~Dataplane() = default;

    /// Makes the workers use `next`; returns when every worker does (or sleeps, and will).
    virtual void publish(std::shared_ptr<const Snapshot> next) = 0;
    [[nodiscard]] virtual std::shared_ptr<const Snapshot> current() const = 0;

    /// Takes a TAP into service; it is polled from now on, and named in the next snapshot.
    virtual Result<PortId> add_tap_port(TapPortSpec spec) = 0;
    /// Opens a DPDK device as a pod port (memif, vhost, pcap, ...).
    virtual Result<PortId> add_device_port(const std::string& name, PortKind kind,
                                           const std::string& device, uint16_t mtu) = 0;
    /// Closes the port. Call after a snapshot without it has been published.
    virtual void remove_port(PortId id) = 0;
    [[nodiscard]] virtual std::vector<PortInfo> ports() const = 0;
    /// Each port's link and its device's losses now, in the order of ports(). Some system calls for
    /// a device, one for all TAPs.
    [[nodiscard]] virtual std::vector<PortState> port_states() const = 0;
    /// What the devices lost of all ports that there are, or were.
    [[nodiscard]] virtual DeviceLosses device_losses() const = 0;

    /// Readable when events wait.
    [[nodiscard]] virtual int event_fd() const = 0;
    /// Takes up to out.size() events of all workers; clears the fd's readiness.
    virtual size_t take_events(std::span<Event> out) = 0;
    /// Gives worker 0 something to do; false when its ring is full.
    virtual bool command(const Command& command) = 0;

    /// How much of DPDK's own messages is logged from now on.
    virtual void set_log_level(LogLevel level) = 0;

    [[nodiscard]] virtual std::vector<WorkerInfo> workers() const = 0;
    [[nodiscard]] virtual const WorkerCounters& counters(unsigned worker) const = 0;
    [[nodiscard]] virtual FlowTotals flow_totals() const = 0;
    [[nodiscard]] virtual BufferTotals buffers() const = 0;
    /// The connection whose first packet was this. Cost: a look-up.
    [[nodiscard]] virtual std::optional<FlowInfo> find_flow(const FlowTuple& first) = 0;
    /// Up to `limit` connections that fit, from `from` on; passes some ten thousand at most. What
    /// comes or goes between two calls may be missed.
    [[nodiscard]] virtual FlowPage flows(const FlowFilter& filter, size_t limit,
                                         FlowCursor from) = 0;
    /// Begins to look at packets; at most a few at once, each until it is stopped.
    virtual Result<ProbeId> start_probe(ProbeRequest request) = 0;
    /// Takes what it has seen, about a megabyte at most; nothing for one that there is not.
    virtual ProbeBatch read_probe(ProbeId id) = 0;
    virtual void stop_probe(ProbeId id) = 0;
    /// Where the client's last connection to this Service port went, while that is remembered.
    [[nodiscard]] virtual std::optional<AffinityInfo> affinity(const IpAddress& client,
                                                               ServiceId service) const = 0;
    /// Clients of Services that can be remembered, in each family.
    [[nodiscard]] virtual uint32_t affinity_capacity() const = 0;
};

}  // namespace podlane
