"""Cases worked out by hand that pin the model itself. They run without pollflow."""

import ctypes
import ctypes.util
import os
import struct
import sys
import tempfile
import unittest

import capture_writer as writer
import frames
import pollflow_runner as runner
import reference
import v5
from frames import ACK, FIN, PSH, RST, SYN

US = 1000000


def decode(frame, link_type=reference.ETHERNET):
    """What the model makes of a frame: a Decoded or the name of a skip."""
    try:
        return reference.decode(link_type, frame)
    except reference.Skipped as skipped:
        return skipped.args[0]


def flows(packets, link_type=reference.ETHERNET, **options):
    """(packets, octets, first_ms, last_ms, end_reason) of each flow; packets: (ms, frame)."""
    return [(row.packets, row.octets, row.first_ms, row.last_ms, row.end_reason)
            for row in result(packets, link_type, **options).rows]


def result(packets, link_type=reference.ETHERNET, **options):
    capture = reference.Capture(link_type, [reference.Packet(ms * 1000, frame) for ms, frame in packets], None)
    return reference.run_capture(capture, reference.Options(**options))


UDP_PACKET = frames.udp_frame()                             # 28 octets of IPv4, 42 of frame
SYN_PACKET = frames.tcp_frame(flags=SYN)                    # 40 octets of IPv4
ACK_PACKET = frames.tcp_frame(flags=ACK)
FIN_PACKET = frames.tcp_frame(flags=FIN | ACK)
RST_PACKET = frames.tcp_frame(flags=RST)


