// What a worker runs the pipeline with while a probe is on: it looks at packets between the stages
// and writes down those that a probe wants.
//
// Made on the worker's stack for one burst (worker.cc). It changes no packet, allocates nothing and
// waits for nobody; what a ring has no room for is counted and left out.
#pragma once

#include <array>
#include <concepts>
#include <cstdint>
#include <functional>
#include <span>

#include "dataplane/probe/probe.h"
#include "dataplane/slowpath/slow_path.h"
#include "dataplane/stages/decap.h"
#include "dataplane/stages/forward.h"
#include "dataplane/stages/lookup.h"
#include "dataplane/stages/parse.h"
#include "dataplane/stages/tx.h"
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
    template <class Stage>
    void after(std::span<const Packet> burst) noexcept {
        constexpr bool kTunnelsEnd = std::same_as<Stage, Parse> || std::same_as<Stage, Decap>;
        if constexpr (std::same_as<Stage, Lookup>) note_decisions(burst);
        if constexpr (std::same_as<Stage, SlowPath>) {
            if (ctx_.slow_waits) note_decisions(burst);
        }
        if constexpr (std::same_as<Stage, Decap>) all_inside(burst);
        if constexpr (std::same_as<Stage, Forward>) end_captures(burst);
        if (has_trace_) trace_all(Stage::kName, std::same_as<Stage, Tx>, kTunnelsEnd, burst);
    }

    /// A packet that never was in a burst: made by the slow path, or dropped outside of the
    /// pipeline. Its verdict is kSend or kDrop.
    void single(const Packet& packet) noexcept;
    /// Frames that were for `port` and got lost before it.
    void lost(PortId port, std::span<rte_mbuf* const> frames, Drop reason) noexcept;
    /// Whether this one is of the burst.
    [[nodiscard]] bool has(const Packet& packet) const noexcept {
        return std::less_equal<>{}(burst_begin_, &packet) &&
               std::less<>{}(&packet, burst_begin_ + burst_);
    }
    /// What was cut of ctx.being_cut, which is one of the burst.
    void piece(const Packet& piece) noexcept;

  private:
    /// What one probe knows of the burst.
    struct View {
        Probe* probe;
        uint64_t has_last;  ///< a bit for each packet that has a record in `last`
        uint64_t followed;  ///< a trace: of each packet that is still being followed
        /// Of each packet: a capture's record at kProbeIn, a trace's last one.
        std::array<RecordHeader*, kBurst> last;
    };

    void note_decisions(std::span<const Packet> burst) noexcept;
    void begin_capture(View& view, std::span<const Packet> burst) noexcept;
    void all_inside(std::span<const Packet> burst) noexcept;
    void inside(View& view, std::span<const Packet> burst) noexcept;
    void end_captures(std::span<const Packet> burst) noexcept;
    void end_capture(View& view, std::span<const Packet> burst) noexcept;
    void end_packet(View& view, const Packet& packet, size_t index) noexcept;
    void leaves(View& view, const Packet& packet, size_t index) noexcept;
    void follow(View& view, std::span<const Packet> burst, bool with_inner) noexcept;
    void trace_all(const char* stage, bool is_last, bool tunnels_end,
                   std::span<const Packet> burst) noexcept;
    void trace(View& view, const char* stage, bool is_last, std::span<const Packet> burst,
               uint64_t cycles) noexcept;
    /// A trace's record without the frame, which is not to be looked at any more.
    RecordHeader* write_end(View& view, const Packet& packet, size_t index) noexcept;
    /// A trace of packets that are dropped for one reason: the others' records are not shown.
    static void leave_out_others(View& view, std::span<const Packet> burst) noexcept;
    /// A record with the frame, the first `skip` bytes left out; null without room, or where the
    /// filter does not fit.
    RecordHeader* write(View& view, const Packet& packet, size_t index, uint8_t point,
                        size_t skip) noexcept;
    void fill(RecordHeader& record, const Packet& packet, size_t index) const noexcept;
    /// Whether Tx will cut it: its pieces are what leaves.
    [[nodiscard]] bool is_cut(const Packet& packet) const noexcept;

    WorkerCtx& ctx_;
    const size_t count_;
    const bool again_;
    bool has_trace_ = false, has_inside_ = false;
    const Packet* burst_begin_ = nullptr;
    uint64_t stage_began_ = 0;
    uint64_t first_number_ = 0;  ///< of the burst's first packet
    uint64_t has_flow_ = 0;      ///< a bit for each packet whose entry is known
    uint16_t burst_ = 0;
    std::array<SlowReason, kBurst> slow_{};
    std::array<View, kMaxProbes> views_;
};

/// For what goes other ways than through the pipeline; `ctx.probes` is not null for any of these.
void observe_single(WorkerCtx& ctx, const Packet& packet) noexcept;
void observe_lost(WorkerCtx& ctx, PortId port, std::span<rte_mbuf* const> frames,
                  Drop reason) noexcept;
void observe_piece(WorkerCtx& ctx, const Packet& piece) noexcept;

}  // namespace podlane::dataplane
