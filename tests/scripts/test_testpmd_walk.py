#!/usr/bin/env python3
"""The benchmark's walk without a NIC, for one second: dpdk-testpmd sends, pollflow receives, nothing is lost."""

import os
import pathlib
import shutil
import subprocess
import unittest

WALK = pathlib.Path(__file__).resolve().parents[2] / "scripts" / "pktgen" / "testpmd-walk"


@unittest.skipIf(shutil.which("dpdk-testpmd") is None, "dpdk-testpmd is not installed (Debian's package dpdk-dev)")
class TestpmdWalkTest(unittest.TestCase):

    def test_all_that_was_sent_is_in_the_ledger(self):
        done = subprocess.run([WALK, "1", "100"], capture_output=True, text=True, timeout=150, check=False)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertIn("Lost between the two: 0.", done.stdout)
        self.assertIn("The ledger adds up", done.stdout)

    def test_a_wrong_argument_is_named(self):
        done = subprocess.run([WALK, "soon"], capture_output=True, text=True, timeout=30, check=False)
        self.assertEqual(done.returncode, 64)
        self.assertIn("testpmd-walk: SECONDS soon", done.stderr)


if __name__ == "__main__":
    if not os.environ.get("POLLFLOW"):
        raise SystemExit("POLLFLOW is not set: set it to the absolute path of the pollflow to test")
    unittest.main()
