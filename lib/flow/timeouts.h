// How long connections may be silent before they are removed: as on a node with kube-proxy, unless
// the operator sets other values (flows.timeouts). So idle connections live as long as there.
//
// Most are nf_conntrack's (Documentation/networking/nf_conntrack-sysctl.rst); kube-proxy sets two
// of them, established and CLOSE_WAIT (KubeProxyConntrackConfiguration). A flow table never changes
// its timeouts. Any thread.
#pragma once

#include <cstdint>

#include "lib/flow/tcp_state.h"
#include "lib/proto/ip_protocol.h"

namespace podlane {

/// Seconds of silence, by a connection's protocol and state.
struct FlowTimeouts {
    uint32_t tcp_syn_sent = 120;
    uint32_t tcp_syn_received = 60;
    uint32_t tcp_established = 24 * 3600;  ///< kube-proxy's; the kernel's is five days
    /// Established, but only one end was seen: nf_conntrack's "unacknowledged".
    uint32_t tcp_unacknowledged = 300;
    uint32_t tcp_fin_wait = 120;
    uint32_t tcp_close_wait =
        3600;  ///< kube-proxy's: one end may answer long after the other's FIN
    uint32_t tcp_last_ack = 30;
    uint32_t tcp_time_wait = 120;
    uint32_t tcp_close = 10;
    /// After a RST that may be forged: the time in which the end that it names can prove that it
    /// lives.
    uint32_t tcp_reset = 120;
    uint32_t udp = 30;          ///< no reply seen
    uint32_t udp_stream = 120;  ///< replied
    uint32_t icmp = 30;
    uint32_t sctp = 30;  ///< no reply seen
    uint32_t sctp_established = 210;
    uint32_t other = 600;  ///< other protocols

    friend constexpr bool operator==(const FlowTimeouts&, const FlowTimeouts&) noexcept = default;

    /// `replied`: packets of both directions have been seen.
    [[nodiscard]] constexpr uint32_t of(uint8_t protocol, TcpState state,
                                        bool replied) const noexcept {
        switch (protocol) {
            case kProtocolTcp:
                return of_tcp(state, replied);
            case kProtocolUdp:
                return replied ? udp_stream : udp;
            case kProtocolIcmp:
            case kProtocolIcmpv6:
                return icmp;
            case kProtocolSctp:
                return replied ? sctp_established : sctp;
            default:
                return other;
        }
    }

  private:
    [[nodiscard]] constexpr uint32_t of_tcp(TcpState state, bool replied) const noexcept {
        switch (state) {
            case TcpState::kNone:
                return other;
            case TcpState::kSynSent:
            case TcpState::kSynSentBoth:
                return tcp_syn_sent;
            case TcpState::kSynReceived:
                return tcp_syn_received;
            case TcpState::kEstablished:
                return replied ? tcp_established : tcp_unacknowledged;
            case TcpState::kFinWait:
                return tcp_fin_wait;
            case TcpState::kCloseWait:
                return tcp_close_wait;
            case TcpState::kLastAck:
                return tcp_last_ack;
            case TcpState::kTimeWait:
                return tcp_time_wait;
            case TcpState::kClose:
                return tcp_close;
            case TcpState::kResetByOriginal:
            case TcpState::kResetByReply:
                return tcp_reset;
        }
        return other;
    }
};

}  // namespace podlane
