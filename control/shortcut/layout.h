// What the BPF program and podlaned share: the maps' keys and values. Plain C, for both compilers.
//
// Raise PODLANE_SHORTCUT_FORM when any of it changes: maps of another form are not taken over.
#pragma once

#include <linux/types.h>

#define PODLANE_SHORTCUT_FORM 3

/// Directions of connections that the kernel can carry at a time.
#define PODLANE_SHORTCUT_SLOTS 131072

/// Services share so many epochs.
#define PODLANE_SHORTCUT_SERVICES 128

/// Bytes before an inner frame: Ethernet, IPv4, UDP, the overlay's header.
#define PODLANE_SHORTCUT_OUTER 50

/// One direction of a connection, as its packets leave a pod or the node, or come from an uplink.
struct shortcut_key {
    __u32 ifindex;  ///< the node's end of the pod's veth, the NIC, or the host interface
    __u8 src[16];   ///< IPv4: the first four bytes, then zeros
    __u8 dst[16];
    __be16 src_port;
    __be16 dst_port;
    __u8 protocol;   ///< TCP or UDP
    __u8 version;    ///< 4 or 6
    __u8 tunnelled;  ///< 1: out of the tunnel
    __u8 zero;
};

/// Bits of shortcut_rewrite::flags.
enum {
    SHORTCUT_TRANSLATE = 1,  ///< addresses and ports
    SHORTCUT_TTL = 2,        ///< routed: the TTL is decremented
    SHORTCUT_MACS = 4,       ///< without it only a frame for `dst_mac` passes, and keeps its MACs
    SHORTCUT_LEAVES = 8,     ///< sent out of the target: a NIC, or for a pod by the node itself
    SHORTCUT_ENCAP = 16,     ///< into the tunnel, by the headers in `outer`
    SHORTCUT_COMES = 32,     ///< from a NIC: whoever sent the frame, it is for the router
    SHORTCUT_NODE = 64,      ///< the target is the host interface: for the node's own kernel
};

/// The rewrite that the slow path has compiled, and where it leads. Does not change.
struct shortcut_rewrite {
    __u8 src[16];
    __u8 dst[16];
    __be16 src_port;
    __be16 dst_port;
    __u16 address_delta;  ///< lib/proto/checksum.h: ChecksumDelta, of a pseudo-header
    __u16 port_delta;     ///< the same, of the ports
    __u16 header_delta;   ///< the same, of the IPv4 header
    __u16 mtu;            ///< largest IP packet that the way out takes, before encapsulation
    __u32 target;         ///< the node's end of the other pod's veth, NIC or host interface
    __u32 slot;           ///< its shortcut_state
    __u32 reverse_slot;   ///< the other direction's
    __u8 flags;
    __u8 from_mac[6];    ///< the only source that may send this
    __u8 dst_mac[6];     ///< of the other pod or the next hop; in a tunnel, the other node's
    __u8 src_mac[6];     ///< ours there
    __u8 router_mac[6];  ///< to which packets that are to be routed are sent
    /// What is sent in front of the frame: complete but for lengths, identification, checksum and
    /// ECN. For what comes out of the tunnel, the headers in which it must come.
    __u8 outer[PODLANE_SHORTCUT_OUTER];
    __u8 zero[5];
};

/// What changes about a direction. In memory that podlaned has mapped.
struct shortcut_state {
    __u32 epoch;    ///< valid while it equals the topology's or the isolated pods' one; 0: never
    __u32 stopped;  ///< a SYN, FIN or RST was seen: podlaned has the connection from here on
    __u64 service;  ///< valid while equal: the index into shortcut_epochs::services, above its
                    ///< value; 0: always
    __u64 packets;
    __u64 bytes;      ///< of IP packets, with their headers
    __u64 last_ns;    ///< of the boot clock
    __u64 unused[3];  ///< to a cache line
};

/// Against which epochs entries are checked: the one entry of its map. podlaned stores to it.
struct shortcut_epochs {
    __u32 paused;  ///< everything goes to podlaned; stays the first, in any form
    __u32 form;    ///< PODLANE_SHORTCUT_FORM; stays the second
    __u32 topology;
    __u32 isolated;
    __u32 services[PODLANE_SHORTCUT_SERVICES];
    __be16 tunnel_port;  ///< UDP; 0: there is no tunnel
    __u16 zero;
};

/// A network device that has one of the programs.
struct shortcut_device {
    __u32 other;  ///< of a veth's node end or a NIC its TAP, of the TAP that veth's end or NIC
    __u8 mac[6];  ///< the pod's or the NIC's
    __u8 zero[2];
};
