#!/usr/bin/env python3
"""Disks that are full: the run goes on, what is missing there is counted to the record, and the exit code says so."""

import unittest

import pollflow_runner as runner
import v5
from fault_runner import SANITIZED, FaultTest, Tapped, flow_frames, small_disk
from live_runner import wait_until

FLOWS = 2000 if SANITIZED else 6000
NO_SPACE = "No space left on device"


class FullDiskTest(FaultTest):

    def run_on(self, disk, site, collectors=()):
        """Every frame a flow, into a file on a disk that holds some of them; the ledger."""
        options, ledger_of = self.run_of("run", collectors, flows_out=False)
        with Tapped(site, [*options, "--flows-out", disk / "flows.csv", "--inactive-timeout", 1,
                           "--export-delay", 100]) as live:
            for frame in flow_frames(FLOWS):
                site.wire.send(frame)
            live.wait_for("--flows-out %s: writing failed (%s); carrying on without it"
                          % (disk / "flows.csv", NO_SPACE))
            self.catch_up(site, live)
            outcome = live.stop()
        self.assertEqual(outcome.code, 1, outcome.stderr)
        ledger = ledger_of()
        self.assert_received_all(site, ledger)
        written, failed = ledger["flows_out"]["records_written"], ledger["flows_out"]["records_failed"]
        self.assertIn("%d records are missing there" % failed, outcome.stderr)
        self.assertGreater(written, 0)
        self.assertEqual([ledger["flow_sequence"], written + failed], [FLOWS, FLOWS])
        self.check_file(disk / "flows.csv", written)
        return ledger

    def check_file(self, path, written):
        """As many whole lines as are said to be written, the last one perhaps cut short behind them."""
        contents = path.read_text()
        whole = contents[:contents.rindex("\n") + 1]
        self.assertEqual(len(runner.parse_rows(whole)), written)

    def test_without_a_collector_the_records_are_lost(self):
        with small_disk(100) as disk:
            ledger = self.run_on(disk, self.site())
        self.assertEqual(ledger["records"]["lost"]["write_failed"]["records"], ledger["flows_out"]["records_failed"])
        self.assertEqual(ledger["records"]["sent"]["records"], ledger["flows_out"]["records_written"])

    def test_a_collector_gets_them_all_the_same(self):
        site = self.site()
        with small_disk(100) as disk, site.collector() as collector:
            ledger = self.run_on(disk, site, [collector.address])
            datagrams = collector.finish()
        self.assert_no_record_lost(ledger)
        self.assert_gaps_are(datagrams, 0, ledger)
        self.assertEqual(len(v5.rows(datagrams)), FLOWS)

    def test_no_room_for_the_ledger(self):
        site = self.site()
        with small_disk(4) as disk:
            (disk / "other").write_bytes(bytes(4096))
            with Tapped(site, ["--ledger", disk / "ledger.json"]) as live:
                for frame in flow_frames(100):
                    site.wire.send(frame)
                wait_until(lambda: live.received == 100, "they are received")
                outcome = live.stop()
        self.assertEqual(outcome.code, 1)
        self.assertIn("pollflow: --ledger %s: writing failed (%s)\n" % (disk / "ledger.json", NO_SPACE), outcome.stderr)
        self.assertIn("The ledger adds up", outcome.stdout)
        self.assertRegex(outcome.stdout, r"received +100 ")


if __name__ == "__main__":
    unittest.main()
