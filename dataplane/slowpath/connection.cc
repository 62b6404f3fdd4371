// Packets for the router: opens connections, and brings existing ones up to date after a change.
#include <optional>

#include "dataplane/guard.h"
#include "dataplane/offer.h"
#include "dataplane/slowpath/slow_path.h"
#include "dataplane/stages/lookup.h"

namespace podlane::dataplane {

namespace {

/// Rounds of "fix one thing, check again" that a packet can need: replace, open, reroute, resolve.
constexpr unsigned kMaxRounds = 6;

/// Forgets the connection, so that the packet is decided on as a first packet.
template <Family F>
void forget(WorkerCtx& ctx, Packet& packet) noexcept {
    ctx.flows<F>().remove(ctx.id, connection_of(packet.flow<F>()));
    packet.entry = nullptr;
    packet.to_slow(SlowReason::kMiss);
}

/// Finds the route again in the present topology, if the present policies allow the connection.
/// False: the packet's verdict is final.
template <Family F>
bool reroute(WorkerCtx& ctx, Packet& packet) noexcept {
    FlowEntry<F>& entry = packet.flow<F>();
    // Not the flow's ingress: the packet may come from there if, for example, a pod has a new port.
    if (entry.current_hop().ingress != packet.ingress) {
        const Drop drop = judge_sender(ctx, packet);
        if (drop != Drop::kNone) {
            packet.drop(drop);
            return false;
        }
    }
    bool isolated = false;
    if (const Drop drop = judge_connection(*ctx.snapshot, connection_of(entry), isolated);
        drop != Drop::kNone) {
        // The connection stays in the table, and its packets come here, as long as it is not
        // allowed.
        packet.drop(drop);
        return false;
    }
    PathDecision<F> decision;
    NoTrace trace;
    decide_route(*ctx.snapshot, rewrite_of(entry).dst, decision, trace);
    switch (decision.verdict) {
        case PathVerdict::kForward:
            ctx.flow_targets->add(ctx.snapshot->adjacencies[index_of(decision.adjacency)].port);
            entry.set_hop({isolated ? ctx.snapshot->isolated_epoch : ctx.snapshot->topology_epoch,
                           static_cast<uint32_t>(index_of(decision.adjacency)), packet.ingress});
            offer_flow(ctx, entry);
            return true;
        case PathVerdict::kResolve:
            hold_for(ctx, packet, decision.port, decision.next_hop, true);
            return false;
        case PathVerdict::kLocal:
        case PathVerdict::kDrop:
        case PathVerdict::kReject:
        case PathVerdict::kNoRoute:
        case PathVerdict::kExpired:
        case PathVerdict::kDns:
            // The destination is gone. A new decision finds another endpoint, which resets a TCP
            // connection that it does not know (better than silence), or it tells the sender.
            forget<F>(ctx, packet);
            return true;
    }
    return false;
}

/// Something changed at the connection's Service address: the Service lost an endpoint, is gone, or
/// the address is another Service's now. A UDP flow to the lost endpoint gets another one at once;
/// so does one to an address that was no Service's and is one now.
template <Family F>
void recheck_service(WorkerCtx& ctx, Packet& packet) noexcept {
    FlowEntry<F>& entry = packet.flow<F>();
    std::optional<ServiceId> service = ServiceId{entry.service_id.load(std::memory_order_relaxed)};
    // The endpoint's packets may still pass; the client's next packet decides.
    if (entry.direction() != FlowDirection::kReply) {
        const FlowKey<F>& reply = connection_of(entry).reply().key;
        service =
            service_that_keeps<F>(*ctx.snapshot, entry.key, *service, {reply.src, reply.src_port});
    }
    if (!service) {
        forget<F>(ctx, packet);
        return;
    }
    const size_t id = index_of(*service);
    entry.service_id.store(static_cast<uint32_t>(id), std::memory_order_relaxed);
    entry.service_epoch.store(ctx.snapshot->service_epochs[id], std::memory_order_relaxed);
}

template <Family F>
void handle_unresolved(WorkerCtx& ctx, Packet& packet) noexcept {
    if (packet.adjacency->kind == AdjacencyKind::kFailed) {
        drop_and_tell<F>(ctx, packet, Drop::kNeighbourUnreachable, Notice::kHostUnreachable);
        return;
    }
    // Control made this adjacency and is resolving it already.
    hold_for(ctx, packet, packet.adjacency->port, rewrite_of(packet.flow<F>()).dst, false);
}

}  // namespace

template <Family F>
void handle_ip(WorkerCtx& ctx, Packet& packet) noexcept {
    for (unsigned round = 0; round < kMaxRounds; ++round) {
        switch (packet.slow) {
            case SlowReason::kMiss:
                if (!packet.is(kToRouter)) {
                    bridge(ctx, packet);
                    if (!needs_flow(ctx, packet) || !open_bridged_flow<F>(ctx, packet)) return;
                } else if (!handle_first_packet<F>(ctx, packet)) {
                    return;
                }
                break;
            case SlowReason::kReroute:
                if (!reroute<F>(ctx, packet)) return;
                break;
            case SlowReason::kServiceChange:
                recheck_service<F>(ctx, packet);
                break;
            case SlowReason::kReplace:
                forget<F>(ctx, packet);
                break;
            case SlowReason::kUnresolved:
                handle_unresolved<F>(ctx, packet);
                return;
            case SlowReason::kTtl:
                drop_and_tell<F>(ctx, packet, Drop::kIpTtlExpired, Notice::kTimeExceeded);
                return;
            case SlowReason::kTooBig:
                handle_too_big<F>(ctx, packet);
                return;
            case SlowReason::kNone:
            case SlowReason::kArp:
            case SlowReason::kNd:
            case SlowReason::kMulticast:
            case SlowReason::kNotIp:
            case SlowReason::kIcmpError:
            case SlowReason::kFragment:
                packet.drop(Drop::kFlowBusy);
                return;
        }
        if (packet.entry == nullptr) continue;
        const SlowReason reason = check_flow(ctx, packet, packet.flow<F>());
        if (reason == SlowReason::kNone) {
            forward(ctx, packet, packet.flow<F>().rewrite_flags());
            return;
        }
        packet.to_slow(reason);
    }
    packet.drop(Drop::kFlowBusy);
}

template void handle_ip<V4>(WorkerCtx&, Packet&) noexcept;
template void handle_ip<V6>(WorkerCtx&, Packet&) noexcept;

}  // namespace podlane::dataplane
