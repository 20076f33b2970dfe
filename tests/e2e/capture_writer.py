"""Writes captures: pcap with micro- or nanoseconds, and pcapng, in either byte order.

A packet is a pair (time in microseconds since 1970, bytes of the frame).
"""

import struct

LITTLE, BIG = "<", ">"


def write_pcap(path, packets, **how):
    with open(path, "wb") as file:
        file.write(pcap(packets, **how))


def write_pcapng(path, packets, **how):
    with open(path, "wb") as file:
        file.write(pcapng(packets, **how))


def pcap(packets, link_type=1, order=LITTLE, nano=False, snaplen=262144, cut=None, extra_ns=0):
    """The bytes of a capture. snaplen is only announced; cut shortens every frame to so many bytes.
    link_type is the whole field, with what its upper bits may hold. extra_ns: added to nanoseconds."""
    parts = [pcap_header(link_type, order, nano, snaplen)]
    for time_us, frame in packets:
        seconds, microseconds = divmod(time_us, 1000000)
        fraction = microseconds * 1000 + extra_ns if nano else microseconds
        parts.append(pcap_record(seconds, fraction, frame[:cut], order, len(frame)))
    return b"".join(parts)


def pcap_header(link_type=1, order=LITTLE, nano=False, snaplen=262144):
    magic = 0xa1b23c4d if nano else 0xa1b2c3d4
    return struct.pack(order + "IHHIIII", magic, 2, 4, 0, 0, snaplen, link_type)


def pcap_record(seconds, fraction, data, order=LITTLE, original=None, captured=None):
    """One record; captured and original may lie about the data."""
    captured = len(data) if captured is None else captured
    original = captured if original is None else original
    return struct.pack(order + "IIII", seconds & 0xffffffff, fraction & 0xffffffff, captured,
                       original) + data


def pcapng(packets, link_type=1, order=LITTLE, snaplen=262144, resolution=None, offset=None,
           simple=False, cut=None):
    """resolution: the byte of if_tsresol (6: microseconds, 0x80 | n: 2^-n s); offset: if_tsoffset in s."""
    blocks = [section(order), interface(order, link_type, snaplen, resolution, offset)]
    for time_us, frame in packets:
        if simple:
            blocks.append(simple_packet(order, frame))
        else:
            ticks = ticks_of(time_us - (offset or 0) * 1000000, resolution)
            blocks.append(enhanced_packet(order, 0, ticks, frame[:cut], len(frame)))
    return b"".join(blocks)


def ticks_of(time_us, resolution):
    """Rounded up, so that the reader's rounding down gives the same microsecond back."""
    resolution = 6 if resolution is None else resolution
    per_second = 2 ** (resolution & 0x7f) if resolution & 0x80 else 10 ** resolution
    return -(-time_us * per_second // 1000000)


def block(order, block_type, body):
    body += bytes(-len(body) % 4)
    length = struct.pack(order + "I", len(body) + 12)
    return struct.pack(order + "I", block_type) + length + body + length


def option(order, code, value):
    return struct.pack(order + "HH", code, len(value)) + value + bytes(-len(value) % 4)


def section(order):
    return block(order, 0x0a0d0d0a, struct.pack(order + "IHHq", 0x1a2b3c4d, 1, 0, -1))


def interface(order, link_type=1, snaplen=262144, resolution=None, offset=None):
    options = b""
    if resolution is not None:
        options += option(order, 9, bytes([resolution]))
    if offset is not None:
        options += option(order, 14, struct.pack(order + "q", offset))
    if options:
        options += option(order, 0, b"")
    return block(order, 1, struct.pack(order + "HHI", link_type, 0, snaplen) + options)


def enhanced_packet(order, number, ticks, data, original=None):
    original = len(data) if original is None else original
    head = struct.pack(order + "IIIII", number, ticks >> 32, ticks & 0xffffffff, len(data), original)
    return block(order, 6, head + data)


def simple_packet(order, data):
    return block(order, 3, struct.pack(order + "I", len(data)) + data)


def custom_block(order):
    """A block of a type that readers pass over."""
    return block(order, 0x0bad, b"to be ignored")
