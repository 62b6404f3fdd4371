// TCP connection states, after nf_conntrack's model. timeouts.h says how long each may be silent.
//
// Pure functions; workers call next_state() for segments that can change a state.
#pragma once

#include <cstdint>

#include "lib/proto/tcp.h"

namespace podlane {

/// A TCP connection as seen from the middle. kNone for everything that is not TCP.
enum class TcpState : uint8_t {
    kNone,
    kSynSent,      ///< SYN seen from the originator
    kSynSentBoth,  ///< SYN seen from both ends: simultaneous open
    kSynReceived,  ///< SYN-ACK seen, or the ACK that ends a simultaneous open is missing
    kEstablished,
    kFinWait,    ///< the first FIN seen
    kCloseWait,  ///< the first FIN acknowledged
    kLastAck,    ///< FINs of both ends seen
    kTimeWait,   ///< the last FIN acknowledged
    kClose,      ///< RST seen
    /// RST seen on an established connection, sent in this end's name. It may be forged: another
    /// segment from the same end proves that it lives (docs/decisions/resets.md).
    kResetByOriginal,
    kResetByReply,
};
inline constexpr unsigned kTcpStates = 12;

/// Which end a segment came from.
enum class FlowDirection : uint8_t { kOriginal = 0, kReply = 1 };

/// The state after a segment with `flags` (as in the TCP header) from `direction`. A connection
/// first seen in its middle is picked up as established (nf_conntrack's tcp_loose). A SYN from the
/// originator in a state for which may_be_replaced() holds gives kSynSent; the caller then makes a
/// new connection.
[[nodiscard]] TcpState next_state(TcpState state, FlowDirection direction, uint8_t flags) noexcept;

/// True if a RST came, but the connection may still live.
[[nodiscard]] constexpr bool is_doubtful_reset(TcpState state) noexcept {
    return state == TcpState::kResetByOriginal || state == TcpState::kResetByReply;
}

/// True if a new SYN from the originator with the same addresses and ports begins a new connection.
[[nodiscard]] constexpr bool may_be_replaced(TcpState state) noexcept {
    return state == TcpState::kTimeWait || state == TcpState::kClose || is_doubtful_reset(state);
}

/// True if segments without SYN, FIN and RST cannot change the state.
[[nodiscard]] constexpr bool is_steady(TcpState state) noexcept {
    return state == TcpState::kEstablished;
}

/// True if a segment with `flags` can change an established state.
[[nodiscard]] constexpr bool can_change_state(uint8_t flags) noexcept {
    return (flags & (kTcpSyn | kTcpFin | kTcpRst)) != 0;
}

/// "ESTABLISHED", "TIME_WAIT", ... as nf_conntrack prints them.
[[nodiscard]] const char* to_string(TcpState state) noexcept;

}  // namespace podlane
