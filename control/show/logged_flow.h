// A connection that began, ended or was denied, with names: what the flow log writes.
//
// The node model makes it from the workers' records (control/node/flow_watch.h); control/flowlog
// sends it. Control thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "lib/base/drop.h"
#include "lib/base/ip_address.h"
#include "lib/border/flow_records.h"

namespace podlane::control {

/// Ports in host order. Milliseconds since 1970.
struct LoggedFlow {
    FlowRecordKind kind = FlowRecordKind::kOpened;
    uint8_t protocol = 0;
    uint64_t time_ms = 0;               ///< when it was noticed
    uint64_t start_ms = 0, end_ms = 0;  ///< first and last packet, to the second; `end` of an end
    IpAddress src, dst;                 ///< as its first packet came
    IpAddress translated_src, translated_dst;  ///< as it is forwarded
    uint16_t src_port = 0, dst_port = 0;
    uint16_t translated_src_port = 0, translated_dst_port = 0;
    std::string service;              ///< "namespace/name"; "" for none
    std::string from_pod, to_pod;     ///< likewise
    std::string in_port;              ///< "" if unknown
    FlowEnd end = FlowEnd::kExpired;  ///< of an end
    TcpState tcp_state = TcpState::kNone;
    bool replied = false;                ///< at an end: both directions were seen
    std::optional<FlowTraffic> traffic;  ///< at an end, if counted
    Drop reason = Drop::kNone;           ///< for a denial
    std::vector<std::string> policies;   ///< for a policy's denial: those that select the pod
    uint64_t packets = 0;                ///< for a denial: dropped so far, this one included

    [[nodiscard]] bool is_translated() const noexcept {
        return src != translated_src || dst != translated_dst || src_port != translated_src_port ||
               dst_port != translated_dst_port;
    }
};

/// What happened to the records, for `stats`; counters.
struct FlowLogStats {
    uint64_t written = 0;  ///< given to the file or the collector, or both
    uint64_t lost = 0;     ///< by a worker, the control thread or a receiver that had no room
};

/// Who opened most connections in the last second or so, for `top`.
struct NewFlowSource {
    IpAddress address;
    std::string port;     ///< where its last one came in
    std::string pod;      ///< "" for others
    uint64_t flows = 0;   ///< that it opened
    uint64_t denied = 0;  ///< packets that were to open one
    std::string last_to;  ///< "10.96.0.10:80"
};

struct NewFlowReport {
    uint64_t milliseconds = 0;           ///< that it is about; 0: nobody had asked before
    uint64_t flows = 0;                  ///< opened in it, of all sources
    uint64_t most_error = 0;             ///< by so much one's number may be too low
    std::vector<NewFlowSource> sources;  ///< the largest first
};

}  // namespace podlane::control
