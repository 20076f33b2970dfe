#!/usr/bin/env python3
"""Live ports, end to end: kernel traffic, several ports, stop, reload, links, collectors that go away."""

import contextlib
import os
import pathlib
import signal
import socket
import struct
import threading
import time
import unittest

import frames
import huge_pages
import pollflow_runner as runner
import v5
from live_runner import Live, LiveTest, TapTest, require_namespaces, Namespace, veth_pair, wait_until

FOUR_LCORES = ["--lcores", "0@0,1@0,2@1,3@1"]       # two workers, also where there are two CPUs only
ONE_LCORE = ["--lcores", "0@0"]
START_US = 1700000000 * 1000000


def flows_with(key, rows):
    return [row for row in rows if (row.src, row.dst, row.src_port, row.dst_port, row.protocol) == key]


def echo_request(number):
    body = struct.pack(">BBHHH", 8, 0, 0, 77, number)
    total = sum(struct.unpack(">4H", body))
    return body[:2] + struct.pack(">H", ~((total & 0xffff) + (total >> 16)) & 0xffff) + body[4:]


class KernelTrafficTest(TapTest):

    def ping(self, count):
        with contextlib.closing(self.here.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)) as icmp:
            icmp.settimeout(10)
            for number in range(count):
                icmp.sendto(echo_request(number), ("10.9.0.2", 0))
                icmp.recv(2048)

    def transfer(self, octets):
        with contextlib.closing(self.there.socket(socket.AF_INET, socket.SOCK_STREAM)) as server, \
             contextlib.closing(self.here.socket(socket.AF_INET, socket.SOCK_STREAM)) as client:
            server.bind(("10.9.0.2", 8080))
            server.listen()
            client.settimeout(30)
            client.connect(("10.9.0.2", 8080))
            peer, _ = server.accept()
            sender = threading.Thread(target=lambda: (client.sendall(bytes(octets)), client.close()))
            sender.start()
            taken = 0
            while chunk := peer.recv(65536):
                taken += len(chunk)
            sender.join()
            peer.close()
        self.assertEqual(taken, octets)

    def datagrams(self, count):
        with contextlib.closing(self.there.socket(socket.AF_INET, socket.SOCK_DGRAM)) as server, \
             contextlib.closing(self.here.socket(socket.AF_INET, socket.SOCK_DGRAM)) as client:
            server.bind(("10.9.0.2", 5353))
            server.settimeout(10)
            client.bind(("10.9.0.1", 40000))
            for number in range(count):
                client.sendto(bytes(100 + number % 900), ("10.9.0.2", 5353))
                server.recv(2048)

    def test_kernel_traffic_on_two_queues_is_what_the_kernel_counted(self):
        self.addresses()
        with Live([*FOUR_LCORES, *self.af_packet()], [*self.outputs(), "--inactive-timeout", 60],
                  prefix=self.here.prefix) as live:
            before = self.here.counters(self.tap)
            self.ping(20)
            self.transfer(300_000)
            self.datagrams(500)
            after = self.here.counters(self.tap)
            outcome = live.stop()
        self.assert_done(outcome)
        self.assertEqual(self.ledger["received"]["packets"], sum(after) - sum(before))
        self.assertEqual(len(self.ledger["ports"][0]["queues"]), 2)
        udp, = flows_with(("10.9.0.1", "10.9.0.2", 40000, 5353, 17), self.rows)
        self.assertEqual((udp.packets, udp.octets), (500, sum(28 + 100 + number % 900 for number in range(500))))
        ping, = flows_with(("10.9.0.1", "10.9.0.2", 0, 8 * 256, 1), self.rows)
        pong, = flows_with(("10.9.0.2", "10.9.0.1", 0, 0, 1), self.rows)
        self.assertEqual((ping.packets, pong.packets), (20, 20))
        tcp = [row for row in self.rows if row.protocol == 6 and row.dst_port == 8080]
        self.assertGreater(sum(row.octets for row in tcp), 300_000)

    def test_a_link_that_goes_down_and_up_is_told_and_the_run_goes_on(self):
        frame = frames.udp_frame()
        with Live([*FOUR_LCORES, *self.af_packet()], self.outputs(), prefix=self.here.prefix) as live, \
             contextlib.closing(self.there.frames_on(self.far)) as wire:
            for _ in range(100):
                wire.send(frame)
            self.there.ip("link", "set", self.far, "down")
            live.wait_for("link is down")
            self.there.ip("link", "set", self.far, "up")
            live.wait_for("link is up")
            for _ in range(100):
                wire.send(frame)
            wait_until(lambda: self.here.counters(self.tap)[0] >= 200, "all frames have arrived")
            outcome = live.stop()
        self.assert_done(outcome)
        self.assertEqual(self.ledger["accounted"]["packets"], 200)
        self.assertEqual(outcome.stderr.count("link is down"), 1)

    def test_an_interface_that_disappears_is_told_and_what_came_before_is_kept(self):
        with Live([*ONE_LCORE, *self.af_packet(1)], self.outputs(), prefix=self.here.prefix) as live, \
             contextlib.closing(self.there.frames_on(self.far)) as wire:
            for _ in range(50):
                wire.send(frames.udp_frame())
            wait_until(lambda: self.here.counters(self.tap)[0] >= 50, "all frames have arrived")
            self.here.ip("link", "del", self.tap)
            live.wait_for("interface is gone")
            outcome = live.stop()
        self.assert_done(outcome)
        self.assertEqual(self.ledger["accounted"]["packets"], 50)

    def test_two_ports_have_an_ifindex_each_and_the_same_tuple_on_both_is_two_flows(self):
        with veth_pair(self.here, self.there, "second") as (second, second_far), \
             Live([*FOUR_LCORES, "--vdev", "net_af_packet0,iface=%s" % self.tap,
                   "--vdev", "net_af_packet1,iface=%s" % second],
                  [*self.outputs(), "--ifindex", "0=11", "--ifindex", "1=22"], prefix=self.here.prefix) as live:
            for interface, count in ((self.far, 3), (second_far, 5)):
                with contextlib.closing(self.there.frames_on(interface)) as wire:
                    for _ in range(count):
                        wire.send(frames.udp_frame())
            wait_until(lambda: self.here.counters(self.tap)[0] >= 3 and self.here.counters(second)[0] >= 5,
                       "all frames have arrived")
            outcome = live.stop()
        self.assert_done(outcome)
        self.assertEqual(sorted((row.in_if, row.packets) for row in self.rows), [(11, 3), (22, 5)])
        self.assertEqual([port["received"] for port in self.ledger["ports"]], [3, 5])


