#!/usr/bin/env python3
"""What a running pollflow answers, and what it can be told: telemetry commands under traffic."""

import collections
import contextlib
import json
import os
import signal
import subprocess
import threading
import time
import unittest

import capture_writer as writer
import client_runner
import frames
import pollflow_runner as runner
from live_runner import Controlled, LiveTest, Namespace, require_namespaces, veth_pair, wait_until

TWO_LCORES = ["--lcores", "0@0,1@1"] if (os.cpu_count() or 1) > 1 else ["--lcores", "0@0,1@0"]
FOUR_LCORES = ["--lcores", "0@0,1@0,2@1,3@1"] if (os.cpu_count() or 1) > 1 else ["--lcores", "(0-3)@0"]
ONE_LCORE = ["--lcores", "0@0"]
START_US = 1700000000 * 1000000


def client(live, *arguments):
    """pollflowctl, speaking to this pollflow."""
    done = subprocess.run([client_runner.binary(), "--socket", live.telemetry, *map(str, arguments)],
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=120)
    return runner.Outcome(done.returncode, done.stdout, done.stderr)


class ControlTest(LiveTest):

    def endless(self, ports=40, queues=1):
        """A port that delivers as many flows again and again, as fast as it is polled."""
        path = self.folder / "endless.pcap"
        writer.write_pcap(path, [(START_US, frames.udp_frame(src_port=2000 + number)) for number in range(ports)])
        return ["--vdev", "net_pcap1," + ",".join(["rx_pcap=%s" % path] * queues) + ",infinite_rx=1"]

    def wait_for_flows(self, live, flows, seconds=60):
        wait_until(lambda: live.ask("/pollflow/info")["flows"] >= flows, "%d flows are live" % flows, seconds)


class AnswersTest(ControlTest):

    def test_counters_of_run_worker_port_and_ledger_agree_with_the_account_at_the_end(self):
        with Controlled([*TWO_LCORES, *self.many_flows(5000)], [*self.outputs(), "--inactive-timeout", 600,
                                                                "--ifindex", "0=12"]) as live:
            self.wait_for_flows(live, 5000)
            info, ledger = live.ask("/pollflow/info"), live.ask("/pollflow/ledger")
            lcore, = info["workers"]
            worker, port = live.ask("/pollflow/worker,%d" % lcore), live.ask("/pollflow/port,0")
            outcome = live.stop()
        self.assert_done(outcome)
        self.assertEqual([info["packets"], info["octets"], info["flows"], info["flows_high_water"]],
                         [5000, 28 * 5000, 5000, 5000])
        self.assertEqual(info["received_packets"], self.ledger["received"]["packets"])
        self.assertEqual([ledger["balanced"], ledger["broken"]], [1, []])
        self.assertEqual([ledger["received_octets"], ledger["in_tables_flows"], ledger["created_records"]],
                         [self.ledger["received"]["octets"], 5000, 0])
        self.assertEqual([worker["queue_packets"], worker["flows"], worker["packets"]], [[5000], 5000, 5000])
        self.assertLessEqual(worker["cycles_busy"], worker["cycles"])
        self.assertEqual(worker["second_looks"], 0)                 # no bucket is near full
        self.assertEqual([port["ifindex"], port["driver"], port["received"], port["missed"], port["queue_lcores"]],
                         [12, "net_pcap", 5000, 0, [lcore]])

    def test_each_command_refuses_what_it_cannot_with_a_sentence(self):
        wrong = {
            "/pollflow/worker,99": "lcore 99 is no worker",
            "/pollflow/worker": "'' is no lcore",
            "/pollflow/port,5": "there is no port 5",
            "/pollflow/collector,0": "there is no collector 0",
            "/pollflow/flows,7": "cursor '7' is none",
            "/pollflow/flows,0,hots 1": "'hots' is no term",
            "/pollflow/top,0,octets": "0 flows are not what a reply holds",
            "/pollflow/top,65,octets": "65 flows are not what a reply holds",
            "/pollflow/top,5,size": "'size' is no order of flows",
            "/pollflow/top,many,octets": "'many' is no number of flows",
            "/pollflow/expire,tcp or udp": "'and' should stand before 'or'",
            "/pollflow/timeouts,0,5": "0 is no timeout",
            "/pollflow/timeouts,5": "'' is no active timeout",
            "/pollflow/timeouts,5,x": "'x' is no active timeout",
            "/pollflow/routes/reload": "there are no routes to reload",
            "/pollflow/log_level,loud": "'loud' is no log level",
        }
        with Controlled([*ONE_LCORE, *self.many_flows(1)], self.outputs()) as live:
            for command, sentence in wrong.items():
                with self.subTest(command):
                    answer = live.ask(command)
                    self.assertIsInstance(answer, str)
                    self.assertIn(sentence, answer)
            self.assertEqual(live.ask("/pollflow/timeouts"), {"inactive_s": 15, "active_s": 1800})
            self.assert_done(live.stop())

    def test_log_levels_are_set_by_type_and_read_back(self):
        with Controlled([*ONE_LCORE, *self.many_flows(1)], self.outputs()) as live:
            self.assertNotIn("lib.ethdev debug", live.ask("/pollflow/log_level")["types"])
            self.assertIn("lib.ethdev debug", live.ask("/pollflow/log_level,lib.ethdev*,debug")["types"])
            live.ask("/pollflow/log_level,notice")
            self.assertEqual(live.ask("/pollflow/log_level")["types"], [])
            self.assert_done(live.stop())

    def test_live_flows_carry_what_the_routes_say(self):
        routes = self.folder / "routes"
        routes.write_text("11.0.0.0/24 192.0.2.1 7 65001\n10.0.0.2 192.0.2.2 8 70000\n")
        with Controlled([*ONE_LCORE, *self.many_flows(300)], [*self.outputs(), "--routes", routes,
                                                              "--inactive-timeout", 600]) as live:
            self.wait_for_flows(live, 300)
            first = live.ask("/pollflow/top,1,age,src host 11.0.0.9")
            other = live.ask("/pollflow/top,1,age,src host 11.0.1.9")
            self.assertEqual(first["paths"], ["8,192.0.2.2,24,32,65001,23456"])
            self.assertEqual(other["paths"], ["8,192.0.2.2,0,32,0,23456"])
            self.assert_done(live.stop())
        row = next(row for row in self.rows if row.src == "11.0.0.9")
        self.assertEqual([row.out_if, row.next_hop, row.src_mask, row.dst_mask, row.src_as, row.dst_as],
                         [8, "192.0.2.2", 24, 32, 65001, 23456])


