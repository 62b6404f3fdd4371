// Stage 2: one bounds-checked pass over the headers, which also tells what kind of frame it is.
#pragma once

#include "dataplane/stages/stage.h"
#include "lib/proto/parse_tunnelled.h"

namespace podlane::dataplane {

/// Parses each frame and sorts it: to the flow table, to the slow path, or dropped. Detects partial
/// checksums if the port delivers them. Cost: reads the headers, prefetched four frames ahead.
struct Parse {
    static constexpr const char* kName = "parse";
    static void run(WorkerCtx& ctx, Burst burst) noexcept;
};

/// What the parser must know of the port that a burst came from.
struct Ingress {
    uint64_t mac;  ///< ours on that port, as MacAddress::as_u64()
    uint16_t id;   ///< Packet::ingress of packets not out of a tunnel
    PortKind kind;
    bool tunnel_end;     ///< frames may be for `tunnel`
    bool is_tap;         ///< frames have TapMarks
    bool maybe_partial;  ///< L4 checksums may be partial though unmarked
    bool plain_bridge;   ///< a pod's port without answers to translate, which no policy concerns:
                         ///< its neighbours get frames as is
    uint32_t plain_v4;   ///< EtherType, version and length of IPv4 frames that may go unparsed
    Ipv4Address own_v4;  ///< they may come from this address; from another, `sources` is asked
    const PortSources* sources;  ///< what a pod's port may send from; null: anything
    TunnelEnd tunnel;
    const Snapshot* snapshot;
};

/// Packet::ingress of tunnel packets from the Node with this outer source; kUnknownIngress if there
/// is no such Node.
template <Family F>
[[nodiscard]] inline uint16_t ingress_of_peer(const Snapshot& snapshot,
                                              const typename F::Address& outer) noexcept {
    const NodeNumber* const node = snapshot.family<F>().tunnel_peers->find(outer);
    return node == nullptr ? kUnknownIngress : ingress_of_node(*node);
}

[[nodiscard]] Ingress ingress_of(const WorkerCtx& ctx, PortId id) noexcept;

/// Parses one frame whose in_port, mbuf and flags are set; used again after decapsulation.
void parse_packet(const Ingress& ingress, Packet& packet) noexcept;

}  // namespace podlane::dataplane
