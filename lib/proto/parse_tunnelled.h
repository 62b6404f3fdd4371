// The short way through a tunnel: a plain packet in a tunnel packet that is plain itself and for
// us.
//
// Nearly all that nodes send each other. What it does not take goes the long way (stages/decap.cc),
// which names what is wrong; both say the same of what this one takes.
#pragma once

#include <cstddef>
#include <cstdint>

#include "lib/base/bytes.h"
#include "lib/base/family.h"
#include "lib/proto/ethernet.h"
#include "lib/proto/headers.h"
#include "lib/proto/ip_protocol.h"
#include "lib/proto/overlay.h"
#include "lib/proto/parse.h"
#include "lib/proto/udp.h"

namespace podlane {

/// Our tunnel endpoint, by the headers of a frame to it.
struct TunnelEnd {
    bool has_v4 = false;
    bool has_v6 = false;
    V4::Address v4{};  ///< outer destinations
    V6::Address v6{};
    be16 port{};  ///< outer UDP destination port
    OverlayFormat format = OverlayFormat::kVxlan;
    uint32_t vni = 0;        ///< 24 bits, host order
    uint64_t inner_mac = 0;  ///< the inner frame's destination, as dst_mac_word() gives it
    OverlayPattern plain;    ///< of `format` and `vni`: what the short way takes

    /// Whether a packet is for this endpoint, by its outer headers.
    template <Family F>
    [[nodiscard, gnu::always_inline]] bool takes(uint8_t protocol, const typename F::Address& dst,
                                                 be16 dst_port) const noexcept {
        return protocol == kProtocolUdp && dst_port == port && is_at<F>(dst);
    }

    template <Family F>
    [[nodiscard]] bool is_at(const typename F::Address& address) const noexcept {
        if constexpr (std::same_as<F, V4>) {
            return has_v4 && address == v4;
        } else {
            return has_v6 && address == v6;
        }
    }
};

/// Parses the inner frame of a frame in one buffer. The caller has checked that the outer EtherType
/// is F's and that the destination is not a group; offsets in `inner` count from behind the outer
/// headers. False: it is for the slow path, and `inner` is undefined.
template <Family F>
[[nodiscard, gnu::always_inline]] inline bool parse_tunnelled(const uint8_t* bytes, uint32_t length,
                                                              const TunnelEnd& end,
                                                              Headers& inner) noexcept {
    constexpr uint32_t kOuter = kOverlayOuterBytes<F>;
    if (length < kOuter + sizeof(EthernetHeader)) [[unlikely]]
        return false;
    Headers outer;
    // With padding behind the outer packet, the inner frame ends before the buffer does.
    if (!detail::parse_plain<F>(bytes, length, length, outer) || outer.protocol != kProtocolUdp ||
        outer.l3_end() != length) {
        return false;
    }
    const auto port_of = [](const uint8_t* frame, const Headers& headers) {
        return load<be16>(frame + headers.l4_offset + offsetof(UdpHeader, dst_port));
    };
    if (!end.takes<F>(outer.protocol, dst_address<F>(bytes, outer), port_of(bytes, outer))) {
        return false;
    }
    const uint8_t* const frame = bytes + kOuter;
    if (!end.plain.matches(frame - sizeof(OverlayHeader)) || dst_mac_word(frame) != end.inner_mac ||
        !detail::parse_plain_frame(frame, length - kOuter, length - kOuter, inner)) [[unlikely]] {
        return false;
    }
    // A tunnel in the tunnel: the slow path knows whether it is one of ours.
    return inner.protocol != kProtocolUdp || port_of(frame, inner) != end.port;
}

}  // namespace podlane