class CommandsTest(ControlTest):

    def test_timeouts_that_are_set_hold_for_flows_that_are_live(self):
        with Controlled([*TWO_LCORES, *self.many_flows(2000)],
                        [*self.outputs(), "--inactive-timeout", 600]) as live:
            self.wait_for_flows(live, 2000)
            self.assertEqual(live.ask("/pollflow/timeouts,1,600"), {"inactive_s": 1, "active_s": 600})
            wait_until(lambda: self.written_flows() == 2000, "all flows left by the new timeout")
            info = live.ask("/pollflow/info")
            self.assertEqual([info["expired_idle"], info["flows"], info["inactive_s"]], [2000, 0, 1])
            self.assertEqual(sum(info["lateness_counts"]), 2000)
            self.assert_done(live.stop())
        self.assertEqual(self.ledger["expired"]["idle"], 2000)

    def test_expire_exports_what_its_filter_matches_and_the_rest_stays(self):
        with Controlled([*TWO_LCORES, *self.many_flows(1000)],
                        [*self.outputs(), "--inactive-timeout", 600]) as live:
            self.wait_for_flows(live, 1000)
            self.assertEqual(live.ask("/pollflow/expire,src net 11.0.0.0/25"), {"expired": 128})
            wait_until(lambda: self.written_flows() == 128, "they are exported")
            self.assertEqual(live.ask("/pollflow/info")["flows"], 872)
            self.assertEqual(live.ask("/pollflow/expire"), {"expired": 872})
            self.assert_done(live.stop())
        self.assertEqual(self.ledger["expired"]["forced"], 1000)

    def test_the_live_ledger_adds_up_at_every_look_while_lcores_keep_each_other_from_the_cpu(self):
        with Controlled(["--lcores", "(0-3)@0", *self.endless(queues=2)],
                        ["--ledger", self.folder / "ledger.json", "--flows-out", "/dev/null", "--max-flows", 32,
                         "--export-delay", 10]) as live:
            wait_until(lambda: live.ask("/pollflow/info")["records_sent"] > 5000, "records flow")
            first = live.ask("/pollflow/ledger")
            last = self.sound_looks(live, 300)
            self.assertGreater(last["received_packets"], first["received_packets"])
            self.assertGreater(last["created_records"], first["created_records"])
            self.assert_done(live.stop())

    def sound_looks(self, live, looks):
        """Looks at the live ledger again and again; none may be out of balance or have a wrapped number."""
        with contextlib.closing(live.connect()) as at:
            for _ in range(looks):
                ledger = live.ask("/pollflow/ledger", at)
                self.assertEqual([ledger["balanced"], ledger["broken"]], [1, []])
                numbers = [value for value in ledger.values() if isinstance(value, int)]
                self.assertLess(max(numbers), 1 << 60, ledger)
        return ledger

    def test_the_live_ledger_adds_up_while_an_output_keeps_the_only_lcore_from_its_turns(self):
        pipe = self.folder / "flows.pipe"
        os.mkfifo(pipe)
        stop = threading.Event()

        def read_by_fits_and_starts():
            with open(pipe, "rb") as file:
                while file.read(1 << 18):
                    stop.wait(0.4)          # longer than anybody waits for a report

        reader = threading.Thread(target=read_by_fits_and_starts)
        reader.start()
        with Controlled([*ONE_LCORE, *self.endless()],
                        ["--flows-out", pipe, "--ledger", self.folder / "ledger.json", "--active-timeout", 1,
                         "--max-flows", 16]) as live:
            wait_until(lambda: live.ask("/pollflow/info")["records_sent"] > 5000, "records flow")
            self.sound_looks(live, 300)
            stop.set()
            outcome = live.stop()
        reader.join()
        self.assert_done(outcome)

    def test_the_live_ledger_adds_up_when_the_only_output_takes_no_more(self):
        with Controlled([*ONE_LCORE, *self.endless()],
                        ["--flows-out", "/dev/full", "--ledger", self.folder / "ledger.json", "--active-timeout", 1,
                         "--max-flows", 16, "--export-delay", 100]) as live:
            wait_until(lambda: live.ask("/pollflow/ledger")["lost_write_failed_records"] > 0, "the file fails")
            ledger = self.sound_looks(live, 300)
            self.assertEqual(live.stop().code, 1)
        self.assertGreater(ledger["lost_write_failed_records"], 0)
        self.assert_adds_up(self.ledger)

    def test_flows_that_a_shorter_timeout_ends_are_not_late(self):
        with Controlled([*TWO_LCORES, *self.many_flows(500)], [*self.outputs(), "--inactive-timeout", 600]) as live:
            self.wait_for_flows(live, 500)
            wait_until(lambda: live.ask("/pollflow/top,1,age")["now_ms"] -
                       int(live.ask("/pollflow/top,1,age")["flows"][0].split(",")[10]) > 3500, "they are idle")
            live.ask("/pollflow/timeouts,1,600")
            wait_until(lambda: live.ask("/pollflow/info")["expired_idle"] == 500, "all have left")
            info = live.ask("/pollflow/info")
            self.assertEqual(sum(info["lateness_counts"]), 500)
            self.assertLess(info["lateness_sum_ms"] / 500, 2000)
            live.wait_for("timeouts are 1 and 600 s by command")
            self.assert_done(live.stop())

    def assert_stops_while_asked(self, live, ask, askers, seconds):
        """pollflow ends within so long, while so many threads go on asking until it is gone."""
        def ask_until_gone():
            with contextlib.suppress(OSError, ValueError, TypeError):     # a sentence, or nobody there
                while True:
                    ask()

        threads = [threading.Thread(target=ask_until_gone) for _ in range(askers)]
        for thread in threads:
            thread.start()
        began = time.monotonic()
        outcome = live.stop()
        took = time.monotonic() - began
        for thread in threads:
            thread.join()
        self.assert_done(outcome)
        self.assertLess(took, seconds)

    def test_a_stop_is_not_held_up_by_those_who_go_on_asking(self):
        with Controlled([*FOUR_LCORES, *self.many_flows(10)], self.outputs()) as live:
            self.assert_stops_while_asked(live, lambda: live.ask("/pollflow/info"), askers=8, seconds=15)

    def test_a_stop_in_the_middle_of_commands_waits_for_none_of_them(self):
        with Controlled([*FOUR_LCORES, *self.many_flows(200_000)],
                        [*self.outputs(), "--inactive-timeout", 600]) as live:
            self.wait_for_flows(live, 200_000)
            self.assert_stops_while_asked(live, lambda: collections.deque(live.pages(), maxlen=0), askers=3, seconds=20)


