// Probes: which packets control wants to see on their way, and what is seen of them.
//
// `capture` wants frames at certain points, `trace` what each stage did. Control starts a probe,
// reads it again and again, and stops it; the dataplane fills it beside the workers' rings. Without
// a probe a worker asks one pointer for each burst and does nothing else.
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
    kProbeInside = 0x02,  ///< without the tunnel's headers: as it came out, or goes in
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
    /// Asked of the frame, Ethernet header first, at the point; of a trace as it came in and, from
    /// a tunnel, of the inner one. Empty: every packet.
    std::vector<FilterInstruction> filter;
    uint32_t snap_bytes = 262'144;         ///< of a frame, at most; pcap's own bound
    uint32_t packets_per_second = 10'000;  ///< all workers together; 0: without a bound
    uint32_t one_in = 1;              ///< of the packets that fit, each worker's one in so many
    uint32_t buffer_bytes = 1 << 22;  ///< of each worker, a power of two
};

/// What a probe saw of a packet, at one point or behind one stage.
struct ProbeRecord {
    uint64_t packet = 0;   ///< a number; records of one packet have the same
    uint64_t time_ns = 0;  ///< since 1970
    unsigned worker = 0;
    uint8_t point = 0;         ///< ProbePoint; 0: of a trace
    std::string_view stage;    ///< of a trace, a literal; "" for the packet as it came in
    std::string_view verdict;  ///< a literal; what is to become of it
    std::string_view slow;     ///< a literal: why the slow path has it; "" if not
    Drop reason = Drop::kNone;
    PortId in_port = kNoPort, out_port = kNoPort;
    uint64_t stage_cycles = 0;       ///< of a trace: TSC cycles of the stage, for the whole burst
    unsigned burst = 0;              ///< packets in that burst
    std::optional<FlowTuple> flow;   ///< the connection's first packet, once it is known
    std::optional<FlowTuple> reply;  ///< how its replies come
    uint32_t wire_bytes = 0;
    std::vector<uint8_t> bytes;  ///< the frame, cut at snap_bytes
};

struct ProbeBatch {
    std::vector<ProbeRecord> records;  ///< by time; each worker's as it made them
    uint64_t missed = 0;  ///< packets that fit, since the start, without room or beyond the rate
};

using ProbeId = uint32_t;

/// What a dataplane lets control look at of packets.
/// Threads: everything on the control thread. No call blocks a worker, or waits for one.
class PacketProbes {
  public:
    virtual ~PacketProbes() = default;
    /// Begins to look at packets; at most a few at once, each until it is stopped.
    virtual Result<ProbeId> start_probe(ProbeRequest request) = 0;
    /// Takes what it has seen, about a megabyte at most; nothing for one that there is not.
    virtual ProbeBatch read_probe(ProbeId id) = 0;
    virtual void stop_probe(ProbeId id) = 0;
    /// Frees what workers have let go of since; to be called now and then.
    virtual void free_stopped_probes() = 0;
};

}  // namespace podlane
