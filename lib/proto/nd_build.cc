#include "lib/proto/nd_build.h"

namespace podlane {
namespace {

constexpr uint8_t link_option_of(uint8_t type) noexcept {
    return type == kNdNeighbourSolicitation ? kNdSourceLinkAddress : kNdTargetLinkAddress;
}

// Walks the options (section 4.6) and takes the link-layer address that belongs to this message.
// False if an option has no length or goes beyond the message, or gives another address than one
// before it: receivers differ in which of them they believe.
bool read_options(std::span<const uint8_t> options, NdMessage& out) noexcept {
    while (!options.empty()) {
        if (options.size() < 2) return false;
        const size_t option_bytes = options[1] * size_t{8};
        if (option_bytes == 0 || option_bytes > options.size()) return false;
        if (options[0] == link_option_of(out.type) && option_bytes == sizeof(NdLinkAddress)) {
            const MacAddress mac = header_at<NdLinkAddress>(options, 0).mac;
            if (out.has_mac && mac != out.mac) return false;
            out.mac = mac;
            out.has_mac = true;
        }
        options = options.subspan(option_bytes);
    }
    return true;
}

// The checks of each message type beyond the common ones; sections 7.1.1 and 7.1.2.
bool is_consistent(const NdMessage& message) noexcept {
    if (message.target.is_multicast()) return false;
    if (message.has_mac && (message.mac.is_multicast() || message.mac.is_zero())) return false;
    if (message.type == kNdNeighbourAdvertisement) {
        const bool solicited = (message.flags & kNdSolicited) != 0;
        return !message.src.is_zero() && !(message.dst.is_multicast() && solicited);
    }
    if (!message.src.is_zero()) return true;
    return message.dst == solicited_node(message.target) && !message.has_mac;
}

}  // namespace

Drop parse_nd(std::span<const uint8_t> head, const Headers& headers, NdMessage& out) noexcept {
    const bool neighbour = headers.icmp_type == kNdNeighbourSolicitation ||
                           headers.icmp_type == kNdNeighbourAdvertisement;
    if (headers.ip_version != V6::kVersion || headers.protocol != kProtocolIcmpv6 || !neighbour ||
        headers.has(Headers::kFragment)) {
        return Drop::kNdBad;
    }
    const size_t l4_bytes = headers.l4_bytes();
    if (l4_bytes < sizeof(NdNeighbour) || headers.l3_end() > head.size()) return Drop::kNdBad;
    const auto ip = header_at<Ipv6Header>(head, headers.l3_offset);
    const auto l4 = head.subspan(headers.l4_offset, l4_bytes);
    const auto nd = header_at<NdNeighbour>(l4, 0);
    if (ip.hop_limit != kNdHopLimit || nd.code != 0) return Drop::kNdBad;
    if (!l4_checksum_ok<V6>(ip.src, ip.dst, kProtocolIcmpv6, l4)) return Drop::kNdBad;

    out = {.type = nd.type,
           .has_mac = false,
           .flags = nd.type == kNdNeighbourAdvertisement
                        ? nd.flags.host() & (kNdRouter | kNdSolicited | kNdOverride)
                        : 0,
           .mac = {},
           .src = ip.src,
           .dst = ip.dst,
           .target = nd.target};
    const bool good = read_options(l4.subspan(sizeof nd), out) && is_consistent(out);
    return good ? Drop::kNone : Drop::kNdBad;
}

NdMessage nd_solicitation(const MacAddress& src_mac, const Ipv6Address& src,
                          const Ipv6Address& target) noexcept {
    return {.type = kNdNeighbourSolicitation,
            .has_mac = !src.is_zero(),
            .flags = 0,
            .mac = src.is_zero() ? MacAddress{} : src_mac,
            .src = src,
            .dst = solicited_node(target),
            .target = target};
}

NdMessage nd_advertisement(const NdMessage& solicitation, const MacAddress& mac,
                           uint32_t flags) noexcept {
    const bool probe = solicitation.src.is_zero();
    return {.type = kNdNeighbourAdvertisement,
            .has_mac = true,
            .flags = flags | (probe ? 0 : kNdSolicited),
            .mac = mac,
            .src = solicitation.target,
            .dst = probe ? kAllNodes : solicitation.src,
            .target = solicitation.target};
}

NdMessage nd_announcement(const MacAddress& mac, const Ipv6Address& address,
                          uint32_t flags) noexcept {
    return {.type = kNdNeighbourAdvertisement,
            .has_mac = true,
            .flags = flags,
            .mac = mac,
            .src = address,
            .dst = kAllNodes,
            .target = address};
}

size_t build_nd_frame(std::span<uint8_t> out, const MacAddress& src_mac, const MacAddress& dst_mac,
                      const NdMessage& message) noexcept {
    constexpr size_t l3 = sizeof(EthernetHeader);
    constexpr size_t l4 = l3 + sizeof(Ipv6Header);
    const size_t l4_bytes = sizeof(NdNeighbour) + (message.has_mac ? sizeof(NdLinkAddress) : 0);
    if (out.size() < l4 + l4_bytes) return 0;
    put_header(out, 0,
               EthernetHeader{message.dst.is_multicast() ? multicast_mac(message.dst) : dst_mac,
                              src_mac, be16(kEtherTypeIpv6)});
    put_header(out, l3,
               Ipv6Header{.version_class_label = be32(0x60000000),
                          .payload_bytes = be16(static_cast<uint16_t>(l4_bytes)),
                          .next_header = kProtocolIcmpv6,
                          .hop_limit = kNdHopLimit,
                          .src = message.src,
                          .dst = message.dst});
    NdNeighbour nd{message.type, 0, be16(0), be32(message.flags), message.target};
    put_header(out, l4, nd);
    if (message.has_mac) {
        put_header(out, l4 + sizeof nd,
                   NdLinkAddress{link_option_of(message.type), 1, message.mac});
    }
    nd.checksum =
        l4_checksum<V6>(message.src, message.dst, kProtocolIcmpv6, out.subspan(l4, l4_bytes));
    put_header(out, l4, nd);
    return l4 + l4_bytes;
}

}  // namespace podlane
