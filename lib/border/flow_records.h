// What workers tell of connections as they begin, end, or are denied: plain values up.
//
// Workers write them into rings of their own, where a full one loses them and counts; control takes
// them some times a second, for the flow log and for who opens most.
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
    kDenied,  ///< a packet that was to begin a connection, or is not allowed on it any more
};

/// Ports in host order. Addresses of a denied one are those of its packet, on both sides.
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
    uint32_t mark = 0;  ///< of the connection, by which it is sampled: random, and always the same
    // Milliseconds since 1970 for who takes it; in the ring, of the worker clock.
    uint64_t time_ms = 0;   ///< when it was told
    uint64_t start_ms = 0;  ///< when the connection was made, to the second
    uint64_t last_ms = 0;   ///< kClosed: when its last packet came, to the second
    FlowTraffic traffic{};  ///< kClosed: what it has carried
};
static_assert(std::is_trivially_copyable_v<FlowRecord>);

/// Marks below it are told of: of all connections this part of 2^32. 0: of none.
using FlowSample = uint64_t;
inline constexpr FlowSample kAllFlows = FlowSample{1} << 32;

/// One in `every`.
[[nodiscard]] constexpr FlowSample sample_one_in(uint32_t every) noexcept {
    return every == 0 ? 0 : kAllFlows / every;
}

}  // namespace podlane
