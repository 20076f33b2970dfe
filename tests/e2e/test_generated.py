"""Generated captures against the model: formats, link types, ends of flows, cuts, odd headers, odd times."""

import random
import sys
import unittest

import capture_writer as writer
import frames
import pollflow_runner as runner
import reference
from frames import ACK, FIN, RST, SYN
from traffic import EVERYDAY, SECOND, START_MS, GeneratedTest, at, numbered, random_traffic


class Formats(GeneratedTest):

    def test_every_format_of_the_same_packets_gives_the_same_flows(self):
        expected = reference.run_capture(reference.Capture(
            1, [reference.Packet(*packet) for packet in EVERYDAY], None))
        for order in (writer.LITTLE, writer.BIG):
            for name, contents in (
                    ("pcap us", writer.pcap(EVERYDAY, order=order)),
                    ("pcap ns", writer.pcap(EVERYDAY, order=order, nano=True, extra_ns=999)),
                    ("pcap with frame check bits", writer.pcap(EVERYDAY, order=order, link_type=0x24000001)),
                    ("pcapng", writer.pcapng(EVERYDAY, order=order)),
                    ("pcapng ns", writer.pcapng(EVERYDAY, order=order, resolution=9)),
                    ("pcapng 2^-30 s, offset", writer.pcapng(EVERYDAY, order=order, resolution=0x80 | 30,
                                                             offset=1500000000)),
                    ("pcapng, unknown block", writer.pcapng(EVERYDAY, order=order) + writer.custom_block(order))):
                with self.subTest(name, order=order):
                    path = self.folder / "capture"
                    path.write_bytes(contents)
                    run = runner.read_capture(path)
                    self.assert_success(run.outcome)
                    self.assert_model(run, expected)

    def test_packets_without_a_time_have_time_0(self):
        path = self.folder / "capture.pcap"
        path.write_bytes(writer.pcapng(EVERYDAY, simple=True))
        run = runner.read_capture(path)
        self.assert_success(run.outcome)
        self.assert_model(run, reference.run(path))
        self.assertEqual({(row.first_ms, row.last_ms) for row in run.rows}, {(0, 0)})

    def test_every_link_type(self):
        inner = [frames.ipv4(protocol=frames.TCP, payload=frames.tcp()), frames.ipv4(tos=9)]
        announced = inner + [frames.vlan(3, inner[0]), frames.mpls([16, 17], inner[0][1]), frames.arp(),
                             frames.pppoe(inner[0][1]), frames.ipv6(), frames.other(0x0004), frames.other(0x88cc)]
        raw = [data for _, data in inner] + [frames.ip6(), frames.ip(version=5), b""]
        cases = {reference.ETHERNET: [frames.ethernet(each) for each in announced],
                 reference.LINUX_SLL: [frames.sll(each) for each in announced],
                 reference.LINUX_SLL2: [frames.sll2(each) for each in announced],
                 reference.RAW: raw, reference.IPV4: raw[:2], 12: raw}
        for link_type, found in cases.items():
            with self.subTest(link_type=link_type):
                self.check([at(number, frame) for number, frame in enumerate(found)], link_type=link_type)

    def test_an_unsupported_link_type_is_refused_by_name(self):
        for link_type, name in ((9, "PPP"), (10, "FDDI"), (105, "IEEE802_11"), (147, "USER0"), (0, "NULL"),
                                (4711, "4711")):
            with self.subTest(name):
                outcome = runner.execute(["--read", self.write(EVERYDAY, link_type=link_type)])
                self.assertEqual((outcome.code, outcome.stdout), (66, ""))
                self.assert_one_sentence(outcome.stderr)
                self.assertRegex(outcome.stderr, r"(?i)\b(%s|%d)\b" % (name, link_type))

    def test_an_empty_capture(self):
        for name, contents in (("pcap", writer.pcap([])), ("pcapng", writer.pcapng([]))):
            with self.subTest(name):
                path = self.folder / "empty"
                path.write_bytes(contents)
                run = runner.read_capture(path, collect=True)
                self.assert_success(run.outcome)
                self.assertEqual((run.rows, run.datagrams), ([], []))
                self.assert_model(run, reference.run(path))
                self.assertEqual(run.ledger["flow_sequence"], 0)

    def test_frames_larger_than_any_buffer(self):
        """Headers must be found and lengths kept also where a frame fills many buffers."""
        packets = [at(number, frames.udp_frame(numbered(number), data=bytes(size), total_length=min(28 + size, 65535)))
                   for number, size in enumerate((1472, 2006, 2048, 8972, 16000, 65507, 100000, 262144 - 42))]
        self.check(packets)

    def test_ifindex(self):
        rows = self.check(EVERYDAY, "--ifindex", "0=77", model=reference.Options(ifindex=77))
        self.assertEqual({row.in_if for row in rows}, {77})


