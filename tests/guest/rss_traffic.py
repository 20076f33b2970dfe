"""Frames to inject, and where RSS has to put them."""

import random
import struct

import frames
import reference

SHORTEST_FRAME = 60             # cards pad shorter ones, so the ledger would count other octets
# Of full rank, as pollflow asks for: every network is spread over all of the RETA.
RSS_KEY = bytes.fromhex("67efa95f4cac6efdcdd0a7f6ceb1a791238f2a9d3f61e0ca"
                        "c1271c1a80cc3867ae5608de997e8014")
RETA_ENTRIES = 128


def shuffled(flows, packets_each, seed=1):
    """So many packets of each of so many flows of all kinds, and one in fifty that is no flow's."""
    mixed = [flow_frame(number) for number in range(flows) for _ in range(packets_each)]
    mixed += [padded(frames.ethernet(frames.arp()))] * (len(mixed) // 50)
    random.Random(seed).shuffle(mixed)
    return mixed


def flow_frame(number):
    """In ten flows four are TCP, four UDP, one ICMP, one of protocol 47. No FIN: each is one record."""
    src, dst, ports = 0x0a000000 + number // 3, 0xc0a80000 + number % 37, (1024 + number, 80)
    kind = number % 10
    if kind < 4:
        return padded(frames.tcp_frame(src, dst, *ports))
    if kind < 8:
        return padded(frames.udp_frame(src, dst, *ports, data=bytes(number % 50)))
    if kind == 8:
        return padded(frames.ethernet(frames.ipv4(src, dst, frames.ICMP, frames.icmp())))
    return padded(frames.ethernet(frames.ipv4(src, dst, 47, bytes(number % 100))))


def padded(frame):
    return frame.ljust(SHORTEST_FRAME, b"\0")


def expected(injected):
    """What the model makes of the frames; the times are not those of a live port."""
    packets = [reference.Packet(number, frame) for number, frame in enumerate(injected)]
    return reference.run_capture(reference.Capture(reference.ETHERNET, packets, None))


def packets_of_queues(injected, queues):
    """Packets that RSS gives to each queue: 4-tuple for TCP and UDP, else both addresses; the RETA goes round."""
    counts = [0] * queues
    for frame in injected:
        counts[rss_hash(frame) % RETA_ENTRIES % queues] += 1
    return counts


def rss_hash(frame):
    """0 for what has none: the card puts it on the first queue."""
    if struct.unpack_from(">H", frame, 12)[0] != frames.IPV4:
        return 0
    with_ports = frame[23] in (frames.TCP, frames.UDP)
    return toeplitz(frame[26:38 if with_ports else 34])


def toeplitz(data):
    key, bits = int.from_bytes(RSS_KEY), len(RSS_KEY) * 8
    value = int.from_bytes(data)
    length = len(data) * 8
    result = 0
    for bit in range(length):
        if value >> (length - 1 - bit) & 1:
            result ^= key >> (bits - 32 - bit) & 0xffffffff
    return result
