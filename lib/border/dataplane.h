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
#include "lib/border/events.h"
#include "lib/border/flow_records.h"
#include "lib/border/flows.h"
#include "lib/border/log_level.h"
#include "lib/border/port_caps.h"
#include "lib/border/port_state.h"
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

/// A worker that has not come to begin a turn for a while: nothing that it serves is moved.
struct StuckWorker {
    unsigned id = 0;
    std::string port;       ///< that it is about; empty: none
    std::string_view step;  ///< "send", "receive", or the name of a stage; of static storage
    uint64_t still_ms = 0;  ///< for how long, as far as looks have shown
};

/// Where a client's connections to a Service port go, by sessionAffinity.
struct AffinityInfo {
    IpAddress endpoint;
    uint16_t port = 0;  ///< host order
};

/// Packet buffers, and frames on their way between workers, now.
struct BufferUse {
    uint32_t total = 0;
    uint32_t free = 0;
    uint64_t between_workers = 0;  ///< frames that one worker has handed to another
};

struct FlowTotals {
    uint64_t active = 0, capacity = 0, created = 0, expired = 0, evicted = 0, refused = 0;
};

/// Threads: everything on the control thread. No call blocks a worker, and a worker that stands
/// still holds no call up for longer than kMostWaitMs, or kStuckWaitMs once it is known.
class Dataplane {
  public:
    static constexpr unsigned kMostWaitMs = 700;
    static constexpr unsigned kStuckWaitMs = 20;

    virtual ~Dataplane() = default;

    /// Makes the workers use `next`. True: every worker does, or sleeps and will. False: a worker
    /// did not come to it in time; it will when it goes on, and what it still holds is kept.
    virtual bool publish(std::shared_ptr<const Snapshot> next) = 0;
    [[nodiscard]] virtual std::shared_ptr<const Snapshot> current() const = 0;

    /// Takes a TAP into service; it is polled from now on, and named in the next snapshot.
    virtual Result<PortId> add_tap_port(TapPortSpec spec) = 0;
    /// Opens a DPDK device as a pod port (memif, vhost, pcap, ...).
    virtual Result<PortId> add_device_port(const std::string& name, PortKind kind,
                                           const std::string& device, uint16_t mtu) = 0;
    /// Closes the port, when no worker can be using it any more. Call after a snapshot without it
    /// has been published.
    virtual void remove_port(PortId id) = 0;
    [[nodiscard]] virtual std::vector<PortInfo> ports() const = 0;
    /// Each port's link and its device's losses now, in the order of ports(). Some system calls for
    /// a device, one for all TAPs.
    [[nodiscard]] virtual std::vector<PortState> port_states() const = 0;
    /// What the devices lost of all ports that there are, or were.
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
    /// Gives worker 0 something to do; false when its ring is full.
    virtual bool command(const Command& command) = 0;

    /// How much of DPDK's own messages is logged from now on.
    virtual void set_log_level(LogLevel level) = 0;

    [[nodiscard]] virtual std::vector<WorkerInfo> workers() const = 0;
    /// Which workers stand still now. To be asked some times a second: it is by these looks that
    /// it is known, and that what waited for such a worker is closed and freed.
    [[nodiscard]] virtual std::vector<StuckWorker> stuck_workers() = 0;
    [[nodiscard]] virtual const WorkerCounters& counters(unsigned worker) const = 0;
    /// Cost: a look at each thread's cache of buffers.
    [[nodiscard]] virtual BufferUse buffer_use() const = 0;
    [[nodiscard]] virtual FlowTotals flow_totals() const = 0;
    /// The connection whose first packet was this. Cost: a look-up.
    [[nodiscard]] virtual std::optional<FlowInfo> find_flow(const FlowTuple& first) = 0;
    /// Up to `limit` connections that fit, from `from` on; passes some ten thousand at most. What
    /// comes or goes between two calls may be missed.
    [[nodiscard]] virtual FlowPage flows(const FlowFilter& filter, size_t limit,
                                         FlowCursor from) = 0;
    /// Of which connections workers tell from now on; 0: of none.
    virtual void record_flows(FlowSample sample) = 0;
    /// Takes what they have told. To be asked some times a second: each worker holds a few
    /// thousand.
    virtual size_t take_flow_records(std::span<FlowRecord> out) = 0;
    /// That a worker had no room for, since the start.
    [[nodiscard]] virtual uint64_t lost_flow_records() const = 0;
    /// Where the client's last connection to the Service port with this affinity_key() (lib/decide)
    /// went, while that is remembered.
    [[nodiscard]] virtual std::optional<AffinityInfo> affinity(const IpAddress& client,
                                                               uint32_t service) const = 0;
    /// Clients of Services that can be remembered, in each family.
    [[nodiscard]] virtual uint32_t affinity_capacity() const = 0;
};

}  // namespace podlane
