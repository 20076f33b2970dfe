#!/usr/bin/env python3
"""Collectors that are away, come back, cannot be reached or do not keep up: no worker feels it, and all is counted."""

import socket
import subprocess
import unittest

import pollflow_runner as runner
import v5
from fault_runner import (COLLECTOR_HOST, NO_HOST, PORT, ROUTER, SANITIZED, FaultTest, Tapped, Traffic, flow_frames)
from live_runner import Namespace, veth_pair, wait_until

A_SECOND = 1000 if SANITIZED else 2000
FLOWS = flow_frames(A_SECOND * 2)       # sent round and round: with a timeout of 1 s each time a flow anew
RESIDENT_GROWTH_KB = 4096
DEAF_PORT, COMING_PORT = PORT + 1, PORT + 2
PROHIBITED, UNREACHABLE = "10.66.0.1", "10.67.0.1"


class ManyCollectorsTest(FaultTest):

    def deaf_listener(self, site):
        """The smallest socket that there is, and nobody reads."""
        listener = site.there.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.addCleanup(listener.close)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
        listener.bind((COLLECTOR_HOST, DEAF_PORT))
        return listener

    def setUp(self):
        super().setUp()
        self.here = self.site()
        self.here.router_answers("prohibit", "10.66.0.0/24")
        self.here.router_answers("unreachable", "10.67.0.0/24")

    def start(self):
        addresses = ["%s:%d" % each for each in (
            (COLLECTOR_HOST, PORT), (COLLECTOR_HOST, DEAF_PORT), (COLLECTOR_HOST, COMING_PORT), (PROHIBITED, PORT),
            (UNREACHABLE, PORT), (NO_HOST, PORT))]
        options, self.ledger_of = self.run_of("run", addresses)
        return Tapped(self.here, [*options, "--inactive-timeout", 1, "--max-flows", 32768])

    def there_for_a_while(self):
        """What a collector gets that comes and is killed again."""
        with self.here.collector(COMING_PORT) as coming:
            wait_until(lambda: len(coming.datagrams) >= 20, "it gets datagrams")
            return coming.vanish()

    def test_what_one_collector_lacks_no_other_feels(self):
        deaf = self.deaf_listener(self.here)
        with self.here.collector() as sound, self.start() as live:
            with Traffic(self.here.wire, FLOWS, A_SECOND):
                live.wait_for("--collector %s:%d: Connection refused" % (COLLECTOR_HOST, COMING_PORT))
                live.wait_for("--collector %s:%d: No route to host" % (PROHIBITED, PORT))
                before_kb = live.resident_kb
                visits = [self.there_for_a_while() for _ in range(2)]
                so_far = len(sound.datagrams)
                wait_until(lambda: len(sound.datagrams) > so_far + A_SECOND // 20, "more has been sent")
                after_kb = live.resident_kb
            self.catch_up(self.here, live)
            outcome = live.stop()
            datagrams = sound.finish()
        self.assertEqual(outcome.code, 0, outcome.stderr)
        self.check_ledger(datagrams)
        self.check_each_collector(datagrams, sum(visits, []), deaf)
        if not SANITIZED:       # which keeps what was freed
            self.assertLess(after_kb - before_kb, RESIDENT_GROWTH_KB)

    def check_ledger(self, datagrams):
        ledger = self.told = self.ledger_of()
        self.assert_received_all(self.here, ledger)
        self.assert_no_record_lost(ledger)
        self.assert_gaps_are(datagrams, 0, ledger)
        self.assertEqual(v5.lint(datagrams), [])

    def check_each_collector(self, datagrams, of_visits, deaf):
        sound, of_deaf, coming, prohibited, unreachable, absent = self.told["collectors"]
        for each in self.told["collectors"]:
            self.assertEqual([each["datagrams_sent"], each["datagrams_failed"], each["records_sent"]],
                             [len(datagrams), 0, self.told["flow_sequence"]], each["name"])
        for each in (sound, of_deaf, unreachable, absent):      # the last two by what UDP passes over
            self.assertEqual(each["refused"], 0, each["name"])
        self.assertGreater(prohibited["refused"], 0)            # as often as the router cares to answer
        self.assertGreater(runner.dropped_by(deaf), 0)
        deaf.setblocking(False)
        self.assertEqual(runner.dropped_by(deaf) + self.waiting(deaf), len(datagrams))
        self.assert_gaps_are(of_visits, coming["records_refused"], self.told)

    def waiting(self, listener):
        count = 0
        try:
            while listener.recv(2048):
                count += 1
        except BlockingIOError:
            return count


class SlowWayTest(FaultTest):
    """The socket's send buffer fills, and the kernel takes no more for a while."""

    flows = 8000 if SANITIZED else 24000

    def way_has(self, site, rate, verb="change"):
        shaped = subprocess.run([*site.here.prefix, "tc", "qdisc", verb, "dev", site.way, "root", "tbf", "rate", rate,
                                 "burst", "4kb", "limit", "10mb"], capture_output=True, text=True, check=False)
        if shaped.returncode != 0:
            self.skipTest("the kernel makes no slow links here: %s" % shaped.stderr.strip())

    def run_over(self, site, collector, live, crawl=False):
        """Gives each flow one packet; the outcome."""
        for frame in flow_frames(self.flows):
            site.wire.send(frame)
        if crawl:
            live.wait_for("--collector %s: Resource temporarily unavailable" % collector.address)
            self.catch_up(site, live)
            outcome = live.stop()
            self.way_has(site, "100mbit")
        else:
            wait_until(lambda: len(v5.rows(collector.datagrams)) == self.flows, "all have come", 120)
            outcome = live.stop()
        return outcome

    def test_a_way_that_is_slow_costs_time_and_no_record(self):
        site = self.site()
        self.way_has(site, "4mbit", "add")
        site.here.ip("link", "set", site.way, "mtu", "1400")        # so that datagrams go one by one, in fragments
        with site.collector() as collector:
            options, ledger_of = self.run_of("run", [collector.address])
            with Tapped(site, [*options, "--inactive-timeout", 1]) as live:
                outcome = self.run_over(site, collector, live)
            datagrams = collector.finish()
        self.assertEqual((outcome.code, outcome.stderr), (0, ""))
        ledger = ledger_of()
        self.assert_received_all(site, ledger)
        self.assert_no_record_lost(ledger)
        self.assert_gaps_are(datagrams, 0, ledger)
        self.assertEqual(len(v5.rows(datagrams)), self.flows)

    def test_what_does_not_get_out_for_a_second_is_given_up_and_is_what_the_collector_misses(self):
        site = self.site()
        self.way_has(site, "8kbit", "add")
        with site.collector() as collector:
            options, ledger_of = self.run_of("run", [collector.address])
            with Tapped(site, [*options, "--inactive-timeout", 1]) as live:
                outcome = self.run_over(site, collector, live, crawl=True)
            ledger = ledger_of()
            sent = ledger["datagrams"]["sent"]
            wait_until(lambda: len(collector.datagrams) >= sent, "what was sent has come the slow way")
            datagrams = collector.finish()
        self.assertEqual(outcome.code, 1, outcome.stderr)
        self.assertRegex(outcome.stderr, r"--collector \S+: \d+ datagrams could not be sent \(Resource temporarily")
        self.assert_received_all(site, ledger)
        self.assertEqual(ledger["received"]["packets"], self.flows)
        lost = ledger["records"]["lost"]["send_failed"]["records"]
        self.assertGreater(lost, 0)
        self.assertEqual(len(datagrams), sent)
        self.assert_gaps_are(datagrams, lost, ledger)
        self.assertEqual(len(v5.rows(datagrams)), ledger["records"]["sent"]["records"])
        self.assertEqual(ledger["flows_out"]["records_written"], self.flows)


class NarrowWayTest(FaultTest):
    """Behind a router there is a link that takes no whole datagram, as behind a tunnel."""

    def site_with_a_narrow_link(self):
        site = self.site()
        beyond = self.enter(Namespace())
        near, end = self.enter(veth_pair(site.there, beyond, "narrow"))
        site.there.ip("link", "set", near, "mtu", "1300")
        beyond.ip("link", "set", end, "mtu", "1300")
        site.there.ip("addr", "add", "10.68.0.1/24", "dev", near)
        beyond.ip("addr", "add", "10.68.0.2/24", "dev", end)
        beyond.ip("route", "add", "default", "via", "10.68.0.1")
        site.there.run("sysctl", "-qw", "net.ipv4.ip_forward=1")
        site.here.ip("route", "add", "10.68.0.0/24", "via", ROUTER)
        return site, runner.Collector("10.68.0.2", PORT, beyond.socket)

    @staticmethod
    def offered(live):
        collector = live.ask("/pollflow/collector,0")
        return collector["records_sent"] + collector["records_failed"]

    def test_datagrams_too_long_for_a_link_on_the_way_arrive_all_the_same(self):
        site, beyond = self.site_with_a_narrow_link()
        with beyond as collector:
            options, ledger_of = self.run_of("run", [collector.address])
            with Tapped(site, [*options, "--inactive-timeout", 1]) as live:
                for round_of_flows in range(1, 4):      # what a router says of one datagram the next would meet
                    for frame in FLOWS:
                        site.wire.send(frame)
                    wait_until(lambda: self.offered(live) == len(FLOWS) * round_of_flows, "all were offered")
                outcome = live.stop()
            ledger = ledger_of()
            wait_until(lambda: len(collector.datagrams) >= ledger["datagrams"]["sent"], "what was sent has come")
            datagrams = collector.finish()
        self.assertEqual((outcome.code, outcome.stderr), (0, ""))
        self.assert_received_all(site, ledger)
        self.assert_no_record_lost(ledger)
        self.assert_gaps_are(datagrams, 0, ledger)


class NoWayTest(FaultTest):

    def test_without_a_route_for_a_while_what_is_lost_is_counted_and_it_goes_on_after(self):
        site = self.site()
        with site.collector() as collector:
            options, ledger_of = self.run_of("run", [collector.address])
            with Tapped(site, [*options, "--inactive-timeout", 1]) as live, Traffic(site.wire, FLOWS, A_SECOND):
                self.assertTrue(collector.arrived.wait(60))
                site.here.ip("route", "add", "prohibit", COLLECTOR_HOST)
                live.wait_for("--collector %s: Permission denied" % collector.address)
                came_before = len(collector.datagrams)
                site.here.ip("route", "del", "prohibit", COLLECTOR_HOST)
                wait_until(lambda: len(collector.datagrams) > came_before, "datagrams come again")
                outcome = live.stop()
            datagrams = collector.finish()
        self.assertEqual(outcome.code, 1, outcome.stderr)
        self.assertRegex(outcome.stderr, r"--collector \S+: \d+ datagrams could not be sent \(Permission denied\)")
        ledger = ledger_of()
        self.assert_adds_up(ledger)
        lost = ledger["records"]["lost"]["send_failed"]["records"]
        self.assertGreater(lost, 0)
        self.assert_gaps_are(datagrams, lost, ledger)
        self.assertEqual(ledger["collectors"][0]["refused"], 0)


if __name__ == "__main__":
    unittest.main()
