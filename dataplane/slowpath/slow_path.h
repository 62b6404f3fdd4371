// Stage 5: everything that is not an established flow, in arrival order, on the same worker.
//
// Each kind of work has its file in this folder; the functions that they share are declared here.
// All functions leave the packet with a verdict that a later stage acts on, or kConsumed.
#pragma once

#include "dataplane/stages/stage.h"
#include "lib/decide/decide.h"

namespace podlane::dataplane {

/// The slow path. Packets that are allowed go on as kForward, like those of a known flow.
struct SlowPath {
    static constexpr const char* kName = "slow_path";
    static void run(WorkerCtx& ctx, Burst burst) noexcept;
};

// connection.cc -------------------------------------------------------------------------------

/// An IP packet for the router that the fast path could not finish, for any SlowReason.
template <Family F>
void handle_ip(WorkerCtx& ctx, Packet& packet) noexcept;

// first_packet.cc --------------------------------------------------------------------------------

/// Decides in advance about a packet without a flow, and prefetches the memory for its flow.
template <Family F>
void plan_flow(WorkerCtx& ctx, const Packet& packet) noexcept;

/// Decides about a packet without a flow, unless plan_flow() has done so, and makes the flow.
/// False: the packet's verdict is final.
template <Family F>
[[nodiscard]] bool handle_first_packet(WorkerCtx& ctx, Packet& packet) noexcept;

/// Makes a flow for a packet that bridge() sends, unchanged or with another source port. False: the
/// packet's verdict is final.
template <Family F>
[[nodiscard]] bool open_bridged_flow(WorkerCtx& ctx, Packet& packet) noexcept;

// fragment.cc ---------------------------------------------------------------------------------

/// A fragment: waits for its packet's first one, and then follows that one's flow.
template <Family F>
void handle_fragment(WorkerCtx& ctx, Packet& packet) noexcept;

// arp.cc, nd.cc -------------------------------------------------------------------------------

/// Answers for the gateway, local and remote pods and node addresses (RFC 826); learns; bridges.
void handle_arp(WorkerCtx& ctx, Packet& packet) noexcept;
/// The same for neighbour discovery (RFC 4861).
void handle_nd(WorkerCtx& ctx, Packet& packet) noexcept;
/// Sends a request for `command.address`, or announces it, as control ordered.
void execute_neighbour_command(WorkerCtx& ctx, const Command& command) noexcept;

// flood.cc ------------------------------------------------------------------------------------

/// A frame to a group or an unknown MAC address. From a pod: to all other ports of the bridge; from
/// an uplink: to the node's kernel; from the kernel: to its uplink.
void flood(WorkerCtx& ctx, Packet& packet) noexcept;

// icmp_error.cc -------------------------------------------------------------------------------

/// Forwards an ICMP error to the host it concerns, translated by the flow of the packet it quotes.
template <Family F>
void handle_icmp_error(WorkerCtx& ctx, Packet& packet) noexcept;

// notify.cc -----------------------------------------------------------------------------------

/// What the sender of a dropped packet is told.
enum class Notice : uint8_t {
    kPortUnreachable,  ///< TCP: RST; otherwise ICMP port unreachable
    kNetUnreachable,
    kHostUnreachable,
    kTimeExceeded,
    kTooBig,  ///< with the MTU that would have passed
};
/// Sends the notice back to the sender, if the RFCs allow one, and drops the packet for `reason`.
template <Family F>
void drop_and_tell(WorkerCtx& ctx, Packet& packet, Drop reason, Notice notice,
                   uint16_t mtu = 0) noexcept;
/// Answers an echo request to the pod gateway in place; rejects any other packet to it.
template <Family F>
void answer_gateway(WorkerCtx& ctx, Packet& packet) noexcept;

/// Addresses `out` back to where `cause` came from and writes its Ethernet header. False: there is
/// no way back. `out` may be a copy of `cause`.
template <Family F>
[[nodiscard]] bool send_back(WorkerCtx& ctx, const Packet& cause, Packet& out) noexcept;

// policy.cc -----------------------------------------------------------------------------------

/// Whether NetworkPolicies still allow an existing connection: Drop::kNone if so. `isolated`:
/// whether a policy selects one of its pods.
template <Family F>
[[nodiscard]] Drop judge_connection(const Snapshot& snapshot, const Connection<F>& connection,
                                    bool& isolated) noexcept;
/// The same for a packet that makes no flow, on its way to a pod's port, or to none (kNoPort).
template <Family F>
[[nodiscard]] Drop judge_packet(const WorkerCtx& ctx, const Packet& packet, const FlowKey<F>& key,
                                PortId to) noexcept;
/// The same for any frame between two pods' ports. A frame that is not IP passes only between pods
/// that are not isolated.
[[nodiscard]] Drop judge_frame(const WorkerCtx& ctx, const Packet& packet, PortId to) noexcept;

// dns.cc --------------------------------------------------------------------------------------

/// A query to the cluster's DNS server over UDP (PathVerdict::kDns): answered in place from the
/// snapshot, or given to the server's port.
template <Family F>
void answer_dns(WorkerCtx& ctx, Packet& packet, const PathDecision<F>& decision) noexcept;

// too_big.cc ----------------------------------------------------------------------------------

/// A packet of a known flow that is larger than its next hop's MTU: fragments it, or tells the
/// sender.
template <Family F>
void handle_too_big(WorkerCtx& ctx, Packet& packet) noexcept;

// resolve.cc ----------------------------------------------------------------------------------

/// Holds the packet until `next_hop` on `port` is resolved; asks control for it if `ask`.
void hold_for(WorkerCtx& ctx, Packet& packet, PortId port, const RawAddress& next_hop,
              bool ask) noexcept;
/// Asks control to resolve `next_hop` on `port`, unless it was asked a moment ago.
void ask_for(WorkerCtx& ctx, PortId port, const RawAddress& next_hop) noexcept;

// slow_path.cc ----------------------------------------------------------------------------------

/// Sends a packet without a flow to `to`, with only its MAC addresses changed. `next_hop`: the
/// address to resolve, if it must wait.
void send_as_is(WorkerCtx& ctx, Packet& packet, AdjacencyId to,
                const RawAddress& next_hop) noexcept;

/// How a packet came in, in the form that lib/decide takes.
[[nodiscard]] Arrival arrival_of(const WorkerCtx& ctx, const Packet& packet) noexcept;

/// Sends a packet that this worker made: packet.verdict is kRouted with an adjacency, or kSend with
/// a port.
void emit(WorkerCtx& ctx, Packet& packet) noexcept;
/// Sends a whole frame, made by this worker, by `port`; false without a free buffer.
bool send_bytes(WorkerCtx& ctx, PortId port, std::span<const uint8_t> frame) noexcept;
/// Frees a packet that has served its purpose.
void consume(WorkerCtx& ctx, Packet& packet) noexcept;
/// Counts a frame that could not be made because no buffer was free.
void lose_unmade(WorkerCtx& ctx) noexcept;
/// A new packet around `mbuf`, parsed as far as the checksum stages need it.
[[nodiscard]] Packet make_packet(rte_mbuf* mbuf, PortId in_port) noexcept;

}  // namespace podlane::dataplane
