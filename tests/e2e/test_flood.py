#!/usr/bin/env python3
"""Floods of one-packet flows: memory, the pace of export, the totals of the flows in their midst, what is lost."""

import os
import pathlib
import struct
import subprocess
import time
import unittest

import capture_writer as writer
import frames
import pollflow_runner as runner
import v5
from live_runner import Live, LiveTest, wait_until

START_S = 1700000000
LONG_NETWORK = 0x0ac80000           # 10.200.0.0/16: the flows in the midst of the flood
FLOOD_NETWORK = 0x0b000000          # 11.0.0.0/8: each packet a flow of its own
FRAME_BYTES = 60
RATE = 20_000                       # records a second
ROWS = 30                           # records a datagram
SECONDS = float(os.environ.get("POLLFLOW_FLOOD_SECONDS", 3))
GROWTH_KIB_MAX = 4096


def frame(source, octets=46):
    return frames.udp_frame(src=source, data=bytes(octets - 28)).ljust(FRAME_BYTES, b"\0")


def long_octets(number):
    """IPv4 octets of each packet of such a flow."""
    return 28 + number % 18


def long_frame(number):
    return frame(LONG_NETWORK + number, long_octets(number))


def dotted(number):
    return ".".join(str(number >> shift & 255) for shift in (24, 16, 8, 0))


