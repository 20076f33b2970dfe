"""The rules of docs/reference/flows.md, written as slowly and as obviously as possible.

The end-to-end tests hold pollflow against this model. It is made from the rules alone and shares
nothing with the C++ code. It models neither a full table nor the table pressure of --hold-idle: think
of a table that is large enough.

    reference.py CAPTURE [--inactive-timeout S] [--active-timeout S] [--hold-idle] [--ifindex N]

prints the flows of CAPTURE in the form of `pollflow --read CAPTURE --flows-out -`, in no special order.
"""

import argparse
import collections
import ctypes
import ctypes.util
import re
import socket
import struct
import sys

# ---------------------------------------------------------------------------------------------------
# Captures: bytes of a file -> link type, packets, damage. The meaning of each field is libpcap's.

ETHERNET, RAW, IPV4, LINUX_SLL, LINUX_SLL2 = 1, 101, 228, 113, 276
RAW_VARIANTS = (12, 14, RAW, IPV4)      # 12 and 14: numbers that systems use for RAW themselves
SUPPORTED_LINK_TYPES = (ETHERNET, LINUX_SLL, LINUX_SLL2) + RAW_VARIANTS
LINK_TYPE_NAMES = {0: "NULL", 6: "IEEE802_5", 8: "SLIP", 9: "PPP", 10: "FDDI", 50: "PPP_SERIAL",
                   51: "PPP_ETHER", 104: "C_HDLC", 105: "IEEE802_11", 107: "FRELAY", 108: "LOOP",
                   127: "IEEE802_11_RADIO", 147: "USER0", 192: "PPI", 229: "IPV6", 239: "NFLOG"}

MAXIMUM_SNAPLEN = 262144        # libpcap's idea of the largest sane packet

Packet = collections.namedtuple("Packet", "time_us data")
Capture = collections.namedtuple("Capture", "link_type packets damage")


class UnsupportedLinkType(Exception):
    """A capture of a link type that pollflow does not read."""

    def __init__(self, link_type):
        self.link_type = link_type
        self.name = LINK_TYPE_NAMES.get(link_type, "")
        super().__init__("link type %d %s is not supported" % (link_type, self.name))


class NotACapture(Exception):
    """The file is no capture at all: its beginning already is wrong."""


class Damage(Exception):
    """The file is cut or corrupt from here on."""


def read_capture(path):
    with open(path, "rb") as file:
        return parse_capture(file.read())


def parse_capture(contents):
    """Capture of the file contents; packets before a damaged place count, those behind it do not."""
    if contents[:4] == b"\x0a\x0d\x0d\x0a":
        link_type, read_packets = parse_pcapng(contents)
    else:
        link_type, read_packets = parse_pcap(contents)
    packets, damage = [], None
    try:
        for packet in read_packets:
            packets.append(packet)
    except Damage as found:
        damage = str(found)
    return Capture(link_type, packets, damage)


OWN_ORDER = "<" if sys.byteorder == "little" else ">"


def libpcap_version():
    """Such as (1, 10, 3); high enough for anything when there is no libpcap to ask."""
    name = ctypes.util.find_library("pcap")
    if not name:
        return (99,)
    ask = ctypes.CDLL(name).pcap_lib_version
    ask.restype = ctypes.c_char_p
    return tuple(int(part) for part in re.findall(r"\d+", ask().decode())[:3])


# Up to 1.10.4 libpcap takes both parts of the time as signed in a file of the machine's own byte order,
# and as unsigned in one that it has to swap; later it takes them as unsigned in both.
OWN_ORDER_TIMES_ARE_SIGNED = libpcap_version() < (1, 10, 5)

PCAP_MAGICS = {     # first four bytes -> byte order, units of the fraction per microsecond
    b"\xd4\xc3\xb2\xa1": ("<", 1),
    b"\xa1\xb2\xc3\xd4": (">", 1),
    b"\x4d\x3c\xb2\xa1": ("<", 1000),
    b"\xa1\xb2\x3c\x4d": (">", 1000),
}


