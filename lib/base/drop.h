// Every reason for which a packet can be dropped: one list, in words an operator can act on.
//
// A reason has a name (in `podlanectl drops` and `stats`), a counter on each worker and a help
// line. To add one: a line in PODLANE_DROPS, and a test that provokes it.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "lib/base/guard_drops.h"

namespace podlane {

// X(enumerator, "name", "help")
#define PODLANE_DROPS(X)                                                                          \
    X(kNone, "none", "not dropped")                                                               \
    X(kFrameTooShort, "frame_too_short", "the frame ends inside its Ethernet or VLAN header")     \
    X(kIpTruncated, "ip_truncated", "the frame ends inside its IP header or extension headers")   \
    X(kIpBadVersion, "ip_bad_version", "the IP version does not match the EtherType")             \
    X(kIpBadHeaderLength, "ip_bad_header_length",                                                 \
      "the IP header length is below the minimum or beyond the packet")                           \
    X(kIpBadTotalLength, "ip_bad_total_length",                                                   \
      "the IP length field is larger than the frame: cut off on the way, an MTU mismatch, or a "  \
      "datagram that net_af_packet put together from fragments")                                  \
    X(kIpBadChecksum, "ip_bad_checksum", "the IPv4 header checksum is wrong")                     \
    X(kIpBadAddress, "ip_bad_address",                                                            \
      "source or destination cannot be forwarded (multicast or reserved source, loopback, zero)") \
    X(kIpTooManyExtensions, "ip_too_many_extensions",                                             \
      "more IPv6 extension headers than the parser follows")                                      \
    X(kIpTtlExpired, "ttl_expired", "TTL or hop limit reached zero; the sender is told by ICMP")  \
    X(kL4Truncated, "l4_truncated", "the packet ends inside its TCP, UDP, SCTP or ICMP header")   \
    X(kL4BadLength, "l4_bad_length", "the UDP length or TCP data offset does not fit the packet") \
    X(kL4BadChecksum, "l4_bad_checksum",                                                          \
      "a TCP, UDP or ICMP checksum is wrong where it had to be right")                            \
    X(kFragmentBad, "fragment_bad",                                                               \
      "a fragment that no packet can have: empty, a middle one of odd length, beyond 65,535 "     \
      "bytes, or in too many pieces out of order")                                                \
    X(kFragmentTiny, "fragment_tiny",                                                             \
      "a first fragment that ends inside the packet's headers, which hides what it is")           \
    X(kFragmentOverlap, "fragment_overlap",                                                       \
      "a fragment that overlaps or repeats another of its packet, or comes after one that did")   \
    X(kFragmentNoFirst, "fragment_no_first",                                                      \
      "a later fragment; the first one did not come in time")                                     \
    X(kFragmentHoldFull, "fragment_hold_full",                                                    \
      "too many later fragments wait for their first one")                                        \
    X(kUnknownEtherType, "unknown_ether_type",                                                    \
      "neither IP nor ARP, and no bridge port to give it to")                                     \
    X(kVlanUnexpected, "vlan_unexpected", "a VLAN tag; VLANs are not configured")                 \
    X(kUnknownVni, "unknown_vni", "a tunnel packet with a VNI that this node does not have")      \
    X(kTunnelBadHeader, "tunnel_bad_header",                                                      \
      "a tunnel packet whose header is cut short or of another format")                           \
    X(kTunnelBadInner, "tunnel_bad_inner",                                                        \
      "the frame in the tunnel is malformed or a tunnel packet again")                            \
    X(kTunnelCongestion, "tunnel_congestion",                                                     \
      "a tunnel packet marked as having met congestion, whose inner packet's sender does not "    \
      "know of such marks (RFC 6040): a loss is what tells it")                                   \
    X(kTunnelFragment, "tunnel_fragment",                                                         \
      "a tunnel packet in fragments: between the nodes an MTU is below the overlay's")            \
    X(kTunnelNotOurMac, "tunnel_not_our_mac",                                                     \
      "the frame in the tunnel is not addressed to our VTEP MAC; the peer's Node annotation is "  \
      "stale")                                                                                    \
    X(kNotForUs, "not_for_us", "unicast on an uplink to another host's MAC address")              \
    X(kBridgeNoPort, "bridge_no_port",                                                            \
      "unknown unicast on the bridge with no other port to flood to")                             \
    X(kBridgeSamePort, "bridge_same_port",                                                        \
      "the destination MAC is on the port that the frame came from")                              \
    X(kMacSpoofed, "mac_spoofed", "a pod sent from a MAC address that belongs to another port")   \
    X(kArpBad, "arp_bad", "a malformed ARP packet")                                               \
    X(kArpHandled, "arp_unanswered",                                                              \
      "an ARP request for an address that this node does not answer for")                         \
    X(kNdBad, "nd_bad",                                                                           \
      "a malformed IPv6 neighbour discovery packet, or one with hop limit below 255")             \
    X(kNdHandled, "nd_unanswered",                                                                \
      "a neighbour solicitation for an address that this node does not answer for")               \
    X(kNeighbourHoldFull, "neighbour_hold_full",                                                  \
      "too many packets wait for a neighbour to resolve")                                         \
    X(kNeighbourUnreachable, "neighbour_unreachable",                                             \
      "the next hop does not answer ARP or ND; the sender is told by ICMP")                       \
    X(kNoRoute, "no_route", "no route to the destination; the sender is told by ICMP")            \
    X(kMulticastUnrouted, "multicast_unrouted", "multicast is not routed between networks")       \
    X(kServiceNoEndpoints, "service_no_endpoints",                                                \
      "the Service has no endpoint; rejected with RST or ICMP")                                   \
    X(kServiceNoLocalEndpoints, "service_no_local_endpoints",                                     \
      "the Service's traffic policy is Local and no endpoint is on this node")                    \
    X(kServiceUndefinedPort, "service_undefined_port",                                            \
      "a ClusterIP's port that its Service does not define; rejected")                            \
    X(kServiceUnallocated, "service_unallocated",                                                 \
      "an address of the service CIDR that no Service has")                                       \
    X(kServiceSourceRange, "service_source_range",                                                \
      "the source is not in loadBalancerSourceRanges")                                            \
    X(kPolicyIngress, "policy_ingress",                                                           \
      "no NetworkPolicy that selects the destination pod lets it in")                             \
    X(kPolicyEgress, "policy_egress", "no NetworkPolicy that selects the source pod lets it out") \
    X(kDnsBad, "dns_bad", "to the DNS server, and no query: too short, or an answer")             \
    X(kDnsStranger, "dns_stranger",                                                               \
      "a DNS query from outside the cluster; the server answers pods and nodes")                  \
    X(kFlowTableFull, "flow_table_full", "no room for a new connection; raise flows.capacity")    \
    X(kFlowBusy, "flow_busy",                                                                     \
      "two workers met on one new connection too often; the sender's retry will pass")            \
    X(kSnatPortsExhausted, "snat_ports_exhausted",                                                \
      "no free source port towards this destination; podlanectl stats names it")                  \
    X(kNoSnatAddress, "no_snat_address",                                                          \
      "masquerading is due and this node has no address of the family")                           \
    X(kTooBig, "too_big",                                                                         \
      "larger than the next hop's MTU with DF set, or IPv6; the sender is told by ICMP")          \
    X(kFragmentFailed, "fragment_failed",                                                         \
      "the packet could not be fragmented (no buffer, or options forbid it)")                     \
    X(kNoHeadroom, "no_headroom",                                                                 \
      "encapsulation needs room before the frame; raise the mbuf headroom")                       \
    X(kNoMbuf, "no_mbuf", "the packet buffer pool is empty; raise memory.mbufs")                  \
    X(kPortDown, "port_down", "the output port is gone or down")                                  \
    X(kTxFull, "tx_full", "the output port's queue was full")                                     \
    X(kBandwidthIngress, "bandwidth_ingress",                                                     \
      "more for a pod than its limit of bandwidth lets in")                                       \
    X(kBandwidthEgress, "bandwidth_egress",                                                       \
      "more from a pod than its limit of bandwidth lets out")                                     \
    X(kTxTooLong, "tx_too_long", "the frame is longer than the output port can send")             \
    X(kHostAbsent, "host_absent", "addressed to this node, and no host interface is configured")  \
    X(kGatewayUnhandled, "gateway_unhandled",                                                     \
      "addressed to the pod gateway, which only answers ping")                                    \
    X(kIcmpErrorUnmatched, "icmp_error_unmatched",                                                \
      "an ICMP error about a connection that this node does not know")                            \
    X(kIcmpErrorBad, "icmp_error_bad", "an ICMP error whose inner packet is malformed")           \
    X(kHandoffFull, "handoff_full",                                                               \
      "the ring to the worker that owns the output queue, or the packet's fragments, was full")   \
    X(kDeviceMissed, "device_missed",                                                             \
      "lost by a port's device, which found no free descriptor: the workers are too slow")        \
    X(kDeviceRxError, "device_rx_error", "a frame that a port's device received damaged")         \
    X(kDeviceNoBuffer, "device_no_buffer",                                                        \
      "lost by a port's device without a packet buffer; raise memory.mbufs")                      \
    X(kDeviceTxError, "device_tx_error", "a frame that a port's device took and could not send")  \
    PODLANE_GUARD_DROPS(X)

enum class Drop : uint8_t {
#define PODLANE_DROP_ENUM(id, name, help) id,
    PODLANE_DROPS(PODLANE_DROP_ENUM)
#undef PODLANE_DROP_ENUM
};

struct DropInfo {
    std::string_view name;
    std::string_view help;
};

inline constexpr auto kDropInfo = std::to_array<DropInfo>({
#define PODLANE_DROP_INFO(id, name, help) {name, help},
    PODLANE_DROPS(PODLANE_DROP_INFO)
#undef PODLANE_DROP_INFO
});
inline constexpr size_t kDropCount = kDropInfo.size();

[[nodiscard]] constexpr const DropInfo& drop_info(Drop reason) noexcept {
    return kDropInfo[static_cast<size_t>(reason)];
}

}  // namespace podlane
