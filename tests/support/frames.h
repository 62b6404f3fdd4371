// Frames for tests, written the way one says them:
//   frame().eth().ip("10.0.0.1", "10.96.0.1").tcp(40000, 80, kTcpSyn).payload(10).build()
//
// Layers come from the outside in; EtherTypes, protocols, lengths and checksums follow from what is
// inside, unless a knob overrides them. The result is exactly as long as the frame, so that a
// sanitizer sees a read beyond it. A knob applies to the last layer of its kind.
#pragma once

#include <concepts>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "lib/base/family.h"
#include "lib/base/ip_address.h"
#include "lib/base/mac.h"
#include "lib/proto/arp_build.h"

namespace podlane::test {

using Bytes = std::vector<uint8_t>;

/// From valid text: anything else ends the test program.
[[nodiscard]] Ipv4Address v4(std::string_view text);
[[nodiscard]] Ipv6Address v6(std::string_view text);
[[nodiscard]] MacAddress mac(std::string_view text);

/// The n-th address of a pod network in either family, for typed tests: 10.244.x.y, fd00:10:244::x.
template <Family F>
[[nodiscard]] typename F::Address pod_address(uint16_t n);

/// Unicast MAC addresses, locally administered.
inline constexpr MacAddress kMacA{{0x02, 0, 0, 0, 0, 0x0a}};
inline constexpr MacAddress kMacB{{0x02, 0, 0, 0, 0, 0x0b}};

/// See the top of this file.
class Frame {
  public:
    // Layers.
    Frame& eth(const MacAddress& src = kMacA, const MacAddress& dst = kMacB);
    /// 802.1Q, or 802.1ad with `service`.
    Frame& vlan(uint16_t tci, bool service = false);
    Frame& ip(const IpAddress& src, const IpAddress& dst);
    Frame& ip(std::string_view src, std::string_view dst);
    template <Family F>
    Frame& ip(const typename F::Address& src, const typename F::Address& dst) {
        return ip(IpAddress(src), IpAddress(dst));
    }
    Frame& udp(uint16_t src_port, uint16_t dst_port);
    Frame& tcp(uint16_t src_port, uint16_t dst_port, uint8_t flags, uint32_t sequence = 1000,
               uint32_t acknowledgment = 0);
    Frame& sctp(uint16_t src_port, uint16_t dst_port, uint32_t tag = 1);
    /// Echo request; the type follows the IP layer's family.
    Frame& icmp_echo(uint16_t id, uint16_t sequence);
    Frame& icmp_echo_reply(uint16_t id, uint16_t sequence);
    /// Any other message. `rest` is the header's second word; `quoted` follows.
    Frame& icmp(uint8_t type, uint8_t code, uint32_t rest, std::span<const uint8_t> quoted);
    /// After udp(); the inner frame's layers follow.
    Frame& vxlan(uint32_t vni);
    Frame& arp(const ArpMessage& message);
    Frame& arp_request(const MacAddress& sender_mac, Ipv4Address sender, Ipv4Address target);
    Frame& payload(std::span<const uint8_t> bytes);
    /// `count` bytes 0, 1, 2, ...
    Frame& payload(size_t count);

    // Knobs of the IP layer.
    /// IPv4: `bytes` of no-operation options, a multiple of four up to 40.
    Frame& options(unsigned bytes);
    /// IPv4: these options, padded with end-of-options.
    Frame& options(std::span<const uint8_t> bytes);
    /// IPv6: an extension header of `bytes` (a multiple of eight), before those of later calls.
    Frame& extension(uint8_t kind, unsigned bytes = 8);
    Frame& ttl(uint8_t value);
    Frame& tos(uint8_t value);
    Frame& df(bool set = true);
    Frame& ip_id(uint32_t id);
    /// A fragment at `offset_bytes` (a multiple of eight); IPv6 gets a fragment header here.
    Frame& frag(uint32_t offset_bytes, bool more);
    Frame& protocol(uint8_t value);
    /// IPv4's total length or IPv6's payload length, in place of the right one.
    Frame& ip_length(uint16_t bytes);
    Frame& ip_version(uint8_t value);
    /// IPv4's header length in words.
    Frame& ihl(uint8_t words);
    Frame& bad_ip_checksum();

    // Knobs of the L4 layer.
    Frame& bad_l4_checksum();
    /// Only the pseudo-header's sum, as in a packet with its checksum left to a device.
    Frame& partial_checksum();
    /// UDP over IPv4 or in tunnels: checksum 0.
    Frame& no_udp_checksum();
    Frame& udp_length(uint16_t bytes);
    /// TCP's header length in words; above five, the header is extended with zeros.
    Frame& data_offset(uint8_t words);

    // Knobs of the frame.
    Frame& ether_type(uint16_t value);
    /// Zeros at the end, up to `bytes` in all.
    Frame& pad_to(size_t bytes);

    [[nodiscard]] Bytes build() const;
    operator Bytes() const { return build(); }  // NOLINT(google-explicit-constructor)

  private:
    struct Eth {
        MacAddress src, dst;
        std::optional<uint16_t> ether_type;
    };
    struct Vlan {
        uint16_t tci;
        bool service;
        std::optional<uint16_t> ether_type;
    };
    struct Extension {
        uint8_t kind;
        Bytes bytes;
    };
    struct Ip {
        IpAddress src, dst;
        Bytes options;
        std::vector<Extension> extensions;
        uint8_t ttl = 64;
        uint8_t tos = 0;
        bool df = false;
        uint32_t id = 1;
        uint32_t fragment_offset = 0;
        bool more_fragments = false;
        bool bad_checksum = false;
        std::optional<uint8_t> protocol, version, ihl;
        std::optional<uint16_t> length;
    };
    enum class Checksum : uint8_t { kRight, kWrong, kPartial, kAbsent };
    struct L4 {
        uint8_t protocol;  // ICMP's is the family's
        bool is_icmp = false;
        Bytes header;
        size_t checksum_offset = 0;
        Checksum checksum = Checksum::kRight;
        std::optional<uint16_t> udp_length;
    };
    struct Raw {
        Bytes bytes;
        bool is_arp = false;
    };
    using Layer = std::variant<Eth, Vlan, Ip, L4, Raw>;

    template <class T>
    T& last();
    template <class T>
    const T* before(size_t index) const;
    [[nodiscard]] uint16_t ether_type_after(size_t index) const;
    [[nodiscard]] uint8_t protocol_after(size_t index) const;
    [[nodiscard]] Bytes ip_bytes(const Ip& ip, uint8_t upper, const Bytes& inner) const;
    [[nodiscard]] Bytes l4_bytes(const L4& l4, const Ip& ip, const Bytes& inner) const;
    Frame& icmp_message(uint8_t type, uint8_t code, uint32_t rest);
    template <Family F>
    static void finish_checksum(const L4& l4, const Ip& ip, Bytes& bytes);

    std::vector<Layer> layers_;
    size_t pad_to_ = 0;
};

/// An empty frame to add layers to.
[[nodiscard]] inline Frame frame() {
    return {};
}

/// A frame in words, for messages of failed tests: layers, wrong checksums, the parser's result,
/// and the payload's first bytes.
[[nodiscard]] std::string describe(std::span<const uint8_t> frame);

}  // namespace podlane::test
