// Frames for the rig's world, and the content of frames that left it.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>

#include "lib/proto/parse.h"
#include "tests/support/frames.h"
#include "tests/unit/dataplane/rig.h"

namespace podlane::dataplane {

using Names = RigNames;

/// The content of a received frame, with its checksums checked.
template <Family F>
struct Seen {
    MacAddress dst{}, src{};
    Headers headers{};
    FlowKey<F> key{};
    uint8_t ttl = 0;
    bool checksums_ok = false;
    Drop parse = Drop::kNone;
};

template <Family F>
Seen<F> look(const Frame& frame) {
    Seen<F> seen;
    seen.parse = parse_frame(frame, static_cast<uint32_t>(frame.size()), seen.headers);
    EXPECT_EQ(seen.parse, Drop::kNone) << test::describe(frame);
    EXPECT_EQ(seen.headers.ip_version, F::kVersion) << test::describe(frame);
    if (seen.parse != Drop::kNone || seen.headers.ip_version != F::kVersion) return seen;
    const auto ethernet = load<EthernetHeader>(frame.data());
    seen.dst = ethernet.dst;
    seen.src = ethernet.src;
    seen.key = flow_key<F>(frame.data(), seen.headers);
    seen.ttl = frame[seen.headers.l3_offset + (F::kVersion == 4 ? 8u : 7u)];
    seen.checksums_ok = seen.headers.has(Headers::kFragment) ||
                        l4_checksum_ok<F>(seen.key.src, seen.key.dst, seen.headers.protocol,
                                          std::span(frame).subspan(seen.headers.l4_offset,
                                                                   seen.headers.l4_bytes()));
    return seen;
}

template <Family F>
FlowKey<F> key_of(const char* src, uint16_t src_port, const char* dst, uint16_t dst_port,
                  uint8_t protocol = kProtocolUdp) {
    return {ip<F>(src), ip<F>(dst), be16(src_port), be16(dst_port), protocol, 0, 0};
}

template <Family F>
std::string text(const FlowKey<F>& key) {
    return to_string(IpAddress(key.src), key.src_port.host()) + " -> " +
           to_string(IpAddress(key.dst), key.dst_port.host()) + " proto " +
           std::to_string(key.protocol);
}

/// A whole UDP or TCP packet between two addresses, from one MAC to another.
template <Family F>
Frame udp(const MacAddress& src_mac, const MacAddress& dst_mac, const char* src, uint16_t src_port,
          const char* dst, uint16_t dst_port, size_t payload = 32, uint8_t ttl = 64);
template <Family F>
Frame tcp(const MacAddress& src_mac, const MacAddress& dst_mac, const char* src, uint16_t src_port,
          const char* dst, uint16_t dst_port, uint8_t flags, size_t payload = 0);
template <Family F>
Frame ping(const MacAddress& src_mac, const MacAddress& dst_mac, const char* src, const char* dst,
           uint16_t id, size_t payload = 32);

/// The port unreachable error with which `from` answers `about`, a packet that it got.
template <Family F>
Frame icmp_error_about(const Frame& about, const MacAddress& src_mac, const MacAddress& dst_mac,
                       const char* from);

/// Gives the rig's pods the allowed sources that control would give them.
void guard_pods(Rig& rig);

}  // namespace podlane::dataplane