class ClientTest(ControlTest):
    """pollflowctl with the real thing; what it makes of each answer is test_pollflowctl.py's."""

    def say(self, live, *arguments):
        outcome = client(live, *arguments)
        self.assertEqual([outcome.code, outcome.stderr], [0, ""], arguments)
        return outcome.stdout

    def test_every_command_works_on_a_run_with_two_workers(self):
        routes = self.folder / "routes"
        routes.write_text("11.0.0.0/8 192.0.2.1 7\n")
        with Controlled([*FOUR_LCORES, *self.many_flows(3000), *self.endless()],
                        [*self.outputs(), "--inactive-timeout", 600, "--routes", routes, "--collector",
                         "127.0.0.1:%d" % runner.closed_port()]) as live:
            self.wait_for_flows(live, 3040)
            info = json.loads(self.say(live, "info", "--json"))
            self.assertEqual([len(info["workers"]), len(info["ports"]), len(info["collectors"])], [2, 2, 1])
            self.assertEqual(sum(worker["flows"] for worker in info["workers"]), 3040)
            self.assertIn("The ledger adds up", self.say(live, "ledger"))
            flows = json.loads(self.say(live, "show", "--json", "--filter", "src net 11.0.0.0/24"))["flows"]
            self.assertEqual(sorted(flow["src"] for flow in flows), sorted("11.0.0.%d" % n for n in range(256)))
            self.assertEqual({(flow["src_mask"], flow["in_if"]) for flow in flows}, {(8, 1)})
            busiest = self.say(live, "show", "--csv", "--top", "40", "--by", "packets").splitlines()[1:]
            self.assertEqual({row.split(",")[11] for row in busiest}, {"2"})      # those that go on and on
            self.assertEqual(self.say(live, "timeouts", "500", "1000"), "inactive 500 s, active 1000 s\n")
            self.assertIn(str(routes), self.say(live, "routes", "reload"))
            self.assertIn("lib.ethdev debug", self.say(live, "log-level", "lib.ethdev*", "debug"))
            self.assertEqual(self.say(live, "expire", "--filter", "if 1"), "3000 flows exported\n")
            self.assertIn("packets/s", self.say(live, "top", "--once"))
            self.assertEqual(client(live, "show", "--filter", "tcp or udp").code, 64)
            self.assert_done(live.stop())
        self.assertEqual(self.ledger["expired"]["forced"], 3040)


