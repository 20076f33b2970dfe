#!/usr/bin/env python3
"""scripts/soak, in small, with all of its checks; that each of them can fail; and how the rate is searched for."""

import copy
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest
import unittest.mock

sys.dont_write_bytecode = True
REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(REPOSITORY / "tests" / "soak"), str(REPOSITORY / "tests" / "e2e")]

import live_runner      # noqa: E402
import rate_search      # noqa: E402
import samples          # noqa: E402
import soak as soak_runs    # noqa: E402
import verdict          # noqa: E402
from rate_search import Trial   # noqa: E402
from samples import Sample      # noqa: E402

BUILD = pathlib.Path(os.environ["POLLFLOW"]).parents[1]
TIMEOUT_S = 240
# What the sanitizers keep of freed memory would grow for as long as the soak lasts.
KEEPS_NOTHING = "quarantine_size_mb=0:thread_local_quarantine_size_kb=0"


def soak(*arguments):
    environment = {**os.environ, "ASAN_OPTIONS": KEEPS_NOTHING}
    return subprocess.run([REPOSITORY / "scripts" / "soak", *map(str, arguments)], stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, timeout=TIMEOUT_S, check=False, env=environment)


class TinySoakTest(unittest.TestCase):

    @classmethod
    def setUpClass(cls):
        live_runner.require_namespaces()
        with tempfile.TemporaryDirectory() as folder:
            report = pathlib.Path(folder) / "soak.json"
            cls.done = soak("--tiny", "--build", BUILD, "--seed", 1, "--json", report)
            cls.outcome = json.loads(report.read_text())["outcome"] if report.stat().st_size else None
        if cls.outcome:
            cls.outcome["samples"] = [Sample(*each) for each in cls.outcome["samples"]]

    def setUp(self):
        self.assertIsNotNone(self.outcome, self.done.stderr)

    def test_every_bound_holds(self):
        self.assertEqual([self.done.returncode, self.done.stderr], [0, ""], self.done.stdout)
        self.assertIn("soak: all 19 bounds hold\n", self.done.stdout)

    def test_traffic_of_every_kind_was_there(self):
        never_sent = "own_export"   # the collectors are not behind the tap
        self.assertEqual([kind for kind, of in self.outcome["sent"]["skipped"].items() if of["packets"] == 0], [never_sent])
        expired = self.outcome["ledger"]["expired"]
        self.assertTrue(all(expired[reason] > 0 for reason in ("idle", "end", "forced")), expired)
        self.assertGreater(self.outcome["ledger"]["collectors"][1]["records_refused"], 0)

    def assert_noticed(self, wrong, *names):
        """With this change to the outcome these bounds do not hold, and no others."""
        outcome = copy.deepcopy(self.outcome)
        for row in verdict.judge(outcome):
            self.assertTrue(row.holds, row.name)
        wrong(outcome)
        failed = [row.name for row in verdict.judge(outcome) if not row.holds]
        self.assertEqual(len(failed), len(names), failed)
        for name, part in zip(failed, names):
            self.assertIn(part, name)

    def test_memory_that_leaks_is_noticed(self):
        def leak(outcome):
            for number, each in enumerate(outcome["samples"]):
                leaked_kib = number * 2 * verdict.RSS_SPREAD_SANITIZED_KIB_MAX // len(outcome["samples"])
                outcome["samples"][number] = each._replace(rss_kib=each.rss_kib + leaked_kib,
                                                           peak_kib=each.peak_kib + leaked_kib)
        self.assert_noticed(leak, "most seen", "any moment", "trend")

    def test_memory_that_is_held_for_a_moment_is_noticed(self):
        for too_much_kib, sanitized in ((1025, False), (4097, True)):
            def reload(outcome, kib=too_much_kib, sanitized=sanitized):
                outcome["sanitized"] = sanitized
                least_kib = min(each.rss_kib for each in samples.after_warm_up(outcome["samples"]))
                outcome["samples"] = [each._replace(peak_kib=least_kib) for each in outcome["samples"]]
                outcome["samples"][-1] = outcome["samples"][-1]._replace(peak_kib=least_kib + kib)
            self.assert_noticed(reload, "any moment")

    def test_a_descriptor_or_a_thread_that_stays_is_noticed(self):
        for name in ("descriptors", "threads"):
            def one_more(outcome, name=name):
                half = len(outcome["samples"]) // 2
                outcome["samples"][half:] = [each._replace(**{name: getattr(each, name) + 1})
                                             for each in outcome["samples"][half:]]
            self.assert_noticed(one_more, name)

    def test_a_packet_that_is_lost_or_came_twice_is_noticed(self):
        for packets in (1, -1):
            def lost(outcome, packets=packets):
                for where in (outcome["sent"], outcome["sent"]["skipped"]["arp"]):
                    where["packets"] += packets
                outcome["sent"]["skipped"]["arp"]["octets"] += 60 * packets
            self.assert_noticed(lost, "lost", *(["less of any kind"] if packets < 0 else []))

    def test_a_frame_under_the_wrong_name_and_a_wrong_octet_are_noticed(self):
        def other_name(outcome):
            for name, sign in (("arp", 1), ("llc", -1)):
                outcome["sent"]["skipped"][name]["packets"] += sign
                outcome["sent"]["skipped"][name]["octets"] += 60 * sign
        self.assert_noticed(other_name, "less of any kind")

        def octet(outcome):
            outcome["sent"]["accounted"]["octets"] += 1
        self.assert_noticed(octet, "less of any kind")

    def test_a_wrong_total_of_a_collector_is_noticed(self):
        for name in ("records", "packets", "octets"):
            def total(outcome, name=name):
                outcome["collectors"][0][name] += 1
            self.assert_noticed(total, "steady collector: " + name)
        for number, which in enumerate(("steady", "goes")):
            def gap(outcome, number=number):
                outcome["collectors"][number]["missed"] += 1
            self.assert_noticed(gap, which)
        for name in ("damaged", "dropped"):
            def bad(outcome, name=name):
                outcome["collectors"][1][name] += 1
            self.assert_noticed(bad, "damaged")

    def test_a_ledger_that_does_not_add_up_is_noticed(self):
        self.assert_noticed(lambda outcome: outcome["ledger"]["in_tables"].update(packets=1), "ledger at the end")
        self.assert_noticed(lambda outcome: outcome["ledgers_broken"].append("received"), "while it runs")
        self.assert_noticed(lambda outcome: outcome.update(ledgers_asked=0), "while it runs")

    def test_an_end_a_fault_a_rate_and_a_second_port_that_went_wrong_are_noticed(self):
        self.assert_noticed(lambda outcome: outcome.update(code=1), "exit code")
        self.assert_noticed(lambda outcome: outcome["faults"].update(reload=0), "faults")
        self.assert_noticed(lambda outcome: outcome["fault_failures"].append("scrape"), "faults")
        self.assert_noticed(lambda outcome: outcome.update(rate_held=2), "frames a second")
        self.assert_noticed(lambda outcome: outcome.update(second_sent=0), "second port")


