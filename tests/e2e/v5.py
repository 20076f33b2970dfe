"""NetFlow version 5 as a collector sees it: decoder, and a lint of the rules of the wire."""

import collections
import socket
import struct

HEADER = struct.Struct(">HHIIIIBBH")
RECORD = struct.Struct(">4s4s4sHHIIIIHHBBBBHHBBH")
MOST_RECORDS = 30
MODULUS = 2 ** 32

Header = collections.namedtuple("Header", "version count uptime_ms unix_secs unix_nsecs flow_sequence "
                                          "engine_type engine_id sampling")
Record = collections.namedtuple("Record", "src dst next_hop in_if out_if packets octets first last "
                                          "src_port dst_port pad1 tcp_flags protocol tos src_as dst_as "
                                          "src_mask dst_mask pad2")


def header(datagram):
    return Header(*HEADER.unpack_from(datagram))


def records(datagram):
    """Every whole record that the datagram holds."""
    whole = (len(datagram) - HEADER.size) // RECORD.size
    return [Record(*RECORD.unpack_from(datagram, HEADER.size + number * RECORD.size))
            for number in range(whole)]


def header_time_ms(head):
    return head.unix_secs * 1000 + head.unix_nsecs // 1000000


def unix_ms(head, uptime_ms):
    """Unix time of a First or Last: that many milliseconds before the time of the header."""
    return header_time_ms(head) - (head.uptime_ms - uptime_ms) % MODULUS


def row(head, record):
    """What a row of --flows-out holds, less its end_reason."""
    return (socket.inet_ntoa(record.src), socket.inet_ntoa(record.dst), record.src_port,
            record.dst_port, record.protocol, record.tos, record.tcp_flags, record.packets,
            record.octets, unix_ms(head, record.first), unix_ms(head, record.last), record.in_if,
            record.out_if, socket.inet_ntoa(record.next_hop), record.src_mask, record.dst_mask,
            record.src_as, record.dst_as)


def rows(datagrams):
    return [row(header(datagram), record) for datagram in datagrams for record in records(datagram)]


def missed_records(datagrams):
    """Records that are missing by flow_sequence before and between these, and what the next would carry."""
    missed, expected = 0, 0
    for head in map(header, datagrams):
        missed += (head.flow_sequence - expected) % MODULUS
        expected = (head.flow_sequence + head.count) % MODULUS
    return missed, expected


def before_or_same(earlier, later):
    """Order on a circle of 2^32 milliseconds."""
    return (later - earlier) % MODULUS < MODULUS // 2


def lint(datagrams, most_records=MOST_RECORDS):
    """A list of sentences, one for each broken rule; empty when all is well."""
    found, sequence, boot_time = [], 0, None
    for number, datagram in enumerate(datagrams):
        problems = lint_length(datagram, most_records)
        if not problems:
            head = header(datagram)
            boot = (header_time_ms(head) - head.uptime_ms) % MODULUS
            boot_time = boot if boot_time is None else boot_time
            problems = (lint_header(head, sequence) + lint_boot(boot, boot_time)
                        + lint_records(head, records(datagram)))
            sequence = (sequence + head.count) % MODULUS
        found += ["datagram %d: %s" % (number, problem) for problem in problems]
    return found


def lint_length(datagram, most_records):
    if len(datagram) < HEADER.size:
        return ["%d bytes are too few for a header" % len(datagram)]
    head = header(datagram)
    if head.version != 5:
        return ["version %d" % head.version]
    if not 1 <= head.count <= most_records:
        return ["%d records" % head.count]
    expected = HEADER.size + RECORD.size * head.count
    if len(datagram) != expected:
        return ["%d bytes, %d records take %d" % (len(datagram), head.count, expected)]
    return []


def lint_header(head, sequence):
    problems = []
    if head.flow_sequence != sequence:
        problems.append("flow_sequence %d, %d records came before" % (head.flow_sequence, sequence))
    if head.unix_nsecs >= 1000000000:
        problems.append("unix_nsecs %d" % head.unix_nsecs)
    if head.sampling != 0:
        problems.append("sampling %d" % head.sampling)
    return problems


def lint_boot(boot, boot_time):
    if boot != boot_time:
        return ["unix time minus SysUptime is %d, was %d" % (boot, boot_time)]
    return []


def lint_records(head, found):
    problems = []
    for number, record in enumerate(found):
        if not before_or_same(record.first, record.last):
            problems.append("record %d: First %d is after Last %d" % (number, record.first, record.last))
        if not before_or_same(record.last, head.uptime_ms):
            problems.append("record %d: Last %d is after SysUptime %d" % (number, record.last, head.uptime_ms))
        if record.pad1 or record.pad2:
            problems.append("record %d: pads %d and %d" % (number, record.pad1, record.pad2))
    return problems
