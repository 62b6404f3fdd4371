// Runs with the pipeline while a probe is on: it looks at packets between the stages and records
// those that a probe wants.
//
// Made on the worker's stack for one burst (worker.cc). It changes no packet, allocates nothing and
// never waits; a packet that a ring has no room for is counted and left out.
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
    /// `again`: the packets have been recorded as received already.
    ProbeObserver(WorkerCtx& ctx, const ProbeSet& probes, bool again) noexcept;
    ~ProbeObserver();
    ProbeObserver(const ProbeObserver&) = delete;
    ProbeObserver& operator=(const ProbeObserver&) = delete;

    void begin(std::span<const Packet> burst) noexcept;
    template <class Stage>
    void after(std::span<const Packet> burst) noexcept {
        constexpr bool kTunnelsEnd = std::same_as<Stage, Parse> || std::same_as<Stage, Decap>;
        if constexpr (std::same_as<Stage, Lookup>) {
            if (ctx_.slow_waits) note_slow(burst);
        }
        if constexpr (std::same_as<Stage, Decap>) all_inside(burst);
        if constexpr (std::same_as<Stage, Forward>) end_captures(burst);
        if (has_trace_) trace_all(Stage::kName, std::same_as<Stage, Tx>, kTunnelsEnd, burst);
    }

    /// A packet that was never in a burst: made by the slow path, or dropped outside the pipeline.
    /// Its verdict is kSend or kDrop.
    void single(const Packet& packet) noexcept;
    /// Frames for `port` that were lost before they reached it.
    void lost(PortId port, std::span<rte_mbuf* const> frames, Drop reason) noexcept;
    /// Whether the packet is in the burst.
    [[nodiscard]] bool has(const Packet& packet) const noexcept {
        return std::less_equal<>{}(burst_begin_, &packet) &&
               std::less<>{}(&packet, burst_begin_ + burst_);
    }
    /// A piece cut from ctx.being_cut, which is in the burst.
    void piece(const Packet& piece) noexcept;

  private:
    /// One probe's view of the burst.
    struct View {
        Probe* probe;
        uint64_t has_last;  ///< a bit for each packet that has a record in `last`
        uint64_t followed;  ///< traces: a bit for each packet still followed
        /// By packet: a capture's record at kProbeIn, or a trace's latest one.
        std::array<RecordHeader*, kBurst> last;
    };

    /// Notes why packets go to the slow path.
    void note_slow(std::span<const Packet> burst) noexcept;
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
    /// Ends a trace without the frame, which must not be looked at any more.
    RecordHeader* write_end(View& view, const Packet& packet, size_t index) noexcept;
    /// For a trace of packets that are dropped for one reason: hides the other packets' records.
    static void leave_out_others(View& view, std::span<const Packet> burst) noexcept;
    /// A record with the frame but its first `skip` bytes; null without room, or if the filter does
    /// not match.
    RecordHeader* write(View& view, const Packet& packet, size_t index, uint8_t point,
                        size_t skip) noexcept;
    void fill(RecordHeader& record, const Packet& packet, size_t index) const noexcept;
    /// Whether Tx will cut the packet: then its pieces are what leaves.
    [[nodiscard]] bool is_cut(const Packet& packet) const noexcept;

    WorkerCtx& ctx_;
    const size_t count_;
    const bool again_;
    bool has_trace_ = false, has_inside_ = false;
    bool may_be_tunnelled_ = false;
    bool follows_ = false;  ///< a trace follows a packet of the burst
    const Packet* burst_begin_ = nullptr;
    uint64_t stage_began_ = 0;
    uint64_t first_number_ = 0;  ///< number of the burst's first packet
    uint16_t burst_ = 0;
    std::array<SlowReason, kBurst> slow_{};
    std::array<View, kMaxProbes> views_;
};

/// For packets outside the pipeline. `ctx.probes` must not be null.
void observe_single(WorkerCtx& ctx, const Packet& packet) noexcept;
void observe_lost(WorkerCtx& ctx, PortId port, std::span<rte_mbuf* const> frames,
                  Drop reason) noexcept;
void observe_piece(WorkerCtx& ctx, const Packet& piece) noexcept;

}  // namespace podlane::dataplane
