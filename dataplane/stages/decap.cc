#include "dataplane/stages/decap.h"

#include <algorithm>

#include "dataplane/stages/parse.h"
#include "lib/proto/ecn.h"
#include "lib/proto/overlay.h"

namespace podlane::dataplane {

namespace {

/// Whether this is a whole packet for our tunnel endpoint.
bool is_tunnelled(const Ingress& ingress, const Packet& packet) noexcept {
    const Headers& headers = packet.headers;
    if (!headers.has(Headers::kPorts) || headers.has(Headers::kFragment)) return false;
    const auto takes = [&]<Family F>() {
        const auto port =
            load<be16>(packet.frame + headers.l4_offset + offsetof(UdpHeader, dst_port));
        return ingress.tunnel.takes<F>(headers.protocol, dst_address<F>(packet.frame, headers),
                                       port);
    };
    return headers.ip_version == V4::kVersion ? takes.operator()<V4>() : takes.operator()<V6>();
}

/// Packet::ingress of the tunnel packet's sender.
uint16_t sender_of(const Snapshot& snapshot, const Packet& packet) noexcept {
    return packet.headers.ip_version == 4
               ? ingress_of_peer<V4>(snapshot, src_address<V4>(packet.frame, packet.headers))
               : ingress_of_peer<V6>(snapshot, src_address<V6>(packet.frame, packet.headers));
}

/// Why the inner frame cannot be accepted; Drop::kNone if it can.
Drop judge_inner(const Ingress& ingress, const Packet& packet) noexcept {
    // Only routed packets come through the tunnel: nodes learn each other's MAC addresses
    // elsewhere.
    if (packet.headers.ether_type == kEtherTypeArp || packet.headers.has(Headers::kMulticastMac)) {
        return Drop::kTunnelLinkTraffic;
    }
    if (packet.verdict == Verdict::kDrop) {
        return packet.reason == Drop::kSourceRouted ? packet.reason : Drop::kTunnelBadInner;
    }
    if (packet.headers.ip_version == 0) return Drop::kTunnelBadInner;
    if (is_tunnelled(ingress, packet)) return Drop::kTunnelBadInner;
    const bool is_ours = dst_mac_word(packet.frame) == ingress.tunnel.inner_mac;
    return is_ours ? Drop::kNone : Drop::kTunnelNotOurMac;
}

void decapsulate(const Ingress& ingress, Packet& packet) noexcept {
    const uint16_t sender = sender_of(*ingress.snapshot, packet);
    if (sender == kUnknownIngress) {
        packet.drop(Drop::kTunnelStranger);
        return;
    }
    const auto outer =
        packet.head().first(std::min<size_t>(packet.head().size(), packet.headers.l3_end()));
    const uint32_t at = packet.headers.l4_offset + uint32_t{sizeof(UdpHeader)};
    const auto header = read_overlay_header(ingress.tunnel.format, outer.subspan(at));
    if (!header) {
        packet.drop(Drop::kTunnelBadHeader);
        return;
    }
    if (header->vni != ingress.tunnel.vni) {
        packet.drop(Drop::kUnknownVni);
        return;
    }
    const uint8_t ecn = ecn_of(packet.frame + packet.headers.l3_offset);
    // Ethernet padding behind the outer packet must not become part of the inner frame.
    const uint32_t surplus = rte_pktmbuf_pkt_len(packet.mbuf) - packet.headers.l3_end();
    if (surplus > 0) rte_pktmbuf_trim(packet.mbuf, static_cast<uint16_t>(surplus));
    rte_pktmbuf_adj(packet.mbuf, static_cast<uint16_t>(at + header->bytes));
    // The device's word on the outer checksum says nothing about the inner one.
    packet.mbuf->ol_flags &= ~RTE_MBUF_F_RX_L4_CKSUM_MASK;
    packet.flags |= kFromOverlay;
    parse_packet(ingress, packet);
    packet.ingress = sender;
    const Drop bad = judge_inner(ingress, packet);
    if (bad != Drop::kNone) {
        packet.drop(bad);
    } else if (!take_over_ecn(packet.frame + packet.headers.l3_offset, ecn)) {
        packet.drop(Drop::kTunnelCongestion);
    }
}

}  // namespace

void Decap::run(WorkerCtx& ctx, Burst burst) noexcept {
    if (ctx.all_taken_out || burst.empty() || !ctx.snapshot->overlay.enabled ||
        ctx.snapshot->port(burst.front().in_port).kind != PortKind::kUplink) {
        return;
    }
    const Ingress ingress = ingress_of(ctx, burst.front().in_port);
    size_t in = 0;
    for (Packet& packet : burst) {
        if (packet.verdict != Verdict::kLookUp || packet.is(kFromOverlay)) continue;
        if (!is_tunnelled(ingress, packet)) continue;
        decapsulate(ingress, packet);
        ++in;
    }
    if (in > 0) ctx.counters->at(PipelineStage::kDecap).in.add(in);
}

static_assert(Stage<Decap>);

}  // namespace podlane::dataplane
