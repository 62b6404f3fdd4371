"""Frames built byte by byte, right ones and wrong ones."""

import ipaddress
import random
import struct


def mac(text):
    return bytes.fromhex(text.replace(":", ""))


def checksum(data):
    """RFC 1071."""
    data += b"\0" * (len(data) % 2)
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def ethernet(source, target, ether_type, payload):
    return mac(target) + mac(source) + struct.pack("!H", ether_type) + payload


def ip(source, target, protocol, payload, *, ttl=64, options=b"", fragment=0, identifier=7):
    """An IPv4 or IPv6 packet; `options`: IPv4's, already padded; `fragment`: the raw field."""
    source, target = ipaddress.ip_address(source), ipaddress.ip_address(target)
    if source.version == 6:
        head = struct.pack("!IHBB", 6 << 28, len(payload), protocol, ttl)
        return head + source.packed + target.packed + payload
    length = 20 + len(options)
    head = struct.pack("!BBHHHBBH", 0x40 | length // 4, 0, length + len(payload), identifier,
                       fragment, ttl, protocol, 0)
    head += source.packed + target.packed + options
    return head[:10] + struct.pack("!H", checksum(head)) + head[12:] + payload


def _with_sum(source, target, protocol, segment, offset):
    source, target = ipaddress.ip_address(source), ipaddress.ip_address(target)
    pseudo = source.packed + target.packed + struct.pack("!IHBB", len(segment), 0, 0, protocol)
    found = checksum(pseudo + segment) or 0xFFFF
    return segment[:offset] + struct.pack("!H", found) + segment[offset + 2:]


def udp(source, target, source_port, port, payload):
    segment = struct.pack("!HHHH", source_port, port, 8 + len(payload), 0) + payload
    return ip(source, target, 17, _with_sum(source, target, 17, segment, 6))


def fragments(packet, size, identifier=7):
    """An IP packet without options, in fragments of `size` bytes, a multiple of 8."""
    version = packet[0] >> 4
    head = 40 if version == 6 else 20
    at, size_of = (8, 16) if version == 6 else (12, 4)
    source, target = packet[at:at + size_of], packet[at + size_of:at + 2 * size_of]
    protocol, whole = packet[6 if version == 6 else 9], packet[head:]
    made = []
    for offset in range(0, len(whole), size):
        more = offset + size < len(whole)
        part = whole[offset:offset + size]
        if version == 6:
            part = struct.pack("!BBHI", protocol, 0, offset | more, identifier) + part
            made.append(ip(source, target, 44, part))
        else:
            made.append(ip(source, target, protocol, part, identifier=identifier,
                           fragment=offset // 8 | more << 13))
    return made


def tcp(source, target, source_port, port, flags=0x02, options=b""):
    words = (20 + len(options)) // 4
    segment = struct.pack("!HHIIBBHHH", source_port, port, 1, 0, words << 4, flags, 65535, 0, 0)
    return ip(source, target, 6, _with_sum(source, target, 6, segment + options, 16))


def icmp(source, target, kind, code, rest):
    if ":" in source:
        segment = struct.pack("!BBH", kind, code, 0) + rest
        return ip(source, target, 58, _with_sum(source, target, 58, segment, 2))
    head = struct.pack("!BBH", kind, code, 0) + rest
    return ip(source, target, 1, head[:2] + struct.pack("!H", checksum(head)) + head[4:])


def vxlan(source, target, vni, inner, *, flags=0x08, port=8472):
    head = struct.pack("!BBHI", flags, 0, 0, vni << 8)
    return udp(source, target, 50000, port, head + inner)


def ether_type(packet):
    return 0x86DD if packet[0] >> 4 == 6 else 0x0800


def arp(operation, sender_mac, sender, target):
    return struct.pack("!HHBBH", 1, 0x0800, 6, 4, operation) + mac(sender_mac) + \
        ipaddress.ip_address(sender).packed + b"\0" * 6 + ipaddress.ip_address(target).packed


def truncated(frame):
    """The frame cut at every byte."""
    return [frame[:length] for length in range(14, len(frame))]


def mutated(frame, count, seed):
    """The frame with a few bytes behind its addresses changed."""
    choose = random.Random(seed)
    made = []
    for _ in range(count):
        copy = bytearray(frame)
        for _ in range(choose.randint(1, 4)):
            copy[choose.randrange(12, len(copy))] = choose.randrange(256)
        made.append(bytes(copy))
    return made
