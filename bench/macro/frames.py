"""Frames as matrices of bytes, one row a frame, and the pcap files that hold them.

Everything is built from scratch here (headers, RFC 1071 checksums), so that incremental changes by
a dataplane are compared with what a sender would have written.
"""

import ipaddress
from dataclasses import dataclass

import numpy as np

TCP, UDP = 6, 17
ETHERNET = 14
IP_BYTES = {4: 20, 6: 40}
L4_BYTES = {TCP: 20, UDP: 8}
ADDRESS_AT = {4: (26, 30), 6: (22, 38)}  # source and destination in an untagged frame
ADDRESS_BYTES = {4: 4, 6: 16}
TTL_AT = {4: 22, 6: 21}
PROTOCOL_AT = {4: 23, 6: 20}
TCP_ACK, TCP_SYN, TCP_RST = 0x10, 0x02, 0x04
SHORTEST = 60  # 64 on a wire, with the FCS
MARK_BYTES = 4  # the flow's number in the payload
VXLAN_BYTES = {4: 50, 6: 70}


def mac(text):
    return np.frombuffer(bytes.fromhex(text.replace(":", "")), np.uint8)


def address(text):
    return np.frombuffer(ipaddress.ip_address(text).packed, np.uint8)


def addresses(first, numbers):
    """Addresses that count up from `first` in their last byte, one row for each number."""
    out = np.tile(address(first), (len(numbers), 1))
    out[:, -1] += numbers.astype(np.uint8)
    return out


def checksum(words):
    """RFC 1071 over rows of an even number of bytes."""
    total = np.ascontiguousarray(words).view(">u2").sum(axis=1, dtype=np.uint32)
    total = (total & 0xFFFF) + (total >> 16)
    total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def put16(frames, at, values):
    frames[:, at] = np.asarray(values) >> 8
    frames[:, at + 1] = np.asarray(values) & 0xFF


def get16(frames, at):
    return frames[:, at].astype(np.uint32) << 8 | frames[:, at + 1]


def put32(frames, at, values):
    put16(frames, at, np.asarray(values) >> 16)
    put16(frames, at + 2, np.asarray(values) & 0xFFFF)


def get32(frames, at):
    return get16(frames, at) << 16 | get16(frames, at + 2)


@dataclass
class Flows:
    """One flow in each row. Addresses are (n, 4) or (n, 16) bytes, ports are (n,) in host order."""

    protocol: int
    src: np.ndarray
    dst: np.ndarray
    sport: np.ndarray
    dport: np.ndarray

    @property
    def family(self):
        return 4 if self.src.shape[1] == 4 else 6

    def __getitem__(self, marks):
        return Flows(self.protocol, self.src[marks], self.dst[marks], self.sport[marks],
                     self.dport[marks])

    def reversed(self):
        return Flows(self.protocol, self.dst, self.src, self.dport, self.sport)


def mark_at(family, protocol):
    return ETHERNET + IP_BYTES[family] + L4_BYTES[protocol]


def frame_bytes(family, protocol):
    return max(SHORTEST, mark_at(family, protocol) + MARK_BYTES)


def build(flows, dst_mac, src_mac, marks, *, ttl=64, tcp_flags=TCP_ACK):
    """A frame for each flow, its mark as payload. A MAC is one for all, or one for each row."""
    family, protocol = flows.family, flows.protocol
    length = frame_bytes(family, protocol)
    out = np.zeros((len(marks), length), np.uint8)
    out[:, 0:6], out[:, 6:12] = dst_mac, src_mac
    at = ADDRESS_AT[family]
    out[:, at[0]:at[0] + ADDRESS_BYTES[family]] = flows.src
    out[:, at[1]:at[1] + ADDRESS_BYTES[family]] = flows.dst
    l4 = ETHERNET + IP_BYTES[family]
    l4_bytes = L4_BYTES[protocol] + length - mark_at(family, protocol)
    if family == 4:
        put16(out, 12, 0x0800)
        out[:, 14] = 0x45
        put16(out, 16, 20 + l4_bytes)
        put16(out, 20, 0x4000)  # don't fragment
    else:
        put16(out, 12, 0x86DD)
        out[:, 14] = 0x60
        put16(out, 18, l4_bytes)
    out[:, TTL_AT[family]] = ttl
    out[:, PROTOCOL_AT[family]] = protocol
    if family == 4:
        put16(out, 24, checksum(out[:, 14:34]))
    put16(out, l4, flows.sport)
    put16(out, l4 + 2, flows.dport)
    if protocol == UDP:
        put16(out, l4 + 4, l4_bytes)
    else:
        put32(out, l4 + 4, 1000)  # sequence
        put32(out, l4 + 8, 2000)  # acknowledgement
        out[:, l4 + 12] = 0x50
        out[:, l4 + 13] = tcp_flags
        put16(out, l4 + 14, 0xFFFF)
    put32(out, mark_at(family, protocol), marks)
    fill_l4_checksum(out, family, protocol)
    return out


