// The shortcut: what pods of this node say to each other, to the node and to the outside, carried
// by the kernel.
//
// `from_pod` is on the ingress of the node's end of a pod's veth, `from_nic` on that of an uplink's
// NIC, `from_host` on the egress of the host interface. They execute what podlaned's slow path has
// compiled for a connection, if that is still valid, and hand the frame to the other pod, to the
// node's own stack or to the NIC, into the tunnel and out of it as well. Everything else they give
// to the device's TAP, where podlaned reads it; the host interface is one. `to_pod` and `to_nic`
// are on the ingress of the TAP and hand on what podlaned writes. See docs/decisions/shortcut.md
// and docs/decisions/kernel-uplink.md.
//
// Frames are read in place and written by helpers: TCP's frames are clones, which writing in place
// would copy, and which helpers need not.
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/pkt_cls.h>
#include <linux/tcp.h>
#include <linux/udp.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "layout.h"

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, PODLANE_SHORTCUT_SLOTS);
    __uint(map_flags, BPF_F_NO_PREALLOC);
    __type(key, struct shortcut_key);
    __type(value, struct shortcut_rewrite);
} pl_flows SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, PODLANE_SHORTCUT_SLOTS);
    __uint(map_flags, BPF_F_MMAPABLE);
    __type(key, __u32);
    __type(value, struct shortcut_state);
} pl_states SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, 1);
    __uint(map_flags, BPF_F_MMAPABLE);
    __type(key, __u32);
    __type(value, struct shortcut_epochs);
} pl_epochs SEC(".maps");

/// The next identification of an outer packet: DF is not set, so they must differ (RFC 6864).
struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, __u32);
} pl_ids SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, 8192);
    __type(key, __u32);
    __type(value, struct shortcut_device);
} pl_devices SEC(".maps");

struct ports {
    __be16 src;
    __be16 dst;
};

/// What stands before an inner frame, and that frame's Ethernet header.
struct outer {
    struct ethhdr eth;
    struct iphdr ip;
    struct udphdr udp;
    __be32 overlay[2];
    struct ethhdr inner;
} __attribute__((packed));
_Static_assert(sizeof(struct outer) == PODLANE_SHORTCUT_OUTER + ETH_HLEN, "see layout.h");

/// The longest headers that are read: a tunnel's, IPv6, TCP without options.
#define LONGEST_HEADERS (PODLANE_SHORTCUT_OUTER + ETH_HLEN + 40 + 20)

/// What a frame's headers say, if it can be one of a shortcut.
struct headers {
    __u32 l3_bytes;      ///< of the IP packet
    __u32 l4;            ///< offset of TCP or UDP
    __u32 header_bytes;  ///< of IP and TCP or UDP
    __u8 ttl;
    __u8 ecn;
    __u8 tcp_flags;  ///< the lower six; ACK of a UDP datagram
};

enum { kFin = 1, kSyn = 2, kRst = 4, kAck = 16, kUrg = 32 };

static __always_inline int same_mac(const __u8* a, const __u8* b) {
    return *(const __u32*)a == *(const __u32*)b && *(const __u16*)(a + 4) == *(const __u16*)(b + 4);
}

