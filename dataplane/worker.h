// A worker: the thread that moves packets. Run to completion, no locks, one snapshot a turn.
#pragma once

#include <array>
#include <cstdint>
#include <memory>

#include "dataplane/ports/tap_io.h"
#include "dataplane/shared.h"
#include "dataplane/slowpath/fragments.h"
#include "dataplane/slowpath/purge.h"
#include "dataplane/worker_ctx.h"

namespace podlane::dataplane {

/// Threads: constructed and destroyed by control; run() on the worker's own thread; watch() and
/// unwatch() by control at any time.
class Worker {
  public:
    Worker(Shared& shared, unsigned id);
    ~Worker();
    Worker(const Worker&) = delete;
    Worker& operator=(const Worker&) = delete;

    /// Waits for shared.begun, then alternates turns and sleeps until shared.stop.
    void run() noexcept;
    /// One round over everything that can bring work; returns the number of packets and commands.
    /// The worker must be online in the domain.
    unsigned turn() noexcept;

    /// Adds a descriptor to those that the worker polls or sleeps on; `port` is returned when it is
    /// ready.
    [[nodiscard]] bool watch(int fd, PortId port) noexcept;
    void unwatch(int fd) noexcept;

    /// Where the worker is now; any thread.
    [[nodiscard]] const Place& place() const noexcept { return ctx_.place; }

  private:
    struct PolledQueue {
        PortId id;
        uint16_t ethdev;
        uint16_t queue;
        RateMeter* limit;    ///< as Port::from_limit
        bool found = false;  ///< frames came since it was last armed
    };

    /// Until control says so.
    void wait_to_begin() noexcept;
    void begin_turn() noexcept;
    void refresh_ports() noexcept;
    unsigned poll_devices() noexcept;
    unsigned poll_taps() noexcept;
    unsigned receive_tap(PortId id) noexcept;
    unsigned run_commands() noexcept;
    /// Sends, or processes, frames that other workers handed over; returns their number.
    unsigned drain_handoff() noexcept;
    void serve_fragments() noexcept;
    /// Runs a packet once more; it is not counted as received again.
    void run_again(rte_mbuf* mbuf, PortId in_port, uint8_t flags) noexcept;
    void release_held() noexcept;
    /// `limit`: as Port::from_limit.
    void process(rte_mbuf** frames, unsigned count, PortId port, RateMeter* limit) noexcept;
    /// Drops what is beyond the limit; how many stay.
    unsigned drop_excess(RateMeter& limit, rte_mbuf** frames, unsigned count, PortId port) noexcept;
    /// `again`: probes have recorded the packets as received already.
    template <class Stages>
    void run_stages(Burst burst, bool again) noexcept;
    template <class Stages>
    void run_observed(Burst burst, bool again) noexcept;
    void drop_held(Packet& packet) noexcept;
    /// Runs a burst of packets that Defer put aside; returns their number.
    unsigned run_deferred() noexcept;
    void account(uint64_t turn_start, unsigned moved) noexcept;
    void sleep() noexcept;
    void arm_wakes() noexcept;
    /// `judge`: a turn has passed since the sleep, and no port has gone.
    void disarm_wakes(bool judge) noexcept;
    /// From now on the queue is polled often instead.
    void do_without_wake(const PolledQueue& queue) noexcept;
    [[nodiscard]] bool work_waits() noexcept;

    Shared& shared_;
    TapIo tap_io_;
    WorkerCtx ctx_;
    std::unique_ptr<Fragments> fragments_;
    Purge purge_;
    int epoll_fd_ = -1;
    uint64_t turn_tsc_ = 0;
    uint32_t ports_version_ = 0;
    unsigned polled_count_ = 0;
    std::array<PolledQueue, 32> polled_{};
    bool all_wake_ = true;  ///< every polled device can wake this worker
    bool armed_ = false;    ///< the devices' wake-ups are on
    bool slept_ = false;    ///< has slept since they were armed
    unsigned idle_turns_ = 0;
    uint64_t taps_tsc_ = 0;  ///< when TAPs were polled last
    bool snapshot_changed_ = false;
};

}  // namespace podlane::dataplane
