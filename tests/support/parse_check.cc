#include "tests/support/parse_check.h"

#include <array>
#include <cstring>

#include "lib/proto/fragment.h"
#include "lib/proto/fragment_ranges.h"
#include "lib/proto/icmp_build.h"
#include "lib/proto/nd_build.h"
#include "lib/proto/overlay.h"
#include "lib/proto/parse.h"

namespace podlane::test {
namespace {

using View = std::span<const uint8_t>;

std::string offsets(View frame, const Headers& headers) {
    if (headers.l3_offset > frame.size()) return "L3 begins beyond the frame";
    if (headers.ip_version == 0) {
        return headers.l4_offset == 0 && headers.l3_bytes == 0 ? "" : "L4 without IP";
    }
    if (headers.l3_end() > frame.size()) return "the packet ends beyond the frame";
    if (headers.l4_offset <= headers.l3_offset) return "L4 begins before L3's end";
    if (headers.payload_offset < headers.l4_offset) return "payload begins before L4";
    if (headers.payload_offset > headers.l3_end()) return "payload begins beyond the packet";
    const bool first = headers.has(Headers::kFirstFragment);
    if (first && !headers.has(Headers::kFragment)) return "a first fragment that is no fragment";
    if (headers.has(Headers::kFragment) && !first && headers.payload_offset != headers.l4_offset) {
        return "L4 header in a later fragment";
    }
    if (headers.has(Headers::kPorts) && headers.payload_offset - headers.l4_offset < 8) {
        return "ports without their header";
    }
    return "";
}

template <Family F>
std::string key(View frame, const Headers& headers, bool quoted) {
    const auto key = flow_key<F>(frame.data(), headers);
    if (key.reversed().reversed() != key) return "a key reversed twice is another";
    if (!headers.has(Headers::kFragment)) return "";
    if (fragment_key<F>(frame.data(), headers) == key) return "a fragment's key is its flow's";
    const FragmentPart part = fragment_part<F>(frame.data(), headers);
    FragmentRanges ranges;
    if (part.is_possible() && ranges.add(part) != FragmentFit::kNew) return "a part does not fit";
    // Nothing looks behind the fragment header of a packet quoted by an ICMP error.
    if (quoted || !headers.has(Headers::kFirstFragment)) return "";
    Headers behind = headers;
    if (parse_behind_fragment_header(frame, behind) != Drop::kNone) return "";
    return offsets(frame, behind);
}

// Builds all replies; none may be malformed.
template <Family F>
std::string answers(View frame, const Headers& headers) {
    std::array<uint8_t, 1500> out;
    Headers answer;
    const View packet = frame.subspan(headers.l3_offset, headers.l3_bytes);
    const auto from = pod_address<F>(1);
    if (may_send_icmp_error(frame.data(), headers)) {
        const size_t bytes = build_icmp_error<F>(out, from, IcmpError::kTooBig, 1400, packet);
        if (parse_ip_packet(View(out).first(bytes), 0, static_cast<uint32_t>(bytes), answer) !=
            Drop::kNone) {
            return "a malformed ICMP error";
        }
        if (may_send_icmp_error(out.data(), answer)) return "an ICMP error may be answered";
    }
    const size_t reset = build_tcp_reset<F>(out, frame.data(), headers);
    if (reset != 0) {
        if (parse_ip_packet(View(out).first(reset), 0, static_cast<uint32_t>(reset), answer) !=
            Drop::kNone) {
            return "a malformed reset";
        }
        if (build_tcp_reset<F>(out, out.data(), answer) != 0) return "a reset may be answered";
    }
    if (headers.has(Headers::kEchoRequest) && may_send_icmp_error(frame.data(), headers)) {
        Bytes reply(frame.begin(), frame.end());
        make_echo_reply<F>(reply.data(), headers);
        if (parse_frame(reply, static_cast<uint32_t>(reply.size()), answer) ==
            Drop::kIpBadChecksum) {
            return "an echo reply with a wrong IP checksum";
        }
    }
    return "";
}

std::string fragments(View frame, const Headers& headers) {
    const View packet = frame.subspan(headers.l3_offset, headers.l3_bytes);
    auto fragmenter = Ipv4Fragmenter::of(packet, 296);
    Ipv4Fragment fragment;
    uint32_t next = static_cast<uint32_t>(headers.l4_offset - headers.l3_offset);
    if (!fragmenter) return "";
    while (fragmenter->next(fragment)) {
        if (fragment.payload_offset != next || fragment.payload_bytes == 0) {
            return "a gap between fragments";
        }
        next += fragment.payload_bytes;
    }
    return next == headers.l3_bytes ? "" : "fragments that do not make up the packet";
}

template <Family F>
std::string check_ip(View frame, const Headers& headers) {
    if (auto wrong = key<F>(frame, headers, false); !wrong.empty()) return wrong;
    if (auto wrong = answers<F>(frame, headers); !wrong.empty()) return wrong;
    if (std::same_as<F, V4>) {
        if (auto wrong = fragments(frame, headers); !wrong.empty()) return wrong;
    }
    if (headers.has(Headers::kIcmpError)) {
        Headers quoted;
        const View packet = frame.first(headers.l3_end());
        if (parse_quoted_packet<F>(packet, headers.payload_offset, quoted) == Drop::kNone) {
            if (quoted.payload_offset > packet.size()) return "a quoted L4 beyond the quote";
            if (auto wrong = key<F>(frame, quoted, true); !wrong.empty()) return wrong;
        }
    }
    NdMessage nd;
    if (parse_nd(frame, headers, nd) == Drop::kNone && nd.target.is_multicast()) {
        return "a group as neighbour";
    }
    const View payload =
        frame.subspan(headers.payload_offset, headers.l3_end() - headers.payload_offset);
    if (headers.protocol == kProtocolUdp && headers.has(Headers::kPorts) &&
        fits<OverlayHeader>(payload, 0)) {
        const View inner = payload.subspan(sizeof(OverlayHeader));
        return inner.size() < frame.size() ? check_parse(inner) : "a tunnel that grows";
    }
    return "";
}

// Whether parsing without the fast path gives a different result.
bool differs_from_long_way(View head, uint32_t frame_bytes, Drop drop, const Headers& headers) {
    Headers other;
    if (detail::parse_any_frame(head.data(), static_cast<uint32_t>(head.size()), frame_bytes,
                                other) != drop) {
        return true;
    }
    return drop == Drop::kNone && std::memcmp(&other, &headers, sizeof other) != 0;
}

}  // namespace

std::string check_parse(View frame) {
    const auto frame_bytes = static_cast<uint32_t>(frame.size());
    Headers headers;
    const Drop drop = parse_frame(frame, frame_bytes, headers);
    // A shorter first buffer: the same result, or "cut off".
    Headers of_half;
    const Drop half = parse_frame(frame.first(frame.size() / 2), frame_bytes, of_half);
    if (differs_from_long_way(frame, frame_bytes, drop, headers) ||
        differs_from_long_way(frame.first(frame.size() / 2), frame_bytes, half, of_half)) {
        return "the parser's short way and its long way differ";
    }
    if (half == Drop::kNone && drop != Drop::kNone) return "half a frame is better than the whole";
    if (static_cast<size_t>(drop) >= kDropCount) return "no such drop";
    if (drop != Drop::kNone) return "";

    if (auto wrong = offsets(frame, headers); !wrong.empty()) return wrong;
    if (describe(frame).find("MALFORMED") == 0) return "described as malformed";
    ArpMessage arp;
    if (headers.ether_type == kEtherTypeArp &&
        parse_arp(frame, headers.l3_offset, arp) == Drop::kNone && arp.sender_mac.is_multicast()) {
        return "ARP from a group";
    }
    if (headers.ip_version == V4::kVersion) return check_ip<V4>(frame, headers);
    if (headers.ip_version == V6::kVersion) return check_ip<V6>(frame, headers);
    return "";
}

std::vector<NamedFrame> sample_frames() {
    std::vector<NamedFrame> out;
    const auto add = [&out](std::string name, const Frame& frame) {
        out.push_back({std::move(name), frame.build()});
    };
    const auto families = std::to_array<std::array<std::string, 3>>(
        {{"v4", "10.244.1.2", "10.96.0.1"}, {"v6", "fd00:10:244:1::2", "fd00:10:96::1"}});
    for (const auto& [name, src, dst] : families) {
        const Frame ip = frame().eth().ip(src, dst);
        const uint8_t unreachable = name == "v4" ? 3 : 1;
        add(name + "-tcp-syn", Frame(ip).tcp(40000, 80, kTcpSyn).data_offset(10));
        add(name + "-tcp-data", Frame(ip).tcp(40000, 80, kTcpAck | kTcpPsh, 5, 7).payload(100));
        add(name + "-udp", Frame(ip).udp(5353, 53).payload(31));
        add(name + "-udp-empty-padded", Frame(ip).udp(5353, 53).pad_to(80));
        add(name + "-sctp", Frame(ip).sctp(3868, 3868).payload(20));
        add(name + "-echo", Frame(ip).icmp_echo(77, 1).payload(56));
        add(name + "-echo-reply", Frame(ip).icmp_echo_reply(77, 1).payload(56));
        add(name + "-gre", Frame(ip).payload(24).protocol(47));
        add(name + "-vlan", frame().eth().vlan(100).ip(src, dst).udp(1, 2).payload(4));
        add(name + "-qinq", frame().eth().vlan(7, true).vlan(8).ip(src, dst).udp(1, 2).payload(4));
        add(name + "-fragment-first",
            Frame(ip).frag(0, true).udp(9, 9).udp_length(3000).payload(24));
        add(name + "-fragment-later", Frame(ip).frag(1480, false).payload(24).protocol(17));
        const Bytes quoted = Frame(ip).tcp(40000, 80, kTcpAck).payload(20).build();
        add(name + "-unreachable",
            Frame(ip).icmp(unreachable, 1, 0, std::span(quoted).subspan(14)));
        add(name + "-unreachable-short",
            Frame(ip).icmp(unreachable, 1, 0, std::span(quoted).subspan(14, quoted.size() - 46)));
        add(name + "-vxlan", Frame(ip)
                                 .udp(50000, 8472)
                                 .vxlan(1)
                                 .eth()
                                 .ip("fd00::1", "fd00::2")
                                 .tcp(1, 2, kTcpFin)
                                 .payload(9));
    }
    add("v4-options", frame().eth().ip("10.0.0.1", "10.0.0.2").options(40).udp(1, 2).payload(4));
    add("v4-options-mixed", frame()
                                .eth()
                                .ip("10.0.0.1", "10.0.0.2")
                                .options(Bytes{1, 148, 4, 0, 0, 68, 4, 5, 0, 0})
                                .tcp(1, 2, kTcpAck)
                                .payload(900));
    add("v4-dhcp", frame().eth(kMacA, kBroadcastMac).ip("0.0.0.0", "255.255.255.255").udp(68, 67));
    add("v6-extensions", frame()
                             .eth()
                             .ip("fd00::1", "fd00::2")
                             .extension(kProtocolHopByHop, 16)
                             .extension(kProtocolRouting, 24)
                             .extension(kProtocolAh, 24)
                             .extension(kProtocolDestinationOptions, 8)
                             .frag(0, false)
                             .tcp(1, 2, kTcpSyn));
    add("arp-request", frame()
                           .eth(kMacA, kBroadcastMac)
                           .arp_request(kMacA, v4("10.0.0.1"), v4("10.0.0.2"))
                           .pad_to(60));
    Bytes nd(kNdFrameBytes);
    const auto ask = nd_solicitation(kMacA, v6("fd00::1"), v6("fd00::2"));
    nd.resize(build_nd_frame(nd, kMacA, kMacB, ask));
    out.push_back({"nd-solicitation", nd});
    nd.resize(kNdFrameBytes);
    nd.resize(build_nd_frame(nd, kMacB, kMacA, nd_advertisement(ask, kMacB, kNdOverride)));
    out.push_back({"nd-advertisement", nd});
    add("lldp", frame().eth(kMacA, mac("01:80:c2:00:00:0e")).ether_type(0x88cc).payload(40));
    return out;
}

}  // namespace podlane::test