/// Fills key and headers. 0: not a whole, plain TCP segment or UDP datagram. `at`: where the frame
/// begins; the offsets in `out` are those of that frame.
static __always_inline int parse(struct __sk_buff* skb, const __u32 at, struct shortcut_key* key,
                                 struct headers* out) {
    const void* data = (const void*)(long)skb->data + at;
    const void* end = (const void*)(long)skb->data_end;
    const struct ethhdr* eth = data;
    if ((const void*)(eth + 1) > end || skb->vlan_present) return 0;
    key->ifindex = skb->ifindex;
    if (eth->h_proto == bpf_htons(ETH_P_IP)) {
        const struct iphdr* ip = (const void*)(eth + 1);
        if ((const void*)(ip + 1) > end) return 0;
        if (*(const __u8*)ip != 0x45) return 0;
        if ((ip->frag_off & bpf_htons(0xbfff)) != 0) return 0;
        key->version = 4;
        key->protocol = ip->protocol;
        *(__be32*)key->src = ip->saddr;
        *(__be32*)key->dst = ip->daddr;
        out->ttl = ip->ttl;
        out->ecn = ip->tos & 3;
        out->l3_bytes = bpf_ntohs(ip->tot_len);
        out->l4 = ETH_HLEN + sizeof(*ip);
    } else if (eth->h_proto == bpf_htons(ETH_P_IPV6)) {
        const struct ipv6hdr* ip = (const void*)(eth + 1);
        if ((const void*)(ip + 1) > end) return 0;
        if ((*(const __u8*)ip & 0xf0) != 0x60) return 0;
        key->version = 6;
        key->protocol = ip->nexthdr;
        __builtin_memcpy(key->src, &ip->saddr, 16);
        __builtin_memcpy(key->dst, &ip->daddr, 16);
        out->ttl = ip->hop_limit;
        out->ecn = ip->flow_lbl[0] >> 4 & 3;
        out->l3_bytes = bpf_ntohs(ip->payload_len) + sizeof(*ip);
        out->l4 = ETH_HLEN + sizeof(*ip);
    } else {
        return 0;
    }
    if (skb->len != at + ETH_HLEN + out->l3_bytes) return 0;
    const __u32 l4_bytes = out->l3_bytes - (out->l4 - ETH_HLEN);
    const void* l4 = data + out->l4;
    if (key->protocol == IPPROTO_TCP) {
        const struct tcphdr* tcp = l4;
        if ((const void*)(tcp + 1) > end) return 0;
        const __u32 tcp_bytes = tcp->doff * 4;
        if (tcp_bytes < sizeof(*tcp) || tcp_bytes > l4_bytes) return 0;
        key->src_port = tcp->source;
        key->dst_port = tcp->dest;
        out->tcp_flags = ((const __u8*)tcp)[13] & 0x3f;
        out->header_bytes = out->l4 - ETH_HLEN + tcp_bytes;
        return 1;
    }
    if (key->protocol == IPPROTO_UDP) {
        const struct udphdr* udp = l4;
        if ((const void*)(udp + 1) > end) return 0;
        if (bpf_ntohs(udp->len) != l4_bytes) return 0;
        key->src_port = udp->source;
        key->dst_port = udp->dest;
        out->tcp_flags = kAck;
        out->header_bytes = out->l4 - ETH_HLEN + sizeof(*udp);
        return 1;
    }
    return 0;
}

/// Whether the IP packets that a frame stands for fit the MTU.
static __always_inline int fits(const struct __sk_buff* skb, const struct headers* headers,
                                __u16 mtu) {
    // Not by gso_segs, which nobody counts again once a frame has been in a tunnel.
    if (skb->gso_size != 0 && skb->gso_size + headers->header_bytes < headers->l3_bytes)
        return skb->gso_size + headers->header_bytes <= mtu;
    return headers->l3_bytes <= mtu;
}

/// The sum that the helpers take: added to the complement of a complete checksum.
static __always_inline int add_to_l4(struct __sk_buff* skb, __u32 offset, __u16 delta,
                                     __u64 flags) {
    if (delta == 0) return 0;
    return bpf_l4_csum_replace(skb, offset, 0, delta, flags);
}

