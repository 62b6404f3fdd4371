#include "dataplane/stages/lookup.h"

#include <array>
#include <span>

#include "dataplane/guard.h"
#include "dataplane/large_frames.h"
#include "dataplane/offer.h"
#include "dataplane/stages/bridge.h"
#include "dataplane/stages/parse.h"
#include "lib/decide/decide.h"

namespace podlane::dataplane {

namespace {

/// What flows are checked against: the parts of a snapshot that the loop over a burst keeps at
/// hand.
struct FlowValidity {
    uint64_t topology;  ///< Hop::condition() of the epochs
    uint64_t isolated;
    CowArray<Adjacency>::View adjacencies;
    CowArray<uint32_t, 1024>::View service_epochs;
    uint32_t now_s;

    explicit FlowValidity(const WorkerCtx& ctx) noexcept
        : topology(Hop::condition(ctx.snapshot->topology_epoch)),
          isolated(Hop::condition(ctx.snapshot->isolated_epoch)),
          adjacencies(ctx.snapshot->adjacencies.view()),
          service_epochs(ctx.snapshot->service_epochs.view()),
          now_s(ctx.now_s) {}
};

/// See check_flow(). Inlined, because every packet passes here.
template <Family F>
[[nodiscard, gnu::always_inline]] inline SlowReason judge_flow(WorkerCtx& ctx, FlowTable<F>& table,
                                                               const FlowValidity& validity,
                                                               Packet& packet,
                                                               FlowEntry<F>& entry) noexcept {
    prefetch_rewrite(entry);
    const uint8_t flags = entry.flags;
    const uint64_t hop = entry.hop.load(std::memory_order_relaxed);
    // The epoch and, in the same word, the flow's ingress.
    const uint64_t condition = Hop::condition_of(hop) ^ packet.ingress;
    if (condition != validity.topology && condition != validity.isolated) [[unlikely]] {
        return SlowReason::kReroute;
    }
    if ((flags & kEntryCheckService) != 0 &&
        entry.service_epoch.load(std::memory_order_relaxed) !=
            validity.service_epochs[entry.service_id.load(std::memory_order_relaxed)])
        [[unlikely]] {
        return SlowReason::kServiceChange;
    }
    // The adjacency 0, of a hop that is not resolved yet, is kNone.
    const Adjacency& adjacency = validity.adjacencies[Hop::unpacked(hop).adjacency];
    packet.adjacency = &adjacency;
    if (!adjacency.is_passable()) [[unlikely]] {
        return adjacency.kind == AdjacencyKind::kNone ? SlowReason::kReroute
                                                      : SlowReason::kUnresolved;
    }
    if (packet.headers.l3_bytes > adjacency.mtu) [[unlikely]] {
        if (!fits_in_pieces(packet, adjacency.mtu)) return SlowReason::kTooBig;
    }
    if (ttl_ends((flags & kRewriteDecrementTtl) != 0, ttl_of<F>(packet))) [[unlikely]] {
        return SlowReason::kTtl;
    }
    if (entry.needs_state(packet.headers.tcp_flags)) [[unlikely]] {
        const auto direction = entry.direction();
        const Noted noted =
            connection_of(entry).note_packet(direction, packet.headers.tcp_flags, table.timeouts());
        if (noted == Noted::kReplaced) return SlowReason::kReplace;
        if (noted == Noted::kShorterTimeout) {
            table.reschedule(connection_of(entry), validity.now_s);
        }
        if (!can_change_state(packet.headers.tcp_flags)) offer_flow(ctx, entry);
    }
    entry.touch(validity.now_s);
    return SlowReason::kNone;
}

/// Out of line, so that the loop over packets that hit stays small.
[[gnu::noinline]] void miss(WorkerCtx& ctx, Packet& packet) noexcept {
    if (const Drop drop = judge_sender(ctx, packet); drop != Drop::kNone) {
        packet.drop(drop);
        return;
    }
    if (!packet.is(kToRouter)) {
        bridge(ctx, packet);
        if (!needs_flow(ctx, packet)) return;
    }
    leave_to_slow_path(ctx, packet, SlowReason::kMiss);
}

/// The packets of one family in a burst.
template <Family F>
struct Batch {
    std::array<FlowKey<F>, kBurst> keys;
    std::array<const Bucket*, kBurst> buckets;
    std::array<Packet*, kBurst> packets;
    unsigned count = 0;