class WhichPacketsCount(unittest.TestCase):

    def test_a_frame_written_out_by_hand(self):
        frame = bytes.fromhex(
            "020000000002 020000000001 0800"
            "45b8 0030 0001 0000 40 06 0000 c0a80102 0a000001"
            "04d2 0050 00000001 00000000 5018 2000 0000 0000" "0102030405060708")
        self.assertEqual(decode(frame), reference.Decoded(
            src=b"\xc0\xa8\x01\x02", dst=b"\x0a\x00\x00\x01", src_port=1234, dst_port=80, protocol=6,
            tos=0xb8, octets=48, tcp_flags=0x18))

    def test_a_header_that_is_announced_must_be_there(self):
        self.assertEqual(decode(b""), "frame_too_short")
        self.assertEqual(decode(UDP_PACKET[:13]), "frame_too_short")
        self.assertEqual(decode(UDP_PACKET[:33]), "frame_too_short")
        self.assertEqual(decode(UDP_PACKET[:34]).octets, 28)
        tagged = frames.ethernet(frames.vlan(1, frames.ipv4()))
        self.assertEqual(decode(tagged[:17]), "frame_too_short")
        labelled = frames.ethernet(frames.mpls([16], frames.ip()))
        self.assertEqual(decode(labelled[:17]), "frame_too_short")
        self.assertEqual(decode(labelled[:18]), "frame_too_short")
        session = frames.ethernet(frames.pppoe(frames.ip()))
        self.assertEqual(decode(session[:21]), "frame_too_short")
        options = frames.ethernet(frames.ipv4(options=bytes(8)))
        self.assertEqual(decode(options[:41]), "frame_too_short")
        self.assertEqual(decode(options[:42]).octets, 28)
        self.assertEqual(decode(frames.sll(frames.ipv4())[:15], reference.LINUX_SLL), "frame_too_short")
        self.assertEqual(decode(frames.sll2(frames.ipv4())[:19], reference.LINUX_SLL2), "frame_too_short")
        self.assertEqual(decode(b"", reference.RAW), "frame_too_short")

    def test_four_tags_are_read_and_a_fifth_is_too_many(self):
        inner = frames.ipv4(payload=frames.udp())
        for tpid in (frames.VLAN, frames.QINQ, frames.OLD_QINQ, frames.VLAN):
            inner = frames.vlan(5, inner, tpid)
        self.assertEqual(decode(frames.ethernet(inner)).dst_port, 53)
        self.assertEqual(decode(frames.ethernet(frames.vlan(5, inner))), "vlan_depth")

    def test_sixteen_labels_are_read_and_a_seventeenth_is_too_many(self):
        self.assertEqual(decode(frames.ethernet(frames.mpls(range(16), frames.ip()))).octets, 20)
        self.assertEqual(decode(frames.ethernet(frames.mpls(range(17), frames.ip()))), "mpls_depth")

    def test_names_of_what_is_not_ipv4(self):
        cases = {
            "arp": frames.arp(),
            "ipv6": frames.ipv6(),
            "llc": frames.other(0x05ff),
            "other_ethertype": frames.other(0x88cc),
            "pppoe_control": frames.pppoe(b"", ether_type=frames.PPPOE_DISCOVERY),
            "mpls_payload": frames.mpls([3], bytes(20)),
            "ip_version": frames.ipv4(version=5),
            "ip_header_length": frames.ipv4(header_words=4),
            "ip_total_length": frames.ipv4(total_length=19),
        }
        for name, inner in cases.items():
            self.assertEqual(decode(frames.ethernet(inner)), name)
        self.assertEqual(decode(frames.ethernet(frames.other(0x0600))), "other_ethertype")
        self.assertEqual(decode(frames.llc()), "llc")

    def test_pppoe_sessions(self):
        ip = frames.ip(payload=frames.udp())
        self.assertEqual(decode(frames.ethernet(frames.pppoe(ip))).dst_port, 53)
        self.assertEqual(decode(frames.ethernet(frames.pppoe(frames.ip6(), frames.PPP_IPV6))), "ipv6")
        for wrong in ({"protocol": frames.PPP_LCP}, {"version_and_type": 0x21}, {"version_and_type": 0x12},
                      {"code": 1}):
            self.assertEqual(decode(frames.ethernet(frames.pppoe(ip, **wrong))), "pppoe_control")

    def test_version_decides_where_nothing_else_tells(self):
        self.assertEqual(decode(frames.ip(), reference.RAW).octets, 20)
        self.assertEqual(decode(frames.ip6(), reference.RAW), "ipv6")
        self.assertEqual(decode(frames.ip(version=7), reference.RAW), "ip_version")
        self.assertEqual(decode(frames.ethernet(frames.mpls([3], frames.ip6()))), "ipv6")
        self.assertEqual(decode(frames.ethernet(frames.ipv4(version=6))), "ip_version")

    def test_link_types(self):
        inner = frames.ipv4(payload=frames.udp())
        for link_type, frame in ((1, frames.ethernet(inner)), (113, frames.sll(inner)),
                                 (276, frames.sll2(inner)), (101, inner[1]), (228, inner[1]),
                                 (12, inner[1]), (14, inner[1])):
            self.assertEqual(decode(frame, link_type).octets, 28, link_type)
        with self.assertRaises(reference.UnsupportedLinkType) as caught:
            reference.run_capture(reference.Capture(10, [], None))
        self.assertEqual((caught.exception.link_type, caught.exception.name), (10, "FDDI"))