/// Executes the rewrite on the frame at `at`, whose Ethernet header need not be there yet;
/// lib/flow/rewrite.h is the model. Not 0: the frame is lost.
static __always_inline int rewrite(struct __sk_buff* skb, __u32 at, const struct headers* headers,
                                   const struct shortcut_key* key,
                                   const struct shortcut_rewrite* to) {
    struct {
        __u8 dst_mac[6], src_mac[6];
        __be16 type;
        union {
            struct iphdr v4;
            struct ipv6hdr v6;
        };
    } __attribute__((packed)) front;
    const __u32 is_v4 = key->version == 4;
    if (is_v4) {
        if (bpf_skb_load_bytes(skb, at, &front, ETH_HLEN + sizeof(struct iphdr)) != 0) return 1;
    } else {
        if (bpf_skb_load_bytes(skb, at, &front, ETH_HLEN + sizeof(struct ipv6hdr)) != 0) return 1;
    }
    __builtin_memcpy(front.dst_mac, to->dst_mac, 6);
    __builtin_memcpy(front.src_mac, to->src_mac, 6);
    front.type = is_v4 ? bpf_htons(ETH_P_IP) : bpf_htons(ETH_P_IPV6);
    if (is_v4) {
        if (to->flags & SHORTCUT_TTL) front.v4.ttl--;
        __builtin_memcpy(&front.v4.saddr, to->src, 4);
        __builtin_memcpy(&front.v4.daddr, to->dst, 4);
        __u32 sum = (__u16)~front.v4.check + (__u32)to->header_delta;
        sum = (sum & 0xffff) + (sum >> 16);
        front.v4.check = (__u16)~sum;
        if (bpf_skb_store_bytes(skb, at, &front, ETH_HLEN + sizeof(struct iphdr),
                                BPF_F_RECOMPUTE_CSUM) != 0)
            return 1;
    } else {
        if (to->flags & SHORTCUT_TTL) front.v6.hop_limit--;
        __builtin_memcpy(&front.v6.saddr, to->src, 16);
        __builtin_memcpy(&front.v6.daddr, to->dst, 16);
        if (bpf_skb_store_bytes(skb, at, &front, ETH_HLEN + sizeof(struct ipv6hdr),
                                BPF_F_RECOMPUTE_CSUM) != 0)
            return 1;
    }
    if (!(to->flags & SHORTCUT_TRANSLATE)) return 0;
    const struct ports ports = {to->src_port, to->dst_port};
    const __u32 l4 = at + headers->l4;
    if (bpf_skb_store_bytes(skb, l4, &ports, sizeof(ports), 0) != 0) return 1;
    const int is_tcp = key->protocol == IPPROTO_TCP;
    const __u32 field =
        l4 + (is_tcp ? offsetof(struct tcphdr, check) : offsetof(struct udphdr, check));
    const __u64 flags = is_tcp ? 0 : BPF_F_MARK_MANGLED_0;
    // A partial checksum changes with the addresses alone: the helper knows which one it is.
    return add_to_l4(skb, field, to->address_delta, flags | BPF_F_PSEUDO_HDR) != 0 ||
           add_to_l4(skb, field, to->port_delta, flags) != 0;
}

/// To podlaned, by the device's TAP. No device: the frame is on its way out of one.
static __always_inline int give_up(const struct shortcut_device* device) {
    return device ? bpf_redirect(device->other, 0) : TC_ACT_OK;
}

/// Whether the packet came in the headers that its connection's packets come in. `ecn`: the inner
/// one; where the outer one would change it, podlaned does that.
static __always_inline int comes_in(const struct __sk_buff* skb, const struct shortcut_rewrite* to,
                                    __u8 ecn) {
    const struct outer* is = (const void*)(long)skb->data;
    const struct outer* const due = (const void*)to->outer;
    if ((const void*)(is + 1) > (const void*)(long)skb->data_end) return 0;
    const __u8 outer_ecn = is->ip.tos & 3;
    return is->ip.saddr == due->ip.saddr && is->ip.daddr == due->ip.daddr &&
           is->overlay[0] == due->overlay[0] && is->overlay[1] == due->overlay[1] &&
           (outer_ecn == 0 || outer_ecn == ecn || (ecn == 3 && outer_ecn != 3));
}

/// BPF_F_ADJ_ROOM_DECAP_L3_IPV6 of Linux 6.3.
#define INNER_IPV6 (1ULL << 8)

