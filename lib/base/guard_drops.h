// Drop reasons of the source guard, which checks who may send what by which port. Part of the one
// list in drop.h; a file of its own keeps the rules for sources together.
#pragma once

// X(enumerator, "name", "help")
#define PODLANE_GUARD_DROPS(X)                                                                     \
    X(kPodMacSpoofed, "pod_mac_spoofed", "a pod sent from another MAC address than its own")       \
    X(kPodSourceSpoofed, "pod_source_spoofed",                                                     \
      "a pod sent from an IP address that is not its own; more are allowed by annotation "         \
      "podlane.io/allowed-addresses, or allowedAddresses of a static port")                        \
    X(kArpSpoofed, "arp_spoofed",                                                                  \
      "ARP in the name of an address or a MAC address that the sender does not have")              \
    X(kNdSpoofed, "nd_spoofed",                                                                    \
      "neighbour discovery in the name of an address or a MAC address that the sender does not "   \
      "have")                                                                                      \
    X(kPodRouterAdvertisement, "pod_router_advertisement",                                         \
      "a pod sent a router advertisement, which would make it its neighbours' gateway")            \
    X(kPodRedirect, "pod_redirect", "a pod sent an ICMP redirect, which is the gateway's to do")   \
    X(kPodDhcpServer, "pod_dhcp_server",                                                           \
      "a pod sent to a DHCP client, as a server would: UDP to port 68 or 546")                     \
    X(kOffloadBadChecksum, "offload_bad_checksum",                                                 \
      "a pod's frame asks for a checksum at a place outside of it (its virtio-net header)")        \
    X(kOffloadBadSegments, "offload_bad_segments",                                                 \
      "a pod's frame is to be cut (its virtio-net header), and is not what that says or cannot "   \
      "be: another protocol, no size, too many pieces, a SYN or RST")                              \
    X(kUplinkSourceSpoofed, "uplink_source_spoofed",                                               \
      "came in by an uplink from an address that does not live there: this node's own, of its "    \
      "pods or of pods behind the tunnel")                                                         \
    X(kSourceRouted, "source_routed",                                                              \
      "IPv4 source route options or an IPv6 routing header of type 0: nobody but the route "       \
      "tables says which way packets go")                                                          \
    X(kTunnelStranger, "tunnel_stranger",                                                          \
      "a tunnel packet whose outer source is no Node's address")                                   \
    X(kTunnelSourceSpoofed, "tunnel_source_spoofed",                                               \
      "the packet inside a tunnel packet is neither from the sending Node nor from its pods")      \
    X(kTunnelLinkTraffic, "tunnel_link_traffic",                                                   \
      "ARP, neighbour discovery, DHCP or multicast inside the tunnel, which only routes")          \
    X(kFlowShareFull, "flow_share_full",                                                           \
      "the flow table is nearly full, and the port or the Service of this new connection has its " \
      "share of it; raise flows.capacity")                                                         \
    X(kFloodShareFull, "flood_share_full",                                                         \
      "a pod sent more broadcasts or frames to unknown MAC addresses than its share")              \
    X(kNewFlowOverload, "new_flow_overload",                                                       \
      "the first packet of a connection, lost because more came in than the worker can look at: "  \
      "known flows go first")                                                                      \
    X(kTunnelPortForbidden, "tunnel_port_forbidden",                                               \
      "UDP to a node's VTEP port that this node would send in its own name: tunnel packets "       \
      "are for nodes to make")
