#include "dataplane/worker.h"

#include <rte_cycles.h>
#include <rte_ethdev.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <memory>

#include "dataplane/pipeline.h"
#include "dataplane/probe/observer.h"
#include "dataplane/rate_meter.h"

namespace podlane::dataplane {

namespace {

/// Empty turns before a worker sleeps. A turn without traffic takes about a microsecond.
constexpr unsigned kTurnsBeforeSleep = 64;
/// How often TAPs are polled while devices have traffic: one system call for all of them.
constexpr uint64_t kTapIntervalsPerMs = 50;
/// Full bursts that are taken from one queue before the next queue's turn.
constexpr unsigned kCrowdedRounds = 8;
/// Blocks of the flow table that are aged in one turn: many times what a burst of new connections
/// adds, so that a pass always ends.
constexpr unsigned kSweepBudget = 16 * kBurst;
/// Sleep with nothing to wait for but the clock (ageing).
constexpr long kLongSleepNs = 250'000'000;
/// Sleep if a device cannot wake the worker: it is polled 10,000 times a second.
constexpr long kShortSleepNs = 100'000;
/// Sleep while packets wait for a neighbour.
constexpr long kHoldSleepNs = 20'000'000;

/// Bytes from one TAP that are sent at once, not at the end of the turn: large frames.
constexpr uint32_t kManyBytes = 64 * 1024;

constexpr uint64_t kDoorbellMark = ~uint64_t{0};
constexpr uint64_t kNoMark = index_of(kNoPort);

}  // namespace

Worker::Worker(Shared& shared, unsigned id)
    : shared_(shared), fragments_(std::make_unique<Fragments>(*shared.counters[id])) {
    ctx_.id = id;
    ctx_.counters = shared.counters[id].get();
    ctx_.flows_v4 = shared.flows_v4.get();
    ctx_.flows_v6 = shared.flows_v6.get();
    ctx_.counts_traffic = ctx_.flows_v4->counts_traffic();
    ctx_.affinity = shared.affinity.get();
    ctx_.pool = shared.pool;
    ctx_.large_pool = shared.large_pool;
    ctx_.tap_io = &tap_io_;
    ctx_.ports = &shared.ports;
    ctx_.flow_targets = &shared.flow_targets;
    ctx_.handoff = &shared.handoff;
    ctx_.fragments = fragments_.get();
    ctx_.recorder = &shared.recorder;
    ctx_.doorbells = shared.doorbells.data();
    ctx_.control_doorbell = &shared.control_doorbell;
    ctx_.events = shared.events[id].get();
    ctx_.random ^= rte_rdtsc() + id;
    ctx_.outer_id = static_cast<uint16_t>(ctx_.next_random());
    ctx_.clock = shared.clock;
    epoll_fd_ = epoll_create1(EPOLL_CLOEXEC);
    shared.doorbells[id].fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.u64 = kDoorbellMark;
    epoll_ctl(epoll_fd_, EPOLL_CTL_ADD, shared.doorbells[id].fd, &event);
}

Worker::~Worker() {
    // The thread has ended: the packets that it still held go back to the pool.
    Handoff item;
    while (deferred(ctx_).pop(item)) rte_pktmbuf_free(item.mbuf);
    const auto held = std::make_unique<std::array<HeldPacket, HoldQueue::kSlots>>();
    const unsigned count = ctx_.hold.take_all(held->data());
    for (unsigned i = 0; i < count; ++i) rte_pktmbuf_free((*held)[i].mbuf);
    close(epoll_fd_);
    close(shared_.doorbells[ctx_.id].fd);
}

bool Worker::watch(int fd, PortId port) noexcept {
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.u64 = index_of(port);
    return epoll_ctl(epoll_fd_, EPOLL_CTL_ADD, fd, &event) == 0;
}

void Worker::unwatch(int fd) noexcept {
    epoll_ctl(epoll_fd_, EPOLL_CTL_DEL, fd, nullptr);
}

void Worker::run() noexcept {
    wait_to_begin();
    shared_.domain.online(ctx_.id);
    while (!shared_.stop.load(std::memory_order_relaxed)) {
        if (!shared_.begun.load(std::memory_order_relaxed)) [[unlikely]] {
            shared_.domain.offline(ctx_.id);
            wait_to_begin();
            shared_.domain.online(ctx_.id);
            continue;
        }
        turn();
        if (armed_) disarm_wakes(true);
        if (shared_.idle == IdleMode::kAdaptive && idle_turns_ > kTurnsBeforeSleep) sleep();
    }
    shared_.domain.offline(ctx_.id);
    shared_.running.fetch_sub(1, std::memory_order_release);  // pairs with wait_for_end()
}

void Worker::wait_to_begin() noexcept {
    ctx_.place.at("rest");
    // Pairs with Runtime::rest(): what this worker has written is seen by whoever knows it rests.
    shared_.resting.fetch_add(1, std::memory_order_release);
    shared_.begun.wait(false, std::memory_order_acquire);  // pairs with Runtime::begin()
    shared_.resting.fetch_sub(1, std::memory_order_relaxed);
}

unsigned Worker::turn() noexcept {
    begin_turn();
    unsigned moved = poll_devices();
    if (moved == 0 || turn_tsc_ - taps_tsc_ >= shared_.clock.tsc_per_ms / kTapIntervalsPerMs) {
        taps_tsc_ = turn_tsc_;
        moved += poll_taps();
    }
    moved += run_deferred();
    if (shared_.workers > 1) moved += drain_handoff();
    ctx_.place.at("commands");
    if (ctx_.id == 0) moved += run_commands();
    if (fragments_->holds_any()) serve_fragments();
    if (!ctx_.hold.empty() && (snapshot_changed_ || ctx_.hold.overdue(ctx_.now_ms))) {
        release_held();
    }
    flush(ctx_);
    ctx_.place.at("ageing");
    ctx_.flows_v4->maintain(ctx_.id, ctx_.now_s);
    ctx_.flows_v6->maintain(ctx_.id, ctx_.now_s);
    const unsigned aged = ctx_.flows_v4->sweep(ctx_.id, ctx_.now_s, kSweepBudget) +
                          ctx_.flows_v6->sweep(ctx_.id, ctx_.now_s, kSweepBudget);
    ctx_.counters->holds.set(ctx_.hold.size() + fragments_->held());
    account(turn_tsc_, moved);
    idle_turns_ = moved + aged > 0 ? 0 : idle_turns_ + 1;
    return moved;
}

void Worker::begin_turn() noexcept {
    ctx_.place.begin_turn();
    shared_.domain.quiescent(ctx_.id);
    // Pairs with the store in publish().
    const Snapshot* snapshot = shared_.snapshot.load(std::memory_order_acquire);
    snapshot_changed_ = snapshot != ctx_.snapshot;
    if (snapshot_changed_) ctx_.snapshot = ctx_.place.hold(shared_.snapshot);
    // Pairs with the store in Probes::put_on().
    ctx_.probes = shared_.probes.load(std::memory_order_acquire);
    // Pairs with the store in Runtime::count_peers().
    PeerCounts* const peers = shared_.peers.load(std::memory_order_acquire);
    ctx_.peers = peers == nullptr ? nullptr : &peers->row(ctx_.id);
    turn_tsc_ = ctx_.tsc = rte_rdtsc();
    ctx_.tx.receive_at(turn_tsc_);
    ctx_.now_ms = shared_.clock.milliseconds(turn_tsc_);
    ctx_.now_s = static_cast<uint32_t>(ctx_.now_ms / 1000);
    const uint32_t version = shared_.ports.version();
    if (version != ports_version_) {
        ports_version_ = version;
        if (armed_) disarm_wakes(false);
        refresh_ports();
    }
}

void Worker::refresh_ports() noexcept {
    polled_count_ = 0;
    all_wake_ = true;
    for (size_t i = 0; i < kMaxPorts && polled_count_ < polled_.size(); ++i) {
        const Port* port = shared_.ports.get(PortId{static_cast<uint16_t>(i)});
        if (port == nullptr || port->backend != PortBackend::kEthdev) continue;
        const uint16_t queue = port->rx_queue[ctx_.id];
        if (queue == kNoQueue) continue;
        polled_[polled_count_++] = {port->id, port->ethdev, queue, port->from_limit};
        all_wake_ = all_wake_ && port->device_port->wakes(queue);
    }
}

unsigned Worker::poll_devices() noexcept {
    unsigned moved = 0;
    std::array<rte_mbuf*, kBurst> frames;
    for (unsigned i = 0; i < polled_count_; ++i) {
        PolledQueue& queue = polled_[i];
        ctx_.tx.receive_at(ctx_.tsc);
        ctx_.place.at("receive", queue.id);
        // While bursts are full, the device's ring is emptied first: new flows wait in memory
        // instead.
        unsigned count = kBurst;
        for (unsigned round = 0; round < kCrowdedRounds && count == kBurst; ++round) {
            count = rte_eth_rx_burst(queue.ethdev, queue.queue, frames.data(), kBurst);
            if (count == 0) break;
            queue.found = true;
            moved += count;
            process(frames.data(), count, queue.id, queue.limit);
        }
    }
    return moved;
}

unsigned Worker::poll_taps() noexcept {
    std::array<epoll_event, 64> ready;
    const int count = epoll_wait(epoll_fd_, ready.data(), static_cast<int>(ready.size()), 0);
    unsigned moved = 0;
    for (int i = 0; i < count; ++i) {
        const uint64_t mark = ready[static_cast<size_t>(i)].data.u64;
        if (mark == kDoorbellMark) {
            shared_.doorbells[ctx_.id].clear();
        } else if (mark != kNoMark) {
            moved += receive_tap(PortId{static_cast<uint16_t>(mark)});
        }
    }
    return moved;
}

unsigned Worker::receive_tap(PortId id) noexcept {
    const Port* port = shared_.ports.get(id);
    if (port == nullptr || port->backend != PortBackend::kTap) return 0;
    std::array<rte_mbuf*, kBurst> frames;
    ctx_.tx.receive_at(ctx_.tsc);
    ctx_.place.at("receive", id);
    const TapReceive got =
        tap_io_.receive(*port, ctx_.id, {ctx_.pool, ctx_.large_pool}, frames.data(), kBurst);
    if (got.no_mbuf) lose_unmade(ctx_);  // the frame waits in the TAP
    if (got.lost) {
        unwatch(port->tap_fds[ctx_.id]);
        ctx_.tell({EventKind::kPortLost, false, id, {}, {}});
    }
    if (got.count == 0) return 0;
    process(frames.data(), got.count, id, port->from_limit);
    // Send them while they are in the cache.
    if (got.bytes > kManyBytes) flush(ctx_);
    return got.count;
}

unsigned Worker::drop_excess(RateMeter& limit, rte_mbuf** frames, unsigned count,
                             PortId port) noexcept {
    std::array<rte_mbuf*, kBurst> refused;
    const unsigned kept = hold_to_limit(limit, ctx_.tsc, frames, count, refused.data());
    uint64_t bytes = 0;
    for (unsigned i = 0; i < count - kept; ++i) {
        bytes += refused[i]->pkt_len;
        Packet packet = make_packet(refused[i], port);
        packet.drop(Drop::kBandwidthEgress);
        drop_held(packet);
    }
    PortCounters& counters = ctx_.counters->ports[index_of(port)];
    counters.rx_packets.add(count - kept);
    counters.rx_bytes.add(bytes);
    ctx_.counters->rx_packets.add(count - kept);
    return kept;
}

void Worker::process(rte_mbuf** frames, unsigned count, PortId port, RateMeter* limit) noexcept {
    // A full burst says that more waits; what is put aside must not be overtaken by its own flow.
    const bool is_crowded = count == kBurst || ctx_.budgets.of(port).deferred > 0;
    if (limit != nullptr) [[unlikely]] {
        count = drop_excess(*limit, frames, count, port);
        if (count == 0) return;
    }
    uint64_t bytes = 0;
    for (unsigned i = 0; i < count; ++i) {
        Packet& packet = ctx_.packets[i];
        packet.mbuf = frames[i];
        packet.in_port = port;
        packet.flags = 0;
        bytes += frames[i]->pkt_len;
    }
    PortCounters& counters = ctx_.counters->ports[index_of(port)];
    counters.rx_packets.add(count);
    counters.rx_bytes.add(bytes);
    ctx_.counters->rx_packets.add(count);
    if (is_crowded) {
        run_stages<CrowdedPipeline>({ctx_.packets.data(), count}, false);
    } else {
        run_stages<Pipeline>({ctx_.packets.data(), count}, false);
    }
}

template <class Stages>
void Worker::run_stages(Burst burst, bool again) noexcept {
    if (ctx_.probes == nullptr) [[likely]] {
        Stages::run(ctx_, burst);
    } else {
        run_observed<Stages>(burst, again);
    }
}

/// Out of line, so that the path without a probe stays as fast as it was.
template <class Stages>
[[gnu::noinline]] void Worker::run_observed(Burst burst, bool again) noexcept {
    ProbeObserver observer(ctx_, *ctx_.probes, again);
    ctx_.observer = &observer;
    Stages::run(ctx_, burst, observer);
    ctx_.observer = nullptr;
}

unsigned Worker::run_deferred() noexcept {
    HandoffRing& queue = deferred(ctx_);
    unsigned done = 0;
    unsigned count = 0;
    Handoff item;
    const auto run = [&] {
        if (count > 0) run_stages<Pipeline>({ctx_.packets.data(), count}, true);
        done += count;
        count = 0;
    };
    while (done + count < kBurst && queue.pop(item)) {
        --ctx_.budgets.of(item.port).deferred;
        // All packets of a burst are from one port.
        if (count > 0 && ctx_.packets[count - 1].in_port != item.port) run();
        Packet& packet = ctx_.packets[count++];
        packet.mbuf = item.mbuf;
        packet.in_port = item.port;
        packet.flags = item.flags;
        // One whose copies are made bit by bit.
        if ((item.flags & kHeldBefore) != 0) break;
    }
    run();
    return done;
}

unsigned Worker::run_commands() noexcept {
    unsigned done = 0;
    Command command;
    for (; done < kBurst && shared_.commands.pop(command); ++done) {
        if (command.kind == CommandKind::kPurge) {
            purge_.add(command.address);
        } else {
            execute_neighbour_command(ctx_, command);
        }
    }
    return done + (purge_.step(ctx_) ? 1 : 0);
}

unsigned Worker::drain_handoff() noexcept {
    unsigned moved = 0;
    for (unsigned from = 0; from < shared_.workers; ++from) {
        if (from == ctx_.id) continue;
        HandoffRing& ring = shared_.handoff.ring(from, ctx_.id);
        Handoff item;
        for (unsigned i = 0; i < kBurst && ring.pop(item); ++i, ++moved) {
            if (item.received) {
                run_again(item.mbuf, item.port, item.flags);
            } else {
                send_frame(ctx_, item.port, item.mbuf);
            }
        }
    }
    return moved;
}

void Worker::run_again(rte_mbuf* mbuf, PortId in_port, uint8_t flags) noexcept {
    Packet& packet = ctx_.packets[0];
    packet.mbuf = mbuf;
    packet.in_port = in_port;
    packet.flags = flags;
    run_stages<Pipeline>({&packet, 1}, true);
}

void Worker::serve_fragments() noexcept {
    HeldFragment held;
    while (fragments_->take_ready(held)) {
        ctx_.packets[0].upper = held.upper;
        run_again(held.mbuf, held.in_port, static_cast<uint8_t>(held.flags | kHasUpper));
    }
    fragments_->expire(ctx_.now_ms);
}

void Worker::release_held() noexcept {
    std::array<HeldPacket, HoldQueue::kSlots> held;
    const unsigned count = ctx_.hold.take_all(held.data());
    for (unsigned i = 0; i < count; ++i) {
        Packet& packet = ctx_.packets[0];
        packet.mbuf = held[i].mbuf;
        packet.in_port = held[i].in_port;
        packet.flags = held[i].flags;
        ctx_.held_until_ms = held[i].until_ms;
        if (held[i].until_ms <= ctx_.now_ms) {
            parse_packet(ingress_of(ctx_, packet.in_port), packet);
            if (packet.headers.ip_version == 6) {
                drop_and_tell<V6>(ctx_, packet, Drop::kNeighbourUnreachable,
                                  Notice::kHostUnreachable);
            } else {
                drop_and_tell<V4>(ctx_, packet, Drop::kNeighbourUnreachable,
                                  Notice::kHostUnreachable);
            }
            drop_held(packet);
        } else if (snapshot_changed_) {
            run_stages<Pipeline>({&packet, 1}, true);
        } else if (!ctx_.hold.add(held[i])) {
            packet.drop(Drop::kNeighbourHoldFull);
            drop_held(packet);
        }
    }
}

void Worker::drop_held(Packet& packet) noexcept {
    if (ctx_.probes != nullptr) observe_single(ctx_, packet);
    Tx::run(ctx_, {&packet, 1});
}

void Worker::account(uint64_t turn_start, unsigned moved) noexcept {
    const uint64_t cycles = rte_rdtsc() - turn_start;
    (moved > 0 ? ctx_.counters->busy_cycles : ctx_.counters->idle_cycles).add(cycles);
}

bool Worker::work_waits() noexcept {
    if (ctx_.id == 0 && shared_.commands.size() > 0) return true;
    if (shared_.snapshot.load(std::memory_order_acquire) != ctx_.snapshot) return true;
    if (shared_.ports.version() != ports_version_) return true;
    for (unsigned from = 0; from < shared_.workers; ++from) {
        // The ring to itself included, which has what Defer put aside.
        if (shared_.handoff.ring(from, ctx_.id).size() > 0) return true;
    }
    return shared_.stop.load(std::memory_order_relaxed) ||
           !shared_.begun.load(std::memory_order_relaxed);
}

void Worker::arm_wakes() noexcept {
    for (unsigned i = 0; i < polled_count_; ++i) {
        PolledQueue& queue = polled_[i];
        const Port* port = shared_.ports.get(queue.id);
        if (port != nullptr && !port->device_port->arm_wake(queue.queue)) do_without_wake(queue);
    }
    armed_ = true;
    slept_ = false;
}

void Worker::disarm_wakes(bool judge) noexcept {
    armed_ = false;
    for (unsigned i = 0; i < polled_count_; ++i) {
        const PolledQueue& queue = polled_[i];
        // Ports may have been removed during the sleep.
        const Port* port = shared_.ports.get(queue.id);
        if (port == nullptr || port->device_port == nullptr) continue;
        const bool found = judge && slept_ && queue.found;
        if (!port->device_port->disarm_wake(queue.queue, found)) do_without_wake(queue);
    }
}

void Worker::do_without_wake(const PolledQueue& queue) noexcept {
    all_wake_ = false;
    unwatch(shared_.ports.get(queue.id)->device_port->wake_fd(queue.queue));
    ctx_.tell({EventKind::kWakeMissed, false, queue.id, {}, {}});
}

void Worker::sleep() noexcept {
    // idle_turns_ is not reset here, so the worker soon sleeps again unless it finds work.
    arm_wakes();
    Doorbell& doorbell = shared_.doorbells[ctx_.id];
    doorbell.arm();
    const uint64_t start = rte_rdtsc();
    // A packet that came between the last look and arming must not wait for the next one.
    if (poll_devices() == 0 && !work_waits()) {
        long ns = all_wake_ ? kLongSleepNs : kShortSleepNs;
        if (!ctx_.hold.empty()) ns = std::min(ns, kHoldSleepNs);
        const timespec timeout{0, ns};
        std::array<epoll_event, 1> ready;
        for (unsigned i = 0; i < polled_count_; ++i) polled_[i].found = false;
        // Asleep, this worker holds nothing shared, and no grace period waits for it.
        shared_.domain.offline(ctx_.id);
        ctx_.place.at("sleep");
        epoll_pwait2(epoll_fd_, ready.data(), 1, &timeout, nullptr);
        shared_.domain.online(ctx_.id);
        slept_ = true;
    }
    doorbell.disarm();
    flush(ctx_);
    ctx_.counters->idle_cycles.add(rte_rdtsc() - start);
}

}  // namespace podlane::dataplane
