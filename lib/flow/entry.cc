#include "lib/flow/entry.h"

namespace podlane {

template <Family F>
Noted Connection<F>::note_packet(FlowDirection direction, uint8_t tcp_flags,
                                 const FlowTimeouts& timeouts) noexcept {
    Noted noted = Noted::kNothing;
    TcpState before = state.tcp_state.load(std::memory_order_relaxed);
    const bool is_tcp = before != TcpState::kNone;
    if (is_tcp) {
        const bool is_syn = (tcp_flags & (kTcpSyn | kTcpAck | kTcpRst)) == kTcpSyn;
        if (is_syn && direction == FlowDirection::kOriginal && may_be_replaced(before)) {
            return Noted::kReplaced;
        }
        TcpState after;
        do {
            after = next_state(before, direction, tcp_flags);
        } while (after != before &&
                 !state.tcp_state.compare_exchange_weak(before, after, std::memory_order_relaxed));
        const bool replied = state.replied();
        if (timeouts.of(state.protocol, after, replied) <
            timeouts.of(state.protocol, before, replied)) {
            noted = Noted::kShorterTimeout;
        }
    }
    const auto bit = static_cast<uint8_t>(1u << static_cast<unsigned>(direction));
    if ((state.seen.load(std::memory_order_relaxed) & bit) == 0) {
        state.seen.fetch_or(bit, std::memory_order_relaxed);
    }
    const auto is_steady_now = [&] {
        return !is_tcp || is_steady(state.tcp_state.load(std::memory_order_relaxed));
    };
    const auto set = [](FlowEntry<F>& each, uint8_t wanted) {
        if (each.established.load(std::memory_order_relaxed) != wanted) {
            each.established.store(wanted, std::memory_order_relaxed);
        }
    };
    // This direction has been seen; the other one will set its own entry.
    if (is_steady_now()) set(entry[static_cast<unsigned>(direction)], 1);
    // Another worker may have left the state between our load and our store. What it cleared must
    // not stay set, or the closing segments would not be tracked.
    if (!is_steady_now()) {
        for (FlowEntry<F>& each : entry) set(each, 0);
    }
    return noted;
}

template Noted Connection<V4>::note_packet(FlowDirection, uint8_t, const FlowTimeouts&) noexcept;
template Noted Connection<V6>::note_packet(FlowDirection, uint8_t, const FlowTimeouts&) noexcept;

}  // namespace podlane