class SnapshotTest(ControlTest):

    FLOWS, PAUSE_S = (200_000, 0.1) if os.environ.get("POLLFLOW_SANITIZED") else (1_000_000, 0.01)

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        require_namespaces()

    def send_lively(self, there, far, stop):
        """TCP flows that begin and end, at a pace that one lcore keeps up with: the kernel's ring takes five rounds.
        Returns how many packets."""
        sent = 0
        with contextlib.closing(there.frames_on(far)) as wire:
            while not stop.is_set():
                for port in range(1024, 1024 + 500):
                    for flags in (frames.SYN, frames.ACK, frames.FIN | frames.ACK):
                        wire.send(frames.tcp_frame(src_port=port, flags=flags))
                        sent += 1
                stop.wait(self.PAUSE_S)
        return sent

    @staticmethod
    def arrived(live):
        port = live.ask("/pollflow/port,1")
        return port["received"] + port["missed"]

    def test_a_million_live_flows_are_listed_once_each_while_packets_arrive_and_none_is_lost(self):
        with Namespace() as here, Namespace() as there, veth_pair(here, there) as (tap, far):
            eal = [*TWO_LCORES, *self.many_flows(self.FLOWS), "--vdev",
                   "net_af_packet0,iface=%s,framecnt=8192" % tap]
            options = ["--flows-out", "/dev/null", "--ledger", self.folder / "ledger.json",
                       "--inactive-timeout", 600, "--max-flows", self.FLOWS + 10_000]
            with Controlled(eal, options, prefix=here.prefix) as live:
                self.wait_for_flows(live, self.FLOWS)
                stop, sent = threading.Event(), []
                sender = threading.Thread(target=lambda: sent.append(self.send_lively(there, far, stop)))
                sender.start()
                wait_until(lambda: live.ask("/pollflow/port,1")["received"] > 5000, "packets arrive")
                before = live.ask("/pollflow/port,1")["received"]
                began = time.monotonic()
                shown = client(live, "show", "--csv").stdout.splitlines()
                took = time.monotonic() - began
                met = collections.Counter(row.partition(",")[0] for row in shown if row.startswith("11."))
                arrived = live.ask("/pollflow/port,1")["received"] - before
                stop.set()
                sender.join()
                wait_until(lambda: self.arrived(live) >= sent[0], "all are received or missed")
                ledger = live.ask("/pollflow/ledger")
                outcome = live.stop()
        print("%d flows listed in %.1f s, while %d packets arrived" % (len(met), took, arrived))
        self.assertEqual(len(met), self.FLOWS)
        self.assertEqual(set(met.values()), {1})
        self.assertGreater(arrived, 5000)
        self.assert_done(outcome)
        self.assertEqual([ledger["balanced"], ledger["missed"]], [1, 0])
        ports = {port["driver"]: port for port in self.ledger["ports"]}
        self.assertEqual(ports["net_af_packet"]["received"], sent[0])
        self.assertEqual(ports["net_af_packet"]["missed"], 0)


