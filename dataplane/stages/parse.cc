#include "dataplane/stages/parse.h"

#include <rte_prefetch.h>

#include "dataplane/large_frames.h"
#include "lib/decide/tunnel.h"
#include "lib/proto/ecn.h"
#include "lib/proto/nd.h"
#include "lib/proto/source_route.h"

namespace podlane::dataplane {

namespace {

constexpr unsigned kPrefetchAhead = 4;
/// Bytes that a frame must have to be bridged without parsing: enough for what TCP, UDP and SCTP
/// have in common.
template <Family F>
constexpr uint16_t kMinPlainBytes = sizeof(EthernetHeader) + F::kMinHeaderBytes + sizeof(UdpHeader);

/// The bytes from the EtherType on: IPv4, then version and header length.
constexpr uint32_t kPlainV4 = be32(uint32_t{kEtherTypeIpv4} << 16 | 0x4500).raw;
constexpr uint32_t kPlainV4Mask = be32(0xffffff00).raw;

bool is_neighbour_discovery(const Headers& headers) noexcept {
    // Never in fragments: RFC 6980 section 5.
    return headers.protocol == V6::kIcmpProtocol && headers.ip_version == 6 &&
           !headers.has(Headers::kFragment) && headers.icmp_type >= kNdRouterSolicitation &&
           headers.icmp_type <= kNdRedirect;
}

/// Some drivers deliver the kernel's partial checksums unmarked: such a field holds exactly the
/// uncomplemented pseudo-header sum. A complete checksum that happens to look like this has the
/// same value when it is computed again, so taking it for a partial one does no harm.
template <Family F>
bool looks_partial(const Packet& packet) noexcept {
    const Headers& headers = packet.headers;
    const size_t field = headers.protocol == kProtocolTcp ? offsetof(TcpHeader, checksum)
                                                          : offsetof(UdpHeader, checksum);
    const auto found = load<be16>(packet.frame + headers.l4_offset + field);
    return found == partial_checksum<F>(src_address<F>(packet.frame, headers),
                                        dst_address<F>(packet.frame, headers), headers.protocol,
                                        headers.l4_bytes());
}

CsumState look_for_partial(const Packet& packet, bool marked) noexcept {
    const Headers& headers = packet.headers;
    if (!headers.has(Headers::kWholeL4)) return CsumState::kComplete;
    if (marked) return CsumState::kPartial;
    const bool partial =
        headers.ip_version == 4 ? looks_partial<V4>(packet) : looks_partial<V6>(packet);
    return partial ? CsumState::kPartial : CsumState::kComplete;
}

/// Whether the device says that the L4 checksum must still be finished.
[[gnu::always_inline]] inline bool is_marked_partial(const rte_mbuf& mbuf) noexcept {
    return (mbuf.ol_flags & RTE_MBUF_F_RX_L4_CKSUM_MASK) == RTE_MBUF_F_RX_L4_CKSUM_NONE;
}

/// note_checksum() for a packet that needs a closer look.
[[gnu::noinline]] bool note_partial(const Ingress& ingress, Packet& packet, bool marked) noexcept {
    if (!marked || !ingress.is_tap) {
        packet.csum = look_for_partial(packet, marked);
        return true;
    }
    const Drop bad = judge_tap_marks(packet);
    if (bad != Drop::kNone) packet.drop(bad);
    return bad == Drop::kNone;
}

/// Sets `csum`, which was kComplete, and whether the packet is kLarge. False: it was dropped.
[[nodiscard, gnu::always_inline]] inline bool note_checksum(const Ingress& ingress,
                                                            Packet& packet) noexcept {
    const bool marked = is_marked_partial(*packet.mbuf);
    if (!marked && !ingress.maybe_partial) [[likely]]
        return true;
    return note_partial(ingress, packet, marked);
}

/// Notes whether a frame is for the router. False: it is for no host here, and was dropped.
[[nodiscard, gnu::always_inline]] inline bool find_destination(const Ingress& ingress,
                                                               Packet& packet) noexcept {
    const bool ours = dst_mac_word(packet.frame) == ingress.mac ||
                      ingress.kind == PortKind::kHost || packet.is(kFromOverlay);
    if (ours) {
        packet.flags |= kToRouter;
    } else if (ingress.kind != PortKind::kPod) [[unlikely]] {
        packet.drop(Drop::kNotForUs);
        return false;
    }
    return true;
}

/// Decides which stage looks at a unicast frame next.
void sort_by_kind(Packet& packet) noexcept {
    if (packet.headers.ip_version != 0) {
        if (packet.headers.has(Headers::kFragment)) {
            packet.to_slow(SlowReason::kFragment);
        } else if (packet.headers.has(Headers::kIcmpError)) {
            packet.to_slow(SlowReason::kIcmpError);
        } else if (is_neighbour_discovery(packet.headers)) {
            packet.to_slow(SlowReason::kNd);
        } else {
            packet.verdict = Verdict::kLookUp;
        }
    } else if (packet.headers.ether_type == kEtherTypeArp) {
        packet.to_slow(SlowReason::kArp);
    } else if (packet.is(kToRouter)) {
        packet.drop(Drop::kUnknownEtherType);
    } else {
        packet.to_slow(SlowReason::kNotIp);
    }
}

}  // namespace

Ingress ingress_of(const WorkerCtx& ctx, PortId id) noexcept {
    const PortView& view = ctx.snapshot->port(id);
    const Port* port = ctx.ports->get(id);
    const Snapshot& snapshot = *ctx.snapshot;
    Ingress out{};
    out.mac = view.mac.as_u64();
    out.id = ingress_of_port(id);
    out.snapshot = &snapshot;
    out.kind = view.kind;
    out.is_tap = port != nullptr && port->backend == PortBackend::kTap;
    out.maybe_partial = port != nullptr && port->caps.rx_l4_checksum == RxChecksum::kMaybePartial;
    out.plain_bridge = view.kind == PortKind::kPod && !out.maybe_partial &&
                       !ctx.flow_targets->has(id) && !snapshot.polices(id);
    out.tunnel_end = view.kind == PortKind::kUplink && snapshot.overlay.enabled;
    out.sources = view.sources.get();
    out.plain_v4 = kPlainV4;
    if (out.sources != nullptr) {
        out.own_v4 = out.sources->v4.first();
        // Without an address of its own, 0.0.0.0 is not that.
        if (out.own_v4.is_zero()) out.plain_v4 = ~kPlainV4Mask;
    }
    if (out.tunnel_end) out.tunnel = tunnel_end(snapshot);
    return out;
}

namespace {

/// Whether a pod's port may send from an address.
template <Family F>
[[gnu::noinline]] bool may_send_from(const Ingress& ingress,
                                     const typename F::Address& source) noexcept {
    return ingress.sources == nullptr || ingress.sources->allows<F>(source);
}

/// TCP, UDP or SCTP without IP options, from an address of the port, and not to a DHCP client's
/// port: nothing else is left for the source guard to check but the frame's source MAC.
template <Family F>
[[gnu::always_inline]] inline bool is_ordinary(const Ingress& ingress, const rte_mbuf& mbuf,
                                               const uint8_t* frame) noexcept {
    constexpr bool kIsV4 = std::same_as<F, V4>;
    using Header = std::conditional_t<kIsV4, Ipv4Header, Ipv6Header>;
    constexpr size_t kL3 = sizeof(EthernetHeader);
    constexpr size_t kNext =
        kIsV4 ? offsetof(Ipv4Header, protocol) : offsetof(Ipv6Header, next_header);
    constexpr be16 kDhcpClient(kIsV4 ? 68 : 546);
    constexpr size_t kDstPort = kL3 + F::kMinHeaderBytes + offsetof(UdpHeader, dst_port);
    if (!kIsV4 && mbuf.data_len < kMinPlainBytes<F>) return false;
    const uint8_t next = frame[kL3 + kNext];
    const bool is_udp = next == kProtocolUdp && load<be16>(frame + kDstPort) != kDhcpClient;
    if (!is_udp && next != kProtocolTcp && next != kProtocolSctp) return false;
    const auto source = load<typename F::Address>(frame + kL3 + offsetof(Header, src));
    if constexpr (kIsV4) {
        if (source == ingress.own_v4) [[likely]]
            return true;
    }
    return may_send_from<F>(ingress, source);
}

/// An IP frame to a neighbour on the bridge that can be bridged unparsed, without a checksum that
/// must still be finished.
[[gnu::always_inline]] inline bool is_plainly_bridged(const Ingress& ingress,
                                                      const Packet& packet) noexcept {
    const rte_mbuf& mbuf = *packet.mbuf;
    const uint8_t* const frame = packet.frame;
    if (mbuf.data_len < kMinPlainBytes<V4> || dst_mac_word(frame) == ingress.mac ||
        (frame[0] & 1) != 0 || is_marked_partial(mbuf)) {
        return false;
    }
    constexpr size_t kType = offsetof(EthernetHeader, ether_type);
    if ((load<uint32_t>(frame + kType) & kPlainV4Mask) == ingress.plain_v4) [[likely]]
        return is_ordinary<V4>(ingress, mbuf, frame);
    return load<be16>(frame + kType) == be16(kEtherTypeIpv6) &&
           is_ordinary<V6>(ingress, mbuf, frame);
}

/// The Node whose tunnel packet came last: the next one is often from it, too.
template <Family F>
struct LastPeer {
    typename F::Address outer{};
    uint16_t ingress = kUnknownIngress;