/// Leaves the inner IP packet, behind the outer Ethernet header. Not 0: the kernel cannot, and the
/// frame is as it was.
static __always_inline int decapsulate(struct __sk_buff* skb, const struct shortcut_key* key) {
    const __u64 flags = BPF_F_ADJ_ROOM_FIXED_GSO | (key->version == 6 ? INNER_IPV6 : 0);
    return bpf_skb_adjust_room(skb, -PODLANE_SHORTCUT_OUTER, BPF_ADJ_ROOM_MAC, flags) != 0;
}

/// Makes room for the tunnel's headers; a large frame stays whole. Not 0: the kernel cannot, as for
/// a frame that the pod has in a tunnel of its own, and the frame is as it was.
static __always_inline int make_room(struct __sk_buff* skb) {
    const __u64 flags = BPF_F_ADJ_ROOM_FIXED_GSO | BPF_F_ADJ_ROOM_ENCAP_L3_IPV4 |
                        BPF_F_ADJ_ROOM_ENCAP_L4_UDP | BPF_F_ADJ_ROOM_ENCAP_L2(ETH_HLEN) |
                        BPF_F_ADJ_ROOM_ENCAP_L2_ETH;
    return bpf_skb_adjust_room(skb, PODLANE_SHORTCUT_OUTER, BPF_ADJ_ROOM_MAC, flags) != 0;
}

/// Writes the tunnel's headers. Not 0: the frame is lost.
static __always_inline int encapsulate(struct __sk_buff* skb, const struct headers* headers,
                                       const struct shortcut_rewrite* to) {
    const __u32 zero = 0;
    struct {
        struct ethhdr eth;
        struct iphdr ip;
        struct udphdr udp;
        __be32 overlay[2];
    } __attribute__((packed)) outer;
    __builtin_memcpy(&outer, to->outer, PODLANE_SHORTCUT_OUTER);
    __u32* const next_id = bpf_map_lookup_elem(&pl_ids, &zero);
    if (!next_id) return 1;
    const __u32 segments = skb->gso_size != 0 ? headers->l3_bytes / skb->gso_size + 1 : 1;
    const __u32 l3_bytes = headers->l3_bytes + PODLANE_SHORTCUT_OUTER;
    outer.ip.tos = headers->ecn == 3 ? 2 : headers->ecn;  // RFC 6040, as lib/proto/ecn.h has it
    outer.ip.tot_len = bpf_htons(l3_bytes);
    outer.ip.id = bpf_htons(__sync_fetch_and_add(next_id, segments));
    outer.udp.len = bpf_htons(l3_bytes - sizeof(outer.ip));
    outer.ip.check = 0;
    __u32 sum = 0;
    __u16 words[sizeof(outer.ip) / 2];
    __builtin_memcpy(words, &outer.ip, sizeof(words));
#pragma unroll
    for (unsigned i = 0; i < sizeof(words) / 2; ++i) sum += words[i];
    sum = (sum & 0xffff) + (sum >> 16);
    sum = (sum & 0xffff) + (sum >> 16);
    outer.ip.check = (__u16)~sum;
    return bpf_skb_store_bytes(skb, 0, &outer, sizeof(outer), 0) != 0;
}

/// Whether the frame's Ethernet header is that of the connection. `keeps`: its MACs stay.
static __always_inline int is_addressed(const struct __sk_buff* skb, const __u32 at,
                                        const struct shortcut_rewrite* to, int* keeps) {
    const struct ethhdr* eth = (const void*)(long)skb->data + at;
    if ((const void*)(eth + 1) > (const void*)(long)skb->data_end) return 0;
    const int to_router = same_mac(eth->h_dest, to->router_mac);
    if (to->flags & SHORTCUT_COMES) return to_router;
    *keeps = !(to->flags & SHORTCUT_MACS) && !to_router;
    if (!same_mac(eth->h_source, to->from_mac)) return 0;
    // Only pods are bridged.
    if (to->flags & (SHORTCUT_LEAVES | SHORTCUT_NODE)) return to_router;
    return to_router || same_mac(eth->h_dest, to->dst_mac);
}

