// A probe as workers run it: its filter, its bounds, a ring of records for each worker.
//
// Made and read by control (probes.h); workers find those that are on in WorkerCtx::probes.
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

/// What stands before a frame in the ring.
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
    RecordHeader* before;  ///< of the same packet and burst; the worker's own
    bool is_void;          ///< to be passed over
    bool has_flow;
    RecordedFlow flow, reply;
};

/// Threads: the request is constant; a lane's ring as RecordRing, the rest of it its worker's own.
class Probe {
  public:
    struct alignas(kCacheLine) Lane {
        explicit Lane(size_t ring_bytes) : ring(ring_bytes) {}
        RecordRing<RecordHeader> ring;
        Counter missed;
        unsigned observers = 0;  ///< that write into the ring now: the last one commits
        uint32_t fitting = 0;    ///< packets since one was seen
        uint32_t tokens = 0;     ///< packets that may still be seen in this second
        uint64_t second = 0;     ///< which one that is
    };

    /// Fails for a filter that is no valid program.
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
    /// Whether a frame passes the filter, by its first buffer. `wire_bytes`: its whole length.
    [[nodiscard]] bool matches(std::span<const uint8_t> head, uint32_t wire_bytes) const noexcept {
        return request_.filter.empty() || (gist_.may_pass(head) && runs(head, wire_bytes));
    }
    /// Whether one more packet may be seen; counted if not.
    [[nodiscard]] bool may_see(unsigned worker, uint64_t now_ms) noexcept;
    [[nodiscard]] Lane& lane(unsigned worker) noexcept { return *lanes_[worker]; }

    /// Moves what is there to `out`, about `most_bytes` of it.
    void read(const Clock& clock, size_t most_bytes, ProbeBatch& out);

  private:
    Probe(ProbeRequest request, unsigned workers);
    /// The filter's program.
    [[nodiscard]] bool runs(std::span<const uint8_t> head, uint32_t wire_bytes) const noexcept;

    const ProbeRequest request_;
    const FilterGist gist_;
    const uint32_t per_second_;  ///< of one worker; 0: without a bound
    uint64_t begin_ns_ = 0;      ///< of the wall clock
    uint64_t begin_tsc_ = 0;     ///< at that time
    std::vector<std::unique_ptr<Lane>> lanes_;
};

/// Probes at once, at most.
inline constexpr size_t kMaxProbes = 4;

/// Those that are on. Immutable.
struct ProbeSet {
    std::array<Probe*, kMaxProbes> probes{};
    size_t count = 0;
};

}  // namespace podlane::dataplane