def parse_pcap(contents):
    if contents[:4] not in PCAP_MAGICS:
        raise NotACapture("no magic number of a capture")
    if len(contents) < 24:
        raise NotACapture("file header cut")
    order, units = PCAP_MAGICS[contents[:4]]
    major, minor, _, _, snaplen, link = struct.unpack_from(order + "HHIIII", contents, 4)
    if (major, minor) != (2, 4):
        raise NotACapture("version %d.%d" % (major, minor))
    return link & 0xffff, pcap_packets(contents, order, units, sane_snaplen(snaplen))


def sane_snaplen(snaplen):
    return MAXIMUM_SNAPLEN if snaplen == 0 or snaplen > 0x7fffffff else snaplen


def pcap_packets(contents, order, units, snaplen):
    form = order + ("iiII" if order == OWN_ORDER and OWN_ORDER_TIMES_ARE_SIGNED else "IIII")
    at = 24
    while at < len(contents):
        if at + 16 > len(contents):
            raise Damage("record header cut")
        seconds, fraction, captured, _ = struct.unpack_from(form, contents, at)
        at += 16
        if captured > MAXIMUM_SNAPLEN:
            raise Damage("captured length %d" % captured)
        if at + captured > len(contents):
            raise Damage("packet cut")
        # nanoseconds lose their last three digits: towards zero, as C divides
        microseconds = abs(fraction) // units * (-1 if fraction < 0 else 1)
        data = contents[at:at + captured]
        yield Packet(seconds * 1000000 + microseconds, data[:snaplen])
        at += captured


SECTION_HEADER, INTERFACE, OLD_PACKET, SIMPLE_PACKET, ENHANCED_PACKET = 0x0a0d0d0a, 1, 2, 3, 6

Interface = collections.namedtuple("Interface", "link_type snaplen resolution offset")


def parse_pcapng(contents):
    order = {b"\x4d\x3c\x2b\x1a": "<", b"\x1a\x2b\x3c\x4d": ">"}.get(contents[8:12])
    if order is None:
        raise NotACapture("no byte-order magic number")
    blocks = pcapng_blocks(contents, order)
    try:
        first = find_first_interface(blocks, order)
    except Damage as found:
        raise NotACapture(str(found)) from found
    return first.link_type, pcapng_packets(blocks, order, first)


def pcapng_blocks(contents, order):
    """Yields (type, body) of each block."""
    at = 0
    while at < len(contents):
        if at + 8 > len(contents):
            raise Damage("block header cut")
        block_type, length = struct.unpack_from(order + "II", contents, at)
        if length < 12 or length % 4:
            raise Damage("block of %d bytes" % length)
        if at + length > len(contents):
            raise Damage("block cut")
        if struct.unpack_from(order + "I", contents, at + length - 4)[0] != length:
            raise Damage("the two lengths of a block differ")
        yield block_type, contents[at + 8:at + length - 4]
        at += length


def find_first_interface(blocks, order):
    for block_type, body in blocks:
        if block_type == INTERFACE:
            return parse_interface(body, order)
        if block_type in (OLD_PACKET, SIMPLE_PACKET, ENHANCED_PACKET):
            raise Damage("packet before any interface")
    raise Damage("no interface")


def fields(order, form, body):
    if len(body) < struct.calcsize(order + form):
        raise Damage("block too short")
    return struct.unpack_from(order + form, body)


def parse_interface(body, order):
    link_type, _, snaplen = fields(order, "HHI", body)
    resolution, offset, at = 1000000, 0, 8
    while at < len(body):
        code, length = fields(order, "HH", body[at:])
        value = body[at + 4:at + 4 + length]
        at += 4 + (length + 3) // 4 * 4
        if at > len(body):
            raise Damage("option cut")
        if code == 0:
            break
        if code == 9:
            power = value[0] & 0x7f
            resolution = 2 ** power if value[0] & 0x80 else 10 ** power
        if code == 14:
            offset = struct.unpack(order + "q", value)[0]
    return Interface(link_type, sane_snaplen(snaplen), resolution, offset)


