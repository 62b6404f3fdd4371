// The border between control and the workers: all that control can ask of the dataplane.
//
// Control knows this interface only; dataplane/ implements it; main puts the two together.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "lib/base/ip_address.h"
#include "lib/base/mac.h"
#include "lib/base/result.h"
#include "lib/border/bandwidth.h"
#include "lib/border/carried.h"
#include "lib/border/events.h"
#include "lib/border/flow_records.h"
#include "lib/border/flows.h"
#include "lib/border/log_level.h"
#include "lib/border/port_caps.h"
#include "lib/border/port_state.h"
#include "lib/model/ids.h"
#include "lib/model/snapshot.h"
#include "lib/telemetry/counters.h"
#include "lib/telemetry/peer_counts.h"

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

/// A TAP made by control for the workers, with one queue for each of them.
struct TapPortSpec {
    std::string name;
    PortKind kind = PortKind::kPod;
    std::string ifname;
    MacAddress mac{};
    uint16_t mtu = 1500;
    uint8_t vnet_header_bytes = 12;  ///< virtio_net_hdr before each frame (TUNSETVNETHDRSZ)
    std::vector<int> queue_fds;      ///< ownership passes to the dataplane; closed on remove_port()
    Bandwidth bandwidth = {};
    bool is_pair = false;  ///< the kernel can carry what it says to another such port
    std::string nic = {};  ///< the kernel's, between which and the TAP programs pass frames
};

/// A DPDK device to be opened.
struct DevicePortSpec {
    std::string name;
    PortKind kind = PortKind::kPod;
    std::string device;  ///< PCI address or vdev arguments
    uint16_t mtu = 1500;
    Bandwidth bandwidth = {};
};

struct WorkerInfo {
    unsigned id = 0;
    int cpu = -1;
    int tid = 0;  ///< Linux thread id
};

/// A worker that has not begun a turn for a while: no packet that it serves is moved.
struct StuckWorker {
    unsigned id = 0;
    std::string port;       ///< the port that it is busy with; empty: none
    std::string_view step;  ///< "send", "receive", or the name of a stage; of static storage
    uint64_t still_ms = 0;  ///< for how long, as far as looks can tell
};

/// Where a client's connections to a Service port go because of sessionAffinity.
struct AffinityInfo {
    IpAddress endpoint;
    uint16_t port = 0;  ///< host order
};

/// The present use of packet buffers, and frames on their way between workers.
struct BufferUse {
    uint32_t total = 0;
    uint32_t free = 0;
    uint64_t between_workers = 0;  ///< frames that one worker has handed to another
};

struct FlowTotals {
    uint64_t active = 0, capacity = 0, created = 0, expired = 0, evicted = 0, refused = 0;
};

/// Threads: everything on the control thread. No call blocks a worker. A worker that stands still
/// delays a call by at most kMostWaitMs, or kStuckWaitMs once it is known to stand still.
class Dataplane {
  public:
    static constexpr unsigned kMostWaitMs = 700;
    static constexpr unsigned kStuckWaitMs = 20;

    virtual ~Dataplane() = default;

    /// Makes the workers use `next`. True: every worker uses it, or sleeps and will. False: a
    /// worker did not get to it in time. It will when it goes on, and what it still holds is kept.
    virtual bool publish(std::shared_ptr<const Snapshot> next) = 0;
    [[nodiscard]] virtual std::shared_ptr<const Snapshot> current() const = 0;