def fill_l4_checksum(frames, family, protocol):
    l4 = ETHERNET + IP_BYTES[family]
    field = l4 + (6 if protocol == UDP else 16)
    put16(frames, field, 0)
    l4_bytes = frames.shape[1] - l4
    first = ADDRESS_AT[family][0]
    span = 2 * ADDRESS_BYTES[family]
    words = np.zeros((len(frames), span + 4 + l4_bytes + l4_bytes % 2), np.uint8)
    words[:, :span] = frames[:, first:first + span]
    put16(words, span, l4_bytes)
    words[:, span + 3] = protocol
    words[:, span + 4:span + 4 + l4_bytes] = frames[:, l4:]
    found = checksum(words)
    if protocol == UDP:
        found[found == 0] = 0xFFFF  # RFC 768: zero means "no checksum"
    put16(frames, field, found)


def flows_of(frames, family, protocol):
    """The flows of frames of one kind."""
    src, dst = ADDRESS_AT[family]
    size = ADDRESS_BYTES[family]
    l4 = ETHERNET + IP_BYTES[family]
    return Flows(protocol, frames[:, src:src + size], frames[:, dst:dst + size],
                 get16(frames, l4), get16(frames, l4 + 2))


def marks_of(frames, family, protocol):
    return get32(frames, mark_at(family, protocol))


def encapsulate(inner, src, dst, src_mac, dst_mac, *, vni, port, sport, ident=0, fragment=0x4000,
                ttl=64):
    """VXLAN (RFC 7348). IPv4: no UDP checksum, `fragment` is the raw field; IPv6: a checksum."""
    src, dst = address(src), address(dst)
    family = 4 if len(src) == 4 else 6
    out = np.zeros((len(inner), VXLAN_BYTES[family] + inner.shape[1]), np.uint8)
    udp = ETHERNET + IP_BYTES[family]
    out[:, 0:6], out[:, 6:12] = dst_mac, src_mac
    at = ADDRESS_AT[family]
    out[:, at[0]:at[0] + len(src)], out[:, at[1]:at[1] + len(dst)] = src, dst
    out[:, TTL_AT[family]], out[:, PROTOCOL_AT[family]] = ttl, UDP
    put16(out, udp, sport)
    put16(out, udp + 2, port)
    put16(out, udp + 4, out.shape[1] - udp)
    out[:, udp + 8] = 0x08
    put32(out, udp + 12, vni << 8)
    out[:, udp + 16:] = inner
    if family == 4:
        put16(out, 12, 0x0800)
        out[:, 14] = 0x45
        put16(out, 16, out.shape[1] - ETHERNET)
        put16(out, 18, ident)
        put16(out, 20, fragment)
        put16(out, 24, checksum(out[:, 14:34]))
    else:
        put16(out, 12, 0x86DD)
        out[:, 14] = 0x60
        put16(out, 18, out.shape[1] - udp)
        fill_l4_checksum(out, 6, UDP)
    return out


PCAP_HEADER = np.array([0xA1B2C3D4, 0x00040002, 0, 0, 65535, 1], "<u4").tobytes()
RECORD_BYTES = 16


def records(made):
    """Frames as a pcap file's records."""
    count, length = made.shape
    out = np.zeros((count, RECORD_BYTES + length), np.uint8)
    out[:, :RECORD_BYTES] = np.array([0, 0, length, length], "<u4").view(np.uint8)
    out[:, RECORD_BYTES:] = made
    return out.tobytes()


def write_pcap(path, made):
    with open(path, "wb") as file:
        file.write(PCAP_HEADER)
        file.write(records(made))


def read_pcap(data, start):
    """A pcap file's frames with records that begin at byte `start` or later: {length: matrix}.

    A record that is cut off at the end is left out.
    """
    starts, lengths, at = [], [], len(PCAP_HEADER)
    while at + RECORD_BYTES <= len(data):
        length = int.from_bytes(data[at + 8:at + 12], "little")
        whole = RECORD_BYTES + length
        if at + whole > len(data):
            break
        # Usually all have one length: take the rest at once if so.
        rest = np.frombuffer(data, np.uint8, (len(data) - at) // whole * whole, at)
        rest = rest.reshape(-1, whole)
        alike = (rest[:, 8:12] == rest[0, 8:12]).all(axis=1)
        same = len(alike) if alike.all() else int(alike.argmin())
        starts.append(at + whole * np.arange(same))
        lengths.append(np.full(same, length))
        at += whole * same
    if not starts:
        return {}
    starts, lengths = np.concatenate(starts), np.concatenate(lengths)
    kept = starts >= start
    view = np.frombuffer(data, np.uint8)
    return {int(length): view[(starts[kept & (lengths == length)] + RECORD_BYTES)[:, None]
                              + np.arange(length)]
            for length in np.unique(lengths[kept])}
