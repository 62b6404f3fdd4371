// Records of connections that begin, end, or are denied: plain values from workers to control.
//
// Each worker writes to a ring of its own; records that find it full are lost and counted. Control
// takes them a few times a second, for the flow log and for `top`.
#pragma once

#include <cstdint>
#include <type_traits>

#include "lib/base/drop.h"
#include "lib/base/raw_address.h"
#include "lib/flow/flow_end.h"
#include "lib/flow/tcp_state.h"
#include "lib/flow/traffic.h"
#include "lib/model/ids.h"

namespace podlane {

enum class FlowRecordKind : uint8_t {
    kOpened,
    kClosed,
    kDenied,  ///< a packet may not begin a connection, or may not go on in one
};

/// Ports in host order. The addresses of a denied connection are those of its packet, on both
/// sides.
struct FlowRecord {
    FlowRecordKind kind{};
    FlowEnd end{};         ///< kClosed
    TcpState tcp_state{};  ///< kClosed: its last one
    uint8_t protocol = 0;
    bool replied = false;       ///< kClosed: packets of both directions were seen
    bool is_counted = false;    ///< kClosed: `traffic` is known
    Drop reason = Drop::kNone;  ///< kDenied
    PortId in_port = kNoPort;   ///< kOpened, kDenied: where its packet came in
    uint16_t src_port = 0, dst_port = 0;
    uint16_t reply_src_port = 0, reply_dst_port = 0;
    RawAddress src{}, dst{};              ///< as the first packet came
    RawAddress reply_src{}, reply_dst{};  ///< as replies come
    ServiceId service = kNoService;
    uint32_t mark = 0;  ///< for sampling: random, and constant for the connection
    // Milliseconds since 1970 when taken by control; in the ring, by the worker clock.
    uint64_t time_ms = 0;   ///< when it was told
    uint64_t start_ms = 0;  ///< when the connection was made, to the second
    uint64_t last_ms = 0;   ///< kClosed: when its last packet came, to the second
    FlowTraffic traffic{};  ///< kClosed: what it has carried
};
static_assert(std::is_trivially_copyable_v<FlowRecord>);

/// A connection with a mark below it is recorded: this part of 2^32 of all connections. 0: none.
using FlowSample = uint64_t;
inline constexpr FlowSample kAllFlows = FlowSample{1} << 32;

/// One in `every`.
[[nodiscard]] constexpr FlowSample sample_one_in(uint32_t every) noexcept {
    return every == 0 ? 0 : kAllFlows / every;
}

}  // namespace podlane
