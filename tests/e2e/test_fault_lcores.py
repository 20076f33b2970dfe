#!/usr/bin/env python3
"""Lcores that stand still for 10 seconds, packet buffers that run out: what is lost is counted, all else is there."""

import os
import time
import unittest

import pollflow_runner as runner
import v5
from fault_runner import (COLLECTOR_HOST, EXPORTER, PORT, SANITIZED, THREE_LCORES, WORKER, FaultTest, Tapped, Traffic,
                          flow_frames, stalled)
from live_runner import NOTHING_LEFT_BEHIND, Live, wait_until

STALL_S = 4 if SANITIZED else 10
A_SECOND = 1000
FLOWS = flow_frames(A_SECOND * 4)
MORE_THAN_A_RING = 8000         # which holds 4095 records


class Run:
    """A pollflow with a site, a collector and traffic of its own, one of several side by side."""

    def __init__(self, test, name, *more, a_second=A_SECOND):
        self.test = test
        self.site = test.site()
        self.collector = test.enter(self.site.collector())
        options, self.ledger_of = test.run_of(name, ["%s:%d" % (COLLECTOR_HOST, PORT)], flows_out=False)
        self.live = test.enter(Tapped(self.site, [*options, "--inactive-timeout", 1, *more]))
        self.traffic = test.enter(Traffic(self.site.wire, FLOWS, a_second))

    def end(self):
        """Stops it; the ledger, in which no packet is missing, and what the collector got."""
        self.traffic.__exit__()
        self.test.catch_up(self.site, self.live)
        outcome = self.live.stop()
        self.test.assertEqual(outcome.code, 0, outcome.stderr)
        ledger, datagrams = self.ledger_of(), self.collector.finish()
        self.test.assert_received_all(self.site, ledger)
        return outcome, ledger, datagrams


class StandingStillTest(FaultTest):

    def test_an_lcore_that_stands_still_for_ten_seconds(self):
        """Three at once: an export lcore with tables that have room, one with tables that have none, a worker."""
        roomy, worker = Run(self, "roomy"), Run(self, "worker")
        tight = Run(self, "tight", "--max-flows", 512, a_second=2 * A_SECOND)
        for run in (roomy, tight, worker):
            self.assertTrue(run.collector.arrived.wait(60))
        with stalled(roomy.live, EXPORTER), stalled(tight.live, EXPORTER), stalled(worker.live, WORKER):
            began = time.monotonic()
            told = worker.live.received
            seen = [(run.live.received, run.site.arrived) for run in (roomy, tight)]
            time.sleep(STALL_S)
            wait_until(lambda: tight.site.arrived > seen[1][1] + MORE_THAN_A_RING, "a ring's worth and more has come")
            for run, (received, arrived) in zip((roomy, tight), seen):
                self.assertGreater(run.site.arrived, arrived)
                wait_until(lambda run=run, up_to=run.site.arrived: run.live.received >= up_to,
                           "workers receive while nobody exports")
            self.assertEqual(worker.live.received, told)
            self.assertGreater(time.monotonic() - began, STALL_S)
        self.check_nothing_lost(roomy)
        self.check_records_lost(tight)
        self.check_nothing_lost(worker)

    def check_nothing_lost(self, run):
        _, ledger, datagrams = run.end()
        self.assert_no_record_lost(ledger)
        self.assert_gaps_are(datagrams, 0, ledger)

    def check_records_lost(self, run):
        outcome, ledger, datagrams = run.end()
        lost = ledger["records"]["lost"]["ring_full"]["records"]
        self.assertGreater(lost, 0)
        self.assert_gaps_are(datagrams, lost, ledger)
        self.assertEqual(len(v5.rows(datagrams)), ledger["records"]["sent"]["records"])
        self.assertIn("records are being lost", outcome.stderr)


class BuffersTest(FaultTest):

    def test_buffers_that_find_no_memory_at_the_start(self):
        (self.folder / "net_null.conf").write_text("rx-descriptors = 32768\n")
        outcome = runner.execute([*NOTHING_LEFT_BEHIND, "-m", 64, *THREE_LCORES, "--vdev", "net_null0", "--",
                                  "--max-flows", 1024, "--driver-config", self.folder])
        self.assertEqual(outcome.code, 69, outcome.stderr)
        self.assertRegex(outcome.stderr, r"pollflow: no memory for \d+ packet buffers .*-m, or fewer descriptors")

    def test_frames_that_find_no_buffer_are_counted_one_by_one(self):
        library = os.environ.get("POLLFLOW_SMALL_POOL", "")
        if not library:
            self.skipTest("POLLFLOW_SMALL_POOL is not set: the library that the build makes of small_pool.cpp")
        site = self.site()
        environment = {**os.environ, "LD_PRELOAD": library, "POLLFLOW_BUFFERS": "31",
                       "ASAN_OPTIONS": "verify_asan_link_order=0"}
        options, ledger_of = self.run_of("run")
        with Live([*THREE_LCORES, "--vdev", "net_pcap0,rx_iface_in=%s" % site.tap], options, prefix=site.here.prefix,
                  env=environment) as live:
            with stalled(live, WORKER):         # so that a burst has more frames than there are buffers
                for frame in flow_frames(1000):
                    site.wire.send(frame)
            live.wait_for("times the device had no packet buffer to fill")
            outcome = live.stop()
        self.assertEqual(outcome.code, 0, outcome.stderr)
        ledger = ledger_of()
        self.assert_adds_up(ledger)
        port, = ledger["ports"]
        self.assertGreater(port["rx_nombuf"], 0)
        self.assertEqual(port["received"] + port["missed"] + port["rx_nombuf"], site.arrived)


if __name__ == "__main__":
    unittest.main()
