"""NetFlow v5 as collectors see it: one written here, and nfcapd where it is installed."""

import contextlib
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import unittest

import frames
import pollflow_runner as runner
import v5
from traffic import GeneratedTest, at, numbered, random_traffic

READY_WITHIN_S = 30


def wire_rows(rows):
    """Rows of the CSV less their reason, sorted: what v5 can say of them."""
    return sorted(tuple(row)[:-1] for row in rows)


def have_ipv6_loopback():
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as probe:
            probe.bind(("::1", 0))
        return True
    except OSError:
        return False


class Stream(GeneratedTest):
    """What arrives is well formed and is exactly what the CSV says."""

    def setUp(self):
        super().setUp()
        self.path = self.write(random_traffic(random.Random(21), 4000))
        self.options = ["--inactive-timeout", 1, "--active-timeout", 4]

    def collect(self, *options):
        run = runner.read_capture(self.path, *self.options, *options, collect=True)
        self.assert_success(run.outcome)
        return run

    def test_stream_is_well_formed(self):
        self.assertEqual(v5.lint(self.collect().datagrams), [])

    def test_records_are_the_rows_of_the_csv(self):
        run = self.collect()
        self.assertGreater(len(run.rows), 100)
        self.assertEqual(sorted(v5.rows(run.datagrams)), wire_rows(run.rows))

    def test_ledger_counts_what_arrived(self):
        run = self.collect()
        ledger, rows = run.ledger, v5.rows(run.datagrams)
        collector, = ledger["collectors"]
        self.assertEqual(ledger["datagrams"], {"sent": len(run.datagrams), "failed": 0})
        self.assertEqual([collector["datagrams_sent"], collector["records_sent"]], [len(run.datagrams), len(rows)])
        self.assertEqual([collector["datagrams_failed"], collector["records_failed"], collector["refused"]], [0, 0, 0])
        self.assertEqual(ledger["records"]["sent"]["records"], len(rows))
        self.assertEqual(ledger["flow_sequence"], len(rows))
        self.assertEqual(ledger["flows_out"], {"records_written": len(rows), "records_failed": 0})

    def test_real_captures(self):
        """Also captures with odd times. First and Last are compared on the circle of 2^32 ms."""
        def circle(row):
            return (*row[:9], row[9] % v5.MODULUS, row[10] % v5.MODULUS, *row[11:])

        for name in ("PcapPlusPlus__many-protocols.pcap", "snabb__sanitized4k.pcap",
                     "tcpdump__timestamp_invalid_micro.pcap"):
            path = runner.captures_folder() / name
            if path.exists():
                with self.subTest(name):
                    run = runner.read_capture(path, collect=True)
                    self.assert_success(run.outcome)
                    self.assertEqual(v5.lint(run.datagrams), [])
                    self.assertEqual(sorted(map(circle, v5.rows(run.datagrams))),
                                     sorted(map(circle, wire_rows(run.rows))))

    def test_flows_of_an_hour_and_gaps_of_hours(self):
        packets = [at(3600000 * hour + 1000 * second, frames.udp_frame(numbered(hour % 3)))
                   for hour in range(0, 30, 5) for second in range(0, 3600, 10)]
        run = self.read(packets, "--active-timeout", 3600, collect=True)
        self.assertEqual(v5.lint(run.datagrams), [])
        self.assertEqual(sorted(v5.rows(run.datagrams)), wire_rows(run.rows))

    def test_most_records_in_a_datagram(self):
        run = self.collect("--max-records", 7)
        self.assertEqual(v5.lint(run.datagrams, most_records=7), [])
        self.assertEqual(max(v5.header(each).count for each in run.datagrams), 7)
        self.assertEqual(sorted(v5.rows(run.datagrams)), wire_rows(run.rows))
        single = self.collect("--max-records", 1)
        self.assertEqual({v5.header(each).count for each in single.datagrams}, {1})
        self.assertEqual(v5.lint(single.datagrams), [])

    def test_full_datagrams_of_thirty(self):
        packets = [at(0, frames.udp_frame(numbered(number))) for number in range(100)]
        run = self.read(packets, collect=True)
        self.assertEqual([v5.header(each).count for each in run.datagrams], [30, 30, 30, 10])

    def test_engine(self):
        run = self.collect("--engine-type", 3, "--engine-id", 255)
        self.assertEqual({(v5.header(each).engine_type, v5.header(each).engine_id) for each in run.datagrams},
                         {(3, 255)})
        self.assertEqual({v5.header(each)[6:8] for each in self.collect().datagrams}, {(0, 0)})

    def test_ifindex_is_on_the_wire(self):
        rows = v5.rows(self.collect("--ifindex", "0=65535").datagrams)
        self.assertEqual({row[11] for row in rows}, {65535})

    def test_a_limited_rate_changes_nothing_but_the_pace(self):
        free, limited = self.collect(), self.collect("--export-rate", 5000)
        self.assertEqual(sorted(v5.rows(limited.datagrams)), sorted(v5.rows(free.datagrams)))
        self.assertEqual(v5.lint(limited.datagrams), [])
        self.assertEqual(limited.ledger["records"]["sent"], free.ledger["records"]["sent"])

    def test_two_collectors_get_the_same_bytes(self):
        with runner.Collector() as second:
            run = self.collect("--collector", second.address)
            self.assertEqual(second.finish(), run.datagrams)
        self.assertEqual([each["records_sent"] for each in run.ledger["collectors"]], [len(run.rows)] * 2)
        self.assertEqual(run.ledger["records"]["sent"]["records"], len(run.rows))
        self.assertEqual(run.ledger["datagrams"]["sent"], 2 * len(run.datagrams))

    def test_a_collector_by_ipv6(self):
        if not have_ipv6_loopback():
            self.skipTest("this machine has no ::1")
        with runner.Collector("::1") as sixth:
            run = self.collect("--collector", sixth.address)
            self.assertEqual(sixth.finish(), run.datagrams)

    def test_a_collector_by_name(self):
        try:
            socket.getaddrinfo("localhost", None)
        except socket.gaierror:
            self.skipTest("localhost does not resolve here")
        with runner.Collector() as named:
            run = self.collect("--collector", "localhost:%d" % named.port)
            self.assertEqual(run.outcome.code, 0)
            if "127.0.0.1" == socket.getaddrinfo("localhost", None)[0][4][0]:
                self.assertEqual(named.finish(), run.datagrams)

    def test_nobody_listens(self):
        run = runner.read_capture(self.path, *self.options, "--collector", "127.0.0.1:%d" % runner.closed_port())
        self.assertEqual(run.outcome.code, 0)
        self.assertIs(run.ledger["balanced"], True)
        collector, = run.ledger["collectors"]
        self.assertGreaterEqual(collector["refused"], 0)
        self.assertEqual(run.ledger["flow_sequence"], len(run.rows))
        self.assertEqual(run.ledger["records"]["created"]["records"], len(run.rows))

    def test_one_of_two_collectors_does_not_listen(self):
        run = self.collect("--collector", "127.0.0.1:%d" % runner.closed_port())
        self.assertEqual(v5.lint(run.datagrams), [])
        self.assertEqual(sorted(v5.rows(run.datagrams)), wire_rows(run.rows))
        self.assertIs(run.ledger["balanced"], True)

    def test_an_idle_flow_leaves_in_time(self):
        """It is sent within its timeout, one second of sweep and one of --export-delay, in capture time."""
        packets = [at(0, frames.udp_frame(numbered(1)))]
        packets += [at(ms, frames.udp_frame(numbered(2))) for ms in range(0, 40000, 50)]
        run = self.read(packets, collect=True)
        head, found = next((v5.header(each), record) for each in run.datagrams for record in v5.records(each)
                           if record.src == frames.address(numbered(1)))
        after_last = v5.header_time_ms(head) - v5.unix_ms(head, found.last)
        self.assertGreater(after_last, 15000)
        self.assertLessEqual(after_last, 15000 + 1000 + 1000 + 100)