class RateTest(unittest.TestCase):

    def test_what_has_to_be_held_is_80_percent_of_the_highest(self):
        plan = soak_runs.Plan(seconds=1, seed=1)
        self.assertAlmostEqual(soak_runs.rate_for(plan, 300_000) * plan.rate_held, 240_000)


class CommandLineTest(unittest.TestCase):

    def test_help_is_the_head_of_the_script(self):
        done = soak("--help")
        self.assertEqual([done.returncode, done.stderr], [0, ""])
        self.assertIn("scripts/soak [MINUTES]", done.stdout)

    def test_wrong_arguments_and_a_report_that_cannot_be_written(self):
        for wrong in (["soon"], ["0"], ["--rate", "-1"], ["--for", "ever"]):
            done = soak(*wrong)
            self.assertEqual([done.returncode, done.stdout, len(done.stderr.splitlines())], [64, "", 1], done.stderr)
        done = soak("--tiny", "--build", BUILD, "--json", BUILD / "no" / "such" / "soak.json")
        self.assertEqual(done.returncode, 73)
        self.assertIn("--json", done.stderr)


class RateSearchTest(unittest.TestCase):

    def search(self, fastest, loses_beyond, unlucky=()):
        """The search on a machine that offers at most `fastest`, and loses beyond another rate; `unlucky`: numbers of
        trials that lose anyway."""
        made = []

        def trial(rate, seconds):
            offered = min(rate, fastest) or fastest
            made.append(Trial(seconds, offered * seconds, int(offered > loses_beyond or len(made) in unlucky), offered))
            return made[-1]
        found, trials = rate_search.highest_loss_free(trial, 1)
        self.assertEqual(trials, made)
        return found, trials

    def test_nothing_is_lost_at_the_fastest(self):
        found, trials = self.search(1000, 2000)
        self.assertEqual([found, len(trials)], [1000, 1 + rate_search.CONFIRMATIONS])

    def test_the_rate_is_close_below_where_loss_begins(self):
        for begins in (150, 333, 777, 990):
            found, trials = self.search(1000, begins)
            self.assertLessEqual(found, begins)
            self.assertGreaterEqual(found, begins - rate_search.CLOSE_ENOUGH * 1000)
            self.assertTrue(all(trial.lost == 0 for trial in trials[-rate_search.CONFIRMATIONS:]))

    def test_a_longer_trial_that_loses_lowers_the_rate(self):
        found, _ = self.search(1000, 2000, unlucky=(2,))
        self.assertAlmostEqual(found, 1000 * rate_search.STEP_DOWN)

    def test_a_machine_that_loses_at_any_rate_has_none(self):
        self.assertRaises(rate_search.NoRate, self.search, 1000, 0)