class TheKey(unittest.TestCase):

    def transport(self, protocol, payload, **named):
        found = decode(frames.ethernet(frames.ipv4(protocol=protocol, payload=payload, **named)))
        return found.src_port, found.dst_port, found.tcp_flags

    def test_ports(self):
        self.assertEqual(self.transport(frames.TCP, frames.tcp(7, 9, SYN | PSH)), (7, 9, 0x0a))
        self.assertEqual(self.transport(frames.UDP, frames.udp(7, 9)), (7, 9, 0))
        self.assertEqual(self.transport(frames.ICMP, frames.icmp(3, 4)), (0, 0x0304, 0))
        self.assertEqual(self.transport(132, frames.udp(7, 9)), (0, 0, 0))

    def test_only_a_first_fragment_has_ports(self):
        self.assertEqual(self.transport(frames.TCP, frames.tcp(7, 9, SYN), more=True), (7, 9, SYN))
        for protocol in (frames.TCP, frames.UDP, frames.ICMP):
            self.assertEqual(self.transport(protocol, frames.tcp(7, 9, SYN), offset=1), (0, 0, 0))
            self.assertEqual(self.transport(protocol, frames.tcp(7, 9, SYN), offset=0x1fff), (0, 0, 0))

    def test_as_much_transport_header_as_is_needed(self):
        tcp = frames.tcp(7, 9, SYN)
        self.assertEqual(self.transport(frames.TCP, tcp[:3]), (0, 0, 0))
        self.assertEqual(self.transport(frames.TCP, tcp[:4]), (7, 9, 0))
        self.assertEqual(self.transport(frames.TCP, tcp[:13]), (7, 9, 0))
        self.assertEqual(self.transport(frames.TCP, tcp[:14]), (7, 9, SYN))
        self.assertEqual(self.transport(frames.UDP, tcp[:3]), (0, 0, 0))
        self.assertEqual(self.transport(frames.ICMP, b"\x08"), (0, 0, 0))
        self.assertEqual(self.transport(frames.ICMP, b"\x08\x01"), (0, 0x0801, 0))

    def test_padding_of_the_frame_is_no_transport_header(self):
        self.assertEqual(self.transport(frames.TCP, frames.tcp(7, 9, SYN), total_length=23), (0, 0, 0))
        self.assertEqual(self.transport(frames.TCP, frames.tcp(7, 9, SYN), total_length=24), (7, 9, 0))
        self.assertEqual(self.transport(frames.TCP, frames.tcp(7, 9, SYN), total_length=33), (7, 9, 0))
        self.assertEqual(self.transport(frames.TCP, frames.tcp(7, 9, SYN), total_length=34), (7, 9, SYN))

    def test_total_length_beyond_the_capture_counts_as_stated(self):
        frame = frames.ethernet(frames.ipv4(payload=frames.udp(), total_length=65535))
        self.assertEqual(decode(frame).octets, 65535)

    def test_each_part_of_the_key_makes_another_flow(self):
        base = {"src": "1.0.0.1", "dst": "1.0.0.2", "src_port": 1, "dst_port": 2, "tos": 0}
        others = [base, base, *({**base, name: value} for name, value in
                                (("src", "1.0.0.3"), ("dst", "1.0.0.3"), ("src_port", 3), ("dst_port", 3),
                                 ("tos", 3)))]
        packets = [(0, frames.udp_frame(**named)) for named in others]
        packets.append((0, frames.tcp_frame(**base)))
        self.assertEqual(sorted(flow[0] for flow in flows(packets)), [1, 1, 1, 1, 1, 1, 2])

    def test_ifindex(self):
        self.assertEqual([row.in_if for row in result([(0, UDP_PACKET)]).rows], [1])
        self.assertEqual([row.in_if for row in result([(0, UDP_PACKET)], ifindex=77).rows], [77])