class EndsOfFlows(GeneratedTest):
    """Deadlines are met to the millisecond, and each reason is given where it belongs."""

    udp = frames.udp_frame()
    other = frames.udp_frame(src_port=7)

    def test_idle(self):
        self.check_reasons([at(0, self.udp), at(15000, self.udp)], ["forced"])
        self.check_reasons([at(0, self.udp), at(15001, self.udp)], ["idle", "forced"])

    def test_active(self):
        busy = [at(ms, self.udp) for ms in range(0, 1800000, 10000)]
        self.check_reasons(busy + [at(1800000, self.udp)], ["forced"])
        self.check_reasons(busy + [at(1800001, self.udp)], ["active", "forced"])

    def test_timeouts_are_options(self):
        options = ("--inactive-timeout", 2, "--active-timeout", 5)
        model = reference.Options(inactive_s=2, active_s=5)
        busy = [at(ms, self.udp) for ms in (0, 2000, 4000)]
        self.check_reasons(busy + [at(5000, self.udp)], ["forced"], *options, model=model)
        self.check_reasons(busy + [at(5001, self.udp)], ["active", "forced"], *options, model=model)
        self.check_reasons(busy + [at(6001, self.udp)], ["active", "forced"], *options, model=model)
        self.check_reasons([at(0, self.udp), at(2001, self.udp)], ["idle", "forced"], *options, model=model)

    def test_the_earlier_deadline_names_the_reason(self):
        """Idle is over at 5 s: before, together with, after the active deadline."""
        packets = [at(0, self.udp), at(2000, self.udp), at(90000, self.udp)]
        for active, reason in ((4, "active"), (5, "idle"), (6, "idle")):
            with self.subTest(active=active):
                self.check_reasons(packets, [reason, "forced"], "--inactive-timeout", 3, "--active-timeout", active,
                                   model=reference.Options(inactive_s=3, active_s=active))

    def test_milliseconds_decide_not_microseconds(self):
        start = START_MS * 1000
        self.check_reasons([(start, self.udp), (start + 15 * SECOND + 999, self.udp)], ["forced"])
        self.check_reasons([(start + 999, self.udp), (start + 15 * SECOND + 1000, self.udp)], ["idle", "forced"])

    def test_fin_and_rst(self):
        syn, ack = frames.tcp_frame(flags=SYN), frames.tcp_frame(flags=ACK)
        for last in (frames.tcp_frame(flags=FIN | ACK), frames.tcp_frame(flags=RST)):
            self.check_reasons([at(0, syn), at(1, ack), at(2, last)], ["end"])
            self.check_reasons([at(0, last)], ["forced"])
            self.check_reasons([at(0, last), at(0, last), at(0, last), at(1, ack)], ["end", "forced"])
            self.check_reasons([at(0, syn), at(15001, last)], ["idle", "forced"])

    def test_fin_that_is_not_captured_ends_nothing(self):
        fin = frames.tcp_frame(flags=FIN)
        self.check_reasons([at(0, fin), at(1, fin[:14 + 20 + 13])], ["forced"])
        self.check_reasons([at(0, fin), at(1, fin[:14 + 20 + 14])], ["end"])

    def test_overflow(self):
        """65536 packets of 65535 octets reach the limit exactly; one octet less does not."""
        big = frames.ip(payload=frames.udp(), total_length=65535)
        less = frames.ip(payload=frames.udp(), total_length=65534)
        exactly = [at(number // 100, big) for number in range(65536)]
        for packets, reasons in ((exactly + [at(700, less)], ["overflow", "forced"]),
                                 (exactly[1:] + [at(700, less)], ["forced"]),
                                 (exactly[1:] + [at(700, less), at(700, less)], ["overflow"])):
            self.check_reasons(packets, reasons, link_type=reference.RAW)

    def test_an_idle_flow_leaves_in_a_gap(self):
        """It ends with no packet of its own, and what comes after the gap begins anew."""
        packets = [at(0, self.udp), at(1, self.other), at(60000, self.other), at(61000, self.udp)]
        self.check_reasons(packets, ["idle", "idle", "forced", "forced"])
        self.check_reasons(packets[:3], ["idle", "idle", "forced"])

    def test_hours_without_a_packet(self):
        packets = [at(hours * 3600000 + each, self.udp) for hours in (0, 5, 10, 400, 1300) for each in range(3)]
        self.check_reasons(packets, ["idle"] * 4 + ["forced"])

    def test_at_the_end_of_the_input(self):
        """The last packet read is a frame that counts for no flow."""
        arp = frames.ethernet(frames.arp())
        self.check_reasons([at(0, self.udp), at(15000, arp)], ["forced"])
        self.check_reasons([at(0, self.udp), at(15001, arp)], ["idle"])

    def test_hold_idle(self):
        model = reference.Options(hold_idle=True)
        four, five = ([at(number, self.udp) for number in range(count)] for count in (4, 5))
        self.check_reasons(four + [at(20000, self.other)], ["idle", "forced"], "--hold-idle", model=model)
        self.check_reasons(five + [at(20000, self.other)], ["forced", "forced"], "--hold-idle", model=model)
        self.check_reasons(five + [at(900000, self.udp), at(1800001, self.other)], ["active", "forced"],
                           "--hold-idle", model=model)


class OddTimes(GeneratedTest):
    """Time in a capture may go backwards: nothing is lost and nothing counted twice."""

    def traffic(self, jitter_ms):
        chance = random.Random(7)
        return [at(number * 10 + chance.randrange(-jitter_ms, jitter_ms + 1),
                   frames.udp_frame(numbered(chance.randrange(50)))) for number in range(4000)]

    def check_sums(self, packets, *options):
        run = self.read(packets, *options)
        self.assert_same_sums(run, reference.run(self.folder / "capture.pcap"))
        return run

    def test_small_steps_backwards(self):
        self.check_sums(self.traffic(5))
        self.check_sums(self.traffic(1000), "--inactive-timeout", 1)

    def test_one_packet_from_another_time(self):
        """Far in the future and far in the past, in a flow of its own and in one of the others."""
        for seconds in (0, 1, 2 ** 31 - 1):
            for source in (numbered(999), numbered(3)):
                with self.subTest(seconds=seconds, source=source):
                    packets = self.traffic(0)
                    packets[2000] = seconds * SECOND, frames.udp_frame(source)
                    self.check_sums(packets)

    def test_first_and_last_are_the_smallest_and_the_largest(self):
        udp = frames.udp_frame()
        rows = self.check([at(100, udp), at(90, udp), at(95, udp), at(103, udp), at(99, udp)])
        self.assertEqual([(row.first_ms - START_MS, row.last_ms - START_MS) for row in rows], [(90, 103)])

    def test_the_deadline_is_compared_with_the_packets_own_time(self):
        udp = frames.udp_frame()
        self.check_reasons([at(100, udp), at(90, udp), at(15101, udp)], ["idle", "forced"])
        self.check_reasons([at(100, udp), at(90, udp), at(15100, udp)], ["forced"])

    def test_fractions_of_a_second_out_of_range(self):
        path = self.folder / "capture.pcap"
        path.write_bytes(writer.pcap_header() + b"".join(
            writer.pcap_record(1700000000, fraction, frames.udp_frame(numbered(number)))
            for number, fraction in enumerate((999999, 1000000, 5000000, 2 ** 31 - 1))))
        run = runner.read_capture(path)
        self.assert_success(run.outcome)
        self.assert_model(run, reference.run(path))


class OddFrames(GeneratedTest):

    def samples(self, source):
        """One frame of each kind, all from this source."""
        tcp = frames.ip(source, protocol=frames.TCP, payload=frames.tcp(options=bytes(4), data=b"data"))
        udp = frames.ip(source, payload=frames.udp(data=b"data"), tos=0xb8)
        long_header = frames.ip(source, protocol=frames.TCP, payload=frames.tcp(), options=bytes(40))
        tags = frames.IPV4, udp
        for number in range(4):
            tags = frames.vlan(number, tags, (frames.VLAN, frames.QINQ, frames.OLD_QINQ)[number % 3])
        return [frames.ethernet(inner, padding) for inner, padding in (
            ((frames.IPV4, tcp), b""), ((frames.IPV4, udp), b"padding"), ((frames.IPV4, long_header), b""),
            (frames.ipv4(source, protocol=frames.ICMP, payload=frames.icmp(3, 1)), b""),
            (frames.ipv4(source, protocol=frames.UDP, payload=frames.udp(), offset=185), b""),
            (frames.ipv4(source, protocol=frames.TCP, payload=frames.tcp(), more=True), b""),
            (frames.ipv4(source, protocol=47, payload=bytes(12)), b""),
            (tags, b""), (frames.vlan(1, frames.arp()), b""), (frames.mpls([16], udp), b""),
            (frames.mpls(range(16), tcp), b""),
            (frames.mpls([3], bytes(24)), b""), (frames.mpls([3], frames.ip6()), b""),
            (frames.mpls([3], udp, frames.MPLS_MULTICAST), b""), (frames.vlan(2, frames.mpls([5, 6], udp)), b""),
            (frames.pppoe(udp), b""), (frames.vlan(8, frames.pppoe(tcp)), b""),
            (frames.pppoe(frames.ip6(), frames.PPP_IPV6), b""), (frames.pppoe(bytes(10), frames.PPP_LCP), b""),
            (frames.pppoe(udp, code=7), b""), (frames.arp(), b""), (frames.ipv6(), b""),
            (frames.other(0x88cc), b""), (frames.other(0x05ff), b""))]

    def test_every_frame_cut_at_every_byte(self):
        """Each cut is a packet, and comes from an address of its own."""
        packets = []
        for kind, whole in enumerate(self.samples(0)):
            for length in range(len(whole) + 1):
                frame = self.samples(numbered(len(packets)))[kind][:length]
                packets.append(at(len(packets), frame))
        rows = self.check(packets)
        self.assertGreater(len(rows), 200)

    def test_every_cut_of_the_other_link_types(self):
        for link_type, wrap in ((reference.LINUX_SLL, frames.sll), (reference.LINUX_SLL2, frames.sll2),
                                (reference.RAW, lambda inner: inner[1]), (reference.IPV4, lambda inner: inner[1])):
            packets = []
            for inner in (lambda source: frames.ipv4(source, protocol=frames.TCP, payload=frames.tcp()),
                          lambda source: frames.vlan(5, frames.ipv4(source, payload=frames.udp()))):
                if link_type in (reference.RAW, reference.IPV4) and inner(0)[0] != frames.IPV4:
                    continue
                for length in range(len(wrap(inner(0))) + 1):
                    packets.append(at(len(packets), wrap(inner(numbered(len(packets))))[:length]))
            with self.subTest(link_type=link_type):
                self.check(packets, link_type=link_type)

    def test_header_length_by_total_length(self):
        """Every header length with total lengths around every border, captured whole, cut, and padded."""
        packets = []
        for words in range(16):
            for total in {0, 1, 19, 20, 21, 39, 59, 60, 61, 64, 73, 74, 1500, 65534, 65535,
                          *(words * 4 + more for more in (0, 1, 2, 3, 4, 13, 14, 15, 20)), max(0, words * 4 - 1)}:
                for protocol in (frames.TCP, frames.UDP, frames.ICMP):
                    for captured in {20, words * 4, words * 4 + 3, words * 4 + 4, words * 4 + 14, 100}:
                        header = frames.ip(numbered(len(packets)), protocol=protocol, header_words=words,
                                           total_length=total, payload=bytes(range(0x41, 0x41 + 80)))
                        packets.append(at(len(packets) // 10, frames.ethernet((frames.IPV4, header[:captured]))))
        self.check(packets)

    def test_a_cut_header_and_what_is_wrong_with_it(self):
        """Depth is judged by what is announced, and lengths are looked at before options."""
        tags, ip = frames.ipv4(), frames.ip(total_length=20, header_words=15)
        for number in range(5):
            tags = frames.vlan(number, tags)
        labels = frames.mpls(range(17), frames.ip())
        for name, inner, whole in (("fifth tag", tags, 14 + 5 * 4), ("seventeenth label", labels, 14 + 17 * 4),
                                   ("options", (frames.IPV4, ip + bytes(40)), 14 + 60)):
            with self.subTest(name):
                frame = frames.ethernet(inner)
                self.check([at(length, frame[:length]) for length in range(whole)])

    def test_one_tag_and_one_label_too_many(self):
        tags = frames.ipv4()
        for number in range(5):
            tags = frames.vlan(number, tags)
        labels = frames.mpls(range(17), frames.ip())
        self.check([at(length, frame[:length]) for frame, whole in ((frames.ethernet(tags), 34),
                                                                   (frames.ethernet(labels), 82))
                    for length in range(whole, len(frame) + 1)])

    def test_every_version(self):
        packets = [at(version, frames.ethernet(frames.ipv4(numbered(version), version=version)))
                   for version in range(16)]
        self.check(packets)
        self.check([at(ms, frame[14:]) for ms, (_, frame) in enumerate(packets)], link_type=reference.RAW)
        self.check([at(version, frames.ethernet(frames.mpls([7], frames.ip(numbered(version), version=version))))
                    for version in range(16)])

    def test_every_type_field(self):
        self.check([at(ether_type // 100, frames.ethernet((ether_type, frames.ip(numbered(ether_type)))))
                    for ether_type in range(65536)])

    def test_every_protocol(self):
        """Only TCP, UDP and ICMP have something like ports."""
        payload = bytes([1, 2, 3, 4]) + bytes(9) + bytes([0xff]) + bytes(10)
        self.check([at(0, frames.ethernet(frames.ipv4(protocol=protocol, payload=payload))) for protocol in range(256)])

    def test_every_part_of_the_key(self):
        base = {"src": "1.0.0.1", "dst": "1.0.0.2", "src_port": 1, "dst_port": 2, "tos": 0}
        changes = [{}, {}, *({"tos": value} for value in range(256)), *({"src": value} for value in range(300)),
                   *({"dst": value} for value in range(300)), *({"src_port": value} for value in range(300)),
                   *({"dst_port": value} for value in range(300))]
        packets = [at(0, frames.udp_frame(**{**base, **change})) for change in changes]
        packets += [at(0, frames.tcp_frame(**{**base, **change})) for change in changes]
        self.check(packets)

    def test_fragments(self):
        first = frames.ethernet(frames.ipv4(payload=frames.udp(data=bytes(1472 - 8)), more=True))
        later = [frames.ethernet(frames.ipv4(payload=bytes(1480), more=True, offset=offset)) for offset in (185, 370)]
        tiny = frames.ethernet(frames.ipv4(protocol=frames.TCP, payload=frames.tcp(flags=FIN)[:8], more=True))
        rest = frames.ethernet(frames.ipv4(protocol=frames.TCP, payload=frames.tcp(flags=FIN)[8:], offset=1))
        self.check([at(ms, frame) for ms, frame in enumerate([first, *later, tiny, rest, tiny, rest])])

    def test_captures_cut_by_the_snap_length(self):
        chance = random.Random(11)
        packets = [at(number, chance.choice(self.samples(numbered(number % 40)))) for number in range(600)]
        for cut in (14, 34, 38, 48, 64, 96):
            with self.subTest(cut=cut):
                self.check(packets, cut=cut, snaplen=cut)

    def test_a_frame_longer_than_the_announced_snap_length_is_cut_there(self):
        self.check(EVERYDAY, snaplen=36)


class FullTable(GeneratedTest):

    def test_a_small_table_refuses_no_packet(self):
        chance = random.Random(3)
        packets = [at(number // 4, frames.tcp_frame(numbered(number % 5000), flags=chance.choice((SYN, ACK, ACK))))
                   for number in range(20000)]
        packets += [at(5000 + number, frames.udp_frame(numbered(number % 20))) for number in range(400)]
        for limit in (16, 64):
            with self.subTest(limit=limit):
                run = self.read(packets, "--max-flows", limit)
                self.assert_same_sums(run, reference.run(self.folder / "capture.pcap"))
                self.assertGreater(run.ledger["expired"]["evicted"], 0)
                self.assertLessEqual(run.ledger["flows_high_water"], limit)
                evicted = sum(row.end_reason == "evicted" for row in run.rows)
                self.assertEqual(run.ledger["expired"]["evicted"], evicted)

    def test_a_table_that_is_large_enough_evicts_nothing(self):
        self.check([at(number // 4, frames.udp_frame(numbered(number % 5000))) for number in range(20000)])

    def test_hold_idle_in_a_table_under_pressure(self):
        """Held flows give way: none is lost."""
        packets = [at(0, frames.udp_frame(numbered(number))) for number in range(12) for _ in range(6)]
        packets += [at(20000 + number, frames.udp_frame(numbered(100 + number))) for number in range(100)]
        run = self.read(packets, "--max-flows", 16, "--hold-idle")
        self.assert_same_sums(run, reference.run(self.folder / "capture.pcap"))
        self.assertLessEqual(run.ledger["flows_high_water"], 16)


class HashSeed(GeneratedTest):

    def test_the_secret_of_the_table_changes_no_flow(self):
        """0 is the default with --read, and then even the order is the same."""
        path = self.write(random_traffic(random.Random(6), 4000))
        runs = {seed: runner.read_capture(path, "--hash-seed", seed) for seed in ("0", "1", "random", 2 ** 64 - 1)}
        expected = reference.run(path)
        for seed, run in runs.items():
            with self.subTest(seed=seed):
                self.assert_success(run.outcome)
                self.assert_model(run, expected)
        self.assertEqual(runs["0"].csv, runner.read_capture(path).csv)


class Lcores(GeneratedTest):

    def test_two_lcores_give_the_flows_of_one(self):
        traffic = random_traffic(random.Random(5), 4000)
        path = self.write(traffic)
        options = ("--inactive-timeout", 1, "--active-timeout", 4)
        one = runner.read_capture(path, *options)
        two = runner.read_capture(path, *options, eal=("--lcores", "0@0,1@1"))
        for run in (one, two):
            self.assert_success(run.outcome)
            self.assert_model(run, reference.run(path, reference.Options(inactive_s=1, active_s=4)))

    def test_lcores_and_pace_change_nothing(self):
        """A tight table before and after a hole: more leaves at once than the ring holds."""
        packets = [at(number // 10, frames.udp_frame(src=numbered(number))) for number in range(6000)]
        packets += [at(20000 + number // 10, frames.udp_frame(src=numbered(number))) for number in range(3000, 10000)]
        path = self.write(packets)
        tight = ("--max-flows", 6500)
        runs = [runner.read_capture(path, *tight, collect=True),
                runner.read_capture(path, *tight, collect=True, eal=("--lcores", "0@0,1@1")),
                runner.read_capture(path, *tight, collect=True, eal=("--lcores", "(0-3)@(0-1)")),
                runner.read_capture(path, *tight, "--export-rate", 30000, collect=True)]
        for run in runs:
            self.assert_success(run.outcome)
            self.assertGreater(run.ledger["expired"]["evicted"], 0)
            self.assertTrue(run.csv == runs[0].csv, "the CSV differs")
            self.assertTrue(run.datagrams == runs[0].datagrams, "the datagrams differ")


class RandomTraffic(GeneratedTest):

    def test_random_traffic(self):
        for seed, (inactive, active, hold_idle) in enumerate(
                ((1, 4, False), (1, 1, False), (2, 1, False), (1, 30, True), (3, 5, True), (15, 1800, False))):
            with self.subTest(seed=seed):
                options = ["--inactive-timeout", inactive, "--active-timeout", active]
                self.check(random_traffic(random.Random(seed), 5000), *options, *["--hold-idle"] * hold_idle,
                           model=reference.Options(inactive, active, hold_idle))


if __name__ == "__main__":
    sys.exit(unittest.main())
