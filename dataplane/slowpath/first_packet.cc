// The first packet of a connection: the decision is compiled into the rewrites of both directions.
#include "dataplane/flow_recorder.h"
#include "dataplane/guard.h"
#include "dataplane/slowpath/slow_path.h"
#include "dataplane/stages/lookup.h"
#include "lib/decide/bridge.h"

namespace podlane::dataplane {

namespace {

/// Source ports tried before a destination counts as out of ports. If one port in a hundred is
/// free, one search in 30,000 finds none.
constexpr unsigned kPortTries = 1024;
/// Packets to a destination that is out of ports are refused at once. Only one search in this many
/// ms looks for a port that is free again, whichever the destination
/// (docs/decisions/source-ports.md).
constexpr uint64_t kSearchIntervalMs = 50;
/// How often two workers may collide on one key before this packet is dropped.
constexpr unsigned kBusyTries = 8;
constexpr uint16_t kFirstDynamicPort = 1024;
/// Ports that are tried before one is taken from a half-open connection.
constexpr unsigned kTriesBeforeTaking = 8;

/// Whether the connection can be given another source port (or echo identifier). Not by a later
/// fragment: the first one opens the flow.
bool has_source_port(const Packet& packet) noexcept {
    return packet.headers.has(Headers::kPorts) || packet.headers.has(Headers::kEchoRequest);
}

/// A TCP segment that does not begin a connection.
bool is_late(const Packet& packet) noexcept {
    return packet.headers.protocol == kProtocolTcp &&
           (packet.headers.tcp_flags & (kTcpSyn | kTcpAck)) != kTcpSyn;
}

/// Handles every verdict but kForward. False: the packet's verdict is final.
template <Family F>
bool may_forward(WorkerCtx& ctx, Packet& packet, const PathDecision<F>& decision) noexcept {
    switch (decision.verdict) {
        case PathVerdict::kForward:
            return true;
        case PathVerdict::kResolve:
            hold_for(ctx, packet, decision.port, decision.next_hop, true);
            return false;
        case PathVerdict::kLocal:
            answer_gateway<F>(ctx, packet);
            return false;
        case PathVerdict::kDrop:
            packet.drop(decision.reason);
            return false;
        case PathVerdict::kReject:
            drop_and_tell<F>(ctx, packet, decision.reason, Notice::kPortUnreachable);
            return false;
        case PathVerdict::kNoRoute:
            drop_and_tell<F>(ctx, packet, decision.reason, Notice::kNetUnreachable);
            return false;
        case PathVerdict::kExpired:
            drop_and_tell<F>(ctx, packet, decision.reason, Notice::kTimeExceeded);
            return false;
        case PathVerdict::kDns:
            answer_dns(ctx, packet, decision);
            return false;
    }
    return false;
}

template <Family F>
NewConnection<F> compile(const WorkerCtx& ctx, const Packet& packet, const FlowKey<F>& key,
                         const PathDecision<F>& decision) noexcept {
    NewConnection<F> spec{};
    spec.original = key;
    spec.reply = decision.to.reversed();
    const uint32_t epoch =
        decision.isolated ? ctx.snapshot->isolated_epoch : ctx.snapshot->topology_epoch;
    spec.original_hop = {epoch, static_cast<uint32_t>(index_of(decision.adjacency)),
                         packet.ingress};
    const Adjacency& towards = ctx.snapshot->adjacencies[index_of(decision.adjacency)];
    spec.reply_hop = {epoch, static_cast<uint32_t>(index_of(decision.reply_adjacency)),
                      ingress_behind<F>(*ctx.snapshot, towards, decision.to.dst)};
    spec.service_id = static_cast<uint32_t>(index_of(decision.service));
    spec.service_epoch = decision.service_epoch;
    // Also for an address that is no Service's yet.
    spec.entry_flags = key.protocol == kProtocolUdp ? kEntryCheckService : 0;
    if (is_nodes_own(ctx.snapshot->port(packet.in_port).kind)) {
        spec.entry_flags = static_cast<uint8_t>(spec.entry_flags | kEntryFromNode);
    }
    spec.rewrite_flags = decision.forwarded ? kRewriteDecrementTtl : 0;
    spec.tcp_flags = packet.headers.tcp_flags;
    spec.holders[0] = static_cast<uint16_t>(index_of(packet.in_port) % kPortHolders);
    if (spec.service_id != 0) {
        spec.holders[1] = static_cast<uint16_t>(kPortHolders + spec.service_id % kServiceHolders);
    }
    return spec;
}

/// A random source port, for masquerading or if the reply key is taken.
be16 random_port(WorkerCtx& ctx) noexcept {
    constexpr uint32_t kCount = 65536 - kFirstDynamicPort;
    const uint64_t scaled = (uint64_t{ctx.next_random()} * kCount) >> 32;
    return be16(static_cast<uint16_t>(kFirstDynamicPort + scaled));
}

template <Family F>
SnatTarget snat_target(const NewConnection<F>& spec) noexcept {
    const FlowKey<F>& reply = spec.reply;
    return {reply.dst, reply.src, reply.src_port.host(), reply.protocol};
}

/// Whether to search for a free source port towards `target`.
bool may_search(WorkerCtx& ctx, const Packet& packet, const SnatTarget& target) noexcept {
    if (!has_source_port(packet)) return false;
    if (!ctx.counters->snat_shortages.lacks(target)) return true;
    if (ctx.now_ms < ctx.port_search_ms) return false;
    ctx.port_search_ms = ctx.now_ms + kSearchIntervalMs;
    return true;
}

/// The oldest half-open connection that the search has met, and its port.
template <Family F>
struct HalfOpenHolder {
    Connection<F>* connection = nullptr;
    be16 port{};

