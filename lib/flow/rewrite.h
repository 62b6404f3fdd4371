// The compiled decision of the slow path for one direction of a connection, and its execution.
//
// The slow path makes a Rewrite once per direction (make_rewrite); every later packet only has it
// applied (apply_rewrite): addresses, ports, TTL and checksums by cached delta, no look-up. Workers
// only.
#pragma once

#include <cstdint>
#include <type_traits>

#include "lib/base/bytes.h"
#include "lib/base/family.h"
#include "lib/flow/key.h"
#include "lib/proto/checksum.h"

namespace podlane {

/// What a Rewrite changes; bits of Rewrite::flags.
enum RewriteFlags : uint8_t {
    kRewriteSrcAddress = 0x01,
    kRewriteDstAddress = 0x02,
    kRewriteSrcPort = 0x04,
    kRewriteDstPort = 0x08,
    kRewriteDecrementTtl = 0x10,  ///< routed, not bridged
};
inline constexpr uint8_t kRewriteAddresses = kRewriteSrcAddress | kRewriteDstAddress;
inline constexpr uint8_t kRewritePorts = kRewriteSrcPort | kRewriteDstPort;

/// New values for one direction of a flow. Immutable once its entry is published.
///
/// `addresses` is the change of the addresses alone: that of the IPv4 header checksum and equally
/// that of a pseudo-header, hence of partial checksums. `l4` is the change of addresses and ports:
/// that of a complete TCP or UDP checksum.
template <Family F>
struct Rewrite {
    typename F::Address src;
    typename F::Address dst;
    be16 src_port;
    be16 dst_port;
    ChecksumDelta addresses;
    ChecksumDelta l4;
    uint8_t flags;  ///< RewriteFlags
};
static_assert(sizeof(Rewrite<V4>) == 20 && sizeof(Rewrite<V6>) == 42);

/// The rewrite that turns a packet of key `from` into one of key `to`. Flags for what differs are
/// set here; `extra` may add kRewriteDecrementTtl.
template <Family F>
[[nodiscard]] constexpr Rewrite<F> make_rewrite(const FlowKey<F>& from, const FlowKey<F>& to,
                                                uint8_t extra = 0) noexcept {
    Rewrite<F> out{};
    out.src = to.src;
    out.dst = to.dst;
    out.src_port = to.src_port;
    out.dst_port = to.dst_port;
    out.flags = extra;
    if (!(from.src == to.src)) {
        out.flags |= kRewriteSrcAddress;
        out.addresses = out.addresses + checksum_delta(from.src, to.src);
    }
    if (!(from.dst == to.dst)) {
        out.flags |= kRewriteDstAddress;
        out.addresses = out.addresses + checksum_delta(from.dst, to.dst);
    }
    out.l4 = out.addresses;
    if (!(from.src_port == to.src_port)) {
        out.flags |= kRewriteSrcPort;
        out.l4 = out.l4 + checksum_delta(from.src_port, to.src_port);
    }
    if (!(from.dst_port == to.dst_port)) {
        out.flags |= kRewriteDstPort;
        out.l4 = out.l4 + checksum_delta(from.dst_port, to.dst_port);
    }
    return out;
}

}  // namespace podlane
