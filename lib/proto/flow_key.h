// The key of a flow: what two packets of one direction of a connection have in common.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
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
    uint16_t zero;     ///< pads the key to whole words

    /// By words and without branches: a look-up nearly always finds equal keys.
    friend bool operator==(const FlowKey& a, const FlowKey& b) noexcept {
        uint64_t differing = 0;
        for (size_t i = 0; i < sizeof(FlowKey) / 8; ++i) differing |= a.word(i) ^ b.word(i);
        return differing == 0;
    }
    /// The `i`-th eight bytes of the key.
    [[nodiscard]] uint64_t word(size_t i) const noexcept {
        uint64_t out;
        std::memcpy(&out, reinterpret_cast<const char*>(this) + 8 * i, sizeof(out));
        return out;
    }

    /// The opposite direction's key if nothing is translated.
    [[nodiscard]] constexpr FlowKey reversed() const noexcept {
        return {dst, src, dst_port, src_port, protocol, kind, zero};
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