class WhenAFlowEnds(unittest.TestCase):

    def test_row_of_one_packet(self):
        rows = result([(1500, frames.tcp_frame("1.2.3.4", "5.6.7.8", 9, 10, SYN, tos=11))]).lines()
        self.assertEqual(rows, ["1.2.3.4,5.6.7.8,9,10,6,11,2,1,40,1500,1500,1,0,0.0.0.0,0,0,0,0,forced"])

    def test_milliseconds_are_rounded_down(self):
        capture = reference.Capture(1, [reference.Packet(1999, UDP_PACKET), reference.Packet(-1, UDP_PACKET)], None)
        row, = reference.run_capture(capture).rows
        self.assertEqual((row.first_ms, row.last_ms), (-1, 1))

    def test_idle_only_after_the_timeout(self):
        self.assertEqual(flows([(0, UDP_PACKET), (15000, UDP_PACKET)]), [(2, 56, 0, 15000, "forced")])
        self.assertEqual(flows([(0, UDP_PACKET), (15001, UDP_PACKET)]),
                         [(1, 28, 0, 0, "idle"), (1, 28, 15001, 15001, "forced")])

    def test_active_only_after_the_timeout(self):
        self.assertEqual(flows([(0, UDP_PACKET), (4000, UDP_PACKET), (7000, UDP_PACKET)], active_s=7),
                         [(3, 84, 0, 7000, "forced")])
        self.assertEqual(flows([(0, UDP_PACKET), (4000, UDP_PACKET), (7001, UDP_PACKET)], active_s=7),
                         [(2, 56, 0, 4000, "active"), (1, 28, 7001, 7001, "forced")])

    def test_the_earlier_deadline_names_the_reason(self):
        late = [(0, UDP_PACKET), (5000, UDP_PACKET), (99000, UDP_PACKET)]
        self.assertEqual(flows(late, inactive_s=5, active_s=11)[0], (2, 56, 0, 5000, "idle"))
        self.assertEqual(flows(late, inactive_s=5, active_s=9)[0], (2, 56, 0, 5000, "active"))
        self.assertEqual(flows(late, inactive_s=5, active_s=10)[0], (2, 56, 0, 5000, "idle"))

    def test_fin_and_rst_end_a_flow_but_not_its_first_packet(self):
        for last in (FIN_PACKET, RST_PACKET):
            self.assertEqual(flows([(0, SYN_PACKET), (1, ACK_PACKET), (2, last)]), [(3, 120, 0, 2, "end")])
            self.assertEqual(flows([(0, last)]), [(1, 40, 0, 0, "forced")])
            self.assertEqual(flows([(0, last), (1, last)]), [(2, 80, 0, 1, "end")])
        self.assertEqual(flows([(0, SYN_PACKET), (1, FIN_PACKET), (2, FIN_PACKET), (3, ACK_PACKET)]),
                         [(2, 80, 0, 1, "end"), (2, 80, 2, 3, "forced")])

    def test_a_late_fin_begins_a_flow(self):
        self.assertEqual(flows([(0, SYN_PACKET), (15001, FIN_PACKET)]),
                         [(1, 40, 0, 0, "idle"), (1, 40, 15001, 15001, "forced")])

    def test_overflow(self):
        big = frames.ethernet(frames.ipv4(payload=frames.udp(), total_length=65535))
        packets = [(number // 100, big) for number in range(65537)]     # 65536 * 65535 is the limit
        self.assertEqual(flows(packets), [(65536, 4294901760, 0, 655, "overflow"), (1, 65535, 655, 655, "forced")])

    def test_end_wins_over_overflow(self):
        big = frames.ethernet(frames.ipv4(protocol=frames.TCP, payload=frames.tcp(), total_length=65535))
        fin = frames.ethernet(frames.ipv4(protocol=frames.TCP, payload=frames.tcp(flags=FIN), total_length=65535))
        self.assertEqual(flows([(0, big)] * 65535 + [(0, fin)]), [(65536, 4294901760, 0, 0, "end")])

    def test_at_the_end_of_the_input_deadlines_still_name_the_reason(self):
        a, b, c = (frames.udp_frame(src_port=port) for port in (1, 2, 3))
        self.assertEqual(flows([(0, a), (1000, b), (16000, c)]),
                         [(1, 28, 0, 0, "idle"), (1, 28, 1000, 1000, "forced"), (1, 28, 16000, 16000, "forced")])

    def test_a_skipped_frame_is_a_packet_read_too(self):
        self.assertEqual(flows([(0, UDP_PACKET), (15001, frames.ethernet(frames.arp()))]), [(1, 28, 0, 0, "idle")])

    def test_hold_idle(self):
        four, five = [(0, UDP_PACKET)] * 4, [(0, UDP_PACKET)] * 5
        self.assertEqual(flows(four + [(15001, UDP_PACKET)], hold_idle=True)[0], (4, 112, 0, 0, "idle"))
        self.assertEqual(flows(five + [(15001, UDP_PACKET)], hold_idle=True), [(6, 168, 0, 15001, "forced")])
        self.assertEqual(flows(five + [(1800001, UDP_PACKET)], hold_idle=True)[0], (5, 140, 0, 0, "active"))

    def test_time_that_goes_backwards(self):
        back = [(100, UDP_PACKET), (90, UDP_PACKET), (95, UDP_PACKET)]
        self.assertEqual(flows(back), [(3, 84, 90, 100, "forced")])
        self.assertEqual(result(back).undetermined, 0)

    def test_what_a_sweep_decides_is_called_undetermined(self):
        other = frames.udp_frame(src_port=7)
        swept = result([(0, UDP_PACKET), (15001, other), (14000, UDP_PACKET)])
        self.assertEqual(swept.undetermined, 1)
        at_the_end = result([(0, UDP_PACKET), (15001, other), (14000, other)])
        self.assertEqual(at_the_end.undetermined, 1)
        in_order = result([(0, UDP_PACKET), (14000, UDP_PACKET), (15001, other)])
        self.assertEqual(in_order.undetermined, 0)


class TheLedger(unittest.TestCase):

    def test_every_frame_has_one_place(self):
        arp = frames.ethernet(frames.arp())             # 42 bytes
        found = result([(0, UDP_PACKET), (1, arp), (2, arp), (3, UDP_PACKET[:20]), (4, SYN_PACKET)])
        self.assertEqual(found.received, [5, 42 + 42 + 42 + 20 + 54])
        self.assertEqual(found.accounted, [2, 28 + 40, 42 + 54])
        self.assertEqual({name: count for name, count in found.skipped.items() if count[0]},
                         {"arp": [2, 84], "frame_too_short": [1, 20]})
        self.assertEqual(found.expired["forced"], 2)

    def test_nothing_in_nothing_out(self):
        found = result([])
        self.assertEqual((found.received, found.accounted, found.rows), ([0, 0], [0, 0, 0], []))


class FileFormats(unittest.TestCase):

    packets = [(1600000000 * US + 123456, UDP_PACKET), (1600000001 * US, SYN_PACKET)]

    def parse(self, contents):
        return reference.parse_capture(contents)

    def test_every_format_gives_the_same_packets(self):
        for order in (writer.LITTLE, writer.BIG):
            for contents in (writer.pcap(self.packets, order=order),
                             writer.pcap(self.packets, order=order, nano=True, extra_ns=999),
                             writer.pcapng(self.packets, order=order),
                             writer.pcapng(self.packets, order=order, resolution=9),
                             writer.pcapng(self.packets, order=order, resolution=0x80 | 32),
                             writer.pcapng(self.packets, order=order, offset=1500000000)):
                found = self.parse(contents)
                self.assertEqual(found.packets, self.packets)
                self.assertEqual((found.link_type, found.damage), (1, None))

    def test_a_pcap_written_out_by_hand(self):
        contents = bytes.fromhex("d4c3b2a1 0200 0400 00000000 00000000 ffff0000 65000000"
                                 "01000000 02000000 03000000 09000000 aabbcc")
        self.assertEqual(self.parse(contents), (101, [(1000002, b"\xaa\xbb\xcc")], None))

    def test_a_simple_packet_block_has_the_time_0(self):
        self.assertEqual(self.parse(writer.pcapng(self.packets, simple=True)).packets,
                         [(0, UDP_PACKET), (0, SYN_PACKET)])

    def test_unknown_blocks_are_passed_over(self):
        contents = writer.pcapng(self.packets) + writer.custom_block("<")
        self.assertEqual(self.parse(contents).packets, self.packets)

    def test_upper_bits_of_the_link_type_are_not_the_link_type(self):
        self.assertEqual(self.parse(writer.pcap(self.packets, link_type=0x24000001)).link_type, 1)

    def test_times_are_signed_or_not_as_libpcap_has_it(self):
        def times(order):
            contents = (writer.pcap_header(order=order) + writer.pcap_record(-2, -5, b"x", order)
                        + writer.pcap_record(2 ** 32 - 1, 0, b"y", order))
            return [packet.time_us for packet in self.parse(contents).packets]

        own, other = ("<", ">") if sys.byteorder == "little" else (">", "<")
        unsigned = [(2 ** 32 - 2) * US + 2 ** 32 - 5, (2 ** 32 - 1) * US]
        signed = [-2000005, -1000000]
        self.assertEqual(times(own), signed if reference.OWN_ORDER_TIMES_ARE_SIGNED else unsigned)
        self.assertEqual(times(other), unsigned)

    def test_fractions_out_of_range_are_added(self):
        contents = writer.pcap_header() + writer.pcap_record(1, 2 ** 31 - 1, b"x")
        self.assertEqual(self.parse(contents).packets[0].time_us, 1000000 + 2 ** 31 - 1)

    def test_the_announced_snap_length_cuts(self):
        self.assertEqual(self.parse(writer.pcap(self.packets, snaplen=30)).packets[0].data, UDP_PACKET[:30])
        self.assertEqual(self.parse(writer.pcap(self.packets, snaplen=0)).packets, self.packets)

    def test_damage_ends_the_reading(self):
        whole = writer.pcap(self.packets)
        for end in (len(whole) - 1, len(whole) - len(SYN_PACKET), len(whole) - len(SYN_PACKET) - 3):
            found = self.parse(whole[:end])
            self.assertEqual(found.packets, self.packets[:1])
            self.assertIsNotNone(found.damage)
        insane = whole + writer.pcap_record(0, 0, b"", captured=262145)
        self.assertEqual(len(self.parse(insane).packets), 2)
        self.assertIsNotNone(self.parse(insane).damage)
        cut = self.parse(writer.pcapng(self.packets)[:-1])
        self.assertEqual(cut.packets, self.packets[:1])
        self.assertIsNotNone(cut.damage)

    def test_what_is_no_capture(self):
        for contents in (b"", b"hello, world: no capture\n" * 3, writer.pcap_header()[:20],
                         writer.section("<")):
            with self.assertRaises(reference.NotACapture):
                self.parse(contents)


class PacketHeader(ctypes.Structure):
    _fields_ = [("seconds", ctypes.c_long), ("microseconds", ctypes.c_long),
                ("captured", ctypes.c_uint32), ("length", ctypes.c_uint32)]


class ReaderAgreesWithLibpcap(unittest.TestCase):
    """The rules say: time stamps as libpcap gives them. So libpcap is asked."""

    @classmethod
    def setUpClass(cls):
        name = ctypes.util.find_library("pcap")
        if not name:
            raise unittest.SkipTest("libpcap is not installed")
        cls.libpcap = ctypes.CDLL(name)
        cls.libpcap.pcap_open_offline.restype = ctypes.c_void_p
        cls.libpcap.pcap_open_offline.argtypes = [ctypes.c_char_p, ctypes.c_char_p]
        cls.libpcap.pcap_next_ex.argtypes = [ctypes.c_void_p, ctypes.POINTER(ctypes.POINTER(PacketHeader)),
                                             ctypes.POINTER(ctypes.POINTER(ctypes.c_ubyte))]
        cls.libpcap.pcap_close.argtypes = [ctypes.c_void_p]

    def read(self, path):
        """(packets, whether damaged), or None for a file that libpcap does not open."""
        handle = self.libpcap.pcap_open_offline(os.fsencode(path), ctypes.create_string_buffer(256))
        if not handle:
            return None
        packets, header, data = [], ctypes.POINTER(PacketHeader)(), ctypes.POINTER(ctypes.c_ubyte)()
        while True:
            status = self.libpcap.pcap_next_ex(handle, ctypes.byref(header), ctypes.byref(data))
            if status != 1:
                self.libpcap.pcap_close(handle)
                return packets, status != -2
            found = header.contents
            packets.append((found.seconds * 1000000 + found.microseconds,
                            ctypes.string_at(data, found.captured)))

    def check(self, path):
        try:
            capture = reference.read_capture(path)
            mine = [tuple(packet) for packet in capture.packets], capture.damage is not None
        except reference.NotACapture:
            mine = None
        self.assertEqual(mine, self.read(path))

    def check_contents(self, contents):
        with tempfile.NamedTemporaryFile() as file:
            file.write(contents)
            file.flush()
            self.check(file.name)

    def test_generated_files_and_every_way_to_cut_them(self):
        packets = FileFormats.packets
        for order in (writer.LITTLE, writer.BIG):
            for name, contents in (
                    ("us", writer.pcap(packets, order=order)),
                    ("ns", writer.pcap(packets, order=order, nano=True, extra_ns=999)),
                    ("short snaplen", writer.pcap(packets, order=order, snaplen=30)),
                    ("signed", writer.pcap_header(order=order) + writer.pcap_record(-2, -5, b"x", order)),
                    ("signed ns", writer.pcap_header(order=order, nano=True)
                     + writer.pcap_record(-2, -5999, b"x", order)),
                    ("ng", writer.pcapng(packets, order=order)),
                    ("ng 2^-32", writer.pcapng(packets, order=order, resolution=0x80 | 32)),
                    ("ng 10^-3", writer.pcapng(packets, order=order, resolution=3)),
                    ("ng 10^-9, offset", writer.pcapng(packets, order=order, resolution=9, offset=1500000000)),
                    ("ng simple", writer.pcapng(packets, order=order, simple=True)),
                    ("ng snaplen", writer.pcapng(packets, order=order, snaplen=20)),
                    ("ng two sections", writer.pcapng(packets, order=order) + writer.pcapng(packets, order=order)),
                    ("ng two interfaces", writer.pcapng(packets, order=order) + writer.interface(order, 10)),
                    ("ng other order", writer.pcapng(packets, order=order)
                     + writer.pcapng(packets, order=writer.BIG if order == writer.LITTLE else writer.LITTLE)),
                    ("ng no such interface", writer.pcapng(packets, order=order)
                     + writer.enhanced_packet(order, 1, 0, b"x"))):
                with self.subTest(name, order=order):
                    for end in range(len(contents) + 1):
                        self.check_contents(contents[:end])

    def test_captures(self):
        for path in runner.captures():
            with self.subTest(path.name):
                self.check(path)


class DecoderOfVersion5(unittest.TestCase):

    record = (bytes([10, 0, 0, 1, 10, 0, 0, 2, 0, 0, 0, 0]) + struct.pack(
        ">HHIIIIHHBBBBHHBBH", 1, 0, 3, 300, 1000, 2000, 53, 1024, 0, 0x12, 17, 4, 0, 0, 0, 0, 0))

    def datagram(self, count=1, uptime=5000, seconds=1600000005, nanoseconds=0, sequence=0, record=record):
        return struct.pack(">HHIIIIBBH", 5, count, uptime, seconds, nanoseconds, sequence, 0, 0, 0) + record * count

    def test_row(self):
        self.assertEqual(v5.rows([self.datagram()]), [
            ("10.0.0.1", "10.0.0.2", 53, 1024, 17, 4, 0x12, 3, 300, 1600000001000, 1600000002000, 1, 0,
             "0.0.0.0", 0, 0, 0, 0)])

    def test_lint_is_silent_about_a_good_stream(self):
        self.assertEqual(v5.lint([self.datagram(), self.datagram(2, sequence=1),
                                  self.datagram(30, 6000, 1600000006, sequence=3)]), [])

    def test_lint_names_each_fault(self):
        faults = {
            "bytes are too few": self.datagram()[:23],
            "takes? 72": self.datagram() + b"\0",
            "0 records": self.datagram(0),
            "31 records": self.datagram(31),
            "flow_sequence": self.datagram(sequence=1),
            "unix_nsecs": self.datagram(nanoseconds=1000000000),
            "is after SysUptime": self.datagram(uptime=1999),
            "is after Last": self.datagram(record=self.record[:24] + self.record[28:32] + self.record[24:28]
                                           + self.record[32:]),
            "pads": self.datagram(record=self.record[:36] + b"\1" + self.record[37:]),
            "sampling": self.datagram()[:23] + b"\1" + self.record,
            "version": b"\0\x09" + self.datagram()[2:],
        }
        for sentence, datagram in faults.items():
            with self.subTest(sentence):
                self.assertRegex("\n".join(v5.lint([datagram])), sentence)
        wandering = [self.datagram(), self.datagram(uptime=5001, sequence=1)]
        self.assertRegex("\n".join(v5.lint(wandering)), "unix time minus SysUptime")


if __name__ == "__main__":
    sys.exit(unittest.main())
