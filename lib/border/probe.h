// Probes: which packets control wants to see on their way, and what was seen of them.
//
// `capture` records frames at certain points, `trace` what each stage did. Control starts a probe,
// reads it repeatedly, and stops it; the dataplane fills it. Without a probe, a worker checks one
// pointer for each burst and does nothing else.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "lib/base/drop.h"
#include "lib/base/result.h"
#include "lib/border/flows.h"
#include "lib/model/ids.h"

namespace podlane {

/// Where a frame can be captured; bits of ProbeRequest::points.
enum ProbePoint : uint8_t {
    kProbeIn = 0x01,      ///< as it came in by a port
    kProbeInside = 0x02,  ///< without the tunnel's headers: before encap or after decap
    kProbeOut = 0x04,     ///< as it leaves by a port, rewritten
    kProbeDrop = 0x08,    ///< where it was dropped, as it was then
};

/// "in", "inside", "out", "drop".
[[nodiscard]] constexpr std::string_view to_string(ProbePoint point) noexcept {
    switch (point) {
        case kProbeIn:
            return "in";
        case kProbeInside:
            return "inside";
        case kProbeOut:
            return "out";
        case kProbeDrop:
            return "drop";
    }
    return "";
}

/// One instruction of classic BPF, as libpcap compiles filters to.
struct FilterInstruction {
    uint16_t code = 0;
    uint8_t jump_true = 0, jump_false = 0;
    uint32_t value = 0;
};

struct ProbeRequest {
    /// Bits of ProbePoint; 0: a trace, which follows a packet through every stage.
    uint8_t points = 0;
    std::optional<PortId> port;  ///< only frames that come in or leave by it
    std::optional<Drop> reason;  ///< only packets that are dropped for it
    /// Matched against the frame at the point, Ethernet header first. A trace matches the frame as
    /// it came in and, from a tunnel, the inner frame. Empty: every packet.
    std::vector<FilterInstruction> filter;
    uint32_t snap_bytes = 262'144;         ///< the most of one frame; pcap's own limit
    uint32_t packets_per_second = 10'000;  ///< all workers together; 0: unlimited
    uint32_t one_in = 1;                   ///< each worker takes one in this many matching packets
    uint32_t buffer_bytes = 1 << 22;       ///< for each worker; a power of two
};

/// What a probe saw of a packet, at one point or behind one stage.
struct ProbeRecord {
    uint64_t packet = 0;   ///< the same in all records of one packet
    uint64_t time_ns = 0;  ///< since 1970
    unsigned worker = 0;
    uint8_t point = 0;         ///< ProbePoint; 0: a trace's record
    std::string_view stage;    ///< traces: a literal; "" for the packet as it came in
    std::string_view verdict;  ///< a literal: what will become of it
    std::string_view slow;     ///< a literal: why it is on the slow path; "" if not
    Drop reason = Drop::kNone;
    PortId in_port = kNoPort, out_port = kNoPort;
    uint64_t stage_cycles = 0;       ///< traces: TSC cycles of the stage, for the whole burst
    unsigned burst = 0;              ///< packets in that burst
    std::optional<FlowTuple> flow;   ///< the connection's first packet, once it is known
    std::optional<FlowTuple> reply;  ///< how its replies come
    uint32_t wire_bytes = 0;
    std::vector<uint8_t> bytes;  ///< the frame, cut at snap_bytes
};

struct ProbeBatch {
    std::vector<ProbeRecord> records;  ///< by time; each worker's in the order it made them
    uint64_t missed = 0;  ///< matching packets lost for want of room, or beyond the rate
};

using ProbeId = uint32_t;

/// Control's access to packets on their way.
/// Threads: everything on the control thread. No call blocks a worker, or waits for one.
class PacketProbes {
  public:
    virtual ~PacketProbes() = default;
    /// Starts a probe; at most a few at once, each until it is stopped.
    virtual Result<ProbeId> start_probe(ProbeRequest request) = 0;
    /// Takes what it has recorded, about a megabyte at most; nothing if there is no such probe.
    virtual ProbeBatch read_probe(ProbeId id) = 0;
    virtual void stop_probe(ProbeId id) = 0;
    /// Frees what workers no longer use; to be called now and then.
    virtual void free_stopped_probes() = 0;
};

}  // namespace podlane