class StopAndReloadTest(LiveTest):

    def test_a_million_live_flows_are_flushed_within_five_seconds(self):
        flows = 1_000_000
        with Live(["--lcores", "0@0,1@0,2@1", *self.many_flows(flows)],
                  ["--flows-out", "/dev/null", "--ledger", self.folder / "ledger.json", "--collector",
                   "127.0.0.1:%d" % runner.closed_port(), "--inactive-timeout", 600]) as live:
            wait_until(lambda: self.everything_read(live), "the file is read to its end", 60)
            began = time.monotonic()
            outcome = live.stop()
            took = time.monotonic() - began
        self.assert_done(outcome)
        self.assertEqual(self.ledger["expired"]["forced"], flows)
        self.assertEqual(self.ledger["records"]["sent"]["records"], flows)
        self.assertEqual(self.ledger["flows_high_water"], flows)
        if not os.environ.get("POLLFLOW_SANITIZED"):       # which takes several times as long
            self.assertLess(took, 5)

    def everything_read(self, live):
        """The driver has read the file to its end: from then on its offset stands still."""
        folder = pathlib.Path("/proc/%d/fdinfo" % live.process.pid)
        for link in pathlib.Path("/proc/%d/fd" % live.process.pid).iterdir():
            with contextlib.suppress(OSError):
                if link.readlink() == self.folder / "flows.pcap":
                    position = int((folder / link.name).read_text().split()[1])
                    return position >= (self.folder / "flows.pcap").stat().st_size
        return False

    def test_a_second_signal_ends_at_once_and_says_what_was_lost(self):
        with Live([*ONE_LCORE, *self.many_flows(5000)],
                  ["--collector", "127.0.0.1:%d" % runner.closed_port(), "--export-rate", 10,
                   "--inactive-timeout", 600]) as live:
            wait_until(lambda: self.everything_read(live), "the file is read")
            live.send(signal.SIGTERM)
            live.send(signal.SIGINT)
            outcome = live.finish()
        self.assertEqual(outcome.code, 1)
        self.assertRegex(outcome.stderr, r"second signal; lost: about \d+ flows in the tables and \d+ records")

    def pending_signals(self, live):
        status = pathlib.Path("/proc/%d/status" % live.process.pid).read_text()
        return int(status.partition("ShdPnd:")[2].split()[0], 16)

    def test_the_same_signal_twice_within_a_moment_counts_once(self):
        for _ in range(5):
            with Live([*ONE_LCORE, *self.many_flows(600)],
                      [*self.outputs(), "--collector", "127.0.0.1:%d" % runner.closed_port(), "--export-rate", 600,
                       "--inactive-timeout", 600]) as live:
                wait_until(lambda: self.everything_read(live), "the file is read")
                began = time.monotonic()
                live.send(signal.SIGINT)
                wait_until(lambda: not self.pending_signals(live), "the first is taken")    # else they are one
                live.send(signal.SIGINT)
                took = time.monotonic() - began
                outcome = live.finish()
            if took < 0.015:        # else this machine was too busy for them to be a moment apart
                break
        self.assert_done(outcome)
        self.assertEqual(self.ledger["records"]["sent"]["records"], 600)

    def test_hangup_reloads_timeouts_and_names_what_it_cannot(self):
        config = self.folder / "pollflow.conf"
        config.write_text("inactive-timeout = 600\n")
        with Live([*FOUR_LCORES, *self.many_flows(3000)], [*self.outputs(), "--config", config]) as live:
            wait_until(lambda: self.everything_read(live), "the file is read")
            config.write_text("inactive-timeout = 1\nmax-flows = 7\nengine-id = 3\n")
            live.send(signal.SIGHUP)
            live.wait_for("reloaded")
            wait_until(lambda: self.written_flows() == 3000, "all flows left by the new timeout")
            config.write_text("inactive-timeout = soon\n")
            live.send(signal.SIGHUP)
            live.wait_for("not reloaded")
            outcome = live.stop()
        self.assert_done(outcome)
        self.assertEqual(self.ledger["expired"]["idle"], 3000)
        self.assertRegex(outcome.stderr, "reloaded: timeouts and export pace are in force; a restart is needed for "
                                         "--max-flows, --engine-id\n")
        self.assertIn("inactive-timeout: 'soon'", outcome.stderr)

    def test_reloads_and_a_stop_in_full_traffic_lose_no_count(self):
        config = self.folder / "pollflow.conf"
        config.write_text("")
        traffic = self.capture([(START_US, frames.udp_frame(src_port=port)) for port in range(2000, 2040)])
        with Live([*FOUR_LCORES, "--vdev", "net_pcap0,rx_pcap=%s,rx_pcap=%s,infinite_rx=1" % (traffic, traffic)],
                  [*self.outputs(), "--config", config]) as live:
            for number in range(20):
                config.write_text("inactive-timeout = %d\nactive-timeout = %d\n" % (number + 1, number % 3 + 1))
                live.send(signal.SIGHUP)
                wait_until(lambda: sum("reloaded: timeouts and export pace are in force" in line
                                       for line in live.stderr) > number, "reload %d" % number)
            outcome = live.stop()
        self.assert_done(outcome)
        port, = self.ledger["ports"]
        self.assertEqual([port["missed"], port["errored"]], [0, 0])
        self.assertTrue(all(queue["packets"] > 0 for queue in port["queues"]))
        self.assertEqual(self.ledger["records"]["lost"]["ring_full"]["records"], 0)
        self.assertEqual(sum(row.packets for row in self.rows), self.ledger["accounted"]["packets"])

    def test_a_collector_that_goes_and_comes_back_misses_what_pollflow_says_was_refused(self):
        with runner.Collector() as first:
            with Live([*ONE_LCORE, *self.many_flows(6000)],
                      [*self.outputs(), "--collector", first.address, "--export-rate", 1500,
                       "--inactive-timeout", 1]) as live:
                self.assertTrue(first.arrived.wait(20))
                datagrams = first.vanish()
                live.wait_for("--collector %s: Connection refused" % first.address)
                with runner.Collector(port=first.port) as again:
                    self.assertTrue(again.arrived.wait(20))
                    outcome = live.stop()
                    datagrams += again.finish()
        self.assert_done(outcome)
        collector, = self.ledger["collectors"]
        missed, expected = v5.missed_records(datagrams)
        self.assertGreater(missed, 0)
        self.assertEqual(missed, collector["records_refused"])
        self.assertEqual(expected, self.ledger["flow_sequence"])

    def test_a_device_that_is_unplugged_is_told_and_the_other_port_goes_on(self):
        library = os.environ.get("POLLFLOW_GONE_PORT", "")
        if not library:
            self.skipTest("POLLFLOW_GONE_PORT is not set: the library that the build makes of gone_port.cpp")
        traffic = self.capture([(START_US, frames.udp_frame(src_port=port)) for port in range(2000, 2040)])
        gone = self.folder / "gone"
        environment = {**os.environ, "LD_PRELOAD": library, "ASAN_OPTIONS": "verify_asan_link_order=0",
                       "POLLFLOW_GONE": str(gone)}
        ports = ["--vdev", "net_pcap0,rx_pcap=%s,infinite_rx=1" % traffic,
                 "--vdev", "net_pcap1,rx_pcap=%s,infinite_rx=1" % traffic]
        with Live([*FOUR_LCORES, *ports], [*self.outputs(), "--active-timeout", 1], env=environment) as live:
            wait_until(lambda: self.written_flows() >= 80, "flows of both ports")
            gone.touch()
            live.wait_for("port 0 (net_pcap, net_pcap0): the device is gone")
            written = self.written_flows()
            wait_until(lambda: self.written_flows() >= written + 80, "more flows of the other port")
            outcome = live.stop()
        self.assert_done(outcome)
        self.assertEqual(outcome.stderr.count("the device is gone"), 1)
        latest = {in_if: max(row.last_ms for row in self.rows if row.in_if == in_if) for in_if in (1, 2)}
        self.assertLess(latest[1] + 500, latest[2])

    def test_a_run_whose_words_nobody_takes_ends_with_its_account(self):
        config = self.folder / "pollflow.conf"
        config.write_text("")
        with open("/dev/full", "w", encoding="ascii") as full, \
             Live([*FOUR_LCORES, *self.many_flows(1000)], [*self.outputs(), "--config", config],
                  stderr=full) as live:
            wait_until(lambda: self.everything_read(live), "the file is read")
            config.write_text("inactive-timeout = 1\n")
            live.send(signal.SIGHUP)                        # which it has something to say about
            wait_until(lambda: self.written_flows() == 1000, "all flows left by the new timeout")
            outcome = live.stop()
        self.assertEqual(outcome.code, 0)
        self.assert_adds_up(self.ledger)

    def test_an_output_file_that_takes_no_more_is_told_while_it_runs(self):
        with Live([*ONE_LCORE, *self.many_flows(1000)],
                  ["--flows-out", "/dev/full", "--ledger", self.folder / "ledger.json", "--inactive-timeout", 1]) as live:
            live.wait_for("--flows-out /dev/full: writing failed (No space left on device); carrying on")
            outcome = live.stop()
        self.assertEqual(outcome.code, 1)
        self.assert_adds_up(self.ledger)
        self.assertEqual(self.ledger["records"]["lost"]["write_failed"]["records"], 1000)

    def test_a_live_run_without_root_and_without_huge_pages(self):
        self.folder.chmod(0o777)
        with Live([*ONE_LCORE, *self.many_flows(100)], self.outputs(),
                  prefix=["setpriv", "--reuid", str(runner.NOBODY), "--clear-groups"]) as live:
            wait_until(lambda: self.everything_read(live), "the file is read")
            outcome = live.stop()
        self.assert_done(outcome)
        self.assertEqual(self.ledger["accounted"]["packets"], 100)


