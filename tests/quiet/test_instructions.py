#!/usr/bin/env python3
"""The hot path takes as many instructions for a packet as are recorded in instructions.json, and not more or less."""

import copy
import importlib.machinery
import importlib.util
import json
import os
import pathlib
import shutil
import subprocess
import sys
import unittest

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
SCRIPT = REPOSITORY / "scripts/count-instructions"
PROGRAM = os.environ.get("POLLFLOW_HOT_PATH", "")


def load_script():
    sys.path.insert(0, str(SCRIPT.parent))
    loader = importlib.machinery.SourceFileLoader("count_instructions", str(SCRIPT))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader(loader.name, loader))
    loader.exec_module(module)
    return module


script = load_script()
RECORDED = json.loads(script.FIGURES.read_text())


def why_not():
    """Why counts of this build cannot be compared with the recorded ones; empty when they can."""
    if shutil.which("valgrind") is None:
        return "valgrind is not installed (scripts/install-deps perf)"
    build = script.build_of(PROGRAM)
    if build != RECORDED["build"]:
        return "instructions.json was recorded with %s, this is %s" % (RECORDED["build"], build)
    return ""


class InstructionsTest(unittest.TestCase):

    def test_counts_are_as_recorded(self):
        if reason := why_not():
            self.skipTest(reason)
        counted = script.measure(PROGRAM)
        self.assertEqual([], script.moved(RECORDED, counted))
        for traffic in script.TRAFFIC:
            self.assertEqual(counted["traffic"][traffic]["packets"], RECORDED["traffic"][traffic]["packets"])

    def test_a_count_that_moved_is_named_with_its_stages_and_with_what_records_anew(self):
        slower = copy.deepcopy(RECORDED)
        hits = slower["traffic"]["hits"]
        stage = max(hits["stages"], key=hits["stages"].get)
        hits["stages"][stage] += 0.03 * hits["all"]
        hits["all"] *= 1.03
        [sentence] = script.moved(RECORDED, slower)
        self.assertRegex(sentence, r"^hits: .*\(\+3\.0 %\).*scripts/count-instructions --record$")
        self.assertIn(stage, sentence)
        [faster] = script.moved(slower, RECORDED)
        self.assertIn("(-2.9 %)", faster)

    def test_a_count_within_the_tolerance_is_no_news(self):
        little = copy.deepcopy(RECORDED)
        for figures in little["traffic"].values():
            figures["all"] *= 1.015
        self.assertEqual([], script.moved(RECORDED, little))

    def test_a_program_that_is_none_is_named(self):
        done = subprocess.run([SCRIPT, "--program", "/nowhere/hot_path"], capture_output=True, text=True, timeout=60,
                              check=False)
        self.assertEqual(done.returncode, 64)
        self.assertIn("--program /nowhere/hot_path: no such program", done.stderr)


if __name__ == "__main__":
    if not PROGRAM:
        raise SystemExit("POLLFLOW_HOT_PATH is not set: set it to the absolute path of the hot_path to count")
    unittest.main()