    /// The first of the look-up's three steps.
    [[gnu::always_inline]] void add(const FlowTable<F>& table, Packet& packet) noexcept {
        const unsigned at = count++;
        keys[at] = flow_key<F>(packet.frame, packet.headers);
        packet.hash = table.hash(keys[at]);
        buckets[at] = &table.prefetch(packet.hash);
        packets[at] = &packet;
    }
};

/// The other two steps, and what becomes of the packets.
template <Family F>
[[gnu::noinline]] void look_up(WorkerCtx& ctx, const Batch<F>& batch) noexcept {
    FlowTable<F>& table = ctx.flows<F>();
    const std::span packets(batch.packets.data(), batch.count);
    const Bucket* const* bucket = batch.buckets.data();
    for (Packet* packet : packets) packet->entry = table.candidate(**bucket++, packet->hash);
    const FlowValidity validity(ctx);
    const FlowKey<F>* key = batch.keys.data();
    for (Packet* each : packets) {
        Packet& packet = *each;
        FlowEntry<F>* const entry =
            table.confirm(*key++, packet.hash, static_cast<FlowEntry<F>*>(packet.entry));
        packet.entry = entry;
        if (entry == nullptr) [[unlikely]] {
            miss(ctx, packet);
            continue;
        }
        const SlowReason reason = judge_flow(ctx, table, validity, packet, *entry);
        if (reason == SlowReason::kNone) [[likely]] {
            forward(ctx, packet, entry->rewrite_flags());
        } else {
            leave_to_slow_path(ctx, packet, reason);
        }
    }
}

}  // namespace

template <Family F>
SlowReason check_flow(WorkerCtx& ctx, Packet& packet, FlowEntry<F>& entry) noexcept {
    return judge_flow(ctx, ctx.flows<F>(), FlowValidity(ctx), packet, entry);
}

template SlowReason check_flow<V4>(WorkerCtx&, Packet&, FlowEntry<V4>&) noexcept;
template SlowReason check_flow<V6>(WorkerCtx&, Packet&, FlowEntry<V6>&) noexcept;

namespace {

/// For a frame that was to be bridged without parsing, but leads to an isolated pod: it is parsed
/// after all, because policies ask about connections.
[[gnu::noinline]] void parse_after_all(WorkerCtx& ctx, Packet& packet) noexcept {
    Ingress ingress = ingress_of(ctx, packet.in_port);
    ingress.plain_bridge = false;
    parse_packet(ingress, packet);
}

}  // namespace

void Lookup::run(WorkerCtx& ctx, Burst burst) noexcept {
    ctx.slow_waits = false;
    if (burst.empty()) return;
    Batch<V4> v4;
    Batch<V6> v6;
    const FlowTable<V4>& table_v4 = *ctx.flows_v4;
    const FlowTable<V6>& table_v6 = *ctx.flows_v6;
    const Snapshot& snapshot = *ctx.snapshot;
    const uint64_t peer = snapshot.port(burst.front().in_port).peer_mac.as_u64();
    const bool has_policies = snapshot.has_policies();
    unsigned others = 0;  // neither bridged nor looked up
    for (Packet& packet : burst) {
        if (packet.verdict == Verdict::kBridge) {
            bridge_from(ctx, peer, *snapshot.fdb, packet);
            if (!has_policies || !is_isolated(ctx, packet)) [[likely]]
                continue;
            parse_after_all(ctx, packet);
        }
        if (packet.verdict != Verdict::kLookUp) {
            ctx.slow_waits |= packet.verdict == Verdict::kSlow;
            ++others;
            continue;
        }
        if (packet.headers.ip_version == V4::kVersion) {
            v4.add(table_v4, packet);
        } else {
            v6.add(table_v6, packet);
        }
    }
    if (v4.count > 0) look_up(ctx, v4);
    if (v6.count > 0) look_up(ctx, v6);
    ctx.all_bridged = v4.count + v6.count == 0 && !ctx.slow_waits;
    ctx.counters->at(PipelineStage::kLookup).in.add(burst.size() - others);
}

static_assert(Stage<Lookup>);

}  // namespace podlane::dataplane
