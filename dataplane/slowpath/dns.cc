// Cluster DNS over UDP: the worker that got the query answers it from its snapshot.
//
// docs/decisions/dns.md says why this makes no flow, and where other queries are answered.
#include <algorithm>
#include <array>

#include "dataplane/slowpath/slow_path.h"
#include "lib/decide/decide.h"
#include "lib/dns/answer.h"

namespace podlane::dataplane {

namespace {

static_assert(kDnsOutcomes <= kDnsCounters);

constexpr uint8_t kAnswerTtl = 64;

/// Bytes of an answer's IP packet before its DNS header.
template <Family F>
constexpr size_t kIpBytes = F::kMinHeaderBytes + sizeof(UdpHeader);

void count(WorkerCtx& ctx, DnsOutcome outcome) noexcept {
    ctx.counters->dns[static_cast<size_t>(outcome)].add(1);
}

template <Family F>
bool checksum_is_wrong(const Packet& packet, const FlowKey<F>& key, be16 field,
                       std::span<const uint8_t> datagram) noexcept {
    const bool is_absent = F::kVersion == 4 && field.raw == 0;  // RFC 768
    if (is_absent || packet.csum == CsumState::kPartial) return false;
    return !l4_checksum_ok<F>(key.src, key.dst, kProtocolUdp, datagram);
}

/// The largest answer to this packet: what the client accepts, what its port's MTU allows, and what
/// the buffer holds.
template <Family F>
size_t answer_limit(const WorkerCtx& ctx, const Packet& packet, const DnsQuery& query) noexcept {
    const uint16_t mtu = ctx.snapshot->port(packet.in_port).mtu;
    const size_t before = packet.headers.l3_offset + kIpBytes<F>;
    const auto buffer = static_cast<size_t>(packet.mbuf->buf_len - packet.mbuf->data_off);
    if (mtu < kIpBytes<F> || buffer < before) return 0;
    return std::min({query.udp_limit(), mtu - kIpBytes<F>, buffer - before});
}

/// Writes IP, UDP and the answer, from the server back to the client; the Ethernet header is there
/// already.
template <Family F>
void write_answer(uint8_t* frame, const FlowKey<F>& key, std::span<const uint8_t> answer) noexcept {
    uint8_t* l3 = frame + sizeof(EthernetHeader);
    uint8_t* l4 = l3 + F::kMinHeaderBytes;
    const size_t l4_bytes = sizeof(UdpHeader) + answer.size();
    if constexpr (std::same_as<F, V4>) {
        Ipv4Header ip{};
        ip.version_ihl = 0x45;
        ip.total_bytes = be16(static_cast<uint16_t>(sizeof(Ipv4Header) + l4_bytes));
        ip.fragment = be16(kIpv4DontFragment);
        ip.ttl = kAnswerTtl;
        ip.protocol = kProtocolUdp;
        ip.src = key.dst;
        ip.dst = key.src;
        store(l3, ip);
        store(l3 + offsetof(Ipv4Header, checksum), ipv4_header_checksum({l3, sizeof(ip)}));
    } else {
        Ipv6Header ip{};
        ip.version_class_label = be32(uint32_t{6} << 28);
        ip.payload_bytes = be16(static_cast<uint16_t>(l4_bytes));
        ip.next_header = kProtocolUdp;
        ip.hop_limit = kAnswerTtl;
        ip.src = key.dst;
        ip.dst = key.src;
        store(l3, ip);
    }
    store(l4,
          UdpHeader{key.dst_port, key.src_port, be16(static_cast<uint16_t>(l4_bytes)), be16(0)});
    std::memcpy(l4 + sizeof(UdpHeader), answer.data(), answer.size());
    store(l4 + offsetof(UdpHeader, checksum),
          l4_checksum<F>(key.dst, key.src, kProtocolUdp, {l4, l4_bytes}));
}

/// Turns the packet into its answer.
template <Family F>
void send_answer(WorkerCtx& ctx, Packet& packet, const FlowKey<F>& key,
                 std::span<const uint8_t> answer) noexcept {
    Packet reply = packet;
    // Priority-only VLAN tags are left out.
    const auto tags = static_cast<uint16_t>(packet.headers.l3_offset - sizeof(EthernetHeader));
    reply.frame = packet.frame + tags;
    if (!send_back<F>(ctx, packet, reply)) {
        packet.drop(Drop::kNoRoute);
        return;
    }
    rte_pktmbuf_adj(reply.mbuf, tags);
    const size_t bytes = sizeof(EthernetHeader) + kIpBytes<F> + answer.size();
    reply.mbuf->data_len = static_cast<uint16_t>(bytes);
    reply.mbuf->pkt_len = static_cast<uint32_t>(bytes);
    write_answer<F>(reply.frame, key, answer);
    reply.csum = CsumState::kComplete;
    packet = reply;
}

/// False: the DNS server has to answer.
template <Family F>
bool answer(WorkerCtx& ctx, Packet& packet, const FlowKey<F>& key) noexcept {
    const Headers& headers = packet.headers;
    // The server's kernel reassembles a query in several buffers, and cuts a large packet into
    // queries.
    if (packet.mbuf->nb_segs != 1 || packet.is(kLarge)) return false;
    const uint8_t* udp_at = packet.frame + headers.l4_offset;
    const auto udp = load<UdpHeader>(udp_at);
    const std::span<const uint8_t> datagram(udp_at, udp.bytes.host());
    if (checksum_is_wrong<F>(packet, key, udp.checksum, datagram)) {
        packet.drop(Drop::kL4BadChecksum);
        return true;
    }
    DnsQuery query;
    const DnsParse parsed = parse_dns_query(datagram.subspan(sizeof(UdpHeader)), query);
    if (parsed == DnsParse::kIgnore) {
        packet.drop(Drop::kDnsBad);
        return true;
    }
    const size_t limit = answer_limit<F>(ctx, packet, query);
    if (limit < kMinDnsUdpBytes) return false;
    std::array<uint8_t, kMaxDnsUdpBytes> out;
    DnsAnswer made;
    if (parsed == DnsParse::kOk) {
        made = answer_dns_query(*ctx.snapshot->dns, query, std::span(out).first(limit),
                                ctx.next_random());
    } else {
        made.outcome = outcome_of(parsed);
        made.bytes = write_dns_error(query, rcode_of(parsed), out);
    }
    count(ctx, made.outcome);
    if (made.outcome == DnsOutcome::kForward) return false;
    if (made.truncated) ctx.counters->dns_truncated.add(1);
    send_answer<F>(ctx, packet, key, std::span<const uint8_t>(out).first(made.bytes));
    return true;
}

}  // namespace

template <Family F>
void answer_dns(WorkerCtx& ctx, Packet& packet, const PathDecision<F>& decision) noexcept {
    // A fragment goes to the server, where the kernel reassembles the query.
    const bool whole = !packet.headers.has(Headers::kFragment);
    if (whole && answer<F>(ctx, packet, decision.to)) return;
    if (decision.adjacency != kNoAdjacency) {
        send_as_is(ctx, packet, decision.adjacency, decision.to.dst);
    } else {
        packet.drop(decision.reason);
    }
}

template void answer_dns<V4>(WorkerCtx&, Packet&, const PathDecision<V4>&) noexcept;
template void answer_dns<V6>(WorkerCtx&, Packet&, const PathDecision<V6>&) noexcept;

}  // namespace podlane::dataplane
