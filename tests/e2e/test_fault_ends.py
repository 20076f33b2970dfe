#!/usr/bin/env python3
"""The end, asked for in the middle of heavy traffic or come by SIGKILL, and the start after it."""

import json
import pathlib
import shutil
import signal
import subprocess
import unittest

import client_runner
import huge_pages
import v5
from fault_runner import SANITIZED, THREE_LCORES, WORKER, FaultTest, Tapped, Traffic, flow_frames, stalled
from live_runner import Controlled, LiveTest, own_name, wait_until

A_SECOND = 4000 if SANITIZED else 10000
FLOWS = flow_frames(A_SECOND // 4)
PAGES = 128


class StopTest(FaultTest):

    def test_what_had_come_before_a_stop_in_heavy_traffic_is_exported(self):
        site = self.site()
        with site.collector() as collector:
            options, ledger_of = self.run_of("run", [collector.address])
            with Tapped(site, [*options, "--inactive-timeout", 600]) as live, \
                 Traffic(site.wire, FLOWS, A_SECOND):
                wait_until(lambda: live.received > len(FLOWS), "each flow has been there")
                with stalled(live, WORKER):         # so that there is something to drain
                    before = site.arrived
                    wait_until(lambda: site.arrived > before + 1000, "more has come")
                    before = site.arrived
                    live.send(signal.SIGTERM)
                outcome = live.finish()             # traffic goes on all the while
                after = site.arrived
            datagrams = collector.finish()
        self.assertEqual(outcome.code, 0, outcome.stderr)
        ledger = ledger_of()
        self.assert_adds_up(ledger)
        self.assertGreaterEqual(ledger["received"]["packets"], before)
        self.assertLessEqual(ledger["received"]["packets"], after)
        self.assert_no_record_lost(ledger)
        self.assert_gaps_are(datagrams, 0, ledger)
        self.assertEqual(v5.lint(datagrams), [])
        self.assertEqual(sum(row[7] for row in v5.rows(datagrams)), ledger["accounted"]["packets"])


class OnHugePages(Controlled):
    """As an operator would run it, but for a name and a hugetlbfs of its own."""

    def __init__(self, folder, file_prefix, options):
        self.file_prefix, self.folder = file_prefix, folder
        super().__init__([*THREE_LCORES, "-m", "64", "--vdev", "net_null0"], options)

    def common_eal(self):
        return ["--no-pci", "--huge-dir", self.folder, "--file-prefix", self.file_prefix]

    def finish(self):
        """What it leaves in its runtime folder stays."""
        return super(Controlled, self).finish()


class KillTest(LiveTest):

    def run_again(self, folder, prefix):
        with OnHugePages(folder, prefix, ["--max-flows", 1024, "--ledger", self.folder / "ledger.json"]) as again:
            wait_until(lambda: again.ask("/pollflow/ledger")["received_packets"] > 0, "it receives")
            told = subprocess.run([client_runner.binary(), "--file-prefix", prefix, "--json", "ledger"],
                                  capture_output=True, text=True, timeout=60, check=False)
            outcome = again.stop()
        self.assertEqual(told.returncode, 0, told.stderr)
        self.assertGreater(json.loads(told.stdout)["ledger"]["received_packets"], 0)
        self.assert_done(outcome)

    def test_after_sigkill_no_page_is_held_and_the_next_start_is_as_any(self):
        with huge_pages.reserved(PAGES) as folder:
            free = huge_pages.free()
            with OnHugePages(folder, own_name("pfkilled"), ["--max-flows", 1024]) as killed:
                self.addCleanup(shutil.rmtree, killed.runtime_folder, ignore_errors=True)
                self.assertLess(huge_pages.free(), free)
                self.assertEqual(list(folder.iterdir()), [], "files while it runs")
                self.assertEqual(killed.stop(signal.SIGKILL).code, -signal.SIGKILL)
            self.assertTrue(pathlib.Path(killed.telemetry).exists())        # stale, as a lock and others are
            wait_until(lambda: huge_pages.free() == free, "all pages are free again")
            self.run_again(folder, killed.file_prefix)
            self.assertEqual(list(folder.iterdir()), [])
            wait_until(lambda: huge_pages.free() == free, "all pages are free again")


if __name__ == "__main__":
    unittest.main()
