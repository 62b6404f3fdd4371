#include "dataplane/stages/decap.h"

#include "dataplane/stages/parse.h"
#include "lib/proto/ecn.h"
#include "lib/proto/vxlan.h"

namespace podlane::dataplane {

namespace {

/// Whole packets to our tunnel's end.
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

/// Why the inner frame cannot be taken, Drop::kNone when it can.
Drop judge_inner(const Ingress& ingress, const Packet& packet) noexcept {
    // Only routed packets come through the tunnel: nodes find each other's MAC addresses elsewhere.
    if (packet.headers.ether_type == kEtherTypeArp || packet.headers.has(Headers::kMulticastMac)) {
        return Drop::kTunnelLinkTraffic;
    }
    if (packet.verdict == Verdict::kDrop) {
        return packet.reason == Drop::kSourceRouted ? packet.reason : Drop::kVxlanBadInner;
    }
    if (packet.headers.ip_version == 0) return Drop::kVxlanBadInner;
    if (is_tunnelled(ingress, packet)) return Drop::kVxlanBadInner;
    const bool is_ours = dst_mac_word(packet.frame) == ingress.tunnel.inner_mac;
    return is_ours ? Drop::kNone : Drop::kVxlanNotOurMac;
}

void decapsulate(const Ingress& ingress, Packet& packet) noexcept {
    const uint16_t sender = sender_of(*ingress.snapshot, packet);
    if (sender == kUnknownIngress) {
        packet.drop(Drop::kTunnelStranger);
        return;
    }
    const uint32_t vxlan_at = packet.headers.l4_offset + uint32_t{sizeof(UdpHeader)};
    const auto head = packet.head();
    if (!fits<VxlanHeader>(head, vxlan_at) ||
        vxlan_at + sizeof(VxlanHeader) > packet.headers.l3_end()) {
        packet.drop(Drop::kVxlanBadHeader);
        return;
    }
    const auto vxlan = header_at<VxlanHeader>(head.data(), vxlan_at);
    if (!vxlan.is_valid()) {
        packet.drop(Drop::kVxlanBadHeader);
        return;
    }
    if (vxlan.vni() != ingress.tunnel.vni) {
        packet.drop(Drop::kUnknownVni);
        return;
    }
    const uint8_t ecn = ecn_of(packet.frame + packet.headers.l3_offset);
    // Ethernet padding behind the outer packet must not become part of the inner frame.
    const uint32_t surplus = rte_pktmbuf_pkt_len(packet.mbuf) - packet.headers.l3_end();
    if (surplus > 0) rte_pktmbuf_trim(packet.mbuf, static_cast<uint16_t>(surplus));
    rte_pktmbuf_adj(packet.mbuf, static_cast<uint16_t>(vxlan_at + sizeof(VxlanHeader)));
    // What the device said of the outer checksum does not hold for the inner one.
    packet.mbuf->ol_flags &= ~RTE_MBUF_F_RX_L4_CKSUM_MASK;
    packet.flags |= kFromOverlay;
    parse_packet(ingress, packet);
    packet.ingress = sender;
    const Drop bad = judge_inner(ingress, packet);
    if (bad != Drop::kNone) {
        packet.drop(bad);
    } else if (!take_over_ecn(packet.frame + packet.headers.l3_offset, ecn)) {
        packet.drop(Drop::kVxlanCongestion);
    }
}

}  // namespace

void Decap::run(WorkerCtx& ctx, Burst burst) noexcept {
    if (burst.empty() || !ctx.snapshot->overlay.enabled ||
        ctx.snapshot->port(burst.front().in_port).kind != PortKind::kUplink) {
        return;
    }
    const Ingress ingress = ingress_of(ctx, burst.front().in_port);
    size_t in = 0, out = 0;
    for (Packet& packet : burst) {
        if (packet.verdict != Verdict::kLookUp || packet.is(kFromOverlay)) continue;
        if (!is_tunnelled(ingress, packet)) continue;
        decapsulate(ingress, packet);
        ++in;
        out += packet.verdict != Verdict::kDrop;
    }
    if (in > 0) ctx.counters->at(PipelineStage::kDecap).add(in, out);
}

static_assert(Stage<Decap>);

}  // namespace podlane::dataplane
