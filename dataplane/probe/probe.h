// A probe as workers run it: its filter, its limits, a ring of records for each worker.
//
// Made and read by control (probes.h); workers find the active probes in WorkerCtx::probes.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "dataplane/clock.h"
#include "dataplane/packet.h"
#include "dataplane/probe/filter_gist.h"
#include "dataplane/probe/record_ring.h"
#include "lib/base/raw_address.h"
#include "lib/base/result.h"
#include "lib/border/probe.h"
#include "lib/telemetry/counter.h"

namespace podlane::dataplane {

/// A connection's key in a record.
struct RecordedFlow {
    RawAddress src, dst;
    uint16_t src_port = 0, dst_port = 0;  ///< host order
    uint8_t protocol = 0;
};

/// Precedes a frame in the ring.
struct RecordHeader {
    uint64_t packet;
    uint64_t tsc;
    uint64_t stage_cycles;
    const char* stage;  ///< a literal; null without one
    uint32_t wire_bytes;
    uint16_t burst;
    PortId in_port, out_port;
    uint8_t point;
    Verdict verdict;
    SlowReason slow;
    Drop reason;
    RecordHeader* before;  ///< of the same packet and burst; for the worker alone
    bool is_void;          ///< to be skipped
    bool has_flow;
    RecordedFlow flow, reply;
};

/// Threads: the request is constant; a lane's ring as RecordRing says; the rest of a lane is its
/// worker's alone.
class Probe {
  public:
    struct alignas(kCacheLine) Lane {
        explicit Lane(size_t ring_bytes) : ring(ring_bytes) {}
        RecordRing<RecordHeader> ring;
        Counter missed;
        unsigned observers = 0;  ///< writing to the ring now: the last one commits
        uint32_t fitting = 0;    ///< matching packets since one was recorded
        uint32_t tokens = 0;     ///< packets that may still be recorded in this second
        uint64_t second = 0;     ///< the number of this second
    };

    /// Fails for an invalid filter program.
    [[nodiscard]] static Result<std::shared_ptr<Probe>> create(ProbeRequest request,
                                                               unsigned workers);

    [[nodiscard]] const ProbeRequest& request() const noexcept { return request_; }
    [[nodiscard]] bool is_trace() const noexcept { return request_.points == 0; }
    [[nodiscard]] bool wants(uint8_t point) const noexcept {
        return (request_.points & point) != 0;
    }
    [[nodiscard]] bool concerns(PortId port) const noexcept {
        return !request_.port || *request_.port == port;
    }
    /// Whether a frame passes the filter, judged by its first buffer. `wire_bytes`: its whole
    /// length.
    [[nodiscard]] bool matches(std::span<const uint8_t> head, uint32_t wire_bytes) const noexcept {
        return request_.filter.empty() || (gist_.may_pass(head) && runs(head, wire_bytes));
    }
    /// A bit for each packet of a burst that may pass the filter, judged by its first bytes alone;
    /// the others do not pass.
    [[nodiscard]] uint64_t may_match(std::span<const Packet> burst) const noexcept;
    /// The same for those that are sent or dropped.
    [[nodiscard]] uint64_t may_match_ending(std::span<const Packet> burst) const noexcept;
    /// Whether one more packet may be recorded; counts it if not.
    [[nodiscard]] bool may_see(unsigned worker, uint64_t now_ms) noexcept;
    [[nodiscard]] Lane& lane(unsigned worker) noexcept { return *lanes_[worker]; }

    /// Moves the records that are there to `out`, about `most_bytes` of them.
    void read(const Clock& clock, size_t most_bytes, ProbeBatch& out);

  private:
    Probe(ProbeRequest request, unsigned workers);
    /// Runs the filter's program.
    [[nodiscard]] bool runs(std::span<const uint8_t> head, uint32_t wire_bytes) const noexcept;

    const ProbeRequest request_;
    const FilterGist gist_;
    const uint32_t per_second_;  ///< for one worker; 0: unlimited
    uint64_t begin_ns_ = 0;      ///< start, by the wall clock
    uint64_t begin_tsc_ = 0;     ///< the TSC at that time
    std::vector<std::unique_ptr<Lane>> lanes_;
};

/// The most probes at once.
inline constexpr size_t kMaxProbes = 4;

/// The active probes. Immutable.
struct ProbeSet {
    std::array<Probe*, kMaxProbes> probes{};
    size_t count = 0;
};

}  // namespace podlane::dataplane