/// Carries the frame at `at`, which is behind the tunnel's headers or at the beginning, or gives it
/// up.
static __always_inline int carry(struct __sk_buff* skb, const __u32 at,
                                 const struct shortcut_device* device,
                                 const struct shortcut_epochs* epochs) {
    struct shortcut_key key = {};
    struct headers headers = {};
    if (!parse(skb, at, &key, &headers)) return give_up(device);
    key.tunnelled = at != 0;
    const struct shortcut_rewrite* to = bpf_map_lookup_elem(&pl_flows, &key);
    if (!to) return give_up(device);
    __u32 slot = to->slot;
    struct shortcut_state* state = bpf_map_lookup_elem(&pl_states, &slot);
    if (!state) return give_up(device);
    if (at != 0 && !comes_in(skb, to, headers.ecn)) return give_up(device);
    if ((headers.tcp_flags & (kSyn | kFin | kRst)) != 0) {
        __u32 reverse = to->reverse_slot;
        struct shortcut_state* other = bpf_map_lookup_elem(&pl_states, &reverse);
        state->stopped = 1;
        if (other) other->stopped = 1;
        return give_up(device);
    }
    if ((headers.tcp_flags & (kAck | kUrg)) != kAck || state->stopped) return give_up(device);
    const __u32 epoch = state->epoch;
    if (epoch != epochs->topology && epoch != epochs->isolated) return give_up(device);
    const __u64 service = state->service;
    if (service != 0) {
        const __u64 at = service >> 32;
        if (at >= PODLANE_SHORTCUT_SERVICES || (__u32)service != epochs->services[at])
            return give_up(device);
    }

    int keeps_macs = 0;
    if (!is_addressed(skb, at, to, &keeps_macs)) return give_up(device);
    if ((to->flags & SHORTCUT_TTL) && headers.ttl <= 1) return give_up(device);
    if (!fits(skb, &headers, to->mtu)) return give_up(device);
    const int encap = (to->flags & SHORTCUT_ENCAP) != 0;
    // Only TCP's large frames: with datagrams, kernels differ in what they take into a tunnel.
    if ((encap || at != 0) && skb->gso_size != 0 && key.protocol != IPPROTO_TCP) {
        return give_up(device);
    }
    if (encap && headers.l3_bytes > 65535 - PODLANE_SHORTCUT_OUTER) return give_up(device);

    if (at != 0 && decapsulate(skb, &key) != 0) return give_up(device);
    if (encap && make_room(skb) != 0) return give_up(device);
    const __u32 inner = encap ? PODLANE_SHORTCUT_OUTER : 0;
    if (!keeps_macs && rewrite(skb, inner, &headers, &key, to) != 0) return TC_ACT_SHOT;
    if (encap && encapsulate(skb, &headers, to) != 0) return TC_ACT_SHOT;
    __sync_fetch_and_add(&state->packets, 1);
    __sync_fetch_and_add(&state->bytes, headers.l3_bytes);
    state->last_ns = bpf_ktime_get_boot_ns();
    if (to->flags & SHORTCUT_LEAVES) return bpf_redirect(to->target, 0);
    if (to->flags & SHORTCUT_NODE) return bpf_redirect(to->target, BPF_F_INGRESS);
    // The kernel took the frame for another's, because the node's end has another MAC address.
    if (skb->pkt_type != PACKET_HOST) bpf_skb_change_type(skb, PACKET_HOST);
    return bpf_redirect_peer(to->target, 0);
}

/// Also while no podlaned has begun to use the maps.
static __always_inline int is_paused(const struct shortcut_epochs* epochs) {
    return !epochs || epochs->paused || epochs->form != PODLANE_SHORTCUT_FORM;
}

