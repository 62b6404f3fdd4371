// The Ethernet header of the next hop, and the tunnel's headers where there is a tunnel.
//
// Part of stage 6 (forward.h); in a header so that its loop contains all of it.
#pragma once

#include <rte_mbuf.h>

#include <cstring>

#include "dataplane/checksum_offload.h"
#include "dataplane/worker_ctx.h"
#include "lib/proto/vxlan.h"

namespace podlane::dataplane {

namespace detail {

static_assert(RTE_PKTMBUF_HEADROOM >= kMaxOuterBytes, "the tunnel's headers go into the headroom");

/// Both MAC addresses in one copy: dst and src stand next to one another in Adjacency and frame.
inline void write_macs(uint8_t* frame, const Adjacency& adjacency) noexcept {
    static_assert(offsetof(Adjacency, src) == offsetof(Adjacency, dst) + 6);
    std::memcpy(frame, &adjacency.dst, 12);
}

/// The outer UDP source port: the inner flow's entropy, in the dynamic range (RFC 7348 section 5).
inline be16 entropy_port(uint64_t hash) noexcept {
    return be16(static_cast<uint16_t>(49152 + (hash >> 32 & 0x3fff)));
}

inline void finish_outer_ipv4(uint8_t* outer, const Adjacency& adjacency, uint32_t frame_bytes,
                              uint16_t id) noexcept {
    uint8_t* ip = outer + sizeof(EthernetHeader);
    const be16 total(
        static_cast<uint16_t>(frame_bytes + adjacency.outer_bytes - sizeof(EthernetHeader)));
    const be16 identification(id);
    store(ip + offsetof(Ipv4Header, total_bytes), total);
    store(ip + offsetof(Ipv4Header, id), identification);
    // The template's sum counts both fields as zero; the UDP checksum stays absent (RFC 7348).
    store(ip + offsetof(Ipv4Header, checksum),
          checksum_fold(adjacency.outer_partial_sum + total.raw + identification.raw));
}

/// Likewise; the UDP checksum is left to sum_outer_ipv6().
inline void finish_outer_ipv6(uint8_t* outer, uint16_t udp_bytes) noexcept {
    store(outer + sizeof(EthernetHeader) + offsetof(Ipv6Header, payload_bytes), be16(udp_bytes));
}

/// Copies the template; sizes that the compiler knows spare a call.
inline void copy_outer(uint8_t* to, const Adjacency& adjacency) noexcept {
    constexpr size_t kBeyondIp = sizeof(EthernetHeader) + sizeof(UdpHeader) + sizeof(VxlanHeader);
    if (adjacency.outer_l3_bytes == sizeof(Ipv4Header)) {
        std::memcpy(to, adjacency.outer.data(), kBeyondIp + sizeof(Ipv4Header));
    } else {
        std::memcpy(to, adjacency.outer.data(), kBeyondIp + sizeof(Ipv6Header));
    }
}

inline void encapsulate(WorkerCtx& ctx, Packet& packet, const Adjacency& adjacency) noexcept {
    if (packet.csum == CsumState::kPartial) [[unlikely]]
        complete_checksum(packet);
    const uint32_t frame_bytes = rte_pktmbuf_pkt_len(packet.mbuf);
    char* room = rte_pktmbuf_prepend(packet.mbuf, adjacency.outer_bytes);
    if (room == nullptr) [[unlikely]] {
        packet.drop(Drop::kNoHeadroom);
        return;
    }
    auto* outer = reinterpret_cast<uint8_t*>(room);
    copy_outer(outer, adjacency);
    uint8_t* udp = outer + sizeof(EthernetHeader) + adjacency.outer_l3_bytes;
    const auto udp_bytes =
        static_cast<uint16_t>(frame_bytes + sizeof(UdpHeader) + sizeof(VxlanHeader));
    store(udp + offsetof(UdpHeader, src_port), entropy_port(packet.hash));
    store(udp + offsetof(UdpHeader, bytes), be16(udp_bytes));
    if (adjacency.outer_l3_bytes == sizeof(Ipv4Header)) {
        // DF is not set, so the identification must differ between datagrams (RFC 6864).
        finish_outer_ipv4(outer, adjacency, frame_bytes, ctx.outer_id++);
    } else {
        finish_outer_ipv6(outer, udp_bytes);
    }
    packet.send_to(adjacency.port);
}

}  // namespace detail

/// Whether encap() leaves this adjacency's packets to sum_outer_ipv6().
[[nodiscard, gnu::always_inline]] inline bool has_outer_sum(const Adjacency& adjacency) noexcept {
    return adjacency.kind == AdjacencyKind::kTunnel &&
           adjacency.outer_l3_bytes == sizeof(Ipv6Header);
}

/// Writes the UDP checksum over a packet's outer IPv6, its whole inner frame included: UDP over
/// IPv6 must carry one for receivers that do not expect zero (RFC 6935 makes zero the exception).
/// After encap() has made kSend of it, and best some time after, as what was written just before in
/// small pieces cannot be read in large ones at once.
void sum_outer_ipv6(const Packet& packet) noexcept;

/// Writes a kForward or kRouted packet's MACs and, for a tunnel, prepends its template and patches
/// length, identification, source port and IPv4 checksum. Leaves kSend. No look-ups.
[[gnu::always_inline]] inline void encap(WorkerCtx& ctx, Packet& packet) noexcept {
    const Adjacency& adjacency = *packet.adjacency;
    detail::write_macs(packet.frame, adjacency);
    if (adjacency.kind == AdjacencyKind::kTunnel) {
        detail::encapsulate(ctx, packet, adjacency);
    } else {
        packet.send_to(adjacency.port);
    }
}

}  // namespace podlane::dataplane
