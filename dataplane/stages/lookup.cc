#include "dataplane/stages/lookup.h"

#include <array>

#include "dataplane/stages/parse.h"

namespace podlane::dataplane {

namespace {

/// See check_flow(). In place, because every packet passes here.
template <Family F>
[[nodiscard, gnu::always_inline]] inline SlowReason judge_flow(FlowTable<F>& table,
                                                               const Snapshot& snapshot,
                                                               uint32_t now_s, Packet& packet,
                                                               FlowEntry<F>& entry) noexcept {
    const Hop hop = entry.current_hop();
    if (!snapshot.is_current(hop.topology_epoch) || hop.adjacency == 0) [[unlikely]] {
        return SlowReason::kReroute;
    }
    if ((entry.flags & kEntryCheckService) != 0 &&
        entry.service_epoch.load(std::memory_order_relaxed) !=
            snapshot.service_epochs[entry.service_id.load(std::memory_order_relaxed)])
        [[unlikely]] {
        return SlowReason::kServiceChange;
    }
    const Adjacency& adjacency = snapshot.adjacencies[hop.adjacency];
    packet.adjacency = &adjacency;
    if (adjacency.kind != AdjacencyKind::kEthernet && adjacency.kind != AdjacencyKind::kTunnel)
        [[unlikely]] {
        return adjacency.kind == AdjacencyKind::kNone ? SlowReason::kReroute
                                                      : SlowReason::kUnresolved;
    }
    if (packet.headers.l3_bytes > adjacency.mtu) [[unlikely]]
        return SlowReason::kTooBig;
    if ((entry.flags & kRewriteDecrementTtl) != 0 && ttl_of<F>(packet) <= 1) [[unlikely]] {
        return SlowReason::kTtl;
    }
    if (entry.needs_state(packet.headers.tcp_flags)) [[unlikely]] {
        const auto direction = entry.direction();
        const Noted noted = connection_of(entry).note_packet(direction, packet.headers.tcp_flags);
        if (noted == Noted::kReplaced) return SlowReason::kReplace;
        if (noted == Noted::kShorterTimeout) table.reschedule(connection_of(entry), now_s);
    }
    entry.touch(now_s);
    return SlowReason::kNone;
}

/// Out of line, so that the loop over packets that hit stays small.
[[gnu::noinline]] void miss(WorkerCtx& ctx, Packet& packet) noexcept {
    if (!packet.is(kToRouter)) {
        bridge(ctx, packet);
        if (!needs_flow(ctx, packet)) return;
    }
    packet.to_slow(SlowReason::kMiss);
}

/// The packets of one family in a burst.
template <Family F>
struct Batch {
    std::array<FlowKey<F>, kBurst> keys;
    std::array<Packet*, kBurst> packets;
    unsigned count = 0;

    void add(Packet& packet) noexcept {
        keys[count] = flow_key<F>(packet.frame, packet.headers);
        packets[count++] = &packet;
    }
};

template <Family F>
void look_up(WorkerCtx& ctx, const Batch<F>& batch) noexcept {
    if (batch.count == 0) return;
    const Snapshot& snapshot = *ctx.snapshot;
    const uint32_t now_s = ctx.now_s;
    std::array<uint64_t, kBurst> hashes;
    std::array<FlowEntry<F>*, kBurst> entries;
    FlowTable<F>& table = ctx.flows<F>();
    table.lookup_bulk({batch.keys.data(), batch.count}, hashes, entries);
    for (unsigned i = 0; i < batch.count; ++i) {
        Packet& packet = *batch.packets[i];
        packet.hash = hashes[i];
        packet.entry = entries[i];
        if (entries[i] == nullptr) {
            miss(ctx, packet);
            continue;
        }
        const SlowReason reason = judge_flow(table, snapshot, now_s, packet, *entries[i]);
        if (reason == SlowReason::kNone) [[likely]] {
            forward(ctx, packet, entries[i]->rewrite_flags());
        } else {
            packet.to_slow(reason);
        }
    }
}

}  // namespace

template <Family F>
SlowReason check_flow(WorkerCtx& ctx, Packet& packet, FlowEntry<F>& entry) noexcept {
    return judge_flow(ctx.flows<F>(), *ctx.snapshot, ctx.now_s, packet, entry);
}

template SlowReason check_flow<V4>(WorkerCtx&, Packet&, FlowEntry<V4>&) noexcept;
template SlowReason check_flow<V6>(WorkerCtx&, Packet&, FlowEntry<V6>&) noexcept;

void bridge(WorkerCtx& ctx, Packet& packet) noexcept {
    const Snapshot& snapshot = *ctx.snapshot;
    const Fdb& fdb = *snapshot.fdb;
    const PortView& in = snapshot.port(packet.in_port);
    const uint64_t src = src_mac_word(packet.frame);
    if (src != in.peer_mac.as_u64()) [[unlikely]] {
        const uint16_t known = fdb.find(src);
        if (known == Fdb::kMissing) {
            const auto mac = load<EthernetHeader>(packet.frame).src;
            if (!mac.is_multicast()) {
                ctx.tell({EventKind::kMacLearned, false, packet.in_port, mac, {}});
            }
        } else if (known != index_of(packet.in_port)) {
            packet.drop(Drop::kMacSpoofed);
            return;
        }
    }
    const uint16_t port = fdb.find(dst_mac_word(packet.frame));
    if (port == Fdb::kMissing) {
        packet.to_slow(SlowReason::kMulticast);
    } else if (port == index_of(packet.in_port)) {
        packet.drop(Drop::kBridgeSamePort);
    } else {
        packet.send_to(PortId{port});
    }
}

void forward_bridged(WorkerCtx& ctx, Packet& packet) noexcept {
    const PortId meant = packet.adjacency->port;
    bridge(ctx, packet);
    if (is_policed(ctx, packet) && packet.out_port != meant) {
        packet.drop(policy_drop(ctx, packet));
    }
}

namespace {

/// Bridges a frame that was not parsed. Where it leads to a pod that a policy selects it is parsed
/// after all, for the policy asks about connections.
void bridge_plain(WorkerCtx& ctx, Packet& packet) noexcept {
    bridge(ctx, packet);
    if (!is_policed(ctx, packet)) [[likely]]
        return;
    Ingress ingress = ingress_of(ctx, packet.in_port);
    ingress.plain_bridge = false;
    parse_packet(ingress, packet);
}

}  // namespace

void Lookup::run(WorkerCtx& ctx, Burst burst) noexcept {
    Batch<V4> v4;
    Batch<V6> v6;
    for (Packet& packet : burst) {
        if (packet.verdict == Verdict::kBridge) bridge_plain(ctx, packet);
        if (packet.verdict != Verdict::kLookUp) continue;
        if (packet.headers.ip_version == V4::kVersion) {
            v4.add(packet);
        } else {
            v6.add(packet);
        }
    }
    look_up(ctx, v4);
    look_up(ctx, v6);
}

static_assert(Stage<Lookup>);

}  // namespace podlane::dataplane
