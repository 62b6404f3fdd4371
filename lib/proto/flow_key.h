// The key of a flow: what must be equal for two packets to belong to one direction of a connection.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "lib/base/bytes.h"
#include "lib/base/family.h"

namespace podlane {

/// One direction of a connection. Comparable and hashable as bytes: it has no padding.
///
/// Ports by protocol: TCP, UDP, SCTP: as on the wire. ICMP echo request: src_port = identifier,
/// dst_port = 0; echo reply: src_port = 0, dst_port = identifier, so that reversed() of a request's
/// key is its reply's key. Anything else: both 0. Keys of fragments: see fragment_key() in parse.h.
template <Family F>
struct FlowKey {
    typename F::Address src;
    typename F::Address dst;
    be16 src_port;
    be16 dst_port;
    uint8_t protocol;  ///< IANA protocol number of the upper layer
    uint8_t kind;      ///< FlowKind
    uint16_t vnet;     ///< virtual network; 0 is the pod network

    /// By words and without branches: a look-up nearly always finds them equal.
    friend constexpr bool operator==(const FlowKey& a, const FlowKey& b) noexcept {
        using Words = std::array<uint64_t, sizeof(FlowKey) / sizeof(uint64_t)>;
        const auto x = std::bit_cast<Words>(a);
        const auto y = std::bit_cast<Words>(b);
        uint64_t differing = 0;
        for (size_t i = 0; i < x.size(); ++i) differing |= x[i] ^ y[i];
        return differing == 0;
    }

    /// The key of the opposite direction when nothing is translated.
    [[nodiscard]] constexpr FlowKey reversed() const noexcept {
        return {dst, src, dst_port, src_port, protocol, kind, vnet};
    }
};

/// What FlowKey::kind holds.
enum class FlowKind : uint8_t {
    kWhole = 0,     ///< of a flow
    kFragment = 1,  ///< of one packet that came in fragments
};

static_assert(sizeof(FlowKey<V4>) == 16 && std::has_unique_object_representations_v<FlowKey<V4>>);
static_assert(sizeof(FlowKey<V6>) == 40 && std::has_unique_object_representations_v<FlowKey<V6>>);

}  // namespace podlane
