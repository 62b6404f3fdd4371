// A packet in the hands of a worker: the mbuf, and what the stages have found out about it.
//
// The scratch lives beside the mbuf, in the worker's own array, for one burst only. What must
// survive a port or a ring (checksum and segmentation state) is in the mbuf's own fields.
#pragma once

#include <rte_mbuf.h>

#include <cstdint>
#include <cstring>
#include <span>

#include "lib/base/drop.h"
#include "lib/flow/entry.h"
#include "lib/flow/rewrite.h"
#include "lib/model/adjacency.h"
#include "lib/model/ids.h"
#include "lib/proto/parse.h"
#include "lib/telemetry/stages.h"

namespace podlane::dataplane {

/// What is to become of a packet. Each stage handles the verdicts that concern it.
enum class Verdict : uint8_t {
    kLookUp,    ///< parsed; to be looked up in the flow table
    kBridge,    ///< not parsed; for the bridge alone
    kSlow,      ///< the slow path must see it; `slow` says why
    kForward,   ///< its flow and adjacency are known: rewrite, then send
    kRouted,    ///< no flow: only the MACs (or the tunnel) of `adjacency` are to be written
    kSend,      ///< the frame is as it must leave by `out_port`
    kCut,       ///< kLarge and for the tunnel of `adjacency`: cut, and each piece encapsulated
    kDrop,      ///< count `reason`, free
    kConsumed,  ///< the mbuf is owned elsewhere now
};

/// Why the fast path could not finish a packet.
enum class SlowReason : uint8_t {
    kNone,
    kArp,
    kNd,             ///< IPv6 neighbour discovery
    kMulticast,      ///< broadcast or multicast destination MAC
    kNotIp,          ///< another EtherType on the bridge
    kMiss,           ///< no flow
    kIcmpError,      ///< quotes another packet; translated by that packet's flow
    kReroute,        ///< the topology has changed since the flow was compiled
    kServiceChange,  ///< the service has lost an endpoint since
    kUnresolved,     ///< the next hop's MAC is not known, or it does not answer
    kTtl,            ///< must be decremented and is 1 or 0
    kTooBig,         ///< larger than the next hop's MTU
    kReplace,        ///< a SYN that begins a new connection on a closed one's tuple
    kFragment,       ///< its flow is known once the first fragment has come
};

/// Bits of Packet::flags.
enum PacketFlags : uint8_t {
    kFromOverlay = 0x01,  ///< came out of our tunnel
    kToRouter = 0x02,     ///< the destination MAC is ours
    kHeldBefore = 0x04,   ///< has waited for a neighbour; not counted as received again
    kHasUpper = 0x08,     ///< a later fragment with `upper` from its first one
    kLarge = 0x10,        ///< several packets of one flow in one, with a partial checksum
};

/// FlowKey fields that only a packet's first fragment has.
struct UpperLayer {
    be16 src_port;
    be16 dst_port;
    uint8_t protocol;
};

/// The stage that runs on this thread, for Packet::drop(): set once a burst (pipeline.h).
inline constinit thread_local PipelineStage running_stage = PipelineStage::kParse;

struct Packet {
    rte_mbuf* mbuf;
    uint8_t* frame;  ///< the first byte of the (inner) Ethernet header
    Headers headers;
    PortId out_port;  ///< with kSend
    Verdict verdict;
    CsumState csum;              ///< of the L4 checksum
    void* entry;                 ///< FlowEntry<F>* of the family in headers.ip_version
    const Adjacency* adjacency;  ///< with kForward and kRouted
    uint64_t hash;               ///< of the flow key
    PortId in_port;
    uint16_t ingress;  ///< lib/model/ingress.h: in_port or, out of the tunnel, the sending Node
    SlowReason slow;
    Drop reason;
    uint8_t flags;             ///< PacketFlags
    PipelineStage dropped_in;  ///< with kDrop
    UpperLayer upper;          ///< with kHasUpper

    template <Family F>
    [[nodiscard]] FlowEntry<F>& flow() const noexcept {
        return *static_cast<FlowEntry<F>*>(entry);
    }
    [[nodiscard]] bool is(uint8_t bits) const noexcept { return (flags & bits) != 0; }

    /// Whether it leaves by the port of `plain`, which is plainly_sent(port): kSend, and the
    /// checksum complete, so that the packet is not kLarge either. One comparison.
    [[nodiscard]] bool is_plainly_sent(uint32_t plain) const noexcept {
        uint32_t word;
        std::memcpy(&word, &out_port, sizeof(word));
        return word == plain;
    }
    [[nodiscard]] static uint32_t plainly_sent(PortId port) noexcept {
        return uint32_t{static_cast<uint16_t>(port)} |
               uint32_t{static_cast<uint8_t>(Verdict::kSend)} << 16 |
               uint32_t{static_cast<uint8_t>(CsumState::kComplete)} << 24;
    }

    void drop(Drop why) noexcept {
        verdict = Verdict::kDrop;
        reason = why;
        dropped_in = running_stage;
    }
    void to_slow(SlowReason why) noexcept {
        verdict = Verdict::kSlow;
        slow = why;
    }
    void send_to(PortId port) noexcept {
        verdict = Verdict::kSend;
        out_port = port;
    }
    /// The key of the packet's flow. For a later fragment, `upper` must be known.
    template <Family F>
    [[nodiscard]] FlowKey<F> key() const noexcept {
        FlowKey<F> out = flow_key<F>(frame, headers);
        if (is(kHasUpper)) {
            out.src_port = upper.src_port;
            out.dst_port = upper.dst_port;
            out.protocol = upper.protocol;
        }
        return out;
    }
    /// The first buffer's bytes.
    [[nodiscard]] std::span<uint8_t> head() const noexcept {
        return {rte_pktmbuf_mtod(mbuf, uint8_t*), rte_pktmbuf_data_len(mbuf)};
    }
};
static_assert(offsetof(Packet, out_port) % sizeof(uint32_t) == 0 &&
              offsetof(Packet, verdict) == offsetof(Packet, out_port) + 2 &&
              offsetof(Packet, csum) == offsetof(Packet, out_port) + 3);

/// The most packets that one receive call returns; docs/performance.md has figures for 32 and 64.
inline constexpr unsigned kBurst = 64;

/// What one receive call returned: packets of one port.
using Burst = std::span<Packet>;

}  // namespace podlane::dataplane