def pcapng_packets(blocks, order, first):
    interfaces = [first]
    for block_type, body in blocks:
        if block_type == SECTION_HEADER:
            if body[:4] != struct.pack(order + "I", 0x1a2b3c4d):
                raise Damage("byte order changes")
            interfaces = []
        elif block_type == INTERFACE:
            interfaces.append(parse_interface(body, order))
            if interfaces[-1][:2] != first[:2]:
                raise Damage("interfaces differ")
        elif block_type == ENHANCED_PACKET:
            number, high, low, captured, _ = fields(order, "IIIII", body)
            yield pcapng_packet(interfaces, number, high << 32 | low, body[20:], captured)
        elif block_type == OLD_PACKET:
            number, _, high, low, captured, _ = fields(order, "HHIIII", body)
            yield pcapng_packet(interfaces, number, high << 32 | low, body[20:], captured)
        elif block_type == SIMPLE_PACKET:       # has no time: it is taken as 0
            length, = fields(order, "I", body)
            yield pcapng_packet(interfaces, 0, 0, body[4:], min(length, first.snaplen))


def pcapng_packet(interfaces, number, ticks, data, captured):
    if number >= len(interfaces):
        raise Damage("unknown interface %d" % number)
    interface = interfaces[number]
    if captured > interface.snaplen or captured > len(data):
        raise Damage("captured length %d" % captured)
    seconds = ticks // interface.resolution + interface.offset
    microseconds = ticks % interface.resolution * 1000000 // interface.resolution
    return Packet(seconds * 1000000 + microseconds, data[:captured])


# ---------------------------------------------------------------------------------------------------
# Frames: bytes -> what a flow needs to know, or the name under which the frame is skipped.

SKIP_NAMES = ("frame_too_short", "vlan_depth", "mpls_depth", "arp", "ipv6", "llc", "pppoe_control",
              "mpls_payload", "other_ethertype", "ip_version", "ip_header_length", "ip_total_length",
              "own_export")

VLAN_TYPES = (0x8100, 0x88a8, 0x9100)
MPLS_TYPES = (0x8847, 0x8848)
ICMP, TCP, UDP = 1, 6, 17
FIN, RST = 0x01, 0x04

Key = collections.namedtuple("Key", "src dst src_port dst_port protocol tos in_if")
Decoded = collections.namedtuple("Decoded", "src dst src_port dst_port protocol tos octets tcp_flags")


class Skipped(Exception):
    """args[0] is the name of flows.md."""


def need(data, at, count):
    if len(data) < at + count:
        raise Skipped("frame_too_short")


def u16(data, at):
    return data[at] << 8 | data[at + 1]


def decode(link_type, frame):
    if link_type == ETHERNET:
        need(frame, 0, 14)
        return decode_by_type(frame, 14, u16(frame, 12))
    if link_type == LINUX_SLL:
        need(frame, 0, 16)
        return decode_by_type(frame, 16, u16(frame, 14))
    if link_type == LINUX_SLL2:
        need(frame, 0, 20)
        return decode_by_type(frame, 20, u16(frame, 0))
    if link_type in RAW_VARIANTS:
        return decode_by_version(frame, 0, neither="ip_version")
    raise UnsupportedLinkType(link_type)


def decode_by_type(frame, at, ether_type):
    tags = 0
    while ether_type in VLAN_TYPES:
        tags += 1
        if tags > 4:
            raise Skipped("vlan_depth")
        need(frame, at, 4)
        ether_type = u16(frame, at + 2)
        at += 4
    if ether_type in MPLS_TYPES:
        return decode_mpls(frame, at)
    if ether_type == 0x0806:
        raise Skipped("arp")
    if ether_type == 0x86dd:
        raise Skipped("ipv6")
    if ether_type < 0x0600:
        raise Skipped("llc")
    if ether_type == 0x8863:
        raise Skipped("pppoe_control")
    if ether_type == 0x8864:
        return decode_pppoe(frame, at)
    if ether_type == 0x0800:
        return decode_ipv4(frame, at)
    raise Skipped("other_ethertype")


def decode_mpls(frame, at):
    labels, bottom = 0, False
    while not bottom:
        labels += 1
        if labels > 16:
            raise Skipped("mpls_depth")
        need(frame, at, 4)
        bottom = bool(frame[at + 2] & 1)
        at += 4
    return decode_by_version(frame, at, neither="mpls_payload")


def decode_pppoe(frame, at):
    need(frame, at, 8)
    version_and_type, code, protocol = frame[at], frame[at + 1], u16(frame, at + 6)
    if version_and_type != 0x11 or code != 0 or protocol not in (0x0021, 0x0057):
        raise Skipped("pppoe_control")
    if protocol == 0x0057:
        raise Skipped("ipv6")
    return decode_ipv4(frame, at + 8)


