"""The sanitizers of this build find what they are there for: each fault of canary.cpp, by its name and its function."""

import os
import subprocess
import unittest

CANARY = os.environ["POLLFLOW_CANARY"]
SANITIZERS = os.environ["POLLFLOW_SANITIZERS"].split(",")

FAULTS = {
    "address": {
        "heap_overflow": "AddressSanitizer: heap-buffer-overflow",
        "use_after_free": "AddressSanitizer: heap-use-after-free",
        "leak": "LeakSanitizer: detected memory leaks",
    },
    "undefined": {
        "signed_overflow": "signed integer overflow",
        "null_reference": "null pointer",
    },
    "thread": {
        "data_race": "ThreadSanitizer: data race",
    },
}


def run(fault):
    return subprocess.run([CANARY, fault], capture_output=True, text=True, timeout=60, check=False)


class CanaryTest(unittest.TestCase):

    def test_there_is_a_sanitizer(self):
        self.assertTrue(set(SANITIZERS) <= FAULTS.keys(), SANITIZERS)

    def test_nothing_is_said_of_nothing(self):
        done = run("none")
        self.assertEqual((done.returncode, done.stderr), (0, ""))

    def test_each_fault_is_told_and_ends_the_program(self):
        for sanitizer in SANITIZERS:
            for fault, words in FAULTS[sanitizer].items():
                with self.subTest(fault):
                    done = run(fault)
                    self.assertIn(words, done.stderr)
                    self.assertNotEqual(done.returncode, 0)


if __name__ == "__main__":
    unittest.main()
