// Frames for the rewrite tests: complete, with all checksums right.
#pragma once

#include <cassert>
#include <cstdint>
#include <span>
#include <vector>

#include "lib/proto/checksum.h"
#include "lib/proto/ethernet.h"
#include "lib/proto/flow_key.h"
#include "lib/proto/parse.h"

namespace podlane::test {

struct FrameOptions {
    uint8_t ttl = 64;
    bool udp_checksum = true;
    bool partial = false;         ///< leave the L4 checksum to a device
    bool first_fragment = false;  ///< IPv4: set MF; IPv6: a fragment header with M
    bool later_fragment = false;  ///< and an offset
    unsigned ipv4_option_bytes = 0;
};

/// The L4 header and `payload`, with its checksum.
template <Family F>
[[nodiscard]] std::vector<uint8_t> make_l4(const FlowKey<F>& key, std::span<const uint8_t> payload,
                                           const FrameOptions& options) {
    std::vector<uint8_t> l4;
    size_t checksum_at = 0;
    const auto begin = [&](size_t header_bytes, size_t checksum_offset) {
        l4.resize(header_bytes);
        l4.insert(l4.end(), payload.begin(), payload.end());
        checksum_at = checksum_offset;
        store(l4.data(), key.src_port);
        store(l4.data() + 2, key.dst_port);
    };
    if (key.protocol == kProtocolTcp) {
        begin(sizeof(TcpHeader), offsetof(TcpHeader, checksum));
        l4[offsetof(TcpHeader, data_offset)] = 5 << 4;
        l4[offsetof(TcpHeader, flags)] = kTcpAck;
    } else if (key.protocol == kProtocolUdp) {
        begin(sizeof(UdpHeader), offsetof(UdpHeader, checksum));
        store(l4.data() + offsetof(UdpHeader, bytes), be16(static_cast<uint16_t>(l4.size())));
    } else if (key.protocol == kProtocolSctp) {
        begin(sizeof(SctpHeader), offsetof(SctpHeader, checksum));
        store(l4.data() + checksum_at, sctp_checksum(l4));
        return l4;
    } else if (key.protocol == F::kIcmpProtocol) {
        begin(sizeof(IcmpHeader), offsetof(IcmpHeader, checksum));
        const bool request = key.src_port.raw != 0;
        const bool v4 = std::same_as<F, V4>;
        l4[0] = request ? (v4 ? kIcmpEchoRequest : kIcmpv6EchoRequest)
                        : (v4 ? kIcmpEchoReply : kIcmpv6EchoReply);
        l4[1] = l4[2] = l4[3] = 0;
        store(l4.data() + offsetof(IcmpHeader, id), request ? key.src_port : key.dst_port);
    } else {
        l4.assign(payload.begin(), payload.end());
        return l4;
    }
    if (key.protocol == kProtocolUdp && !options.udp_checksum) return l4;
    const be16 sum = options.partial ? partial_checksum<F>(key.src, key.dst, key.protocol,
                                                           static_cast<uint32_t>(l4.size()))
                                     : l4_checksum<F>(key.src, key.dst, key.protocol, l4);
    store(l4.data() + checksum_at, sum);
    return l4;
}

template <Family F>
[[nodiscard]] std::vector<uint8_t> make_frame(const FlowKey<F>& key,
                                              std::span<const uint8_t> payload,
                                              const FrameOptions& options = {}) {
    std::vector<uint8_t> frame(sizeof(EthernetHeader));
    store(frame.data() + offsetof(EthernetHeader, ether_type), be16(F::kEtherType));
    std::vector<uint8_t> l4 = make_l4<F>(key, payload, options);
    if (options.later_fragment) l4.assign(payload.begin(), payload.end());
    const bool fragment = options.first_fragment || options.later_fragment;
    const size_t l3 = frame.size();
    if constexpr (std::same_as<F, V4>) {
        const size_t header_bytes = sizeof(Ipv4Header) + options.ipv4_option_bytes;
        Ipv4Header ip{};
        ip.version_ihl = static_cast<uint8_t>(0x40 | header_bytes / 4);
        ip.total_bytes = be16(static_cast<uint16_t>(header_bytes + l4.size()));
        ip.id = be16(0x1234);
        ip.fragment = be16(static_cast<uint16_t>((fragment ? kIpv4MoreFragments : 0) |
                                                 (options.later_fragment ? 100 : 0)));
        ip.ttl = options.ttl;
        ip.protocol = key.protocol;
        ip.checksum = be16(0);
        ip.src = key.src;
        ip.dst = key.dst;
        frame.resize(l3 + header_bytes, kIpv4OptionNop);
        store(frame.data() + l3, ip);
        store(frame.data() + l3 + offsetof(Ipv4Header, checksum),
              ipv4_header_checksum(std::span(frame).subspan(l3)));
    } else {
        Ipv6Header ip{};
        ip.version_class_label = be32(6u << 28);
        ip.payload_bytes = be16(static_cast<uint16_t>(l4.size() + (fragment ? 8 : 0)));
        ip.next_header = fragment ? kProtocolFragment : key.protocol;
        ip.hop_limit = options.ttl;
        ip.src = key.src;
        ip.dst = key.dst;
        frame.resize(l3 + sizeof ip);
        store(frame.data() + l3, ip);
        if (fragment) {
            const uint8_t more = 1;
            const uint8_t offset = options.later_fragment ? 0x80 : 0;
            for (const uint8_t byte :
                 {key.protocol, uint8_t{0}, uint8_t{0}, static_cast<uint8_t>(offset | more),
                  uint8_t{1}, uint8_t{2}, uint8_t{3}, uint8_t{4}}) {
                frame.push_back(byte);
            }
        }
    }
    frame.insert(frame.end(), l4.begin(), l4.end());
    return frame;
}

/// The headers of a frame, which must parse.
[[nodiscard]] inline Headers parse(const std::vector<uint8_t>& frame) {
    Headers headers{};
    [[maybe_unused]] const Drop drop =
        parse_frame(frame, static_cast<uint32_t>(frame.size()), headers);
    assert(drop == Drop::kNone);
    return headers;
}

}  // namespace podlane::test
