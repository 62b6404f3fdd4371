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
};

struct RuntimeConfig {
    std::vector<int> worker_cpus;  ///< one worker each; CPU ids may repeat
    IdleMode idle = IdleMode::kAdaptive;
    HugepageMode hugepages = HugepageMode::kAuto;
    uint32_t mbufs = 65536;
    uint32_t mbuf_bytes = 2176;         ///< data room of a packet buffer, headroom included
    uint32_t flow_capacity = 1u << 20;  ///< connections
    FlowTimeouts flow_timeouts;
    bool flow_traffic = false;   ///< packets and bytes of each connection are counted
    std::string kept_flows;      ///< folder where flows outlive the process; empty: they do not
    LogReceiver kept_flows_log;  ///< lines about them, on the control thread
    std::vector<UplinkRequest> uplinks;
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
    std::vector<std::string> hints;
    std::string memory;  ///< its memory, see memory_summary()
};

/// One line on the memory that start() would take for packets on this machine, and what would be
/// better. Touches no device.
[[nodiscard]] std::string memory_summary(const RuntimeConfig& config);

/// Removes the flows that a process left for this folder.
void forget_flows(const std::string& kept_flows);

/// Starts the EAL, opens the uplinks and makes the workers, which wait for the first generation.
/// Threads: call on the control thread, once in the life of the process. On an error nothing runs.
[[nodiscard]] Result<Started> start(const RuntimeConfig& config);

}  // namespace podlane::dataplane
