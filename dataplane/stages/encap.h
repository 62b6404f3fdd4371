// The Ethernet header of the next hop, and the tunnel's headers where there is a tunnel.
//
// Part of stage 7 (forward.h); in a header so that its loop contains all of it.
#pragma once

#include <rte_mbuf.h>

#include <concepts>
#include <cstring>

#include "dataplane/checksum_offload.h"
#include "dataplane/worker_ctx.h"
#include "lib/proto/ecn.h"
#include "lib/proto/overlay.h"

namespace podlane::dataplane {

namespace detail {

static_assert(RTE_PKTMBUF_HEADROOM >= kMaxOuterBytes, "the tunnel's headers go into the headroom");

/// Both MAC addresses in one copy: dst and src stand next to one another in Adjacency and frame.
inline void write_macs(uint8_t* frame, const Adjacency& adjacency) noexcept {
    static_assert(offsetof(Adjacency, src) == offsetof(Adjacency, dst) + 6);
    std::memcpy(frame, &adjacency.dst, 12);
}

/// The outer UDP source port: the inner flow's entropy, in the dynamic range, as the formats' RFCs
/// have it.
inline be16 entropy_port(uint64_t hash) noexcept {
    return be16(static_cast<uint16_t>(49152 + (hash >> 32 & 0x3fff)));
}

/// The outer lengths and IPv4's checksum. UDP's stays absent over IPv4, as overlays allow, and is
/// left to sum_outer_ipv6() over IPv6.
template <Family F>
inline void finish_outer_ip(WorkerCtx& ctx, uint8_t* outer, const Adjacency& adjacency,
                            uint16_t udp_bytes) noexcept {
    uint8_t* const ip = outer + sizeof(EthernetHeader);
    if constexpr (std::same_as<F, V4>) {
        const be16 total(static_cast<uint16_t>(udp_bytes + sizeof(Ipv4Header)));
        // DF is not set, so the identification must differ between datagrams (RFC 6864).
        const be16 identification(ctx.outer_id++);
        store(ip + offsetof(Ipv4Header, total_bytes), total);
        store(ip + offsetof(Ipv4Header, id), identification);
        // The template's sum counts both fields as zero.
        store(ip + offsetof(Ipv4Header, checksum),
              checksum_fold(adjacency.outer_partial_sum + total.raw + identification.raw));
    } else {
        store(ip + offsetof(Ipv6Header, payload_bytes), be16(udp_bytes));
    }
}

/// Returns true if the outer UDP checksum must still be written.
template <Family F>
inline bool encapsulate(WorkerCtx& ctx, Packet& packet, const Adjacency& adjacency,
                        const uint8_t* inner) noexcept {
    if (packet.csum == CsumState::kPartial) [[unlikely]] {
        if (packet.is(kLarge)) {
            packet.verdict = Verdict::kCut;
            return false;
        }
        complete_checksum(packet);
    }
    const uint32_t frame_bytes = rte_pktmbuf_pkt_len(packet.mbuf);
    char* room = rte_pktmbuf_prepend(packet.mbuf, kOverlayOuterBytes<F>);
    if (room == nullptr) [[unlikely]] {
        packet.drop(Drop::kNoHeadroom);
        return false;
    }
    auto* outer = reinterpret_cast<uint8_t*>(room);
    std::memcpy(outer, adjacency.outer.data(), kOverlayOuterBytes<F>);
    const auto udp_bytes =
        static_cast<uint16_t>(frame_bytes + sizeof(UdpHeader) + sizeof(OverlayHeader));
    uint8_t* udp = outer + sizeof(EthernetHeader) + F::kMinHeaderBytes;
    store(udp + offsetof(UdpHeader, src_port), entropy_port(packet.hash));
    store(udp + offsetof(UdpHeader, bytes), be16(udp_bytes));
    finish_outer_ip<F>(ctx, outer, adjacency, udp_bytes);
    if (maybe_has_ecn(inner)) [[unlikely]]
        set_ecn<F>(outer + sizeof(EthernetHeader), outer_ecn(ecn_of(inner)));
    packet.send_to(adjacency.port);
    return std::same_as<F, V6>;
}

}  // namespace detail

/// Writes the UDP checksum of a packet's outer IPv6 header, over its whole inner frame: UDP over
/// IPv6 must carry one for receivers that do not expect zero (RFC 6935 makes zero the exception).
/// Call after encap() has left kSend, best a while later: bytes that were just written in small
/// pieces cannot be read at once in large ones.
void sum_outer_ipv6(const Packet& packet) noexcept;

/// Writes a kForward or kRouted packet's MACs. For a tunnel, prepends its template and patches
/// length, identification, source port and IPv4 checksum. Leaves kSend, or kCut for a large packet
/// into a tunnel. No look-ups. True: sum_outer_ipv6() must still be called.
/// `frame` and `l3` are where the packet's Ethernet and IP headers are: known to the caller, who
/// would have to read them again behind each store.
[[nodiscard, gnu::always_inline]] inline bool encap(WorkerCtx& ctx, Packet& packet, uint8_t* frame,
                                                    const uint8_t* l3) noexcept {
    const Adjacency& adjacency = *packet.adjacency;
    detail::write_macs(frame, adjacency);
    if (adjacency.kind == AdjacencyKind::kTunnel) {
        return adjacency.outer_l3_bytes == V4::kMinHeaderBytes
                   ? detail::encapsulate<V4>(ctx, packet, adjacency, l3)
                   : detail::encapsulate<V6>(ctx, packet, adjacency, l3);
    }
    packet.send_to(adjacency.port);
    return false;
}

}  // namespace podlane::dataplane
