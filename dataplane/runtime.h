// Starts the dataplane and gives control its handle on it.
//
// Outside dataplane/, only the composition root includes this file; control works through
// lib/border/dataplane.h.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "lib/base/mac.h"
#include "lib/base/result.h"
#include "lib/border/dataplane.h"
#include "lib/border/log_level.h"
#include "lib/border/probe.h"
#include "lib/flow/timeouts.h"

namespace podlane::dataplane {

/// What idle workers do.
enum class IdleMode : uint8_t {
    kPoll,      ///< never sleep
    kAdaptive,  ///< sleep after some empty turns, wake on traffic
};

enum class HugepageMode : uint8_t { kAuto, kOn, kOff };

/// A DPDK device that leads to other nodes and to the outside.
struct UplinkRequest {
    std::string name;    ///< "uplink0"
    std::string device;  ///< PCI address or vdev arguments
    uint16_t mtu = 1500;
    std::optional<MacAddress> mac;  ///< instead of the device's own
    /// A TAP beside the kernel's NIC, in place of a DPDK device; its queues if it is one.
    std::optional<TapPortSpec> tap = {};
};

struct RuntimeConfig {
    std::vector<int> worker_cpus;  ///< one worker each; CPU ids may repeat
    IdleMode idle = IdleMode::kAdaptive;
    HugepageMode hugepages = HugepageMode::kAuto;
    uint32_t mbufs = 65536;
    uint32_t mbuf_bytes = 2176;         ///< data room of a packet buffer, headroom included
    uint32_t flow_capacity = 1u << 20;  ///< connections
    FlowTimeouts flow_timeouts;
    bool flows_carried = false;  ///< the kernel carries connections as well
    bool flow_traffic = false;   ///< packets and bytes of each connection are counted
    std::string kept_flows;      ///< folder where flows outlive the process; empty: they do not
    LogReceiver kept_flows_log;  ///< lines about them, on the control thread
    /// Another process still works with those flows: Started::take_flows is called when it rests.
    bool waits_for_flows = false;
    std::vector<UplinkRequest> uplinks;  ///< their TAPs' queues become start()'s
    /// No device of this node shares packet buffers with hardware or with another process.
    bool has_own_buffers = false;
    std::vector<std::string> eal_arguments;  ///< appended to the derived ones
    LogLevel log_level = LogLevel::kInfo;
    LogReceiver log;  ///< takes DPDK's lines, on any thread; none: standard output
    /// Each worker calls it before its work; on an error nothing runs. May be empty.
    std::function<Result<void>()> confine_worker;
};

/// A running dataplane, with advice on what would make it faster, one line each.
struct Started {
    std::unique_ptr<Dataplane> dataplane;  ///< stops workers and closes ports when destroyed
    PacketProbes* probes = nullptr;        ///< of the same dataplane
    /// With `waits_for_flows`, after the first generation: takes the flows of the other process,
    /// whose workers rest, and lets this one's workers go.
    std::function<void()> take_flows;
    /// Puts the files that let flows outlive this process in the place of the other one's.
    std::function<void()> keep_flows;
    std::vector<std::string> hints;
    std::string memory;  ///< its memory, see memory_summary()
};

/// One line on the memory that start() would take for packets on this machine, and what would be
/// better. Touches no device.
[[nodiscard]] std::string memory_summary(const RuntimeConfig& config);

/// What this podlaned would do with what another one has in the folder, a line for each file; an
/// Error is about the first that it cannot use. Changes nothing.
[[nodiscard]] Result<std::vector<std::string>> look_at_kept_flows(const std::string& kept_flows);

/// Removes the flows that a process left for this folder.
void forget_flows(const std::string& kept_flows);

/// Whether two processes can have the device open at the same time, each with its own copy of what
/// it receives.
[[nodiscard]] bool can_be_shared(const std::string& device);

/// Whether the device copies packets out of its buffers and into them, within this process.
[[nodiscard]] bool copies_packets(const std::string& device);

/// Starts the EAL, opens the uplinks and makes the workers, which wait for the first generation.
/// Threads: call on the control thread, once in the life of the process. On an error nothing runs.
[[nodiscard]] Result<Started> start(const RuntimeConfig& config);

}  // namespace podlane::dataplane