    /// Takes a TAP into service. It is polled from now on; the next snapshot must name it.
    virtual Result<PortId> add_tap_port(TapPortSpec spec) = 0;
    /// Opens a DPDK device as a pod port (memif, vhost, pcap, ...).
    virtual Result<PortId> add_device_port(const DevicePortSpec& spec) = 0;
    /// Closes the port once no worker can be using it. Call after publishing a snapshot without it.
    virtual void remove_port(PortId id) = 0;
    [[nodiscard]] virtual std::vector<PortInfo> ports() const = 0;
    /// The present link and device losses of each port, in the order of ports(). A few system calls
    /// for each device, one for all TAPs.
    [[nodiscard]] virtual std::vector<PortState> port_states() const = 0;
    /// What the devices of all present and former ports have lost.
    [[nodiscard]] virtual DeviceLosses device_losses() const = 0;
    /// A TAP's descriptors, by worker; the dataplane's own still. Empty for other ports.
    [[nodiscard]] virtual std::vector<int> queue_fds(PortId id) const = 0;
    /// Workers take and send nothing until they go on again. False: one has not come to rest within
    /// kMostWaitMs, and all go on. What is published meanwhile is in use when they do.
    virtual bool rest() = 0;
    virtual void go_on() = 0;
    /// A line for each thing that will not outlive the process though it should.
    [[nodiscard]] virtual std::vector<std::string> problems() const = 0;

    /// Readable when events wait.
    [[nodiscard]] virtual int event_fd() const = 0;
    /// Takes up to out.size() events of all workers; clears the fd's readiness.
    virtual size_t take_events(std::span<Event> out) = 0;
    /// Gives worker 0 a task; false when its ring is full.
    virtual bool command(const Command& command) = 0;

    /// Sets how much of DPDK's own messages is logged.
    virtual void set_log_level(LogLevel level) = 0;

    [[nodiscard]] virtual std::vector<WorkerInfo> workers() const = 0;
    /// The workers that stand still now. Call it a few times a second: these calls find them, and
    /// also close and free what was waiting for such a worker.
    [[nodiscard]] virtual std::vector<StuckWorker> stuck_workers() = 0;
    [[nodiscard]] virtual const WorkerCounters& counters(unsigned worker) const = 0;
    /// Cost: reads each thread's buffer cache.
    [[nodiscard]] virtual BufferUse buffer_use() const = 0;
    [[nodiscard]] virtual FlowTotals flow_totals() const = 0;
    /// The connection with this first packet. Cost: a look-up.
    [[nodiscard]] virtual std::optional<FlowInfo> find_flow(const FlowTuple& first) = 0;
    /// Up to `limit` connections that match, starting at `from`; reads some ten thousand at most. A
    /// connection that comes or goes between two calls may be missed.
    [[nodiscard]] virtual FlowPage flows(const FlowFilter& filter, size_t limit,
                                         FlowCursor from) = 0;
    /// What the connection says at present; nothing if it has ended or is about to.
    [[nodiscard]] virtual std::optional<CarriedFlow> flow_to_carry(FlowRef flow) = 0;
    /// Notes what the kernel has carried, as if workers had. False: the connection has ended.
    virtual bool note_carried(FlowRef flow, const CarriedTraffic& traffic) = 0;
    /// Sets which connections workers report from now on; 0: none.
    virtual void record_flows(FlowSample sample) = 0;
    /// Takes the records. Call it a few times a second: each worker holds a few thousand.
    virtual size_t take_flow_records(std::span<FlowRecord> out) = 0;
    /// Records lost for want of room, since the start.
    [[nodiscard]] virtual uint64_t lost_flow_records() const = 0;
    /// Whether workers count the traffic of each other Node from now on. At first they do not.
    virtual void count_peers(bool on) = 0;
    /// What was counted of the Node with this number while that was on. Cost: one line for each
    /// worker.
    [[nodiscard]] virtual PeerTraffic peer_traffic(NodeNumber node) const = 0;
    /// Where the client's last connection to the Service port with this affinity_key() (lib/decide)
    /// went, while it is remembered.
    [[nodiscard]] virtual std::optional<AffinityInfo> affinity(const IpAddress& client,
                                                               uint32_t service) const = 0;
    /// How many clients of Services can be remembered, in each family.
    [[nodiscard]] virtual uint32_t affinity_capacity() const = 0;
};

}  // namespace podlane