    void meet(FlowEntry<F>* holder, be16 its_port) noexcept {
        if (holder == nullptr) return;
        Connection<F>& other = connection_of(*holder);
        if (eviction_priority(other) != EvictionPriority::kUnproven) return;
        const bool is_older =
            connection == nullptr ||
            static_cast<int32_t>(other.state.created_s - connection->state.created_s) < 0;
        if (!is_older) return;
        connection = &other;
        port = its_port;
    }
};

/// Sets the next port to try after `tries` failures: a random one or, after some tries, the port of
/// a half-open connection, which is given up for it. False: there is none; the packet is refused.
template <Family F>
bool try_another_port(WorkerCtx& ctx, const Packet& packet, NewConnection<F>& spec, unsigned tries,
                      HalfOpenHolder<F>& half_open) noexcept {
    const bool may_take =
        half_open.connection != nullptr && has_source_port(packet) && tries < 2 * kPortTries;
    const bool searches =
        tries == 0 ? may_search(ctx, packet, snat_target(spec)) : tries < kPortTries;
    if (may_take && (tries >= kTriesBeforeTaking || !searches)) {
        spec.reply.dst_port = half_open.port;
        const bool gone = ctx.flows<F>().give_up(ctx.id, *half_open.connection);
        half_open = {};
        if (gone) return true;
    }
    if (!searches) {
        ctx.counters->snat_shortages.refuse(snat_target(spec));
        return false;
    }
    ctx.counters->snat_tries.add(1);
    spec.reply.dst_port = random_port(ctx);
    return true;
}

template <Family F>
bool insert(WorkerCtx& ctx, Packet& packet, NewConnection<F>& spec) noexcept {
    unsigned tries = 0, busy = 0;
    HalfOpenHolder<F> half_open;
    for (;;) {
        const InsertResult<F> result = ctx.flows<F>().insert(ctx.id, spec, ctx.now_s);
        switch (result.status) {
            case InsertStatus::kInserted:
                if (spec.service_id != 0) {
                    const size_t slot = spec.service_id < kServiceCounters ? spec.service_id : 0;
                    ctx.counters->service_connections[slot].add(1);
                }
                packet.entry = result.entry;
                if (ctx.recorder->wants(connection_of(*result.entry).state.hash[0])) [[unlikely]]
                    ctx.recorder->opened(ctx, packet, *result.entry);
                if (tries != 0) ctx.counters->snat_shortages.relieve(snat_target(spec));
                return true;
            case InsertStatus::kExists:
                packet.entry = result.entry;
                return true;
            case InsertStatus::kReplyTaken:
                half_open.meet(result.entry, spec.reply.dst_port);
                if (!try_another_port(ctx, packet, spec, tries++, half_open)) {
                    packet.drop(Drop::kSnatPortsExhausted);
                    return false;
                }
                break;
            case InsertStatus::kBusy:
                if (++busy > kBusyTries) {
                    packet.drop(Drop::kFlowBusy);
                    return false;
                }
                break;
            case InsertStatus::kFull:
                packet.drop(Drop::kFlowTableFull);
                return false;
            case InsertStatus::kShare:
                packet.drop(Drop::kFlowShareFull);
                return false;
        }
    }
}

/// Marks the ports between which replies may need translation.
template <Family F>
void mark_ports(WorkerCtx& ctx, const Packet& packet, const PathDecision<F>& decision) noexcept {
    const PortId out = ctx.snapshot->adjacencies[index_of(decision.adjacency)].port;
    ctx.flow_targets->add(out);
    const bool is_neighbour = ctx.snapshot->port(packet.in_port).kind == PortKind::kPod &&
                              ctx.snapshot->port(out).kind == PortKind::kPod;
    if (decision.translated && is_neighbour) ctx.flow_targets->add(packet.in_port);
}

template <Family F>
PathQuery<F> query_about(const WorkerCtx& ctx, const Packet& packet,
                         const FlowKey<F>& key) noexcept {
    return {key,
            ctx.snapshot->port(packet.in_port).kind,
            packet.is(kFromOverlay),
            service_hash(key),
            &ctx.affinity->of<F>(),
            ctx.now_s,
            packet.in_port,
            is_late(packet),
            ttl_of<F>(packet)};
}

template <Family F>
PathDecision<F> decide_about(const WorkerCtx& ctx, const Packet& packet,
                             const FlowKey<F>& key) noexcept {
    NoTrace trace;
    return decide(*ctx.snapshot, query_about(ctx, packet, key), trace);
}

}  // namespace

template <Family F>
void plan_flow(WorkerCtx& ctx, const Packet& packet) noexcept {
    FlowPlans<F>& plans = ctx.plans<F>();
    if (plans.repeats(packet)) return;
    const FlowKey<F> key = packet.key<F>();
    const PathDecision<F> decision = decide_about<F>(ctx, packet, key);
    if (decision.verdict == PathVerdict::kForward) {
        ctx.flows<F>().prefetch_insert(decision.to.reversed());
    }
    plans.add(packet, decision);
}

template <Family F>
bool handle_first_packet(WorkerCtx& ctx, Packet& packet) noexcept {
    const FlowKey<F> key = packet.key<F>();
    // An earlier packet of this burst, or another worker, may have opened the flow meanwhile.
    packet.entry = ctx.flows<F>().lookup(key, ctx.flows<F>().hash(key));
    if (packet.entry != nullptr) return true;
    const PathDecision<F>* const planned = ctx.plans<F>().take(packet);
    const PathDecision<F> decision =
        planned != nullptr ? *planned : decide_about<F>(ctx, packet, key);
    if (decision.affinity_full) ctx.counters->affinity_full.add(1);
    if (!may_forward(ctx, packet, decision)) return false;
    if (!decision.makes_flow) {
        send_as_is(ctx, packet, decision.adjacency, decision.to.dst);
        return false;
    }
    mark_ports(ctx, packet, decision);
    NewConnection<F> spec = compile(ctx, packet, key, decision);
    return insert(ctx, packet, spec);
}

template <Family F>
bool open_bridged_flow(WorkerCtx& ctx, Packet& packet) noexcept {
    const PortId out = packet.out_port;
    const FlowKey<F> key = packet.key<F>();
    packet.entry = ctx.flows<F>().lookup(key, ctx.flows<F>().hash(key));
    if (packet.entry != nullptr) return true;
    NoTrace trace;
    const PathDecision<F> decision =
        decide_bridged(*ctx.snapshot, query_about(ctx, packet, key), out, trace);
    if (!may_forward(ctx, packet, decision) || !decision.makes_flow) return false;
    NewConnection<F> spec = compile(ctx, packet, key, decision);
    if (insert(ctx, packet, spec)) return true;
    // Without room for the flow, the packet is bridged as between pods without a translated
    // connection. Not for an isolated pod: without the flow, its reply would not be allowed back.
    if (packet.reason != Drop::kSnatPortsExhausted && !decision.isolated) packet.send_to(out);
    return false;
}

template void plan_flow<V4>(WorkerCtx&, const Packet&) noexcept;
template void plan_flow<V6>(WorkerCtx&, const Packet&) noexcept;
template bool open_bridged_flow<V4>(WorkerCtx&, Packet&) noexcept;
template bool open_bridged_flow<V6>(WorkerCtx&, Packet&) noexcept;
template bool handle_first_packet<V4>(WorkerCtx&, Packet&) noexcept;
template bool handle_first_packet<V6>(WorkerCtx&, Packet&) noexcept;

}  // namespace podlane::dataplane