class CaptureFloodTest(LiveTest):
    """In capture time, so that it is over at once: two million flows into room for four thousand."""

    LONG, FIRST_PACKETS, CHUNKS, BETWEEN = 50, 8, 100, 400

    def write_flood(self):
        """Long flows get under way, then have a packet each in turn after 400 of the flood, whose addresses differ in
        their last three bytes."""
        record_bytes = 16 + FRAME_BYTES
        address = 16 + frame(FLOOD_NETWORK).index(frames.address(FLOOD_NETWORK))
        path = self.folder / "flood.pcap"
        with open(path, "wb") as file:
            file.write(writer.pcap_header())
            flood = [bytearray(b"".join(writer.pcap_record(START_S, 0, frame(FLOOD_NETWORK + long * self.BETWEEN + at))
                                        for at in range(self.BETWEEN))) for long in range(self.LONG)]
            long_records = [writer.pcap_record(START_S, 0, long_frame(number)) for number in range(self.LONG)]
            file.write(b"".join(long_records * self.FIRST_PACKETS))
            for chunk in range(self.CHUNKS):
                for block, long_record in zip(flood, long_records):
                    block[address + 1::record_bytes] = bytes([chunk]) * self.BETWEEN
                    file.write(block)
                    file.write(long_record)
        return path

    def test_two_million_one_packet_flows_change_no_total_of_fifty_long_ones(self):
        path, kept = self.write_flood(), self.folder / "kept.csv"
        with open(kept, "wb") as file, subprocess.Popen(["grep", "^10.200."], stdin=subprocess.PIPE,
                                                        stdout=file) as grep:
            outcome = runner.execute(["--read", path, "--max-flows", 4096, "--flows-out", "-", "--ledger",
                                      self.folder / "ledger.json"], stdout=grep.stdin)
            grep.stdin.close()
        self.assertEqual(outcome.code, 0, outcome.stderr)
        ledger = self.ledger
        self.assert_adds_up(ledger)
        flood, packets = self.LONG * self.CHUNKS * self.BETWEEN, self.FIRST_PACKETS + self.CHUNKS
        self.assertEqual(ledger["accounted"]["packets"], flood + self.LONG * packets)
        self.assertGreater(ledger["expired"]["evicted"], flood * 99 // 100)
        self.assertLessEqual(ledger["flows_high_water"], 4096)
        self.assertEqual(sum(lost["records"] for lost in ledger["records"]["lost"].values()), 0)
        rows = runner.parse_rows(runner.reference.CSV_HEADER + "\n" + kept.read_text())
        sums = {key[0]: totals[:2] for key, totals in runner.sums_by_key(rows).items()}
        self.assertEqual(sums, {dotted(LONG_NETWORK + number): (packets, packets * long_octets(number))
                                for number in range(self.LONG)})
        self.assertEqual({row.end_reason for row in rows}, {"forced"}, "none is evicted, as all are big")
        self.assertEqual(len(rows), self.LONG)


class LiveFloodTest(LiveTest):
    """As fast as the port is polled: more flows than may be exported, and than the table holds."""

    LONG, FLOOD, MAX_FLOWS = 8, 500, 128      # the driver keeps all packets of the capture in buffers
    FIRST_PACKETS = 8       # of each long flow, at once, in each round of the capture
    burst_max = RATE // 100

    def endless_flood(self):
        packets = [long_frame(number) for number in range(self.LONG) for _ in range(self.FIRST_PACKETS)]
        packets += [frame(FLOOD_NETWORK + number) for number in range(self.FLOOD)]
        path = self.capture([(START_S * 1000000, packet) for packet in packets])
        return ["--vdev", "net_pcap0,rx_pcap=%s,infinite_rx=1" % path], len(packets)

    def resident_kib(self, live):
        status = pathlib.Path("/proc/%d/status" % live.process.pid).read_text()
        return int(status.partition("VmRSS:")[2].split()[0])

    def expected_long_packets(self, accounted, round_packets):
        """Of each long flow, from how often the capture went round and where the last round ended."""
        rounds, rest = divmod(accounted, round_packets)
        return {dotted(LONG_NETWORK + number): rounds * self.FIRST_PACKETS
                + min(max(rest - number * self.FIRST_PACKETS, 0), self.FIRST_PACKETS) for number in range(self.LONG)}

    def assert_pace(self, heads):
        """By the times in the headers: never more than the rate and what may be saved up, over any while."""
        saved, filled_at = float(self.burst_max), v5.header_time_ms(heads[0])
        for head in heads:
            now = v5.header_time_ms(head)
            saved = min(self.burst_max, saved + (now - filled_at) * RATE / 1000) - head.count
            filled_at = now
            self.assertGreaterEqual(saved, -RATE / 100, "10 ms: what the clock of the headers is corrected by")


    def test_pace_memory_totals_and_losses_of_a_flood_that_is_more_than_may_be_exported(self):
        port, round_packets = self.endless_flood()
        with runner.Collector() as collector:
            began = time.monotonic()
            with Live(["--lcores", "0@0,1@1" if (os.cpu_count() or 1) > 1 else "(0-1)@0", *port],
                      ["--ledger", self.folder / "ledger.json", "--collector", collector.address, "--max-flows",
                       self.MAX_FLOWS, "--export-rate", RATE, "--inactive-timeout", 600]) as live:
                self.assertTrue(collector.arrived.wait(20))
                warm_up = len(collector.datagrams) + RATE // ROWS
                wait_until(lambda: len(collector.datagrams) > warm_up, "a second's records", 60)
                warm_kib = self.resident_kib(live)
                time.sleep(SECONDS)
                grown_kib = self.resident_kib(live) - warm_kib
                outcome = live.stop()
            took = time.monotonic() - began
            datagrams = collector.finish()
        self.assert_done(outcome)
        self.assertLess(grown_kib, GROWTH_KIB_MAX)
        ledger, heads = self.ledger, [v5.header(datagram) for datagram in datagrams]
        arrived = sum(head.count for head in heads)

        self.assert_pace(heads)
        self.assertLessEqual(arrived, RATE * took + self.burst_max)
        self.assertGreater(arrived, RATE * SECONDS / 2)

        lost = ledger["records"]["lost"]["ring_full"]["records"]
        self.assertGreater(lost, 0)
        self.assertEqual(arrived, ledger["records"]["sent"]["records"])
        self.assertEqual(ledger["flow_sequence"] - arrived, lost)
        self.assertEqual(self.missed(heads, ledger["flow_sequence"]), lost)

        packets = {}
        for row in v5.rows(datagrams):
            if row[0].startswith("10.200."):
                packets[row[0]] = packets.get(row[0], 0) + row[7]
                self.assertEqual(row[8], row[7] * long_octets(int(row[0].split(".")[3])))
        self.assertEqual(packets, self.expected_long_packets(ledger["accounted"]["packets"], round_packets))

    @staticmethod
    def missed(heads, end):
        """Records that a collector misses, by the gaps in flow_sequence, the last one up to the end."""
        missed, expected = 0, 0
        for head in heads:
            missed += head.flow_sequence - expected
            expected = head.flow_sequence + head.count
        return missed + end - expected


if __name__ == "__main__":
    unittest.main()
