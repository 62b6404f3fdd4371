// Everything a stage may use: one object for each worker, passed to every stage by reference.
#pragma once

#include <rte_mempool.h>

#include <array>
#include <cstdint>
#include <type_traits>

#include "dataplane/clock.h"
#include "dataplane/doorbell.h"
#include "dataplane/flow_targets.h"
#include "dataplane/handoff.h"
#include "dataplane/packet.h"
#include "dataplane/place.h"
#include "dataplane/port_budgets.h"
#include "dataplane/ports/port.h"
#include "dataplane/ports/tx_buffers.h"
#include "dataplane/slowpath/flow_plans.h"
#include "dataplane/slowpath/hold.h"
#include "lib/base/spsc_ring.h"
#include "lib/border/events.h"
#include "lib/flow/table.h"
#include "lib/lb/affinity.h"
#include "lib/model/snapshot.h"
#include "lib/telemetry/counters.h"
#include "lib/telemetry/peer_counts.h"

namespace podlane::dataplane {

class FlowRecorder;
class Fragments;
class ProbeObserver;
struct ProbeSet;
class TapIo;

inline constexpr size_t kEventSlots = 1024;
using EventRing = SpscRing<Event, kEventSlots>;
using CommandRing = SpscRing<Command, 1024>;

/// A worker's state. Threads: its own worker only, except for the members that say otherwise.
struct alignas(kCacheLine) WorkerCtx {
    unsigned id = 0;
    uint32_t now_s = 0;   ///< seconds of the boot clock, at the beginning of this turn
    uint64_t now_ms = 0;  ///< its milliseconds, likewise
    uint64_t tsc = 0;     ///< when the clock was last read
    Clock clock{};
    const Snapshot* snapshot = nullptr;  ///< this turn's
    const ProbeSet* probes = nullptr;    ///< this turn's; null: no probes
    ProbeObserver* observer = nullptr;   ///< of the present burst, if probes are on
    uint64_t observed = 0;               ///< packets that probes were shown
    const Packet* being_cut = nullptr;   ///< by cut(): the packet that the pieces are from
    WorkerCounters* counters = nullptr;
    FlowTable<V4>* flows_v4 = nullptr;
    FlowTable<V6>* flows_v6 = nullptr;
    AffinityTables* affinity = nullptr;
    rte_mempool* pool = nullptr;
    rte_mempool* large_pool = nullptr;  ///< may be null: then `pool` is used
    const PortTable* ports = nullptr;
    FlowTargets* flow_targets = nullptr;
    HandoffRings* handoff = nullptr;
    Fragments* fragments = nullptr;
    FlowRecorder* recorder = nullptr;
    TapIo* tap_io = nullptr;
    Doorbell* doorbells = nullptr;         ///< of all workers, by id
    Doorbell* control_doorbell = nullptr;  ///< rung after an event was pushed
    EventRing* events = nullptr;
    uint64_t random = 0x9e3779b97f4a7c15u;  ///< state of next_random()
    PeerCounts::Row* peers = nullptr;  ///< this turn's, to count other Nodes' traffic; null: not

    uint16_t outer_id = 0;        ///< identification of the next tunnelled IPv4 packet
    bool counts_traffic = false;  ///< the flow tables count packets and bytes
    bool slow_waits = false;      ///< Lookup leaves packets of this burst to the slow path
    bool all_taken_out = false;   ///< Parse has taken all of this burst out of the tunnel
    bool none_to_join = false;    ///< and none of it is TCP
    bool all_bridged = false;  ///< Lookup leaves nothing of this burst to Forward, which clears it

    uint64_t held_until_ms = 0;  ///< deadline of the packet being run again (kHeldBefore)

    /// Neighbours asked for lately, so that a burst asks only once.
    struct Asked {
        RawAddress address;
        PortId port = kNoPort;
        uint64_t until_ms = 0;
    };
    std::array<Asked, 64> asked{};

    uint64_t port_search_ms = 0;  ///< the earliest next search after one that failed

    /// Tokens for ICMP errors, RFC 1812 section 4.3.2.8; see may_notify().
    uint32_t notice_tokens = kNoticeBurst;
    uint64_t notice_ms = 0;
    static constexpr uint32_t kNoticeBurst = 100;

    PortBudgets budgets{};

    Place place{};  ///< any thread reads it

    std::array<Packet, kBurst> packets{};
    FlowPlans<V4> plans_v4{};
    FlowPlans<V6> plans_v6{};
    TxBuffers tx{};
    HoldQueue hold{};

    template <Family F>
    [[nodiscard]] FlowTable<F>& flows() noexcept {
        if constexpr (std::same_as<F, V4>) {
            return *flows_v4;
        } else {
            return *flows_v6;
        }
    }
    template <Family F>
    [[nodiscard]] FlowPlans<F>& plans() noexcept {
        if constexpr (std::same_as<F, V4>) {
            return plans_v4;
        } else {
            return plans_v6;
        }
    }
    /// xorshift64*: good enough for choosing source ports.
    [[nodiscard]] uint32_t next_random() noexcept {
        random ^= random >> 12;
        random ^= random << 25;
        random ^= random >> 27;
        return static_cast<uint32_t>((random * 0x2545f4914f6cdd1du) >> 32);
    }
    /// Allows one ICMP error a millisecond in the long run and kNoticeBurst at once, of which one
    /// port's packets get at most half.
    [[nodiscard]] bool may_notify(PortId port) noexcept {
        if (!budgets.of(port).notices.take(now_ms, 1, PortBudgets::kNotices)) return false;
        const uint64_t fresh = notice_tokens + (now_ms - notice_ms);
        notice_ms = now_ms;
        notice_tokens = static_cast<uint32_t>(fresh < kNoticeBurst ? fresh : kNoticeBurst);
        if (notice_tokens == 0) return false;
        --notice_tokens;
        return true;
    }
    /// Sends control an event. It is lost if the ring is full; the next packet causes it again.
    void tell(const Event& event) noexcept {
        if (events->push(event)) control_doorbell->ring();
    }
};

}  // namespace podlane::dataplane