    [[gnu::always_inline]] uint16_t of(const Snapshot& snapshot,
                                       const typename F::Address& source) noexcept {
        if (source != outer) {
            outer = source;
            ingress = ingress_of_peer<F>(snapshot, source);
        }
        return ingress;
    }
};
/// What the short way has taken out of the tunnel in this burst.
struct TunnelledBurst {
    LastPeer<V4> v4;
    LastPeer<V6> v6;
    size_t taken_out = 0;
    uint8_t tcp_flags = 0;  ///< of all inner packets
};

/// Takes off the tunnel's headers if the fast parser can parse the frame, as Decap does for other
/// frames.
[[gnu::always_inline]] inline bool take_out_of_tunnel(const Ingress& ingress,
                                                      TunnelledBurst& tunnelled,
                                                      Packet& packet) noexcept {
    rte_mbuf& mbuf = *packet.mbuf;
    const uint32_t length = mbuf.data_len;
    if (length != mbuf.pkt_len || length < sizeof(EthernetHeader) ||
        dst_mac_word(packet.frame) != ingress.mac) {
        return false;
    }
    const auto type = load<be16>(packet.frame + offsetof(EthernetHeader, ether_type));
    uint32_t outer;
    uint8_t ecn;
    uint16_t sender;
    const uint8_t* const l3 = packet.frame + sizeof(EthernetHeader);
    if (type == be16(kEtherTypeIpv4)) {
        if (!parse_tunnelled<V4>(packet.frame, length, ingress.tunnel, packet.headers))
            return false;
        outer = kOverlayOuterBytes<V4>;
        ecn = ecn_of<V4>(packet.frame + sizeof(EthernetHeader));
        sender =
            tunnelled.v4.of(*ingress.snapshot, load<Ipv4Address>(l3 + offsetof(Ipv4Header, src)));
    } else {
        if (type != be16(kEtherTypeIpv6) ||
            !parse_tunnelled<V6>(packet.frame, length, ingress.tunnel, packet.headers)) {
            return false;
        }
        outer = kOverlayOuterBytes<V6>;
        ecn = ecn_of<V6>(packet.frame + sizeof(EthernetHeader));
        sender =
            tunnelled.v6.of(*ingress.snapshot, load<Ipv6Address>(l3 + offsetof(Ipv6Header, src)));
    }
    // Decap drops it with the reason.
    if (sender == kUnknownIngress) [[unlikely]]
        return false;
    packet.ingress = sender;
    ++tunnelled.taken_out;
    tunnelled.tcp_flags |= packet.headers.tcp_flags;
    rte_pktmbuf_adj(&mbuf, static_cast<uint16_t>(outer));
    // The device's word on the outer checksum says nothing about the inner one.
    mbuf.ol_flags &= ~RTE_MBUF_F_RX_L4_CKSUM_MASK;
    packet.frame += outer;
    if (!note_checksum(ingress, packet)) return true;
    packet.flags |= kFromOverlay | kToRouter;
    packet.verdict = Verdict::kLookUp;
    if (ecn != 0 && !take_over_ecn(packet.frame + packet.headers.l3_offset, ecn)) [[unlikely]]
        packet.drop(Drop::kTunnelCongestion);
    return true;
}

/// Whether a tagged frame is more than marked with a priority (VLAN 0): it is in a VLAN by any of
/// its tags, or has more tags than the parser has taken off. A receiver takes off as many as there
/// are.
bool is_in_a_vlan(const Packet& packet) noexcept {
    const Headers& headers = packet.headers;
    if (headers.ether_type == kEtherTypeVlan || headers.ether_type == kEtherTypeQinq) return true;
    for (size_t at = sizeof(EthernetHeader); at < headers.l3_offset; at += sizeof(VlanTag)) {
        const auto tci = load<be16>(packet.frame + at + offsetof(VlanTag, tci));
        if ((tci.host() & 0xfff) != 0) return true;
    }
    return false;
}

/// Frames that parse_plain_frame() does not accept, valid or not.
[[gnu::noinline]] void parse_other(const Ingress& ingress, Packet& packet) noexcept {
    const uint32_t frame_bytes = rte_pktmbuf_pkt_len(packet.mbuf);
    Drop bad = parse_frame(packet.head(), frame_bytes, packet.headers);
    // Only a host port can use such a packet (decide()).
    if (bad == Drop::kIpBadAddress && ingress.kind == PortKind::kHost) {
        bad = parse_to_loopback(packet.head(), frame_bytes, packet.headers);
    }
    if (bad != Drop::kNone) {
        packet.drop(bad);
        return;
    }
    const Headers& headers = packet.headers;
    if (headers.has(Headers::kVlan) && is_in_a_vlan(packet)) {
        packet.drop(Drop::kVlanUnexpected);
        return;
    }
    if (headers.has(Headers::kIpOptions) && is_source_routed(packet.head(), headers)) {
        packet.drop(Drop::kSourceRouted);
        return;
    }
    if (!note_checksum(ingress, packet)) return;
    if (headers.has(Headers::kMulticastMac)) {
        if (headers.ether_type == kEtherTypeArp) {
            packet.to_slow(SlowReason::kArp);
        } else if (is_neighbour_discovery(headers)) {
            packet.to_slow(SlowReason::kNd);
        } else {
            packet.to_slow(SlowReason::kMulticast);
        }
        return;
    }
    if (find_destination(ingress, packet)) sort_by_kind(packet);
}

[[gnu::always_inline]] inline void parse_one(const Ingress& ingress, TunnelledBurst& tunnelled,
                                             Packet& packet) noexcept {
    const std::span<uint8_t> head = packet.head();
    packet.frame = head.data();
    packet.csum = CsumState::kComplete;
    packet.entry = nullptr;
    packet.ingress = ingress.id;
    if (ingress.plain_bridge && is_plainly_bridged(ingress, packet)) {
        packet.headers = {};
        packet.verdict = Verdict::kBridge;
        return;
    }
    if (ingress.tunnel_end && !packet.is(kFromOverlay) &&
        take_out_of_tunnel(ingress, tunnelled, packet)) {
        return;
    }
    const uint32_t frame_bytes = rte_pktmbuf_pkt_len(packet.mbuf);
    if (!parse_plain_frame(head, frame_bytes, packet.headers)) [[unlikely]] {
        parse_other(ingress, packet);
        return;
    }
    if (!note_checksum(ingress, packet)) [[unlikely]]
        return;
    if (find_destination(ingress, packet)) [[likely]]
        packet.verdict = Verdict::kLookUp;
}

}  // namespace

namespace {

/// The sending Node of a packet that is out of its tunnel already. It was checked when it came.
template <Family F>
uint16_t ingress_of_source(const Snapshot& snapshot, const Packet& packet) noexcept {
    const NodeNumber* const node =
        snapshot.family<F>().tunnel_sources->find(src_address<F>(packet.frame, packet.headers));
    return node == nullptr ? kUnknownIngress : ingress_of_node(*node);
}

/// parse_one() for a packet that may have been held after decapsulation.
void parse_again(const Ingress& ingress, Packet& packet) noexcept {
    const bool is_inner = packet.is(kFromOverlay);
    TunnelledBurst tunnelled;
    parse_one(ingress, tunnelled, packet);
    if (!is_inner || packet.headers.ip_version == 0) return;
    packet.ingress = packet.headers.ip_version == 4
                         ? ingress_of_source<V4>(*ingress.snapshot, packet)
                         : ingress_of_source<V6>(*ingress.snapshot, packet);
}

}  // namespace

void parse_packet(const Ingress& ingress, Packet& packet) noexcept {
    parse_again(ingress, packet);
}

namespace {

/// Prefetches a frame's headers. A tunnelled frame's inner headers begin in its first cache line
/// and end in its second.
void prefetch(const rte_mbuf* mbuf, bool maybe_tunnelled) noexcept {
    const auto* const frame = rte_pktmbuf_mtod(mbuf, const uint8_t*);
    rte_prefetch0(frame);
    if (maybe_tunnelled) rte_prefetch0(frame + kCacheLine);
}

/// Counts what the short way has taken out of the tunnel, and spares later stages the burst if that
/// was all of it.
void note_tunnelled(WorkerCtx& ctx, const TunnelledBurst& tunnelled, size_t burst) noexcept {
    ctx.counters->at(PipelineStage::kDecap).in.add(tunnelled.taken_out);
    ctx.all_taken_out = tunnelled.taken_out == burst;
    ctx.none_to_join = ctx.all_taken_out && tunnelled.tcp_flags == 0;
}

}  // namespace

void Parse::run(WorkerCtx& ctx, Burst burst) noexcept {
    ctx.all_taken_out = ctx.none_to_join = false;
    if (burst.empty()) return;
    const Ingress ingress = ingress_of(ctx, burst.front().in_port);
    ctx.counters->at(PipelineStage::kParse).in.add(burst.size());
    // A packet that was held comes alone.
    if (burst.front().is(kFromOverlay)) [[unlikely]] {
        for (Packet& packet : burst) parse_again(ingress, packet);
        return;
    }
    TunnelledBurst tunnelled;
    const size_t ahead = burst.size() < kPrefetchAhead ? burst.size() : kPrefetchAhead;
    for (size_t i = 0; i < ahead; ++i) prefetch(burst[i].mbuf, ingress.tunnel_end);
    for (size_t i = 0; i < burst.size(); ++i) {
        if (i + kPrefetchAhead < burst.size()) {
            prefetch(burst[i + kPrefetchAhead].mbuf, ingress.tunnel_end);
        }
        parse_one(ingress, tunnelled, burst[i]);
    }
    if (ingress.tunnel_end) note_tunnelled(ctx, tunnelled, burst.size());
}

static_assert(Stage<Parse>);

}  // namespace podlane::dataplane