SEC("tc")
int from_pod(struct __sk_buff* skb) {
    const __u32 zero = 0, ifindex = skb->ifindex;
    const struct shortcut_device* device = bpf_map_lookup_elem(&pl_devices, &ifindex);
    if (!device) return TC_ACT_SHOT;
    const struct shortcut_epochs* epochs = bpf_map_lookup_elem(&pl_epochs, &zero);
    if (is_paused(epochs)) return give_up(device);
    return carry(skb, 0, device, epochs);
}

SEC("tc")
int to_pod(struct __sk_buff* skb) {
    const __u32 ifindex = skb->ifindex;
    const struct shortcut_device* device = bpf_map_lookup_elem(&pl_devices, &ifindex);
    if (!device) return TC_ACT_SHOT;
    const void* data = (const void*)(long)skb->data;
    const struct ethhdr* eth = data;
    if ((const void*)(eth + 1) > (const void*)(long)skb->data_end) return TC_ACT_SHOT;
    // For groups and strangers the pod's device itself must see the destination.
    if (!same_mac(eth->h_dest, device->mac)) return bpf_redirect(device->other, 0);
    if (skb->pkt_type != PACKET_HOST) bpf_skb_change_type(skb, PACKET_HOST);
    return bpf_redirect_peer(device->other, 0);
}

/// Whether the frame is a whole, plain datagram to a tunnel's end at this NIC.
static __always_inline int is_tunnelled(const struct __sk_buff* skb,
                                        const struct shortcut_device* device, __be16 port) {
    const struct outer* is = (const void*)(long)skb->data;
    if (port == 0 || (const void*)(is + 1) > (const void*)(long)skb->data_end) return 0;
    return is->eth.h_proto == bpf_htons(ETH_P_IP) && *(const __u8*)&is->ip == 0x45 &&
           is->ip.protocol == IPPROTO_UDP && (is->ip.frag_off & bpf_htons(0xbfff)) == 0 &&
           is->udp.dest == port && is->udp.check == 0 &&
           bpf_ntohs(is->ip.tot_len) + ETH_HLEN == skb->len &&
           bpf_ntohs(is->udp.len) + sizeof(is->ip) + ETH_HLEN == skb->len &&
           same_mac(is->eth.h_dest, device->mac);
}

SEC("tc")
int from_nic(struct __sk_buff* skb) {
    const __u32 zero = 0, ifindex = skb->ifindex;
    const struct shortcut_device* device = bpf_map_lookup_elem(&pl_devices, &ifindex);
    if (!device) return TC_ACT_SHOT;
    const struct shortcut_epochs* epochs = bpf_map_lookup_elem(&pl_epochs, &zero);
    if (is_paused(epochs) || skb->vlan_present) return give_up(device);
    // Drivers may leave headers in a page.
    const __u32 wanted = skb->len < LONGEST_HEADERS ? skb->len : LONGEST_HEADERS;
    const void* const data = (const void*)(long)skb->data;
    if (data + wanted > (const void*)(long)skb->data_end && bpf_skb_pull_data(skb, wanted) != 0) {
        return give_up(device);
    }
    if (is_tunnelled(skb, device, epochs->tunnel_port)) {
        return carry(skb, PODLANE_SHORTCUT_OUTER, device, epochs);
    }
    return carry(skb, 0, device, epochs);
}

SEC("tc")
int to_nic(struct __sk_buff* skb) {
    const __u32 ifindex = skb->ifindex;
    const struct shortcut_device* device = bpf_map_lookup_elem(&pl_devices, &ifindex);
    return device ? bpf_redirect(device->other, 0) : TC_ACT_SHOT;
}

SEC("tc")
int from_host(struct __sk_buff* skb) {
    const __u32 zero = 0;
    const struct shortcut_epochs* epochs = bpf_map_lookup_elem(&pl_epochs, &zero);
    return is_paused(epochs) ? TC_ACT_OK : carry(skb, 0, 0, epochs);
}

char _license[] SEC("license") = "Apache-2.0";
