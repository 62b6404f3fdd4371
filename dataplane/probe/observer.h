// What a worker runs the pipeline with while a probe is on: it looks at packets between the stages
// and writes down those that a probe wants.
//
// Made on the worker's stack for one burst (worker.cc). It changes no packet, allocates nothing and
// waits for nobody; what a ring has no room for is counted and left out.
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "dataplane/probe/probe.h"
#include "dataplane/worker_ctx.h"

namespace podlane::dataplane {

class ProbeObserver {
  public:
    /// `again`: packets that have been seen to come in already.
    ProbeObserver(WorkerCtx& ctx, const ProbeSet& probes, bool again) noexcept;
    ~ProbeObserver();
    ProbeObserver(const ProbeObserver&) = delete;
    ProbeObserver& operator=(const ProbeObserver&) = delete;

    void begin(std::span<const Packet> burst) noexcept;
    void after(const char* stage, std::span<const Packet> burst) noexcept;
    /// A packet that never was in a burst: made by the slow path, or dropped outside of the
    /// pipeline. Its verdict is kSend or kDrop.
    void single(const Packet& packet) noexcept;

  private:
    /// What one probe knows of the burst.
    struct View {
        Probe* probe = nullptr;
        uint64_t followed = 0;  ///< a trace: a bit for each packet that is being followed
        /// Of each packet: a capture's record at kProbeIn, a trace's last one.
        std::array<RecordHeader*, kBurst> last{};
    };

    void begin_capture(View& view, std::span<const Packet> burst) noexcept;
    void end_capture(View& view, std::span<const Packet> burst) noexcept;
    void inside(View& view, std::span<const Packet> burst) noexcept;
    void follow(View& view, std::span<const Packet> burst, bool with_inner) noexcept;
    void trace(View& view, const char* stage, std::span<const Packet> burst,
               uint64_t cycles) noexcept;
    /// A trace of packets that are dropped for one reason: the others' records are not shown.
    static void leave_out_others(View& view, std::span<const Packet> burst) noexcept;
    /// A record with the frame, the first `skip` bytes left out; null without room, or where the
    /// filter does not fit.
    RecordHeader* write(View& view, const Packet& packet, size_t index, uint8_t point,
                        size_t skip) noexcept;
    void fill(RecordHeader& record, const Packet& packet, size_t index) const noexcept;

    WorkerCtx& ctx_;
    const size_t count_;
    const bool again_;
    uint64_t stage_began_ = 0;
    uint64_t first_number_ = 0;  ///< of the burst's first packet
    uint64_t has_flow_ = 0;      ///< a bit for each packet whose entry is known
    uint16_t burst_ = 0;
    std::array<SlowReason, kBurst> slow_{};
    std::array<View, kMaxProbes> views_{};
};

/// For what goes other ways than through the pipeline; `ctx.probes` is not null.
void observe_single(WorkerCtx& ctx, const Packet& packet) noexcept;

}  // namespace podlane::dataplane
