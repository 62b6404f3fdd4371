// Packets larger than their next hop's MTU: RFC 791 section 3.2, RFC 1191, RFC 8201.
#include <array>

#include "dataplane/checksum_offload.h"
#include "dataplane/large_frames.h"
#include "dataplane/slowpath/slow_path.h"
#include "dataplane/stages/lookup.h"
#include "dataplane/stages/tx.h"
#include "lib/proto/fragment.h"

namespace podlane::dataplane {

namespace {

/// Sends one fragment of `packet`, which has been rewritten. False without a free buffer.
bool send_fragment(WorkerCtx& ctx, const Packet& packet, const Ipv4Fragment& fragment) noexcept {
    rte_mbuf* mbuf = rte_pktmbuf_alloc(ctx.pool);
    if (mbuf == nullptr) return false;
    const size_t ip_bytes = size_t{fragment.header_bytes} + fragment.payload_bytes;
    char* room = rte_pktmbuf_append(mbuf, static_cast<uint16_t>(sizeof(EthernetHeader) + ip_bytes));
    if (room == nullptr) {
        rte_pktmbuf_free(mbuf);
        return false;
    }
    auto* frame = reinterpret_cast<uint8_t*>(room);
    std::memcpy(frame, packet.frame, 12);
    store(frame + offsetof(EthernetHeader, ether_type), be16(V4::kEtherType));
    uint8_t* ip = frame + sizeof(EthernetHeader);
    std::memcpy(ip, fragment.header.data(), fragment.header_bytes);
    uint8_t* payload = ip + fragment.header_bytes;
    const void* from =
        rte_pktmbuf_read(packet.mbuf, packet.headers.l3_offset + fragment.payload_offset,
                         fragment.payload_bytes, payload);
    if (from != payload) std::memcpy(payload, from, fragment.payload_bytes);
    Packet out = make_packet(mbuf, packet.in_port);
    out.adjacency = packet.adjacency;
    out.hash = packet.hash;
    out.verdict = Verdict::kRouted;
    emit(ctx, out);
    return true;
}

void fragment_and_send(WorkerCtx& ctx, Packet& packet) noexcept {
    FlowEntry<V4>& entry = packet.flow<V4>();
    if (ttl_ends((entry.flags & kRewriteDecrementTtl) != 0, ttl_of<V4>(packet))) {
        drop_and_tell<V4>(ctx, packet, Drop::kIpTtlExpired, Notice::kTimeExceeded);
        return;
    }
    // Fragments cannot leave the checksum to a device.
    complete_checksum(packet);
    apply_rewrite<V4>(packet.frame, packet.headers, entry, packet.csum);
    entry.touch(ctx.now_s);
    auto fragmenter =
        Ipv4Fragmenter::of(packet.head().subspan(packet.headers.l3_offset), packet.adjacency->mtu);
    if (!fragmenter) {
        packet.drop(Drop::kFragmentFailed);
        return;
    }
    Ipv4Fragment fragment;
    while (fragmenter->next(fragment)) {
        if (!send_fragment(ctx, packet, fragment)) {
            packet.drop(Drop::kFragmentFailed);
            return;
        }
    }
    consume(ctx, packet);
}

/// A piece of a large packet without DF.
void fragment_piece(WorkerCtx& ctx, Packet& piece) noexcept {
    fragment_and_send(ctx, piece);
    if (piece.verdict == Verdict::kDrop) Tx::run(ctx, {&piece, 1});
}

}  // namespace

template <Family F>
void handle_too_big(WorkerCtx& ctx, Packet& packet) noexcept {
    if constexpr (std::same_as<F, V4>) {
        if (!packet.headers.has(Headers::kDontFragment)) {
            if (packet.is(kLarge)) {
                cut(ctx, packet, fragment_piece);
            } else {
                fragment_and_send(ctx, packet);
            }
            return;
        }
    }
    drop_and_tell<F>(ctx, packet, Drop::kTooBig, Notice::kTooBig, packet.adjacency->mtu);
}

template void handle_too_big<V4>(WorkerCtx&, Packet&) noexcept;
template void handle_too_big<V6>(WorkerCtx&, Packet&) noexcept;

}  // namespace podlane::dataplane