class StartTest(LiveTest):

    def start(self, eal, *options):
        return runner.execute([*eal, "--no-pci", "--no-shconf", "--no-telemetry", "--", *options])

    def test_a_dry_run_prints_the_layout_and_leaves_no_file(self):
        outcome = self.start(["--no-huge", *FOUR_LCORES, "--vdev", "net_null0"], "--dry-run", *self.outputs())
        self.assertEqual(outcome.code, 0, outcome.stderr)
        self.assertRegex(outcome.stdout, r"port +driver +device +queue +lcore +node +memory")
        self.assertRegex(outcome.stdout, r"\n +0 +net_null +net_null0 +0 +1 +\d+ +\d+ MiB\n")
        self.assertRegex(outcome.stdout, r"\n +0 +net_null +net_null0 +1 +2 +\d+ +\d+ MiB\n")
        self.assertIn("lcore 0 controls, lcore 3 exports", outcome.stdout)
        self.assertNotIn("Receiving", outcome.stdout)
        self.assertEqual(list(self.folder.iterdir()), [])

    def test_what_is_wrong_at_the_start_is_one_sentence_with_what_to_do(self):
        with huge_pages.left_alone():
            self.check_wrong_starts(int(pathlib.Path("/proc/sys/vm/nr_hugepages").read_text()))

    def check_wrong_starts(self, pages):
        cases = [
            (["--no-huge"], [], 69, "EAL found no port"),
            (["--no-huge", "--vdev", "net_nothing0"], [], None, "EAL"),
            (["--no-huge", "-l", "0-900"], [], 64, "lcores"),
            (["--no-huge", "-m", "64", "--vdev", "net_null0"], [], 69, "--max-flows"),
            (["--no-huge", "--vdev", "net_null0"], ["--export-lcore", "9"], 64, "--export-lcore 9"),
            (["--no-huge", "--vdev", "net_null0"], ["--ifindex", "4=7"], 64, "there is no port 4"),
            (["--no-huge", "--vdev", "net_null0"], ["--driver-config", "/nowhere"], 78, "/nowhere"),
            (["--no-huge", "--bogus"], [], 64, "EAL"),
        ]
        if pages == 0:
            cases.append((["--vdev", "net_null0"], [], 69, "scripts/hugepages"))
        for eal, options, code, words in cases:
            with self.subTest(eal=eal, options=options):
                outcome = self.start(eal, *options)
                sentences = [line for line in outcome.stderr.splitlines() if line.startswith("pollflow: ")]
                self.assertEqual(len(sentences), 1, outcome.stderr)
                self.assertIn(words, sentences[0])
                if code is not None:
                    self.assertEqual(outcome.code, code, outcome.stderr)

    def test_a_preset_of_the_operator_wins_and_one_that_is_wrong_is_named(self):
        (self.folder / "net_null.conf").write_text("queues = one\n")
        outcome = self.start(["--no-huge", *FOUR_LCORES, "--vdev", "net_null0"], "--dry-run", "--driver-config",
                             self.folder)
        self.assertEqual(outcome.code, 0, outcome.stderr)
        self.assertIn("lcore 2 has no queue to poll", outcome.stdout)
        (self.folder / "net_null.conf").write_text("queues = few\n")
        outcome = self.start(["--no-huge", "--vdev", "net_null0"], "--dry-run", "--driver-config", self.folder)
        self.assertEqual(outcome.code, 78)
        self.assertIn("net_null.conf: queues: 'few'", outcome.stderr)


if __name__ == "__main__":
    unittest.main()
