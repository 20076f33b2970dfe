"""Builds frames, from the inside out: ethernet(vlan(7, ipv4(..., payload=tcp(...)))).

A layer that can be announced by a type field is a pair (type, bytes); `ethernet`, `sll`, `sll2` and
`vlan` take such a pair. Lengths and versions may be given wrongly on purpose.
"""

import socket
import struct

IPV4, IPV6, ARP = 0x0800, 0x86dd, 0x0806
VLAN, QINQ, OLD_QINQ = 0x8100, 0x88a8, 0x9100
MPLS, MPLS_MULTICAST = 0x8847, 0x8848
PPPOE_DISCOVERY, PPPOE_SESSION = 0x8863, 0x8864
PPP_IPV4, PPP_IPV6, PPP_LCP = 0x0021, 0x0057, 0xc021

ICMP, TCP, UDP = 1, 6, 17
FIN, SYN, RST, PSH, ACK = 0x01, 0x02, 0x04, 0x08, 0x10

MACS = bytes.fromhex("020000000002" "020000000001")


def address(value):
    """Four bytes of an IPv4 address given as text or as a number."""
    return socket.inet_aton(value) if isinstance(value, str) else struct.pack(">I", value)


# --- transport ---

def tcp(src_port=1000, dst_port=80, flags=ACK, data=b"", options=b""):
    offset = (20 + len(options)) // 4
    return struct.pack(">HHIIBBHHH", src_port, dst_port, 1, 1, offset << 4, flags, 8192, 0, 0) + options + data


def udp(src_port=1000, dst_port=53, data=b""):
    return struct.pack(">HHHH", src_port, dst_port, min(8 + len(data), 65535), 0) + data


def icmp(icmp_type=8, code=0, data=b""):
    return struct.pack(">BBHHH", icmp_type, code, 0, 1, 1) + data


# --- network ---

def ip(src="10.0.0.1", dst="10.0.0.2", protocol=UDP, payload=b"", tos=0, options=b"", offset=0,
       more=False, version=4, header_words=None, total_length=None):
    """An IPv4 packet. offset: of a fragment, in units of 8 bytes; header_words, total_length and
    version: what the header says instead of the truth."""
    words = 5 + len(options) // 4 if header_words is None else header_words
    total = 20 + len(options) + len(payload) if total_length is None else total_length
    return struct.pack(">BBHHHBBH4s4s", version << 4 | words, tos, total, 1, more << 13 | offset, 64,
                       protocol, 0, address(src), address(dst)) + options + payload


def ipv4(*arguments, **named):
    return IPV4, ip(*arguments, **named)


def ip6(payload=b"", next_header=UDP):
    return struct.pack(">IHBB16s16s", 6 << 28, len(payload), next_header, 64, bytes(16), bytes(16)) + payload


def ipv6(payload=b""):
    return IPV6, ip6(payload)


def arp():
    return ARP, struct.pack(">HHBBH", 1, IPV4, 6, 4, 1) + bytes(20)


# --- between link and network ---

def vlan(identifier, inner, tpid=VLAN):
    inner_type, data = inner
    return tpid, struct.pack(">HH", identifier, inner_type) + data


def mpls(labels, payload, ether_type=MPLS):
    """labels: numbers, outermost first; the last one has the bottom-of-stack bit."""
    entries = [struct.pack(">I", label << 12 | (position == len(labels) - 1) << 8 | 64)
               for position, label in enumerate(labels)]
    return ether_type, b"".join(entries) + payload


def pppoe(payload, protocol=PPP_IPV4, version_and_type=0x11, code=0, ether_type=PPPOE_SESSION):
    return ether_type, struct.pack(">BBHHH", version_and_type, code, 1, len(payload) + 2, protocol) + payload


def other(ether_type, data=bytes(40)):
    return ether_type, data


# --- link ---

def ethernet(inner, padding=b""):
    inner_type, data = inner
    return MACS + struct.pack(">H", inner_type) + data + padding


def llc(data=bytes(40)):
    """802.3: a length where others have a type."""
    return MACS + struct.pack(">H", len(data)) + data


def sll(inner):
    """Linux cooked capture, version 1."""
    inner_type, data = inner
    return struct.pack(">HHH8sH", 0, 1, 6, bytes(8), inner_type) + data


def sll2(inner):
    """Linux cooked capture, version 2."""
    inner_type, data = inner
    return struct.pack(">HHIHBB8s", inner_type, 0, 1, 1, 0, 6, bytes(8)) + data


# --- whole frames of everyday life ---

def tcp_frame(src="10.0.0.1", dst="10.0.0.2", src_port=1000, dst_port=80, flags=ACK, data=b"", **named):
    return ethernet(ipv4(src, dst, TCP, tcp(src_port, dst_port, flags, data), **named))


def udp_frame(src="10.0.0.1", dst="10.0.0.2", src_port=1000, dst_port=53, data=b"", **named):
    return ethernet(ipv4(src, dst, UDP, udp(src_port, dst_port, data), **named))