def sample_at(at_s, rss_kib):
    return Sample(at_s, rss_kib, rss_kib, 1, 1)


class SamplesTest(unittest.TestCase):

    def test_the_trend_is_that_of_the_best_line(self):
        rising = [sample_at(second, 1000 + 3 * second + second % 2) for second in range(100)]
        self.assertAlmostEqual(samples.trend(rising), 3 * 99, delta=1)
        self.assertAlmostEqual(samples.trend([sample_at(second, 1000) for second in range(100)]), 0)
        self.assertEqual(samples.trend([sample_at(0, 5)]), 0)

    def test_floors_let_visitors_pass_and_show_who_stays(self):
        visitors = [20 + (second % 3 == 0) for second in range(35)]
        self.assertEqual(samples.floors(visitors), [20, 20, 20])
        self.assertEqual(samples.floors([20] * 15 + [21] * 20), [20, 20, 21])
        self.assertEqual(samples.floors([7]), [7])

    def test_a_sample_is_the_least_that_is_held_and_the_most_that_was(self):
        seen = [Sample(3, 1000, 3000, 21, 7), Sample(3, 1008, 3001, 20, 6)]
        seen += [Sample(3, 1004, 3001, 20, 7)] * (samples.TRIES - len(seen))
        with unittest.mock.patch("samples.take", side_effect=seen), unittest.mock.patch("samples.forget_peak") as forget:
            self.assertEqual(samples.take_settled(1, 3), Sample(3, 1000, 3001, 20, 6))
        forget.assert_called_once_with(1)

    def test_a_peak_is_seen_once_it_is_gone(self):
        pid = os.getpid()
        samples.forget_peak(pid)
        before = samples.take(pid, 0)
        hold_for_a_moment = b"x" * (8 << 20)
        del hold_for_a_moment
        self.assertGreaterEqual(samples.take(pid, 0).peak_kib, before.rss_kib + 7000)
        samples.forget_peak(pid)
        self.assertLess(samples.take(pid, 0).peak_kib, before.rss_kib + 4000)

    def test_the_shortest_soak_has_two_whole_windows(self):
        kept = samples.after_warm_up([20] * (samples.FEWEST - samples.WINDOW) + [21] * samples.WINDOW)
        self.assertEqual(samples.floors(kept), [20, 21])

    def test_the_first_fifth_is_not_judged(self):
        self.assertEqual(samples.after_warm_up(list(range(10))), list(range(2, 10)))


if __name__ == "__main__":
    unittest.main()
