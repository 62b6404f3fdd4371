#include "tests/support/frames.h"

#include <cstdlib>
#include <cstring>
#include <iostream>

#include "lib/proto/checksum.h"
#include "lib/proto/ethernet.h"
#include "lib/proto/icmp.h"
#include "lib/proto/ip_protocol.h"
#include "lib/proto/ipv4.h"
#include "lib/proto/ipv6.h"
#include "lib/proto/overlay.h"
#include "lib/proto/sctp.h"
#include "lib/proto/tcp.h"
#include "lib/proto/udp.h"
#include "lib/proto/wire.h"

namespace podlane::test {
namespace {

// RFC 3692: for experiments and tests.
constexpr uint8_t kProtocolForTests = 253;

[[noreturn]] void wrong_text(std::string_view kind, std::string_view text) {
    std::cerr << "test: not " << kind << ": " << text << '\n';
    std::abort();
}

template <Wire T>
void append(Bytes& out, const T& value) {
    const size_t at = out.size();
    out.resize(at + sizeof value);
    store(out.data() + at, value);
}

void append(Bytes& out, std::span<const uint8_t> bytes) {
    if (bytes.empty()) return;
    const size_t at = out.size();
    out.resize(at + bytes.size());
    std::memcpy(out.data() + at, bytes.data(), bytes.size());
}

template <Wire T>
Bytes bytes_of(const T& value) {
    Bytes out;
    append(out, value);
    return out;
}

}  // namespace

Ipv4Address v4(std::string_view text) {
    const auto address = parse_ip(text);
    if (!address || !address->is_v4()) wrong_text("an IPv4 address", text);
    return address->as<V4>();
}

Ipv6Address v6(std::string_view text) {
    const auto address = parse_ip(text);
    if (!address || !address->is_v6()) wrong_text("an IPv6 address", text);
    return address->as<V6>();
}

MacAddress mac(std::string_view text) {
    const auto address = parse_mac(text);
    if (!address) wrong_text("a MAC address", text);
    return *address;
}

template <>
Ipv4Address pod_address<V4>(uint16_t n) {
    return {be32(0x0af40000u | n)};
}

template <>
Ipv6Address pod_address<V6>(uint16_t n) {
    Ipv6Address address = v6("fd00:10:244::");
    store(address.bytes.data() + 14, be16(n));
    return address;
}

Frame& Frame::eth(const MacAddress& src, const MacAddress& dst) {
    layers_.emplace_back(Eth{src, dst, {}});
    return *this;
}

Frame& Frame::vlan(uint16_t tci, bool service) {
    layers_.emplace_back(Vlan{tci, service, {}});
    return *this;
}

Frame& Frame::ip(const IpAddress& src, const IpAddress& dst) {
    layers_.emplace_back(Ip{.src = src, .dst = dst});
    return *this;
}

Frame& Frame::ip(std::string_view src, std::string_view dst) {
    const auto from = parse_ip(src);
    const auto to = parse_ip(dst);
    if (!from) wrong_text("an IP address", src);
    if (!to) wrong_text("an IP address", dst);
    return ip(*from, *to);
}

Frame& Frame::udp(uint16_t src_port, uint16_t dst_port) {
    layers_.emplace_back(
        L4{.protocol = kProtocolUdp,
           .header = bytes_of(UdpHeader{be16(src_port), be16(dst_port), be16(0), be16(0)}),
           .checksum_offset = offsetof(UdpHeader, checksum)});
    return *this;
}

Frame& Frame::tcp(uint16_t src_port, uint16_t dst_port, uint8_t flags, uint32_t sequence,
                  uint32_t acknowledgment) {
    const TcpHeader header{.src_port = be16(src_port),
                           .dst_port = be16(dst_port),
                           .sequence = be32(sequence),
                           .acknowledgment = be32(acknowledgment),
                           .data_offset = 0x50,
                           .flags = flags,
                           .window = be16(0xffff),
                           .checksum = be16(0),
                           .urgent = be16(0)};
    layers_.emplace_back(L4{.protocol = kProtocolTcp,
                            .header = bytes_of(header),
                            .checksum_offset = offsetof(TcpHeader, checksum)});
    return *this;
}

Frame& Frame::sctp(uint16_t src_port, uint16_t dst_port, uint32_t tag) {
    layers_.emplace_back(
        L4{.protocol = kProtocolSctp,
           .header = bytes_of(SctpHeader{be16(src_port), be16(dst_port), be32(tag), be32(0)})});
    return *this;
}

Frame& Frame::icmp_message(uint8_t type, uint8_t code, uint32_t rest) {
    const IcmpHeader header{type, code, be16(0), be16(static_cast<uint16_t>(rest >> 16)),
                            be16(static_cast<uint16_t>(rest))};
    layers_.emplace_back(L4{.protocol = last<Ip>().src.is_v4() ? kProtocolIcmp : kProtocolIcmpv6,
                            .is_icmp = true,
                            .header = bytes_of(header),
                            .checksum_offset = offsetof(IcmpHeader, checksum)});
    return *this;
}

Frame& Frame::icmp_echo(uint16_t id, uint16_t sequence) {
    const bool is_v4 = last<Ip>().src.is_v4();
    return icmp_message(is_v4 ? kIcmpEchoRequest : kIcmpv6EchoRequest, 0,
                        (uint32_t{id} << 16) | sequence);
}

Frame& Frame::icmp_echo_reply(uint16_t id, uint16_t sequence) {
    const bool is_v4 = last<Ip>().src.is_v4();
    return icmp_message(is_v4 ? kIcmpEchoReply : kIcmpv6EchoReply, 0,
                        (uint32_t{id} << 16) | sequence);
}

Frame& Frame::icmp(uint8_t type, uint8_t code, uint32_t rest, std::span<const uint8_t> quoted) {
    icmp_message(type, code, rest);
    return payload(quoted);
}

Frame& Frame::vxlan(uint32_t vni) {
    return payload(bytes_of(overlay_header(OverlayFormat::kVxlan, vni)));
}

Frame& Frame::arp(const ArpMessage& message) {
    Bytes whole(kArpFrameBytes);
    if (build_arp_frame(whole, message) != whole.size()) std::abort();
    whole.erase(whole.begin(), whole.begin() + sizeof(EthernetHeader));
    layers_.emplace_back(Raw{std::move(whole), true});
    return *this;
}

Frame& Frame::arp_request(const MacAddress& sender_mac, Ipv4Address sender, Ipv4Address target) {
    return arp(podlane::arp_request(sender_mac, sender, target));
}

Frame& Frame::payload(std::span<const uint8_t> bytes) {
    layers_.emplace_back(Raw{Bytes(bytes.begin(), bytes.end())});
    return *this;
}

Frame& Frame::payload(size_t count) {
    Bytes bytes(count);
    for (size_t i = 0; i < count; ++i) bytes[i] = static_cast<uint8_t>(i);
    return payload(bytes);
}

template <class T>
T& Frame::last() {
    for (auto layer = layers_.rbegin(); layer != layers_.rend(); ++layer) {
        if (auto* found = std::get_if<T>(&*layer)) return *found;
    }
    wrong_text("a frame with the layer that a knob needs", "knob before its layer");
}

template <class T>
const T* Frame::before(size_t index) const {
    while (index-- > 0) {
        if (const auto* found = std::get_if<T>(&layers_[index])) return found;
    }
    return nullptr;
}

Frame& Frame::options(unsigned bytes) {
    return options(Bytes(bytes, kIpv4OptionNop));
}

Frame& Frame::options(std::span<const uint8_t> bytes) {
    Bytes& options = last<Ip>().options;
    options.assign(bytes.begin(), bytes.end());
    while (options.size() % 4 != 0) options.push_back(kIpv4OptionEnd);
    return *this;
}

Frame& Frame::extension(uint8_t kind, unsigned bytes) {
    Bytes body(bytes);
    // The authentication header counts words of four beyond two, the others words of eight beyond
    // one.
    body[1] = static_cast<uint8_t>(kind == kProtocolAh ? bytes / 4 - 2 : bytes / 8 - 1);
    last<Ip>().extensions.push_back({kind, std::move(body)});
    return *this;
}

Frame& Frame::frag(uint32_t offset_bytes, bool more) {
    Ip& ip = last<Ip>();
    if (ip.src.is_v4()) {
        ip.fragment_offset = offset_bytes;
        ip.more_fragments = more;
    } else {
        const auto field = static_cast<uint16_t>(offset_bytes | (more ? 1 : 0));
        ip.extensions.push_back(
            {kProtocolFragment, bytes_of(Ipv6Fragment{0, 0, be16(field), be32(ip.id)})});
    }
    return *this;
}

Frame& Frame::ttl(uint8_t value) {
    return last<Ip>().ttl = value, *this;
}
Frame& Frame::tos(uint8_t value) {
    return last<Ip>().tos = value, *this;
}
Frame& Frame::df(bool set) {
    return last<Ip>().df = set, *this;
}
Frame& Frame::ip_id(uint32_t id) {
    return last<Ip>().id = id, *this;
}
Frame& Frame::protocol(uint8_t value) {
    return last<Ip>().protocol = value, *this;
}
Frame& Frame::ip_length(uint16_t bytes) {
    return last<Ip>().length = bytes, *this;
}
Frame& Frame::ip_version(uint8_t value) {
    return last<Ip>().version = value, *this;
}
Frame& Frame::ihl(uint8_t words) {
    return last<Ip>().ihl = words, *this;
}
Frame& Frame::bad_ip_checksum() {
    return last<Ip>().bad_checksum = true, *this;
}
Frame& Frame::bad_l4_checksum() {
    return last<L4>().checksum = Checksum::kWrong, *this;
}
Frame& Frame::partial_checksum() {
    return last<L4>().checksum = Checksum::kPartial, *this;
}
Frame& Frame::no_udp_checksum() {
    return last<L4>().checksum = Checksum::kAbsent, *this;
}
Frame& Frame::udp_length(uint16_t bytes) {
    return last<L4>().udp_length = bytes, *this;
}

Frame& Frame::data_offset(uint8_t words) {
    Bytes& header = last<L4>().header;
    header[offsetof(TcpHeader, data_offset)] = static_cast<uint8_t>(words << 4);
    header.resize(std::max<size_t>(sizeof(TcpHeader), words * size_t{4}));
    return *this;
}

Frame& Frame::ether_type(uint16_t value) {
    for (auto layer = layers_.rbegin(); layer != layers_.rend(); ++layer) {
        if (auto* tag = std::get_if<Vlan>(&*layer)) return tag->ether_type = value, *this;
        if (auto* eth = std::get_if<Eth>(&*layer)) return eth->ether_type = value, *this;
    }
    return *this;
}

Frame& Frame::pad_to(size_t bytes) {
    return pad_to_ = bytes, *this;
}

uint16_t Frame::ether_type_after(size_t index) const {
    if (index + 1 == layers_.size()) return 0xffff;
    const Layer& next = layers_[index + 1];
    if (const auto* ip = std::get_if<Ip>(&next)) {
        return ip->src.is_v4() ? kEtherTypeIpv4 : kEtherTypeIpv6;
    }
    if (const auto* tag = std::get_if<Vlan>(&next)) {
        return tag->service ? kEtherTypeQinq : kEtherTypeVlan;
    }
    const auto* raw = std::get_if<Raw>(&next);
    return raw != nullptr && raw->is_arp ? kEtherTypeArp : 0xffff;
}

uint8_t Frame::protocol_after(size_t index) const {
    if (index + 1 == layers_.size()) return kProtocolForTests;
    const auto* l4 = std::get_if<L4>(&layers_[index + 1]);
    return l4 != nullptr ? l4->protocol : kProtocolForTests;
}

Bytes Frame::ip_bytes(const Ip& ip, uint8_t upper, const Bytes& inner) const {
    Bytes out;
    if (ip.src.is_v4()) {
        const size_t header_bytes = sizeof(Ipv4Header) + ip.options.size();
        const auto length = static_cast<uint16_t>(header_bytes + inner.size());
        const unsigned flags =
            (ip.df ? kIpv4DontFragment : 0u) | (ip.more_fragments ? kIpv4MoreFragments : 0u);
        append(out,
               Ipv4Header{.version_ihl = static_cast<uint8_t>(
                              (ip.version.value_or(4) << 4) |
                              ip.ihl.value_or(static_cast<uint8_t>(header_bytes / 4))),
                          .tos = ip.tos,
                          .total_bytes = be16(ip.length.value_or(length)),
                          .id = be16(static_cast<uint16_t>(ip.id)),
                          .fragment = be16(static_cast<uint16_t>(flags | ip.fragment_offset / 8)),
                          .ttl = ip.ttl,
                          .protocol = upper,
                          .checksum = be16(0),
                          .src = ip.src.as<V4>(),
                          .dst = ip.dst.as<V4>()});
        append(out, ip.options);
        const be16 sum = ipv4_header_checksum(out);
        store(out.data() + offsetof(Ipv4Header, checksum),
              ip.bad_checksum ? be16(static_cast<uint16_t>(sum.host() ^ 0x0101)) : sum);
    } else {
        size_t length = inner.size();
        for (const auto& extension : ip.extensions) length += extension.bytes.size();
        append(out,
               Ipv6Header{.version_class_label = be32((uint32_t{ip.version.value_or(6)} << 28) |
                                                      (uint32_t{ip.tos} << 20)),
                          .payload_bytes = be16(ip.length.value_or(static_cast<uint16_t>(length))),
                          .next_header = ip.extensions.empty() ? upper : ip.extensions[0].kind,
                          .hop_limit = ip.ttl,
                          .src = ip.src.as<V6>(),
                          .dst = ip.dst.as<V6>()});
        for (size_t i = 0; i < ip.extensions.size(); ++i) {
            Bytes extension = ip.extensions[i].bytes;
            extension[0] = i + 1 < ip.extensions.size() ? ip.extensions[i + 1].kind : upper;
            append(out, extension);
        }
    }
    append(out, inner);
    return out;
}

template <Family F>
void Frame::finish_checksum(const L4& l4, const Ip& ip, Bytes& bytes) {
    const auto src = ip.src.as<F>();
    const auto dst = ip.dst.as<F>();
    const auto l4_length = static_cast<uint32_t>(bytes.size());
    be16 sum = l4.checksum == Checksum::kPartial
                   ? podlane::partial_checksum<F>(src, dst, l4.protocol, l4_length)
                   : l4_checksum<F>(src, dst, l4.protocol, bytes);
    if (l4.checksum == Checksum::kWrong) sum = be16(static_cast<uint16_t>(sum.host() ^ 0x0101));
    store(bytes.data() + l4.checksum_offset, sum);
}

Bytes Frame::l4_bytes(const L4& l4, const Ip& ip, const Bytes& inner) const {
    Bytes out = l4.header;
    append(out, inner);
    if (l4.protocol == kProtocolUdp) {
        const auto length = l4.udp_length.value_or(static_cast<uint16_t>(out.size()));
        store(out.data() + offsetof(UdpHeader, bytes), be16(length));
    }
    if (l4.protocol == kProtocolSctp) {
        const be32 sum = sctp_checksum(out);
        const bool wrong = l4.checksum == Checksum::kWrong;
        store(out.data() + offsetof(SctpHeader, checksum), wrong ? be32(~sum.host()) : sum);
    } else if (l4.checksum != Checksum::kAbsent) {
        ip.src.is_v4() ? finish_checksum<V4>(l4, ip, out) : finish_checksum<V6>(l4, ip, out);
    }
    return out;
}

Bytes Frame::build() const {
    Bytes inner;
    for (size_t index = layers_.size(); index-- > 0;) {
        Bytes outer;
        if (const auto* eth = std::get_if<Eth>(&layers_[index])) {
            append(outer, EthernetHeader{eth->dst, eth->src,
                                         be16(eth->ether_type.value_or(ether_type_after(index)))});
            append(outer, inner);
        } else if (const auto* tag = std::get_if<Vlan>(&layers_[index])) {
            append(outer, VlanTag{be16(tag->tci),
                                  be16(tag->ether_type.value_or(ether_type_after(index)))});
            append(outer, inner);
        } else if (const auto* ip = std::get_if<Ip>(&layers_[index])) {
            outer = ip_bytes(*ip, ip->protocol.value_or(protocol_after(index)), inner);
        } else if (const auto* l4 = std::get_if<L4>(&layers_[index])) {
            const Ip* under = before<Ip>(index);
            if (under == nullptr) wrong_text("a frame", "an L4 layer without an IP layer");
            outer = l4_bytes(*l4, *under, inner);
        } else {
            outer = std::get<Raw>(layers_[index]).bytes;
            append(outer, inner);
        }
        inner = std::move(outer);
    }
    if (inner.size() < pad_to_) inner.resize(pad_to_);
    inner.shrink_to_fit();
    return inner;
}

}  // namespace podlane::test
