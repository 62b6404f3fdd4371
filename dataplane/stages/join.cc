#include "dataplane/stages/join.h"

#include <array>
#include <concepts>
#include <cstring>
#include <utility>

#include "dataplane/large_frames.h"
#include "lib/proto/virtio_net.h"

namespace podlane::dataplane {

namespace {

/// Connections that can be joined at once in a burst.
constexpr unsigned kOpen = 8;
constexpr uint32_t kMaxL3Bytes = 65535;

/// A packet that later ones may be joined to.
struct Open {
    Packet* head = nullptr;  ///< null: a free place
    rte_mbuf* tail = nullptr;
    uint32_t next_sequence = 0;
    uint32_t l3_bytes = 0;
    uint16_t segment_bytes = 0;
    uint16_t count = 0;
    bool verified = false;
    bool pushed = false;
};

uint32_t payload_bytes(const Packet& packet) noexcept {
    return packet.headers.l3_end() - packet.headers.payload_offset;
}

TcpHeader tcp_of(const Packet& packet) noexcept {
    return load<TcpHeader>(packet.frame + packet.headers.l4_offset);
}

/// Whether this is plain data of a connection to a port that takes large frames: nothing that the
/// receiver must see as a separate packet.
bool may_join(const WorkerCtx& ctx, const Packet& packet) noexcept {
    const Headers& headers = packet.headers;
    constexpr uint8_t kPlain = kTcpAck | kTcpPsh;
    if (headers.protocol != kProtocolTcp || !headers.has(Headers::kWholeL4) ||
        headers.has(Headers::kIpOptions) || headers.has(Headers::kVlan) ||
        (headers.tcp_flags | kTcpPsh) != kPlain || packet.mbuf->nb_segs != 1 || packet.is(kLarge) ||
        payload_bytes(packet) == 0 || packet.adjacency->kind == AdjacencyKind::kTunnel) {
        return false;
    }
    const Port* port = ctx.ports->get(packet.adjacency->port);
    return port != nullptr && port->caps.tx_tso;
}

template <Family F>
bool tcp_checksum_is_right(const Packet& packet) noexcept {
    const Headers& headers = packet.headers;
    const auto l4 = packet.head().subspan(headers.l4_offset, headers.l4_bytes());
    return l4_checksum_ok<F>(src_address<F>(packet.frame, headers),
                             dst_address<F>(packet.frame, headers), kProtocolTcp, l4);
}

/// A joined packet gets a new checksum, which would hide an error on the wire.
bool is_intact(const Packet& packet) noexcept {
    if (packet.csum == CsumState::kPartial ||
        (packet.mbuf->ol_flags & RTE_MBUF_F_RX_L4_CKSUM_MASK) == RTE_MBUF_F_RX_L4_CKSUM_GOOD) {
        return true;
    }
    return packet.headers.ip_version == V4::kVersion ? tcp_checksum_is_right<V4>(packet)
                                                     : tcp_checksum_is_right<V6>(packet);
}

/// Whether both IP headers are equal except for their lengths, and the later identification follows
/// the earlier one.
bool is_like_ip(const Packet& head, const Packet& next, unsigned index) noexcept {
    const uint8_t* const a = head.frame + head.headers.l3_offset;
    const uint8_t* const b = next.frame + next.headers.l3_offset;
    if (head.headers.ip_version == V6::kVersion) {
        return std::memcmp(a, b, offsetof(Ipv6Header, payload_bytes)) == 0 &&
               a[offsetof(Ipv6Header, hop_limit)] == b[offsetof(Ipv6Header, hop_limit)];
    }
    const auto first = load<Ipv4Header>(a);
    const auto later = load<Ipv4Header>(b);
    const bool follows = static_cast<uint16_t>(first.id.host() + index) == later.id.host();
    // Without DF, identifications must not repeat, and cutting counts them up.
    return first.tos == later.tos && first.ttl == later.ttl && first.fragment == later.fragment &&
           (follows || head.headers.has(Headers::kDontFragment));
}

bool is_like_tcp(const Packet& head, const Packet& next) noexcept {
    const TcpHeader a = tcp_of(head);
    const TcpHeader b = tcp_of(next);
    const size_t options = a.header_bytes() - sizeof(TcpHeader);
    return a.data_offset == b.data_offset && a.acknowledgment == b.acknowledgment &&
           a.window == b.window &&
           std::memcmp(head.frame + head.headers.l4_offset + sizeof(TcpHeader),
                       next.frame + next.headers.l4_offset + sizeof(TcpHeader), options) == 0;
}

bool continues(const Open& open, const Packet& packet) noexcept {
    const uint32_t payload = payload_bytes(packet);
    return tcp_of(packet).sequence.host() == open.next_sequence && payload <= open.segment_bytes &&
           open.l3_bytes + payload <= kMaxL3Bytes && is_like_ip(*open.head, packet, open.count) &&
           is_like_tcp(*open.head, packet);
}

/// Cuts off Ethernet's padding at the end of a short frame.
void trim(const Packet& packet) noexcept {
    const uint32_t surplus = packet.mbuf->pkt_len - packet.headers.l3_end();
    if (surplus > 0) rte_pktmbuf_trim(packet.mbuf, static_cast<uint16_t>(surplus));
}

void begin(Open& open, Packet& packet) noexcept {
    const uint32_t payload = payload_bytes(packet);
    open = {.head = &packet,
            .tail = packet.mbuf,
            .next_sequence = tcp_of(packet).sequence.host() + payload,
            .l3_bytes = packet.headers.l3_bytes,
            .segment_bytes = static_cast<uint16_t>(payload),
            .count = 1};
}

void append(Open& open, Packet& packet) noexcept {
    const uint32_t payload = payload_bytes(packet);
    rte_mbuf& head = *open.head->mbuf;
    if (open.count == 1) trim(*open.head);
    trim(packet);
    rte_pktmbuf_adj(packet.mbuf, packet.headers.payload_offset);
    open.tail = open.tail->next = packet.mbuf;
    head.nb_segs = static_cast<uint16_t>(head.nb_segs + 1);
    head.pkt_len += payload;
    open.l3_bytes += payload;
    open.next_sequence += payload;
    open.pushed = (packet.headers.tcp_flags & kTcpPsh) != 0;
    ++open.count;
    packet.verdict = Verdict::kConsumed;
}

template <Family F>
void write_lengths(Packet& packet) noexcept {
    uint8_t* const ip = packet.frame + packet.headers.l3_offset;
    const uint32_t bytes = packet.headers.l3_bytes;
    if constexpr (std::same_as<F, V4>) {
        uint8_t* const field = ip + offsetof(Ipv4Header, total_bytes);
        const be16 now(static_cast<uint16_t>(bytes));
        uint8_t* const sum = ip + offsetof(Ipv4Header, checksum);
        store(sum, checksum_update(load<be16>(sum), load<be16>(field), now));
        store(field, now);
    } else {
        store(ip + offsetof(Ipv6Header, payload_bytes),
              be16(static_cast<uint16_t>(bytes - sizeof(Ipv6Header))));
    }
    store(packet.frame + packet.headers.l4_offset + offsetof(TcpHeader, checksum),
          partial_checksum<F>(src_address<F>(packet.frame, packet.headers),
                              dst_address<F>(packet.frame, packet.headers), kProtocolTcp,
                              packet.headers.l4_bytes()));
}

/// Makes one packet of those gathered, if there is more than one, and frees the place.
void close(Open& open) noexcept {
    Packet* const packet = std::exchange(open.head, nullptr);
    if (packet == nullptr || open.count == 1) return;
    Headers& headers = packet->headers;
    headers.l3_bytes = open.l3_bytes;
    if (open.pushed) {
        headers.tcp_flags |= kTcpPsh;
        packet->frame[headers.l4_offset + offsetof(TcpHeader, flags)] |= kTcpPsh;
    }
    const bool v4 = headers.ip_version == V4::kVersion;
    if (v4) {
        write_lengths<V4>(*packet);
    } else {
        write_lengths<V6>(*packet);
    }
    packet->csum = CsumState::kPartial;
    packet->flags |= kLarge;
    set_tap_marks(*packet->mbuf, {headers.l4_offset, offsetof(TcpHeader, checksum),
                                  open.segment_bytes, v4 ? kVirtioGsoTcp4 : kVirtioGsoTcp6, 0});
}

/// The connections that are open.
class Gathering {
  public:
    [[gnu::always_inline]] Open* find(const Packet& packet) noexcept {
        if (!has_opened_) return nullptr;
        for (Open& open : open_) {
            if (open.head != nullptr && open.head->entry == packet.entry) return &open;
        }
        return nullptr;
    }
    /// A free place; if there is none, the one that was opened first is closed.
    Open& take() noexcept {
        has_opened_ = true;
        for (Open& open : open_) {
            if (open.head == nullptr) return open;
        }
        Open& oldest = open_[oldest_++ % kOpen];
        close(oldest);
        return oldest;
    }
    void close_all() noexcept {
        if (!has_opened_) return;
        for (Open& open : open_) close(open);
    }

