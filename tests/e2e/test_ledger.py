#!/usr/bin/env python3
"""pollflow checks its own ledger, and says so when it does not add up; progress is for terminals only."""

import os
import pty
import random
import unittest

import pollflow_runner as runner
import traffic

FAILED = 1


class LedgerTest(traffic.GeneratedTest):

    def test_a_port_that_counts_otherwise_is_found_out(self):
        library = os.environ.get("POLLFLOW_LYING_PORT", "")
        if not library:
            self.skipTest("POLLFLOW_LYING_PORT is not set: the library that the build makes of lying_port.cpp")
        ledger = self.folder / "ledger.json"
        # Sanitizers want to be the first library; here they need not be.
        environment = {**os.environ, "LD_PRELOAD": library, "ASAN_OPTIONS": "verify_asan_link_order=0"}
        outcome = runner.execute(["--read", self.write(traffic.EVERYDAY), "--ledger", ledger], env=environment)
        self.assertEqual(outcome.code, FAILED)
        self.assertEqual(outcome.stderr, "pollflow: the ledger does not add up: received (packets) is 7, but what "
                                         "the ports count as received is 8\n")
        self.assertIn("The ledger does not add up", outcome.stdout)
        self.assertIs(runner.parse_ledger(ledger.read_text())["balanced"], False)

    def test_progress_is_shown_on_a_terminal(self):
        path = self.write(traffic.random_traffic(random.Random(1), 5000))
        master, terminal = pty.openpty()
        self.addCleanup(os.close, master)
        with runner.Collector() as collector:
            process = runner.start(["--read", path, "--collector", collector.address, "--export-rate", 20,
                                    "--inactive-timeout", 1], stderr=terminal)
            os.close(terminal)
            shown = os.read(master, 4096).decode()
            process.kill()
            process.communicate()
        self.assertRegex(shown, r"\d+ packets, [\d.]+ million a second, \d+ flows, \d+ % of the file")


if __name__ == "__main__":
    unittest.main()
