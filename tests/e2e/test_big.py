#!/usr/bin/env python3
"""Memory does not grow with the capture, and a large one is accounted for to the last packet.

Small by default. The size that the README's promise is about, a few minutes and 2 GB of disk:

    POLLFLOW=$PWD/build/app/pollflow POLLFLOW_BIG_PACKETS=20000000 POLLFLOW_BIG_FLOWS=1000000 \\
        python3 tests/e2e/test_big.py
"""

import json
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

import pollflow_runner

PACKETS = int(os.environ.get("POLLFLOW_BIG_PACKETS", 400_000))
FLOWS = int(os.environ.get("POLLFLOW_BIG_FLOWS", 20_000))
MAKE_CAPTURE = pathlib.Path(__file__).resolve().parents[2] / "scripts" / "make-capture"
GROWTH_KIB_MAX = 8 * 1024
OCTETS_A_PACKET = 46


class BigCaptureTest(unittest.TestCase):
    def run_on_made_up_capture(self, folder, packets):
        """(ledger, peak resident KiB) of a run over a made-up capture of so many packets."""
        capture, ledger = os.path.join(folder, "made-up.pcap"), os.path.join(folder, "ledger.json")
        subprocess.run([sys.executable, MAKE_CAPTURE, capture, "--packets", str(packets), "--flows", str(FLOWS),
                        "--packets-per-second", "1000000"], check=True)
        process = subprocess.Popen([pollflow_runner.binary(), "--read", capture, "--flows-out", "/dev/null",
                                    "--ledger", ledger], stdout=subprocess.DEVNULL)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        self.assertEqual(process.returncode, 0)
        with open(ledger, encoding="utf-8") as file:
            return json.load(file), usage.ru_maxrss

    def test_constant_memory_and_every_packet(self):
        with tempfile.TemporaryDirectory() as folder:
            _, small_kib = self.run_on_made_up_capture(folder, PACKETS // 4)
            ledger, big_kib = self.run_on_made_up_capture(folder, PACKETS)
        print(f"{PACKETS} packets of {FLOWS} flows: peak {big_kib} KiB; a quarter of the packets: {small_kib} KiB",
              file=sys.stderr)
        self.assertTrue(ledger["balanced"])
        self.assertEqual(ledger["accounted"]["packets"], PACKETS)
        self.assertEqual(ledger["accounted"]["octets"], PACKETS * OCTETS_A_PACKET)
        self.assertEqual(ledger["records"]["sent"]["packets"], PACKETS)
        self.assertGreaterEqual(ledger["flows_high_water"], FLOWS * 99 // 100)
        self.assertEqual(ledger["expired"]["evicted"], 0)
        self.assertLess(big_kib - small_kib, GROWTH_KIB_MAX)


if __name__ == "__main__":
    unittest.main()
