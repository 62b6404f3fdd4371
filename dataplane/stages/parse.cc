#include "dataplane/stages/parse.h"

#include <rte_prefetch.h>

#include "lib/proto/nd.h"

namespace podlane::dataplane {

namespace {

constexpr unsigned kPrefetchAhead = 4;

bool is_neighbour_discovery(const Headers& headers) noexcept {
    return headers.protocol == V6::kIcmpProtocol && headers.ip_version == 6 &&
           headers.icmp_type >= kNdRouterSolicitation && headers.icmp_type <= kNdRedirect;
}

/// Some drivers deliver the kernel's partial checksums without a word: such a field holds exactly
/// the uncomplemented pseudo-header sum. A complete checksum that happens to look like this has the
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

CsumState checksum_state(const WorkerCtx& ctx, const Packet& packet) noexcept {
    const Headers& headers = packet.headers;
    const bool checked = headers.protocol == kProtocolTcp || headers.protocol == kProtocolUdp;
    if (!checked || headers.has(Headers::kFragment)) return CsumState::kComplete;
    const uint64_t flags = packet.mbuf->ol_flags & RTE_MBUF_F_RX_L4_CKSUM_MASK;
    if (flags == RTE_MBUF_F_RX_L4_CKSUM_NONE) return CsumState::kPartial;
    const Port* port = ctx.ports->get(packet.in_port);
    if (port == nullptr || port->caps.rx_l4_checksum != RxChecksum::kMaybePartial) {
        return CsumState::kComplete;
    }
    const bool partial =
        headers.ip_version == 4 ? looks_partial<V4>(packet) : looks_partial<V6>(packet);
    return partial ? CsumState::kPartial : CsumState::kComplete;
}

/// Frames for the router, for the bridge and for nobody.
void sort_by_destination(const WorkerCtx& ctx, Packet& packet) noexcept {
    const PortView& view = ctx.snapshot->port(packet.in_port);
    const auto dst = load<MacAddress>(packet.frame);
    const bool ours = packet.is(kFromOverlay) || view.kind == PortKind::kHost || dst == view.mac;
    if (ours) {
        packet.flags |= kToRouter;
    } else if (view.kind != PortKind::kPod) {
        packet.drop(Drop::kNotForUs);
        return;
    }
    if (packet.headers.ip_version != 0) {
        if (packet.headers.has(Headers::kIcmpError)) {
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

void parse_packet(const WorkerCtx& ctx, Packet& packet) noexcept {
    packet.frame = rte_pktmbuf_mtod(packet.mbuf, uint8_t*);
    packet.csum = CsumState::kComplete;
    packet.entry = nullptr;
    const Drop bad = parse_frame(packet.head(), rte_pktmbuf_pkt_len(packet.mbuf), packet.headers);
    if (bad != Drop::kNone) [[unlikely]] {
        packet.drop(bad);
        return;
    }
    const Headers& headers = packet.headers;
    if ((headers.vlan_tci & 0xfff) != 0) [[unlikely]] {
        packet.drop(Drop::kVlanUnexpected);
        return;
    }
    if (headers.ip_version != 0) packet.csum = checksum_state(ctx, packet);
    if (headers.has(Headers::kMulticastMac)) [[unlikely]] {
        if (headers.ether_type == kEtherTypeArp) {
            packet.to_slow(SlowReason::kArp);
        } else if (is_neighbour_discovery(headers)) {
            packet.to_slow(SlowReason::kNd);
        } else {
            packet.to_slow(SlowReason::kMulticast);
        }
        return;
    }
    sort_by_destination(ctx, packet);
}

void Parse::run(WorkerCtx& ctx, Burst burst) noexcept {
    const size_t ahead = burst.size() < kPrefetchAhead ? burst.size() : kPrefetchAhead;
    for (size_t i = 0; i < ahead; ++i) rte_prefetch0(rte_pktmbuf_mtod(burst[i].mbuf, void*));
    for (size_t i = 0; i < burst.size(); ++i) {
        if (i + kPrefetchAhead < burst.size()) {
            rte_prefetch0(rte_pktmbuf_mtod(burst[i + kPrefetchAhead].mbuf, void*));
        }
        parse_packet(ctx, burst[i]);
    }
}

static_assert(Stage<Parse>);

}  // namespace podlane::dataplane
