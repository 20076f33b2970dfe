#!/usr/bin/env python3
"""scripts/bench, in small: each case runs and is exact; what goals are reached; and no figure on wrong totals."""

import json
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPOSITORY / "tests" / "perf"))

import rows     # noqa: E402

BUILD = pathlib.Path(os.environ["POLLFLOW"]).parents[1]


def bench(*arguments):
    return subprocess.run([REPOSITORY / "scripts" / "bench", *map(str, arguments)], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, timeout=300, check=False)


class BenchTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def stand_in(self, **programs):
        """A build folder whose programs are the real ones but for these shell scripts."""
        for path in ("tests/perf/worker_bench", "tests/perf/export_bench", "tests/peers/capture_floor", "app/pollflow"):
            place = self.folder / path
            place.parent.mkdir(parents=True, exist_ok=True)
            place.unlink(missing_ok=True)
            script = programs.get(place.name)
            if script is None:
                place.symlink_to(BUILD / path)
            else:
                place.write_text("#!/bin/sh\n" + script)
                place.chmod(0o755)
        return self.folder

    def test_every_row_is_there_and_every_sample_is_written(self):
        done = bench("--tiny", "--build", BUILD, "--json", self.folder / "bench.json")
        self.assertEqual(done.returncode, 0, done.stderr)
        written = json.loads((self.folder / "bench.json").read_text())
        self.assertEqual({row["row"] for row in written["rows"]}, {str(number) for number in range(1, 15)})
        self.assertEqual(len(done.stdout.splitlines()), 1 + len(written["rows"]))
        self.assertEqual(set(written["samples"]), {"worker", "chosen", "export", "captures"})

    def test_no_figure_when_a_total_is_wrong(self):
        for program, says in {"worker_bench": "packets received: 7, not 8", "export_bench": "no figure"}.items():
            with self.subTest(program):
                folder = self.stand_in(**{program: "echo '%s: %s' >&2; exit 1\n" % (program, says)})
                done = bench("--tiny", "--build", folder)
                self.assertEqual([done.returncode, done.stdout], [1, ""])
                self.assertIn(says, done.stderr)

    def test_no_figure_when_the_source_is_too_slow(self):
        samples = {"cases": [{"name": "uniform 1 K", "samples": {"worker": [25], "null": [10], "raw": [5]}}]}
        folder = self.stand_in(worker_bench="echo '%s'\n" % json.dumps(samples))
        done = bench("--only", "worker", "--build", folder)
        self.assertEqual([done.returncode, done.stdout], [1, ""])
        self.assertIn("not 3 times faster than the worker in: uniform 1 K", done.stderr)

    def test_chosen_flows_that_cost_too_much_make_it_fail_with_huge_pages(self):
        reserved, other = "reserved huge pages", "what the kernel gives"
        for times, pages, code in ((1.09, reserved, 0), (1.11, reserved, 1), (1.11, other, 0)):
            with self.subTest(times=times, pages=pages):
                case = {"name": "chosen", "pages": pages, "samples": {"random": [30], "one /24": [1], "one port": [times]}}
                folder = self.stand_in(worker_bench="echo '%s'\n" % json.dumps({"cases": [case]}))
                done = bench("--only", "chosen", "--build", folder)
                self.assertEqual([done.returncode, done.stderr], [code, ""])
                self.assertIn("one port, of 2; random 30 cycles; " + pages, done.stdout)

    def test_no_figure_when_the_ledger_of_a_capture_is_wrong(self):
        done = bench("--tiny", "--only", "captures", "--build", self.stand_in(pollflow="exit 1\n"))
        self.assertEqual([done.returncode, done.stdout], [1, ""])
        self.assertIn("pollflow ended with 1", done.stderr)

    def test_wrong_arguments_and_a_report_that_cannot_be_written(self):
        self.assertEqual(bench("--rounds", "0").returncode, 64)
        self.assertEqual(bench("--only", "everything").returncode, 64)
        done = bench("--tiny", "--build", BUILD, "--json", self.folder / "no" / "bench.json")
        self.assertEqual(done.returncode, 73)
        self.assertIn("--json", done.stderr)


class RowsTest(unittest.TestCase):
    def test_a_source_that_is_too_slow_is_noticed(self):
        self.assertTrue(rows.source_is_fast_enough({"worker": [30, 31, 90], "null": [10, 10, 40]}))
        self.assertFalse(rows.source_is_fast_enough({"worker": [30, 29, 29], "null": [10, 10, 10]}))

    def test_a_verdict_goes_by_the_median_and_by_which_side_is_good(self):
        low = rows.Row("1", "low is good", [2.4, 2.6, 1.0], 2.5, 1.6, True)
        self.assertEqual([low.median, low.verdict], [2.4, "must"])
        high = rows.Row("5", "high is good", [1.9, 3.5, 3.1], 2, 3, False)
        self.assertEqual([high.median, high.verdict], [3.1, "aim"])
        self.assertEqual(rows.Row("5", "short", [1.9], 2, 3, False).verdict, "SHORT")

    def test_net_is_worker_less_source_in_the_same_round(self):
        self.assertEqual(rows.net({"worker": [50, 80], "null": [10, 30]}), [40, 50])


if __name__ == "__main__":
    unittest.main()