class Nfcapd(GeneratedTest):
    """A real collector judges: its totals are ours."""

    def setUp(self):
        super().setUp()
        for tool in ("nfcapd", "nfdump"):
            if not shutil.which(tool):
                self.skipTest("%s is not installed" % tool)

    @contextlib.contextmanager
    def nfcapd(self):
        """Port and process of an nfcapd that listens."""
        port = runner.closed_port()
        flows = self.folder / "flows"
        shutil.rmtree(flows, ignore_errors=True)
        flows.mkdir()
        process = subprocess.Popen(["nfcapd", "-l", flows, "-p", str(port), "-b", "127.0.0.1", "-B", "8000000"],
                                   stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        try:
            self.wait(lambda: process.poll() is not None or any(each[0] == port for each in runner.udp_sockets()),
                      "nfcapd does not listen")
            self.assertIsNone(process.poll(), "nfcapd ended at once")
            yield port, process
        finally:
            process.kill()
            process.communicate()

    def wait(self, condition, complaint):
        deadline = time.monotonic() + READY_WITHIN_S
        while not condition():
            if time.monotonic() > deadline:
                self.fail(complaint)
            time.sleep(0.01)

    def totals(self, path, *options):
        """Flows, packets and octets: as nfdump counts them, and as our ledger does."""
        with self.nfcapd() as (port, process):
            run = runner.read_capture(path, *options, "--collector", "127.0.0.1:%d" % port, "--export-rate", 20000)
            self.assert_success(run.outcome)
            self.wait(lambda: not any(each[0] == port and each[1] for each in runner.udp_sockets()),
                      "nfcapd does not read on")
            self.assertEqual(runner.dropped_datagrams(port), 0)
            process.send_signal(signal.SIGTERM)
            process.communicate(timeout=READY_WITHIN_S)
        report = subprocess.run(["nfdump", "-R", self.folder / "flows", "-I"], stdin=subprocess.DEVNULL,
                                capture_output=True, text=True, timeout=READY_WITHIN_S, check=True).stdout
        seen = {name: int(number) for name, number in re.findall(r"(?m)^(.+?): (\d+)$", report)}
        self.assertEqual(seen["Sequence failures"], 0)
        sent = run.ledger["records"]["sent"]
        return ([seen["Flows"], seen["Packets"], seen["Bytes"]],
                [sent["records"], sent["packets"], sent["octets"]])

    def check(self, path, *options):
        theirs, ours = self.totals(path, *options)
        self.assertGreater(ours[0], 0)
        self.assertEqual(theirs, ours)

    def test_the_bigger_captures(self):
        for path in runner.captures():
            if path.stat().st_size > 400000:
                with self.subTest(path.name):
                    self.check(path)

    def test_a_generated_capture(self):
        chance = random.Random(8)
        packets = [at(number, frames.udp_frame(numbered(chance.randrange(5000)), data=bytes(chance.randrange(100))))
                   for number in range(20000)]
        self.check(self.write(packets), "--inactive-timeout", 1, "--active-timeout", 5)


if __name__ == "__main__":
    sys.exit(unittest.main())
