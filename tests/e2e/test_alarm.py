#!/usr/bin/env python3
"""A real Prometheus watches a real pollflow: its alerts are silent in health, and one that matters is not when a
counter in the running program is wrong."""

import os
import re
import struct
import unittest
import urllib.request

import capture_writer as writer
import frames
import openmetrics
import pollflow_runner as runner
import prometheus
from live_runner import Controlled, wait_until

TWO_LCORES = ["--lcores", "0@0,1@1"] if (os.cpu_count() or 1) > 1 else ["--lcores", "0@0,1@0"]
START_US = 1700000000 * 1000000
FLOWS, ARP = 5003, 1999         # their sum is a number that stands for nothing else in the program's memory
RECEIVED = FLOWS + ARP


def overwrite(process, old, new):
    """Writes one number for another wherever it stands in the memory of a process: a fault that nothing in the
    program knows of. Returns in how many places."""
    places = 0
    pattern = re.compile(re.escape(struct.pack("<Q", old)))
    with open("/proc/%d/maps" % process.pid, encoding="ascii") as maps:
        areas = [line.split() for line in maps]
    with open("/proc/%d/mem" % process.pid, "r+b", buffering=0) as memory:
        for area in areas:
            begin, end = (int(number, 16) for number in area[0].split("-"))
            if not area[1].startswith("rw") or area[-1].startswith("[v") or end - begin > 1 << 30:
                continue
            memory.seek(begin)
            for found in pattern.finditer(memory.read(end - begin) or b""):
                if found.start() % 8 == 0:
                    memory.seek(begin + found.start())
                    memory.write(struct.pack("<Q", new))
                    places += 1
    return places


class AlarmTest(runner.PollflowTest):

    def traffic(self):
        packets = [(START_US, frames.udp_frame(src="10.%d.%d.1" % (number // 250, number % 250)))
                   for number in range(FLOWS)]
        packets += [(START_US, frames.ethernet(frames.arp()))] * ARP
        path = self.folder / "traffic.pcap"
        writer.write_pcap(path, packets)
        return ["--vdev", "net_pcap0,rx_pcap=%s" % path]

    def page(self):
        with urllib.request.urlopen("http://%s/metrics" % self.address, timeout=30) as page:
            return page.read().decode()

    def test_the_ledger_s_alert_is_silent_in_health_and_fires_on_a_fault_in_the_program(self):
        if not os.access("/proc/self/mem", os.W_OK) or os.geteuid() != 0:
            self.skipTest("writing to the memory of another process wants root")
        prometheus.program("prometheus")        # a skip that says why, where it cannot be had
        self.address = "127.0.0.1:%d" % runner.closed_tcp_port()
        options = ["--metrics", self.address, "--ledger", self.folder / "ledger.json", "--flows-out", "/dev/null",
                   "--max-flows", 10_000, "--inactive-timeout", 600, "--collector",
                   "127.0.0.1:%d" % runner.closed_port()]
        with Controlled([*TWO_LCORES, "-m", "256", *self.traffic()], options) as live:
            wait_until(lambda: live.ask("/pollflow/info")["received_packets"] == RECEIVED, "all packets are received")
            openmetrics.parse(self.page())      # which is strict
            with prometheus.Prometheus(self.address) as server:
                server.settle()
                self.assertEqual(server.broken_equations(), set())
                self.assertEqual(server.query("pollflow_received_packets_total")[0][1], RECEIVED)
                self.assertEqual(server.rule_errors(), [])
                live.ask("/pollflow/expire")    # records under way, sent, refused: still in health
                server.settle()
                self.assertEqual(server.broken_equations(), set())
                self.assertGreater(overwrite(live.process, RECEIVED, RECEIVED + 1), 0)
                wait_until(lambda: live.ask("/pollflow/ledger")["balanced"] == 0, "pollflow sees it, too")
                # What was received is not what became of it; that all else still holds is seen, too. Port and
                # queue have counted the same number, which may have been overwritten there as well.
                server.expect_broken({"any", "received packets"}, perhaps={"port packets", "queue packets"})
            outcome = live.stop()
        self.assertEqual(outcome.code, 1)
        self.assertIn("the ledger does not add up: received", outcome.stderr)


if __name__ == "__main__":
    unittest.main()