def decode_by_version(frame, at, neither):
    """Where nothing but the version tells what follows."""
    need(frame, at, 1)
    version = frame[at] >> 4
    if version == 6:
        raise Skipped("ipv6")
    if version != 4:
        raise Skipped(neither)
    return decode_ipv4(frame, at)


def decode_ipv4(frame, at):
    need(frame, at, 20)
    if frame[at] >> 4 != 4:
        raise Skipped("ip_version")
    header_length = (frame[at] & 0x0f) * 4
    if header_length < 20:
        raise Skipped("ip_header_length")
    total_length = u16(frame, at + 2)
    if total_length < header_length:
        raise Skipped("ip_total_length")
    need(frame, at, header_length)
    protocol = frame[at + 9]
    src_port = dst_port = flags = 0
    if u16(frame, at + 6) & 0x1fff == 0:
        transport = frame[at + header_length:at + total_length]     # what is captured of it
        src_port, dst_port, flags = decode_transport(protocol, transport)
    return Decoded(src=frame[at + 12:at + 16], dst=frame[at + 16:at + 20], src_port=src_port,
                   dst_port=dst_port, protocol=protocol, tos=frame[at + 1], octets=total_length,
                   tcp_flags=flags)


def decode_transport(protocol, transport):
    """Source port, destination port, TCP flags."""
    src_port = dst_port = flags = 0
    if protocol in (TCP, UDP) and len(transport) >= 4:
        src_port, dst_port = u16(transport, 0), u16(transport, 2)
    if protocol == TCP and len(transport) >= 14:
        flags = transport[13]
    if protocol == ICMP and len(transport) >= 2:
        dst_port = transport[0] * 256 + transport[1]
    return src_port, dst_port, flags


# ---------------------------------------------------------------------------------------------------
# Flows

END_REASONS = ("idle", "active", "end", "forced", "overflow", "evicted")
OVERFLOW_OCTETS = 2 ** 32 - 1 - 65535

CSV_HEADER = ("src,dst,src_port,dst_port,protocol,tos,tcp_flags,packets,octets,first_ms,last_ms,"
              "in_if,out_if,next_hop,src_mask,dst_mask,src_as,dst_as,end_reason")

Row = collections.namedtuple("Row", CSV_HEADER.split(","))

Options = collections.namedtuple("Options", "inactive_s active_s hold_idle ifindex",
                                 defaults=(15, 1800, False, 1))


class Clock:
    """The times of all packets read, in milliseconds rounded down, also before 1970."""

    def __init__(self):
        self.times = []
        self.newest = None

    def tick(self, time_us):
        now = time_us // 1000
        self.times.append(now)
        self.newest = now if self.newest is None else max(self.newest, now)

    def now(self):
        return self.times[-1]


class Flow:
    def __init__(self, key, clock):
        self.key = key
        self.first_ms = self.last_ms = clock.now()
        self.packets = self.octets = self.tcp_flags = 0

    def count(self, packet, clock):
        self.packets += 1
        self.octets += packet.octets
        self.tcp_flags |= packet.tcp_flags
        self.first_ms = min(self.first_ms, clock.now())
        self.last_ms = max(self.last_ms, clock.now())
        self.last_packet = len(clock.times) - 1     # its number in the capture


def reason_over(flow, time_ms, options):
    """The reason when a deadline of the flow has passed at this time, else None."""
    deadlines = []
    if not (options.hold_idle and flow.packets > 4):
        deadlines.append((flow.last_ms + options.inactive_s * 1000, "idle"))
    deadlines.append((flow.first_ms + options.active_s * 1000, "active"))
    passed = [deadline for deadline in deadlines if time_ms > deadline[0]]
    if not passed:
        return None
    return min(passed, key=lambda deadline: deadline[0])[1]     # of two equal ones the first: idle


class Result:
    """rows and the numbers of the ledger that the rules decide.

    undetermined: where the time of the packets goes backwards, the moment of a sweep may decide whether
    a flow is over; the rules leave it open. Each such flow is counted here. At 0 rows are exact.
    """

    def __init__(self):
        self.rows = []
        self.received = [0, 0]                  # packets, octets of frames as captured
        self.accounted = [0, 0, 0]              # packets, octets of IPv4, octets of frames
        self.skipped = {name: [0, 0] for name in SKIP_NAMES}
        self.expired = {reason: 0 for reason in END_REASONS}
        self.damage = None
        self.undetermined = 0

    def lines(self):
        """Sorted lines of CSV, without the header."""
        return sorted(",".join(map(str, row)) for row in self.rows)


