#include "control/shortcut/entries.h"

#include <algorithm>

#include "lib/base/bytes.h"
#include "lib/base/stable_hash.h"
#include "lib/flow/rewrite.h"

namespace podlane::control {

namespace {

void copy(uint8_t (&to)[16], const RawAddress& from) {
    std::ranges::copy(from.bytes, to);
}
void copy(uint8_t (&to)[6], const MacAddress& from) {
    std::ranges::copy(from.bytes, to);
}

}  // namespace

shortcut_key shortcut_key_of(const CarriedWay& way, uint8_t protocol, uint32_t node_end) {
    shortcut_key key{};
    key.ifindex = node_end;
    copy(key.src, way.src);
    copy(key.dst, way.dst);
    key.src_port = way.src_port.raw;
    key.dst_port = way.dst_port.raw;
    key.protocol = protocol;
    key.version = way.src.is_v6 ? 6 : 4;
    key.tunnelled = way.out_of_tunnel;
    return key;
}

namespace {

uint8_t flags_of(const CarriedWay& way) {
    unsigned flags = 0;
    if ((way.flags & kRewriteTranslates) != 0) flags |= SHORTCUT_TRANSLATE;
    if ((way.flags & kRewriteDecrementTtl) != 0) flags |= SHORTCUT_TTL;
    // What a flow does not change is bridged as it is.
    if (way.flags != 0) flags |= SHORTCUT_MACS;
    if (way.into_tunnel) flags |= SHORTCUT_ENCAP;
    return static_cast<uint8_t>(flags);
}

/// Where in the outer headers the source port is.
constexpr size_t kSrcPort = sizeof(EthernetHeader) + V4::kMinHeaderBytes;

/// In the dynamic range, and the connection's own, as encap.h has it.
be16 entropy_port(const CarriedWay& way) {
    uint64_t hash = way.src_port.raw | uint32_t{way.dst_port.raw} << 16;
    for (const RawAddress* each : {&way.src, &way.dst}) hash = stable_hash(each->bytes, hash);
    return be16(static_cast<uint16_t>(49152 + (hash & 0x3fff)));
}

}  // namespace

shortcut_rewrite shortcut_rewrite_of(const CarriedWay& way, const CarriedWay& back,
                                     const MacAddress& from, uint32_t target, uint32_t slot,
                                     uint32_t reverse_slot) {
    static_assert(sizeof(way.outer) == PODLANE_SHORTCUT_OUTER);
    shortcut_rewrite out{};
    copy(out.src, way.to_src);
    copy(out.dst, way.to_dst);
    out.src_port = way.to_src_port.raw;
    out.dst_port = way.to_dst_port.raw;
    out.address_delta = way.addresses.raw;
    out.port_delta = way.ports.raw;
    out.header_delta = way.header.raw;
    out.mtu = way.mtu;
    out.target = target;
    out.slot = slot;
    out.reverse_slot = reverse_slot;
    out.flags = flags_of(way);
    copy(out.from_mac, from);
    copy(out.dst_mac, way.dst_mac);
    copy(out.src_mac, way.src_mac);
    copy(out.router_mac, back.src_mac);
    std::ranges::copy(way.outer, out.outer);
    if (way.into_tunnel) store(out.outer + kSrcPort, entropy_port(way));
    return out;
}

}  // namespace podlane::control
