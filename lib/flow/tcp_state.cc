#include "lib/flow/tcp_state.h"

namespace podlane {

namespace {

constexpr TcpState reset_by(FlowDirection direction) noexcept {
    return direction == FlowDirection::kOriginal ? TcpState::kResetByOriginal
                                                 : TcpState::kResetByReply;
}

/// RST.
TcpState after_rst(TcpState state, FlowDirection direction) noexcept {
    const bool doubtful = state == TcpState::kEstablished || is_doubtful_reset(state);
    return doubtful ? reset_by(direction) : TcpState::kClose;
}

/// SYN without ACK.
TcpState after_syn(TcpState state, FlowDirection direction) noexcept {
    // After a doubtful reset, only the originator can begin another connection.
    const bool stray = is_doubtful_reset(state) && direction == FlowDirection::kReply;
    if (state == TcpState::kNone || (may_be_replaced(state) && !stray)) return TcpState::kSynSent;
    if (state == TcpState::kSynSent && direction == FlowDirection::kReply) {
        return TcpState::kSynSentBoth;
    }
    return state;  // a repetition, or a stray that the other end will refuse
}

/// SYN with ACK.
TcpState after_syn_ack(TcpState state, FlowDirection direction) noexcept {
    switch (state) {
        case TcpState::kNone:
        case TcpState::kSynSentBoth:
            return TcpState::kSynReceived;
        case TcpState::kSynSent:
            return direction == FlowDirection::kReply ? TcpState::kSynReceived : state;
        case TcpState::kSynReceived:
        case TcpState::kEstablished:
        case TcpState::kFinWait:
        case TcpState::kCloseWait:
        case TcpState::kLastAck:
        case TcpState::kTimeWait:
        case TcpState::kClose:
        case TcpState::kResetByOriginal:
        case TcpState::kResetByReply:
            return state;
    }
    return state;
}

TcpState after_fin(TcpState state, FlowDirection direction) noexcept {
    switch (state) {
        case TcpState::kResetByOriginal:
        case TcpState::kResetByReply:
            return state == reset_by(direction) ? TcpState::kFinWait : state;
        case TcpState::kNone:
        case TcpState::kSynReceived:
        case TcpState::kEstablished:
            return TcpState::kFinWait;
        case TcpState::kFinWait:
        case TcpState::kCloseWait:
            return TcpState::kLastAck;
        case TcpState::kSynSent:
        case TcpState::kSynSentBoth:
        case TcpState::kLastAck:
        case TcpState::kTimeWait:
        case TcpState::kClose:
            return state;
    }
    return state;
}

/// Everything else: usually ACK.
TcpState after_ack(TcpState state, FlowDirection direction) noexcept {
    switch (state) {
        case TcpState::kNone:
            return TcpState::kEstablished;
        case TcpState::kSynReceived:
            return direction == FlowDirection::kOriginal ? TcpState::kEstablished : state;
        case TcpState::kFinWait:
            return TcpState::kCloseWait;
        case TcpState::kLastAck:
            return TcpState::kTimeWait;
        case TcpState::kResetByOriginal:
        case TcpState::kResetByReply:
            return state == reset_by(direction) ? TcpState::kEstablished : state;
        case TcpState::kSynSent:
        case TcpState::kSynSentBoth:
        case TcpState::kEstablished:
        case TcpState::kCloseWait:
        case TcpState::kTimeWait:
        case TcpState::kClose:
            return state;
    }
    return state;
}

}  // namespace

TcpState next_state(TcpState state, FlowDirection direction, uint8_t flags) noexcept {
    if ((flags & kTcpRst) != 0) return after_rst(state, direction);
    if ((flags & kTcpSyn) != 0) {
        return (flags & kTcpAck) != 0 ? after_syn_ack(state, direction)
                                      : after_syn(state, direction);
    }
    if ((flags & kTcpFin) != 0) return after_fin(state, direction);
    return after_ack(state, direction);
}

const char* to_string(TcpState state) noexcept {
    static constexpr const char* kNames[kTcpStates] = {
        "NONE",       "SYN_SENT", "SYN_SENT2", "SYN_RECV", "ESTABLISHED", "FIN_WAIT",
        "CLOSE_WAIT", "LAST_ACK", "TIME_WAIT", "CLOSE",    "CLOSE",       "CLOSE"};
    return kNames[static_cast<unsigned>(state)];
}

}  // namespace podlane
