#include <algorithm>
#include <cstdio>
#include <sstream>

#include "lib/proto/checksum.h"
#include "lib/proto/overlay.h"
#include "lib/proto/parse.h"
#include "tests/support/frames.h"

namespace podlane::test {
namespace {

void hex(std::ostream& out, std::span<const uint8_t> bytes, size_t most) {
    for (const uint8_t byte : bytes.first(std::min(bytes.size(), most))) {
        char text[4];
        std::snprintf(text, sizeof text, " %02x", byte);
        out << text;
    }
    if (bytes.size() > most) out << " ...";
}

std::string tcp_flags(uint8_t flags) {
    constexpr std::string_view kLetters = "FSRPAUEC";
    std::string out;
    for (size_t bit = 0; bit < kLetters.size(); ++bit) {
        if ((flags >> bit & 1) != 0) out += kLetters[bit];
    }
    return out.empty() ? "none" : out;
}

template <Family F>
bool checksum_is_wrong(std::span<const uint8_t> frame, const Headers& headers,
                       std::span<const uint8_t> l4) {
    if (headers.protocol == kProtocolSctp) {
        return load<be32>(l4.data() + offsetof(SctpHeader, checksum)) != sctp_checksum(l4);
    }
    auto summed = l4;
    if (headers.protocol == kProtocolUdp) {
        const auto udp = header_at<UdpHeader>(l4, 0);
        if (udp.checksum == be16(0)) return false;
        summed = l4.first(udp.bytes.host());
    }
    return !l4_checksum_ok<F>(src_address<F>(frame.data(), headers),
                              dst_address<F>(frame.data(), headers), headers.protocol, summed);
}

template <Family F>
void describe_l4(std::ostream& out, std::span<const uint8_t> frame, const Headers& headers) {
    const auto l4 = frame.subspan(headers.l4_offset, headers.l4_bytes());
    const auto ports = [&] {
        const auto header = header_at<UdpHeader>(l4, 0);
        out << header.src_port.host() << " > " << header.dst_port.host();
    };
    bool known = true;
    if (headers.has(Headers::kPorts) && headers.protocol == kProtocolTcp) {
        const auto tcp = header_at<TcpHeader>(l4, 0);
        out << " / tcp ";
        ports();
        out << ' ' << tcp_flags(tcp.flags) << " seq " << tcp.sequence.host() << " ack "
            << tcp.acknowledgment.host();
    } else if (headers.has(Headers::kPorts)) {
        out << (headers.protocol == kProtocolUdp ? " / udp " : " / sctp ");
        ports();
    } else if (headers.protocol == F::kIcmpProtocol && headers.payload_offset > headers.l4_offset) {
        const auto icmp = header_at<IcmpHeader>(l4, 0);
        out << " / icmp type " << int{icmp.type} << " code " << int{icmp.code} << " id "
            << icmp.id.host() << " seq " << icmp.sequence.host();
    } else {
        known = false;
        out << " / protocol " << int{headers.protocol};
    }
    if (known && !headers.has(Headers::kFragment) && checksum_is_wrong<F>(frame, headers, l4)) {
        out << " BAD CHECKSUM";
    }
    const auto payload = l4.subspan(size_t{headers.payload_offset} - headers.l4_offset);
    if (headers.protocol == kProtocolUdp && known && fits<OverlayHeader>(payload, 0)) {
        const uint16_t port = header_at<UdpHeader>(l4, 0).dst_port.host();
        if (overlay_of_port(port) != nullptr) {
            out << " / vxlan " << header_at<OverlayHeader>(payload, 0).vni() << " / "
                << describe(payload.subspan(sizeof(OverlayHeader)));
            return;
        }
    }
    out << " / " << payload.size() << " bytes";
    hex(out, payload, 16);
}

template <Family F>
void describe_ip(std::ostream& out, std::span<const uint8_t> frame, const Headers& headers) {
    out << " / " << F::kName << ' ' << to_string(IpAddress(src_address<F>(frame.data(), headers)))
        << " > " << to_string(IpAddress(dst_address<F>(frame.data(), headers)));
    if constexpr (std::same_as<F, V4>) {
        const auto ip = header_at<Ipv4Header>(frame, headers.l3_offset);
        out << " ttl " << int{ip.ttl} << " id " << ip.id.host();
        if (headers.has(Headers::kDontFragment)) out << " df";
        if (headers.has(Headers::kFragment)) out << " offset " << ip.fragment_offset_bytes();
    } else {
        out << " hop limit " << int{header_at<Ipv6Header>(frame, headers.l3_offset).hop_limit};
    }
    if (headers.has(Headers::kIpOptions)) {
        out << " header " << headers.l4_offset - headers.l3_offset;
    }
    if (headers.has(Headers::kFragment)) out << " fragment";
    if (headers.has(Headers::kMoreFragments)) out << " more";
    out << " length " << headers.l3_bytes;
    describe_l4<F>(out, frame, headers);
    if (frame.size() > headers.l3_end()) {
        out << " / padding " << frame.size() - headers.l3_end();
    }
}

}  // namespace

std::string describe(std::span<const uint8_t> frame) {
    std::ostringstream out;
    Headers headers;
    const Drop drop = parse_frame(frame, static_cast<uint32_t>(frame.size()), headers);
    if (frame.size() >= sizeof(EthernetHeader)) {
        const auto eth = header_at<EthernetHeader>(frame, 0);
        out << "eth " << to_string(eth.src) << " > " << to_string(eth.dst);
    }
    if (headers.has(Headers::kVlan)) out << " / vlan tci " << headers.vlan_tci;
    if (drop != Drop::kNone) {
        out << " / MALFORMED " << drop_info(drop).name << " / " << frame.size() << " bytes";
        hex(out, frame, 128);
        return out.str();
    }
    if (headers.ip_version == V4::kVersion) {
        describe_ip<V4>(out, frame, headers);
    } else if (headers.ip_version == V6::kVersion) {
        describe_ip<V6>(out, frame, headers);
    } else if (ArpMessage arp; headers.ether_type == kEtherTypeArp &&
                               parse_arp(frame, headers.l3_offset, arp) == Drop::kNone) {
        out << " / arp " << (arp.operation == kArpRequest ? "request " : "reply ")
            << to_string(arp.sender_mac) << ' ' << to_string(IpAddress(arp.sender)) << " > "
            << to_string(arp.target_mac) << ' ' << to_string(IpAddress(arp.target));
    } else {
        out << " / ether type " << headers.ether_type;
        hex(out, frame.subspan(headers.l3_offset), 32);
    }
    return out.str();
}

}  // namespace podlane::test
