// Which connections are removed: by age, and when the table is full.
//
// Pure functions on one connection, called by the table's sweep and eviction on any worker. A
// worker's sweep is bounded per call and shared with the other workers (FlowTable::sweep()).
#pragma once

#include <algorithm>
#include <cstdint>

#include "lib/base/family.h"
#include "lib/flow/entry.h"

namespace podlane {

/// The longest time between two looks at a live connection, in seconds: a missed change of state
/// goes unnoticed for this long at most.
inline constexpr uint32_t kMaxCheckInterval = 60;

/// Seconds since the last packet; 0 if another worker's clock is a little ahead.
template <Family F>
[[nodiscard]] uint32_t idle_s(const Connection<F>& connection, uint32_t now_s) noexcept {
    const auto idle = static_cast<int32_t>(now_s - connection.last_seen_s());
    return idle > 0 ? static_cast<uint32_t>(idle) : 0;
}

/// True when a connection must be removed: silent for too long.
template <Family F>
[[nodiscard]] bool is_expired(const Connection<F>& connection, const FlowTimeouts& timeouts,
                              uint32_t now_s) noexcept {
    return idle_s(connection, now_s) >= connection.timeout_seconds(timeouts);
}

/// The second at which to look again at a connection that has not expired.
template <Family F>
[[nodiscard]] uint32_t next_check_s(const Connection<F>& connection, const FlowTimeouts& timeouts,
                                    uint32_t now_s) noexcept {
    const uint32_t timeout = connection.timeout_seconds(timeouts);
    const uint32_t idle = idle_s(connection, now_s);
    // The state may have changed since is_expired().
    const uint32_t left = timeout > idle ? timeout - idle : 0;
    return now_s + std::min(left, kMaxCheckInterval);
}

/// Which connections are evicted first: the lowest value.
enum class EvictionPriority : uint8_t {
    kOver,      ///< closed, or in TIME_WAIT
    kUnproven,  ///< half open, or no reply seen yet, whatever its state: what a flood consists of
    kKept,      ///< everything else: never evicted for a new one
};

template <Family F>
[[nodiscard]] EvictionPriority eviction_priority(const Connection<F>& connection) noexcept {
    switch (connection.state.tcp_state.load(std::memory_order_relaxed)) {
        case TcpState::kTimeWait:
        case TcpState::kClose:
        case TcpState::kResetByOriginal:
        case TcpState::kResetByReply:
            return EvictionPriority::kOver;
        case TcpState::kSynSent:
        case TcpState::kSynSentBoth:
        case TcpState::kSynReceived:
            return EvictionPriority::kUnproven;
        case TcpState::kNone:
        case TcpState::kEstablished:
        case TcpState::kFinWait:
        case TcpState::kCloseWait:
        case TcpState::kLastAck:
            // A connection picked up in its middle shows only one end, whatever its state says.
            return connection.state.replied() ? EvictionPriority::kKept
                                              : EvictionPriority::kUnproven;
    }
    return EvictionPriority::kKept;
}

}  // namespace podlane
