// Tells the sender why its packet is lost, and answers pings to the pod gateway.
#include "dataplane/slowpath/slow_path.h"
#include "dataplane/stages/lookup.h"
#include "lib/proto/icmp_build.h"

namespace podlane::dataplane {

namespace {

IcmpError to_icmp(Notice notice) noexcept {
    switch (notice) {
        case Notice::kPortUnreachable:
            return IcmpError::kPortUnreachable;
        case Notice::kNetUnreachable:
            return IcmpError::kNetUnreachable;
        case Notice::kHostUnreachable:
            return IcmpError::kHostUnreachable;
        case Notice::kTimeExceeded:
            return IcmpError::kTimeExceeded;
        case Notice::kTooBig:
            return IcmpError::kTooBig;
    }
    return IcmpError::kNetUnreachable;
}

/// The address that a notice comes from: this node's own, towards the outside; otherwise the pod
/// gateway's, because the node's kernel drops packets with its own source addresses. If there is
/// neither, the packet's destination.
template <Family F>
typename F::Address own_address(const WorkerCtx& ctx, const Packet& packet) noexcept {
    const FamilyState<F>& state = ctx.snapshot->family<F>();
    const bool from_outside =
        !packet.is(kFromOverlay) && ctx.snapshot->port(packet.in_port).kind == PortKind::kUplink;
    if (from_outside && !state.node_addresses.empty()) return state.node_addresses.front();
    if (!state.gateways.empty()) return state.gateways.front();
    return dst_address<F>(packet.frame, packet.headers);
}

/// Builds the notice in `room`; returns its bytes, 0 if none may be sent.
template <Family F>
size_t build_notice(WorkerCtx& ctx, const Packet& packet, Notice notice, uint16_t mtu,
                    std::span<uint8_t> room) noexcept {
    if (notice == Notice::kPortUnreachable && packet.headers.protocol == kProtocolTcp) {
        if (!packet.headers.has(Headers::kPorts)) return 0;  // a later fragment
        return build_tcp_reset<F>(room, packet.frame, packet.headers);
    }
    if (!may_send_icmp_error(packet.frame, packet.headers) || !ctx.may_notify(packet.in_port))
        return 0;
    const auto head = packet.head();
    const size_t there = head.size() - packet.headers.l3_offset;
    const size_t quoted = packet.headers.l3_bytes < there ? packet.headers.l3_bytes : there;
    return build_icmp_error<F>(room, own_address<F>(ctx, packet), to_icmp(notice), mtu,
                               head.subspan(packet.headers.l3_offset, quoted));
}

}  // namespace

template <Family F>
bool send_back(WorkerCtx& ctx, const Packet& cause, Packet& out) noexcept {
    const auto ethernet = load<EthernetHeader>(cause.frame);
    const auto sender = src_address<F>(cause.frame, cause.headers);
    if (!cause.is(kFromOverlay)) {
        const PortView& view = ctx.snapshot->port(cause.in_port);
        store(out.frame, EthernetHeader{ethernet.src, view.mac, be16(F::kEtherType)});
        out.send_to(cause.in_port);
        return true;
    }
    const AdjacencyId back = adjacency_towards<F>(*ctx.snapshot, sender);
    const Adjacency& adjacency = ctx.snapshot->adjacencies[index_of(back)];
    if (!adjacency.is_passable()) {
        return false;
    }
    store(out.frame + offsetof(EthernetHeader, ether_type), be16(F::kEtherType));
    out.adjacency = &adjacency;
    out.hash = cause.hash;
    out.verdict = Verdict::kRouted;
    return true;
}

template <Family F>
void drop_and_tell(WorkerCtx& ctx, Packet& packet, Drop reason, Notice notice,
                   uint16_t mtu) noexcept {
    packet.drop(reason);
    if (packet.headers.ip_version != F::kVersion) return;
    rte_mbuf* mbuf = rte_pktmbuf_alloc(ctx.pool);
    if (mbuf == nullptr) return;
    Packet out = make_packet(mbuf, packet.in_port);
    const size_t most = rte_pktmbuf_tailroom(mbuf) - sizeof(EthernetHeader);
    const size_t bytes =
        build_notice<F>(ctx, packet, notice, mtu, {out.frame + sizeof(EthernetHeader), most});
    if (bytes == 0 || !send_back<F>(ctx, packet, out)) {
        rte_pktmbuf_free(mbuf);
        return;
    }
    (void)rte_pktmbuf_append(mbuf, static_cast<uint16_t>(bytes + sizeof(EthernetHeader)));
    emit(ctx, out);
}

template <Family F>
void answer_gateway(WorkerCtx& ctx, Packet& packet) noexcept {
    const Headers& headers = packet.headers;
    if (!headers.has(Headers::kEchoRequest) || headers.has(Headers::kFragment)) {
        if (headers.has(Headers::kPorts)) {
            drop_and_tell<F>(ctx, packet, Drop::kGatewayUnhandled, Notice::kPortUnreachable);
        } else {
            packet.drop(Drop::kGatewayUnhandled);
        }
        return;
    }
    // The way back is found by the request's source, before the addresses are swapped.
    Packet reply = packet;
    if (!send_back<F>(ctx, packet, reply)) {
        packet.drop(Drop::kNoRoute);
        return;
    }
    make_echo_reply<F>(packet.frame, headers);
    packet = reply;
}

template bool send_back<V4>(WorkerCtx&, const Packet&, Packet&) noexcept;
template bool send_back<V6>(WorkerCtx&, const Packet&, Packet&) noexcept;
template void drop_and_tell<V4>(WorkerCtx&, Packet&, Drop, Notice, uint16_t) noexcept;
template void drop_and_tell<V6>(WorkerCtx&, Packet&, Drop, Notice, uint16_t) noexcept;
template void answer_gateway<V4>(WorkerCtx&, Packet&) noexcept;
template void answer_gateway<V6>(WorkerCtx&, Packet&) noexcept;

}  // namespace podlane::dataplane