def export(result, flow, reason):
    key = flow.key
    result.expired[reason] += 1
    result.rows.append(Row(
        src=socket.inet_ntoa(key.src), dst=socket.inet_ntoa(key.dst), src_port=key.src_port,
        dst_port=key.dst_port, protocol=key.protocol, tos=key.tos, tcp_flags=flow.tcp_flags,
        packets=flow.packets, octets=flow.octets, first_ms=flow.first_ms, last_ms=flow.last_ms,
        in_if=key.in_if, out_if=0, next_hop="0.0.0.0", src_mask=0, dst_mask=0, src_as=0, dst_as=0,
        end_reason=reason))


def run(path, options=Options()):
    """Result of reading the capture of this name."""
    return run_capture(read_capture(path), options)


def run_capture(capture, options=Options()):
    if capture.link_type not in SUPPORTED_LINK_TYPES:
        raise UnsupportedLinkType(capture.link_type)
    result, flows, clock = Result(), {}, Clock()
    result.damage = capture.damage
    for packet in capture.packets:
        clock.tick(packet.time_us)
        meet_frame(result, flows, clock, capture.link_type, packet.data, options)
    for flow in flows.values():
        reason = reason_over(flow, clock.now(), options)
        if reason is None and swept_meanwhile(flow, clock, options):
            result.undetermined += 1
        export(result, flow, reason or "forced")
    return result


def meet_frame(result, flows, clock, link_type, frame, options):
    result.received[0] += 1
    result.received[1] += len(frame)
    try:
        packet = decode(link_type, frame)
    except Skipped as skipped:
        result.skipped[skipped.args[0]][0] += 1
        result.skipped[skipped.args[0]][1] += len(frame)
        return
    result.accounted[0] += 1
    result.accounted[1] += packet.octets
    result.accounted[2] += len(frame)
    meet_packet(result, flows, clock, packet, options)


def meet_packet(result, flows, clock, packet, options):
    key = Key(packet.src, packet.dst, packet.src_port, packet.dst_port, packet.protocol, packet.tos,
              options.ifindex)
    flow = flows.get(key)
    if flow is not None:
        reason = reason_over(flow, clock.now(), options)
        if reason is None and swept_meanwhile(flow, clock, options):
            result.undetermined += 1
        if reason is not None:
            export(result, flows.pop(key), reason)
            flow = None
    is_first = flow is None
    if is_first:
        flow = flows[key] = Flow(key, clock)
    flow.count(packet, clock)
    if packet.tcp_flags & (FIN | RST) and not is_first:
        export(result, flows.pop(key), "end")
    elif flow.octets >= OVERFLOW_OCTETS:
        export(result, flows.pop(key), "overflow")


def swept_meanwhile(flow, clock, options):
    """Whether a packet since the flow's latest one had a time at which the flow was over."""
    if reason_over(flow, clock.newest, options) is None:
        return False
    return reason_over(flow, max(clock.times[flow.last_packet:]), options) is not None


def main(arguments):
    parser = argparse.ArgumentParser(description="The flows of a capture by the rules of flows.md")
    parser.add_argument("capture")
    parser.add_argument("--inactive-timeout", type=int, default=15, metavar="S")
    parser.add_argument("--active-timeout", type=int, default=1800, metavar="S")
    parser.add_argument("--hold-idle", action="store_true")
    parser.add_argument("--ifindex", type=int, default=1, metavar="N")
    chosen = parser.parse_args(arguments)
    try:
        result = run(chosen.capture, Options(chosen.inactive_timeout, chosen.active_timeout,
                                             chosen.hold_idle, chosen.ifindex))
    except (OSError, NotACapture, UnsupportedLinkType) as error:
        print("reference: %s: %s" % (chosen.capture, error), file=sys.stderr)
        return 66
    print(CSV_HEADER)
    for line in result.lines():
        print(line)
    if result.damage:
        print("reference: %s: %s" % (chosen.capture, result.damage), file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
