"""The simulation itself: some hundred seeds, that they are the same each time, and that a failure is told."""

import os
import re
import subprocess
import unittest

SIM = os.environ["POLLFLOW_SIM"]
# Sanitized, a seed takes some ten times as long.
SEEDS = 60 if os.environ.get("POLLFLOW_SANITIZED") else 300


def simulate(*arguments):
    return subprocess.run([SIM, *map(str, arguments)], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          timeout=240, check=False)


def figures(done):
    """{name: number} of what was survived."""
    return {name: int(number) for name, number in re.findall(r"^(\w+) (\d+)$", done.stdout, re.M)}


class SimulateTest(unittest.TestCase):
    def test_some_hundred_seeds_hold(self):
        done = simulate("--seeds", SEEDS, "--jobs", 2)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertRegex(done.stdout, r"(?m)^%d seeds, 0 failed, hash [0-9a-f]{16}$" % SEEDS)
        # An injector that injects nothing would hold, too.
        survived = figures(done)
        self.assertEqual(len(survived), 19)
        self.assertEqual([name for name, number in survived.items() if number == 0], [])

    def test_a_seed_is_the_same_each_time_and_no_other(self):
        words = [simulate("--first", seed, "--seeds", 1).stdout.splitlines()[-1] for seed in (7, 7, 8)]
        self.assertEqual(words[0], words[1])
        self.assertNotEqual(words[0], words[2])

    def test_a_failing_seed_says_what_was_wrong_how_it_came_and_how_to_see_it_again(self):
        done = simulate("--first", 3, "--seeds", 20, "--canary")
        self.assertEqual(done.returncode, 1)
        failed = re.search(r"(?m)^sim: seed (\d+) failed: (received \(packets\) is \d+|received is \d+ packets)", done.stderr)
        self.assertIsNotNone(failed, done.stderr)
        self.assertIn("scripts/simulate --seed %s\n" % failed[1], done.stderr)
        again = simulate("--first", failed[1], "--seeds", 1, "--canary", "--trace")
        self.assertIn(failed[0], again.stderr)
        self.assertRegex(again.stderr, r"(?m)^  step \d+: .*; \d+ turns of \d+ ms, .* offered \d+ missed \d+ ")

    def test_a_step_too_long_or_a_crash_is_told_with_its_seed(self):
        done = simulate("--seeds", 1, "--crash")
        self.assertEqual(done.returncode, 1)
        self.assertIn("sim: seed 1 ended its process: Aborted\n", done.stderr)
        self.assertIn("scripts/simulate --seed 1\n", done.stderr)


if __name__ == "__main__":
    unittest.main()
