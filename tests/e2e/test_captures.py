"""Every real capture against the model: flows, ledger, and the same output from the same input."""

import concurrent.futures
import os
import sys
import unittest

import pollflow_runner as runner
import reference

MODES = {"default": ((), reference.Options()),
         "hold-idle": (("--hold-idle",), reference.Options(hold_idle=True))}


def has_supported_link_type(path):
    return reference.read_capture(path).link_type in reference.SUPPORTED_LINK_TYPES


class Captures(runner.PollflowTest):
    """Each capture is read twice in each mode, with a collector, before the first test."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        paths = [path for path in runner.captures() if has_supported_link_type(path)]
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
            started = {(path, mode): [pool.submit(runner.read_capture, path, *MODES[mode][0], collect=True)
                                      for _ in range(2)]
                       for path in paths for mode in MODES}
            cls.runs = {which: [future.result() for future in futures] for which, futures in started.items()}
        cls.expected = {(path, mode): reference.run(path, MODES[mode][1]) for path, mode in cls.runs}

    def each(self):
        for (path, mode), runs in self.runs.items():
            with self.subTest(path.name, mode=mode):
                yield runs, self.expected[path, mode]

    def test_exit(self):
        for runs, expected in self.each():
            if expected.damage:
                self.assertEqual(runs[0].outcome.code, 1)
                self.assert_one_sentence(runs[0].outcome.stderr)
            else:
                self.assert_success(runs[0].outcome)

    def test_ledger_is_that_of_the_model(self):
        for runs, expected in self.each():
            ledger = runs[0].ledger
            self.assert_model_ledger(ledger, expected)
            port, = ledger["ports"]
            self.assertEqual([port["received"], port["missed"], port["errored"]],
                             [expected.received[0], 0, 1 if expected.damage else 0])
            self.assertEqual(port["offered"], port["received"] + port["missed"] + port["errored"])

    def test_flows_are_those_of_the_model(self):
        for runs, expected in self.each():
            if expected.undetermined:       # packets out of order: the rules leave the cut open
                self.assert_same_sums(runs[0], expected)
            else:
                self.assert_model(runs[0], expected)

    def test_every_record_is_sent(self):
        for runs, _ in self.each():
            ledger, rows = runs[0].ledger, runs[0].rows
            sums = [len(rows), sum(row.packets for row in rows), sum(row.octets for row in rows)]
            for where in ("created", "sent"):
                numbers = ledger["records"][where]
                self.assertEqual([numbers["records"], numbers["packets"], numbers["octets"]], sums)
            self.assertEqual([sums[1], sums[2]], [ledger["accounted"]["packets"], ledger["accounted"]["octets"]])
            self.assertEqual(ledger["flow_sequence"], len(rows))
            self.assertEqual(sum(ledger["expired"].values()), len(rows))

    def test_two_runs_write_the_same_flows(self):
        for runs, _ in self.each():
            self.assertEqual(runs[0].csv, runs[1].csv)

    def test_two_runs_send_the_same_datagrams(self):
        for runs, _ in self.each():
            self.assertEqual(runs[0].datagrams, runs[1].datagrams)

    def test_two_runs_write_the_same_ledger(self):
        for runs, _ in self.each():
            self.assertEqual(*(without_collector_names(run) for run in runs))


def without_collector_names(run):
    """The text of the ledger; the collector's port, which the kernel chose, is replaced."""
    contents = run.ledger_text
    for collector in run.ledger["collectors"]:
        contents = contents.replace(collector["name"], "COLLECTOR")
    return contents


class UnsupportedCaptures(runner.PollflowTest):

    def test_an_unsupported_link_type_is_named(self):
        for path in runner.captures():
            if not has_supported_link_type(path):
                link_type = reference.read_capture(path).link_type
                name = reference.LINK_TYPE_NAMES.get(link_type, str(link_type))
                with self.subTest(path.name):
                    outcome = runner.execute(["--read", path])
                    self.assertEqual((outcome.code, outcome.stdout), (66, ""))
                    self.assert_one_sentence(outcome.stderr)
                    self.assertRegex(outcome.stderr, r"(?i)link.?type.*\b(%s|%d)\b|\b(%s|%d)\b.*link.?type"
                                     % (name, link_type, name, link_type))


if __name__ == "__main__":
    sys.exit(unittest.main())