class RoutesTest(ControlTest):

    RELOADS = 100 if os.environ.get("POLLFLOW_SANITIZED") else 1000

    def test_a_thousand_reloads_under_traffic_lose_no_record(self):
        routes = self.folder / "routes"
        tables = ["0.0.0.0/0 192.0.2.%d %d 64%03d\n" % (hop, hop, hop) for hop in (1, 2, 3)]
        routes.write_text(tables[0])
        with Controlled([*TWO_LCORES, *self.endless(queues=1)],
                        [*self.outputs(), "--routes", routes, "--active-timeout", 1]) as live, \
             contextlib.closing(live.connect()) as at:
            began = time.monotonic()
            for number in range(self.RELOADS):
                routes.write_text(tables[number % 3])
                self.assertEqual(live.ask("/pollflow/routes/reload", at)["routes"], 1)
            took = time.monotonic() - began
            for table in tables:                    # each of them long enough that flows leave under it
                routes.write_text(table)
                live.ask("/pollflow/routes/reload", at)
                created = live.ask("/pollflow/ledger", at)["created_records"]
                wait_until(lambda: live.ask("/pollflow/ledger", at)["created_records"] > created, "records leave")
            routes.write_text("10.0.0.0/8 nowhere 1\n")
            self.assertIn("line 1", live.ask("/pollflow/routes/reload", at))
            self.assertEqual(live.ask("/pollflow/routes", at)["routes"], 1)
            outcome = live.stop()
        print("%d reloads in %.1f s" % (self.RELOADS, took))
        self.assert_done(outcome)
        self.assertEqual(self.ledger["records"]["lost"]["ring_full"]["records"], 0)
        rows = self.rows
        self.assertEqual(len(rows), self.ledger["records"]["created"]["records"])
        self.assertEqual(sum(row.packets for row in rows), self.ledger["accounted"]["packets"])
        answers = {(row.out_if, row.next_hop, row.src_as, row.dst_as, row.src_mask) for row in rows}
        self.assertEqual(answers, {(hop, "192.0.2.%d" % hop, 64000 + hop, 64000 + hop, 0) for hop in (1, 2, 3)})

    def test_a_reload_waits_for_no_pipe_and_takes_no_file_without_routes(self):
        routes = self.folder / "routes"
        routes.write_text("0.0.0.0/0 192.0.2.1 1\n")
        with Controlled([*ONE_LCORE, *self.many_flows(10)], [*self.outputs(), "--routes", routes]) as live:
            routes.write_text("# nothing left\n")
            self.assertIn("no route in it any more", live.ask("/pollflow/routes/reload"))
            routes.unlink()
            os.mkfifo(routes)
            self.assertIn("no regular file", live.ask("/pollflow/routes/reload"))
            live.send(signal.SIGHUP)
            live.wait_for("not reloaded, everything stays as it was")
            self.assertEqual(live.ask("/pollflow/routes")["routes"], 1)
            self.assert_done(live.stop())

    def test_hangup_reloads_routes_and_a_bad_file_leaves_the_old_ones(self):
        routes = self.folder / "routes"
        routes.write_text("0.0.0.0/0 192.0.2.1 1\n")
        with Controlled([*ONE_LCORE, *self.many_flows(10)], [*self.outputs(), "--routes", routes]) as live:
            routes.write_text("0.0.0.0/0 192.0.2.2 2\n10.0.0.0/8 - 3\n")
            live.send(signal.SIGHUP)
            live.wait_for("2 routes are in force")
            self.assertEqual(live.ask("/pollflow/routes")["routes"], 2)
            routes.write_text("10.0.0.1/8 - 3\n")
            live.send(signal.SIGHUP)
            live.wait_for("not reloaded, everything stays as it was: ")
            self.assertEqual(live.ask("/pollflow/routes")["routes"], 2)
            outcome = live.stop()
        self.assert_done(outcome)
        self.assertEqual({(row.out_if, row.next_hop) for row in self.rows}, {(3, "0.0.0.0")})


if __name__ == "__main__":
    unittest.main()
