// ICMP errors: they quote the packet that caused them, as it was where the error arose. If that
// packet was translated, its sender does not know it in this form, so the quoted packet is
// translated back.
#include <algorithm>

#include "dataplane/checksum_offload.h"
#include "dataplane/guard.h"
#include "dataplane/slowpath/slow_path.h"
#include "dataplane/stages/lookup.h"
#include "lib/decide/policy.h"

namespace podlane::dataplane {

namespace {

template <Family F>
constexpr size_t kSrcField = std::same_as<F, V4> ? offsetof(Ipv4Header, src)
                                                 : offsetof(Ipv6Header, src);
template <Family F>
constexpr size_t kDstField = std::same_as<F, V4> ? offsetof(Ipv4Header, dst)
                                                 : offsetof(Ipv6Header, dst);

/// Adds the change of the quoted packet's L4 checksum, if the quotation reaches that far.
template <Family F>
void patch_quoted_checksum(std::span<uint8_t> head, const Headers& quoted,
                           const Rewrite<F>& change) noexcept {
    size_t field = 0;
    if (quoted.protocol == kProtocolTcp) {
        field = offsetof(TcpHeader, checksum);
    } else if (quoted.protocol == kProtocolUdp) {
        field = offsetof(UdpHeader, checksum);
    } else {
        return;
    }
    const size_t at = quoted.l4_offset + field;
    if (!fits<be16>(head, at)) return;
    const auto sum = load<be16>(head.data() + at);
    store(head.data() + at, quoted.protocol == kProtocolUdp ? udp_checksum_apply(sum, change.l4)
                                                            : checksum_apply(sum, change.l4));
}

/// Rewrites the quoted packet from its key `from` to `to`.
template <Family F>
void rewrite_quoted(std::span<uint8_t> head, const Headers& quoted, const FlowKey<F>& from,
                    const FlowKey<F>& to) noexcept {
    const Rewrite<F> change = make_rewrite<F>(from, to);
    uint8_t* l3 = head.data() + quoted.l3_offset;
    store(l3 + kSrcField<F>, to.src);
    store(l3 + kDstField<F>, to.dst);
    if constexpr (std::same_as<F, V4>) {
        const auto sum = load<be16>(l3 + offsetof(Ipv4Header, checksum));
        store(l3 + offsetof(Ipv4Header, checksum), checksum_apply(sum, change.header));
    }
    uint8_t* l4 = head.data() + quoted.l4_offset;
    if (quoted.has(Headers::kPorts)) {
        store(l4, to.src_port);
        store(l4 + 2, to.dst_port);
        patch_quoted_checksum<F>(head, quoted, change);
    } else if (quoted.has(Headers::kEchoRequest) || quoted.has(Headers::kEchoReply)) {
        const bool request = quoted.has(Headers::kEchoRequest);
        store(l4 + offsetof(IcmpHeader, id), request ? to.src_port : to.dst_port);
        // ICMP over IPv4 has no pseudo-header.
        const ChecksumDelta id =
            checksum_delta(from.src_port, to.src_port) + checksum_delta(from.dst_port, to.dst_port);
        const auto sum = load<be16>(l4 + offsetof(IcmpHeader, checksum));
        store(l4 + offsetof(IcmpHeader, checksum),
              checksum_apply(sum, std::same_as<F, V4> ? id : change.l4));
    }
}

/// Writes the error's own addresses, takes `hops` off its TTL and updates its checksum.
template <Family F>
void finish_outer(Packet& packet, const typename F::Address& src, const typename F::Address& dst,
                  uint8_t hops) noexcept {
    constexpr size_t kTtl =
        std::same_as<F, V4> ? offsetof(Ipv4Header, ttl) : offsetof(Ipv6Header, hop_limit);
    uint8_t* l3 = packet.frame + packet.headers.l3_offset;
    store(l3 + kSrcField<F>, src);
    store(l3 + kDstField<F>, dst);
    l3[kTtl] = static_cast<uint8_t>(l3[kTtl] - hops);
    if constexpr (std::same_as<F, V4>) {
        store(l3 + offsetof(Ipv4Header, checksum), be16(0));
        const size_t bytes = size_t{packet.headers.l4_offset} - packet.headers.l3_offset;
        store(l3 + offsetof(Ipv4Header, checksum), ipv4_header_checksum({l3, bytes}));
    }
    uint8_t* icmp = packet.frame + packet.headers.l4_offset;
    store(icmp + offsetof(IcmpHeader, checksum), be16(0));
    const ChainView view(*packet.mbuf, packet.headers.l4_offset, packet.headers.l3_end());
    store(icmp + offsetof(IcmpHeader, checksum),
          l4_checksum<F>(src, dst, F::kIcmpProtocol, view.segments()));
}

template <Family F>
bool icmp_checksum_is_right(const Packet& packet) noexcept {
    // The whole message lies in the first buffer, except a jumbo quotation, which is not checked.
    const auto head = packet.head();
    if (packet.headers.l3_end() > head.size()) return true;
    return l4_checksum_ok<F>(src_address<F>(packet.frame, packet.headers),
                             dst_address<F>(packet.frame, packet.headers), F::kIcmpProtocol,
                             head.subspan(packet.headers.l4_offset, packet.headers.l4_bytes()));
}

/// Sends the error on, from `src` to `dst`. Errors from the node itself keep their TTL, as its
/// other packets do.
template <Family F>
void send_on(WorkerCtx& ctx, Packet& packet, const typename F::Address& src,
             const typename F::Address& dst) noexcept {
    const Snapshot& snapshot = *ctx.snapshot;
    PathDecision<F> decision;
    NoTrace trace;
    decide_route(snapshot, dst, decision, trace);
    if (decision.verdict == PathVerdict::kResolve) {
        ask_for(ctx, decision.port, decision.next_hop);
    }
    if (decision.verdict != PathVerdict::kForward) {
        packet.drop(Drop::kIcmpErrorUnmatched);
        return;
    }
    packet.adjacency = &snapshot.adjacencies[index_of(decision.adjacency)];
    const AdjacencyKind kind = packet.adjacency->kind;
    if (kind != AdjacencyKind::kEthernet && kind != AdjacencyKind::kTunnel) {
        packet.drop(Drop::kNeighbourUnreachable);
        return;
    }
    const bool forwarded = is_forwarded(snapshot.port(packet.in_port).kind,
                                        snapshot.port(packet.adjacency->port).kind);
    if (ttl_ends(forwarded, ttl_of<F>(packet))) {
        packet.drop(Drop::kIpTtlExpired);
        return;
    }
    finish_outer<F>(packet, src, dst, forwarded ? 1 : 0);
    packet.verdict = Verdict::kRouted;
}

/// Whether an error that quotes a packet of the flow that `replies` belong to (null: no flow) can
/// be believed. A router sends from an address of its own; out of the tunnel that is allowed from
/// the Node that the flow leads to. A pod may only report on its own connections.
template <Family F>
Drop judge_error(const WorkerCtx& ctx, const Packet& packet, const FlowEntry<F>* replies) noexcept {
    const uint16_t expected = replies == nullptr ? kUnknownIngress : replies->current_hop().ingress;
    if (packet.is(kFromOverlay)) {
        return expected == packet.ingress ? Drop::kNone : judge_sender(ctx, packet);
    }
    const bool is_others = ctx.snapshot->port(packet.in_port).kind == PortKind::kPod &&
                           expected != kUnknownIngress && expected != packet.ingress;
    return is_others ? Drop::kIcmpErrorUnmatched : Drop::kNone;
}

/// An error about a packet of no flow: passed on unchanged, if policies allow it.
template <Family F>
void pass_unrelated(WorkerCtx& ctx, Packet& packet, const typename F::Address& src,
                    const typename F::Address& dst) noexcept {
    const bool is_bridged = !packet.is(kToRouter);
    if (is_bridged) {
        bridge(ctx, packet);
        if (packet.verdict != Verdict::kSend) return;
    }
    const PortId to = is_bridged ? packet.out_port : pod_port_of<F>(*ctx.snapshot, dst);
    const Drop drop = judge_packet<F>(ctx, packet, packet.key<F>(), to);
    if (drop != Drop::kNone) {
        packet.drop(drop);
    } else if (!is_bridged) {
        send_on<F>(ctx, packet, src, dst);
    }
}

}  // namespace

template <Family F>
void handle_icmp_error(WorkerCtx& ctx, Packet& packet) noexcept {
    Headers quoted;
    // Without a short frame's padding, which is not part of the quotation.
    const auto all = packet.head();
    const auto head = all.first(std::min<size_t>(all.size(), packet.headers.l3_end()));
    if (parse_quoted_packet<F>(head, packet.headers.payload_offset, quoted) != Drop::kNone) {
        packet.drop(Drop::kIcmpErrorBad);
        return;
    }
    if (!icmp_checksum_is_right<F>(packet)) {
        packet.drop(Drop::kL4BadChecksum);
        return;
    }
    const auto src = src_address<F>(packet.frame, packet.headers);
    const auto dst = dst_address<F>(packet.frame, packet.headers);
    const FlowKey<F> seen = flow_key<F>(head.data(), quoted);
    // The error travels the way of the replies to the packet that it quotes.
    const FlowKey<F> back = seen.reversed();
    FlowEntry<F>* entry = ctx.flows<F>().lookup(back, ctx.flows<F>().hash(back));
    if (const Drop drop = judge_error<F>(ctx, packet, entry); drop != Drop::kNone) {
        packet.drop(drop);
        return;
    }
    if (entry == nullptr || dst != back.dst) {
        pass_unrelated<F>(ctx, packet, src, dst);
        return;
    }
    if (!ctx.snapshot->is_current(entry->current_hop().topology_epoch)) {
        bool isolated = false;
        if (const Drop drop = judge_connection(*ctx.snapshot, connection_of(*entry), isolated);
            drop != Drop::kNone) {
            packet.drop(drop);
            return;
        }
    }
    const Rewrite<F> to = rewrite_of(*entry);
    rewrite_quoted<F>(head, quoted, seen,
                      {to.dst, to.src, to.dst_port, to.src_port, seen.protocol, seen.kind, 0});
    // To the client, an error from the endpoint itself comes from the Service's address.
    send_on<F>(ctx, packet, src == back.src ? to.src : src, to.dst);
}

template void handle_icmp_error<V4>(WorkerCtx&, Packet&) noexcept;
template void handle_icmp_error<V6>(WorkerCtx&, Packet&) noexcept;

}  // namespace podlane::dataplane