  private:
    std::array<Open, kOpen> open_{};
    unsigned oldest_ = 0;
    bool has_opened_ = false;
};

void join(const WorkerCtx& ctx, Gathering& gathering, Packet& packet) noexcept {
    Open* open = gathering.find(packet);
    if (!may_join(ctx, packet)) {
        // Later packets must not overtake it.
        if (open != nullptr) close(*open);
        return;
    }
    const bool ends = (packet.headers.tcp_flags & kTcpPsh) != 0;
    if (open != nullptr && continues(*open, packet)) {
        open->verified = open->verified || is_intact(*open->head);
        if (open->verified && is_intact(packet)) {
            const bool is_short = payload_bytes(packet) < open->segment_bytes;
            append(*open, packet);
            ctx.counters->taken.add(1);
            ctx.counters->at(PipelineStage::kJoin).kept.add(1);
            if (ends || is_short) close(*open);
            return;
        }
    }
    if (open != nullptr) close(*open);
    if (!ends) begin(open != nullptr ? *open : gathering.take(), packet);
}

}  // namespace

void Join::run(WorkerCtx& ctx, Burst burst) noexcept {
    if (ctx.none_to_join || burst.size() < 2 ||
        ctx.snapshot->port(burst.front().in_port).kind != PortKind::kUplink) {
        return;
    }
    Gathering gathering;
    unsigned in = 0;
    for (Packet& packet : burst) {
        if (packet.verdict != Verdict::kForward) continue;
        ++in;
        join(ctx, gathering, packet);
    }
    gathering.close_all();
    ctx.counters->at(PipelineStage::kJoin).in.add(in);
}

static_assert(Stage<Join>);

}  // namespace podlane::dataplane
