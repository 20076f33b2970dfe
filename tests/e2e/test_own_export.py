#!/usr/bin/env python3
"""A tap that sees the way to the collector: pollflow does not meter its own datagrams, and says how many it skipped."""

import contextlib
import socket
import unittest

import frames
from live_runner import Live, TapTest, wait_until

ONE_LCORE = ["--lcores", "0@0"]
FLOWS = 300
PORT = 2055


class OwnExportTest(TapTest):

    def run_towards_a_collector_behind_the_tap(self, *options):
        """Flows that end, exported over the tap that they came by; what the collector got before the stop."""
        self.addresses()
        with contextlib.closing(self.there.socket(socket.AF_INET, socket.SOCK_DGRAM)) as collector, \
             contextlib.closing(self.there.frames_on(self.far)) as wire, \
             Live([*ONE_LCORE, *self.af_packet(1)],
                  [*self.outputs(), "--collector", "10.9.0.2:%d" % PORT, "--export-delay", 10, *options],
                  prefix=self.here.prefix) as live:
            collector.bind(("10.9.0.2", PORT))
            collector.setblocking(False)
            for number in range(FLOWS):
                wire.send(frames.tcp_frame(src_port=1024 + number, flags=frames.FIN | frames.ACK))
            wait_until(lambda: self.written_flows() >= FLOWS, "each flow has been exported")
            got = 0
            with contextlib.suppress(BlockingIOError):
                while collector.recv(2048):
                    got += 1
            outcome = live.stop()
        self.assert_done(outcome)
        return got, outcome

    def flows_of_export(self):
        """Later fragments too, which have no ports."""
        return [row for row in self.rows if row.dst == "10.9.0.2" and row.protocol == 17]

    def test_its_own_datagrams_are_skipped_and_counted(self):
        got, outcome = self.run_towards_a_collector_behind_the_tap()
        skipped = self.ledger["skipped"]["own_export"]["packets"]
        self.assertGreaterEqual(got, FLOWS / 30)
        self.assertGreaterEqual(skipped, got)
        self.assertLessEqual(skipped, self.ledger["datagrams"]["sent"])
        self.assertEqual(self.flows_of_export(), [])
        self.assertIn("skipped: own_export", outcome.stdout)

    def test_they_are_metered_when_the_operator_says_so(self):
        got, _ = self.run_towards_a_collector_behind_the_tap("--skip-own-export=false")
        self.assertEqual(self.ledger["skipped"]["own_export"]["packets"], 0)
        self.assertGreaterEqual(sum(row.packets for row in self.flows_of_export()), got)

    def test_somebody_elses_export_to_the_same_collector_is_metered(self):
        self.addresses()
        frame = frames.udp_frame(src="10.9.0.1", dst="10.9.0.2", src_port=9, dst_port=PORT, data=bytes(72))
        with contextlib.closing(self.there.frames_on(self.far)) as wire, \
             Live([*ONE_LCORE, *self.af_packet(1)], [*self.outputs(), "--collector", "10.9.0.2:%d" % PORT],
                  prefix=self.here.prefix) as live:
            for _ in range(50):
                wire.send(frame)
            wait_until(lambda: self.here.counters(self.tap)[0] >= 50, "all frames have arrived")
            live.stop()
        self.assertEqual([(row.src_port, row.packets) for row in self.flows_of_export()], [(9, 50)])


if __name__ == "__main__":
    unittest.main()
