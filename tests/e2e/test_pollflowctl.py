"""What the operator's client sends, prints and refuses, against a stand-in for a running pollflow."""

import csv
import io
import json
import os
import unittest

import fake_telemetry as fake
import reference
from client_runner import DONE, FAILED, USAGE, ClientTest


def sources(output):
    """The source addresses of the flows in CSV."""
    return [row["src"] for row in csv.DictReader(io.StringIO(output))]


ONE, TWO, THREE = "10.0.0.1", "10.0.0.3", "10.9.0.4"


class Show(ClientTest):

    def test_all_pages_in_the_tables_own_order(self):
        server = self.serve()
        output = self.print("show")
        self.assertEqual(server.requests, [("/pollflow/flows", "0"), ("/pollflow/flows", "0:1024:7"),
                                           ("/pollflow/flows", "1:0:7")])
        self.assertEqual(output.splitlines(), [
            "proto                source    destination              packets       octets       age s    idle s"
            "     in   out",
            "TCP           10.0.0.1:4242 -> 10.0.0.2:443                  12        34567       3.210     0.321"
            "      1     2",
            "UDP          10.0.0.3:65535 -> 192.168.100.200:53             2          150      60.000    14.000"
            "      2     0",
            "ICMP             10.9.0.4:0 -> 10.0.0.2:2048                200        16800      20.000     0.000"
            "      1     0",
            "3 flows, all shown."])

    def test_csv(self):
        self.serve()
        lines = self.print("show", "--csv").splitlines()
        self.assertEqual(lines[0], reference.CSV_HEADER + ",age_ms,idle_ms")
        self.assertEqual(lines[1:], ["%s,%s,,%s" % parts for parts in
                                     zip(fake.FLOWS, fake.PATHS, ("3210,321", "60000,14000", "20000,0"))])

    def test_json(self):
        self.serve()
        document = json.loads(self.print("show", "--json"))
        self.assertEqual(document["now_ms"], fake.NOW_MS)
        self.assertEqual(len(document["flows"]), 3)
        self.assertEqual(document["flows"][0], {
            "src": "10.0.0.1", "dst": "10.0.0.2", "src_port": 4242, "dst_port": 443, "protocol": 6, "tos": 0,
            "tcp_flags": 24, "packets": 12, "octets": 34567, "first_ms": fake.NOW_MS - 3210,
            "last_ms": fake.NOW_MS - 321, "in_if": 1, "out_if": 2, "next_hop": "10.0.0.254", "src_mask": 8,
            "dst_mask": 24, "src_as": 64512, "dst_as": 4200000000, "age_ms": 3210, "idle_ms": 321})

    def test_no_flows(self):
        self.serve(flows=fake.page([], []), top=fake.page([], []))
        self.assertEqual(json.loads(self.print("show", "--json")), {"now_ms": fake.NOW_MS, "flows": []})
        self.assertEqual(len(self.print("show", "--csv").splitlines()), 1)
        for order in ("show", "--by=age"), ("show",), ("show", "--top=5"):
            self.assertEqual(self.print(*order).splitlines()[1:], ["0 flows, all shown."])

    def test_sorted(self):
        self.serve()
        for order, expected in (("octets", [ONE, THREE, TWO]), ("packets", [THREE, ONE, TWO]),
                                ("age", [TWO, THREE, ONE])):
            self.assertEqual(sources(self.print("show", "--csv", "--by", order)), expected, order)

    def test_the_first_64_are_asked_of_the_server(self):
        server = self.serve()
        self.assertIn("\n2 of 90 flows.\n", self.print("show", "--top", "2"))
        self.print("show", "--top", "64", "--by", "age", "--filter", "tcp and port 443")
        self.assertEqual(server.requests, [("/pollflow/top", "2,octets"),
                                           ("/pollflow/top", "64,age,tcp and port 443")])

    def test_more_than_64_are_picked_here(self):
        rows = ["10.1.%d.%d,10.0.0.2,1,2,6,0,0,1,%d,%d,%d,1" % (n // 250, n % 250, n * 7919 % 1000, fake.NOW_MS,
                                                               fake.NOW_MS) for n in range(1000)]
        pages = {str(at): fake.page(rows[at:at + 50], fake.PATHS[1:2] * 50, str(at + 50) if at < 950 else "")
                 for at in range(0, 1000, 50)}
        server = self.serve(flows=lambda parameters: pages[parameters])
        shown = list(csv.DictReader(io.StringIO(self.print("show", "--csv", "--top", "65"))))
        self.assertEqual([int(row["octets"]) for row in shown], list(range(999, 934, -1)))
        self.assertEqual(len(server.requests), 20)
        self.assertIn("\n70 of 1000 flows.\n", self.print("show", "--top", "70"))

    def test_the_filter_goes_with_each_page(self):
        server = self.serve()
        self.print("show", "--filter", "src net 10.0.0.0/8")
        self.assertEqual([parameters for _, parameters in server.requests],
                         [cursor + ",src net 10.0.0.0/8" for cursor in ("0", "0:1024:7", "1:0:7")])

    def test_a_filter_that_is_refused(self):
        self.serve(flows="filter: 'prot' is no term", top="filter: 'prot' is no term")
        self.refuse(USAGE, "show", "--filter", "prot 6", naming="pollflowctl: filter: 'prot' is no term\n")
        self.refuse(USAGE, "show", "--filter", "prot 6", "--top", "3", naming="'prot' is no term")
        self.refuse(FAILED, "show", naming="'prot' is no term")

    def test_trouble_on_a_later_page_is_not_the_users(self):
        self.serve(flows=lambda parameters: fake.page([], [], "1") if parameters[0] == "0" else "the snapshot is gone")
        self.refuse(FAILED, "show", "--filter", "tcp", naming="the snapshot is gone")

    def test_a_reader_that_goes(self):
        pages = fake.page(fake.FLOWS[:1] * 100, fake.PATHS[:1] * 100, "0:1")
        server = self.serve(flows=lambda parameters: {**pages, "next": "%d:1" % len(server.requests)
                                                      if len(server.requests) < 200 else ""})
        reading, writing = os.pipe()
        os.close(reading)
        with os.fdopen(writing) as stdout:
            outcome = self.execute("show", stdout=stdout)
        self.assertEqual((outcome.returncode, outcome.stderr), (DONE, ""))
        self.assertLess(len(server.requests), 200)

    def test_an_output_that_takes_no_more(self):
        self.serve()
        with open("/dev/full", "w") as stdout:
            outcome = self.execute("show", stdout=stdout)
        self.assertEqual(outcome.returncode, FAILED)
        self.assertIn("No space left", outcome.stderr)

    def test_malformed(self):
        good = fake.page(fake.FLOWS, fake.PATHS)
        lines = [fake.FLOWS[0].replace(was, now, 1) for was, now in (
            ("10.0.0.1", "10.0.0.256"), ("4242", "65536"), (",443,6,", ",443,256,"), ("34567", "-1"), ("4242", ""),
            ("34567", "0x10"))]
        lines += ["", fake.FLOWS[0] + ",1", fake.FLOWS[0].rpartition(",")[0], fake.FLOWS[0] + " "]
        answers = [{**good, "flows": [line], "paths": fake.PATHS[:1]} for line in lines]
        answers += [{**good, "flows": fake.FLOWS[:1], "paths": [path]} for path in (
            "2,10.0.0.254,33,24,0,0", "2,10.0.0.254,8,24,0,4294967296", "2,,8,24,0,0", "2,10.0.0.254,8,24,0")]
        answers += [{**good, **part} for part in (
            {"next": "0"}, {"next": 5}, {"next": "1,tcp"}, {"now_ms": "now"}, {"now_ms": -1}, {"flows": "x"},
            {"flows": [5], "paths": fake.PATHS[:1]}, {"paths": fake.PATHS[:2]}, {"flows": {}})]
        answers += [{name: value for name, value in good.items() if name != missing}
                    for missing in ("next", "now_ms", "flows", "paths")]
        self.refuse_answers("flows", answers, "show")
        top = [{**good, "matched": 2}, {**good, "matched": "3"}, 5, True, []]
        self.refuse_answers("top", top, "show", "--top", "5")
        self.refuse_answers("top", [good], "show", "--top", "2")


class Reports(ClientTest):
    """info and ledger."""

    def test_info(self):
        server = self.serve()
        output = self.print("info")
        self.assertEqual(server.requests, [("/pollflow/info", ""), ("/pollflow/worker", "1"), ("/pollflow/worker", "2"),
                                           ("/pollflow/port", "0"), ("/pollflow/collector", "0")])
        for line in (
                "pollflow 0.1.0, process 4242, up 1 d 01:01:01",
                "workers on lcores 1 2, export on lcore 3; ports 0; collectors: 1",
                "inactive timeout 15 s, active timeout 1800 s, idle flows are not held",
                "  frames received                               2000",
                "    ended by: end                                  4",
                "  lost: sending failed                             3",
                "  98.95 % within 1 s (95 of 96), 10.0 ms on average, the latest within 2000 ms",
                "  lcore  queues  packets  flows     max  most so far  lost    ring  cycles/packet    busy  buckets/packet",
                "      2  0:1        1000      1  524288           60     0  1/4095            250  25.0 %           1.100",
                "     0  net_e1000_igb  0000:00:05.0        1  up         2     2010      2000       7        3          0",
                "  192.0.2.1:2055              31       1            93       3        0                0"):
            self.assertIn("\n" + line + "\n", "\n" + output)
        self.assertNotIn("evicted", output)

    def test_info_before_the_first_packet(self):
        idle = {"received_packets": 0, "packets": 0, "cycles": 0, "cycles_busy": 0, "second_looks": 0}
        self.serve(info={**fake.INFO, **idle, "lateness_counts": [0] * 5, "collectors": 0},
                   worker={**fake.worker(1), **idle})
        output = self.print("info")
        self.assertIn("no flow has reached a deadline yet", output)
        self.assertRegex(output, r"\n +1  0:0 .* - +- +-\n")
        self.assertNotIn("Collectors", output)

    def test_lateness_beyond_all_bounds(self):
        self.serve(info={**fake.INFO, "lateness_counts": [99999, 0, 0, 0, 1]})
        self.assertIn("99.99 % within 1 s (99999 of 100000)", output := self.print("info"))
        self.assertIn("the latest beyond 2000 ms", output)

    def test_info_as_json(self):
        self.serve()
        self.assertEqual(json.loads(self.print("info", "--json")),
                         {"run": fake.INFO, "workers": [fake.worker(1), fake.worker(2)], "ports": [fake.PORT],
                          "collectors": [fake.COLLECTOR]})

    def test_names_are_safe_on_a_terminal(self):
        self.serve(port={**fake.PORT, "name": "\x1b[2Jpci\n"}, ledger=fake.ledger(balanced=0, broken=["\x1b[1m"]))
        self.assertIn("\\x1b[2Jpci\\x0a", self.print("info"))
        self.assertIn("\\x1b[1m", self.print("ledger", code=FAILED))

    def test_malformed_info(self):
        members = [name for name in fake.INFO if name not in ("tsc_hz", "second_looks", "cycles", "cycles_busy")]
        answers = [{name: value for name, value in fake.INFO.items() if name != missing} for missing in members]
        answers += [{**fake.INFO, **part} for part in (
            {"version": 1}, {"workers": 1}, {"workers": ["1"]}, {"octets": -1}, {"octets": "1"}, {"octets": 1.5},
            {"collectors": 10 ** 9}, {"lateness_counts": [1, 2]}, {"now_ms": 2 ** 64 - 1})]
        self.refuse_answers("info", answers, "info")
        for what in ("worker", "port", "collector"):
            self.refuse_answers(what, [{}, [], 7], "info")
        self.refuse_answers("worker", [{**fake.worker(1), "queue_ids": []}], "info")

    def test_ledger(self):
        self.serve()
        output = self.print("ledger")
        for line in ("Frames                                               packets            octets",
                     "  received                                              2000           2600000",
                     "= accounted to a flow                                   1500           2194000",
                     "+ skipped: ipv6                                          400            400000",
                     "= in the tables (3 flows)                                500            300000",
                     "+ lost: sending failed                       3            30             18000",
                     "Port 0, 0000:00:05.0                                 packets",
                     "+ queue 1 on lcore 2                                    1000"):
            self.assertIn("\n" + line + "\n", output)
        self.assertEqual(output.count("\n  holds\n"), 6)
        self.assertNotIn("llc", output)
        self.assertTrue(output.endswith("\nThe ledger adds up: every packet received is accounted for.\n"), output)

    def test_each_equation_is_checked_here_too(self):
        broken = [{member: fake.ledger()[member] + 1} for member in (
            "offered", "missed", "errored", "received_packets", "received_octets", "skipped_arp_packets",
            "skipped_arp_octets", "accounted_packets", "accounted_octets", "accounted_frame_octets",
            "in_tables_packets", "in_tables_octets", "created_records", "created_packets", "created_octets",
            "in_rings_records", "in_datagram_packets", "sent_octets", "lost_ring_full_records",
            "lost_send_failed_packets", "lost_write_failed_octets")]
        for change in broken:
            with self.subTest(str(change)):
                with fake.FakeTelemetry(self.socket, fake.pollflow_answers(ledger=fake.ledger(**change))):
                    output = self.print("ledger", code=FAILED)
                self.socket.unlink()
                self.assertIn("\n  does NOT hold\n", output)
                self.assertTrue(output.endswith("\nThe ledger does NOT add up.\n"), output)

    def test_a_port_that_does_not_add_up(self):
        for change in ({"offered": 2011}, {"queue_packets": [1000, 999]}):
            with fake.FakeTelemetry(self.socket, fake.pollflow_answers(port={**fake.PORT, **change})):
                self.assertEqual(self.print("ledger", code=FAILED).count("does NOT hold"), 1)
            self.socket.unlink()

    def test_what_pollflow_says_is_broken(self):
        self.serve(ledger=fake.ledger(balanced=0, broken=["records in rings is 1, but what the rings hold is 2"]))
        self.assertIn("\nThe ledger does not add up: records in rings is 1, but what the rings hold is 2.\n",
                      self.print("ledger", code=FAILED))
        self.assertIs(json.loads(self.print("ledger", "--json", code=FAILED))["balanced"], False)

    def test_ledger_as_json(self):
        self.serve()
        self.assertEqual(json.loads(self.print("ledger", "--json")),
                         {"balanced": True, "ledger": fake.ledger(), "ports": [fake.PORT]})

    def test_malformed_ledger(self):
        good = fake.ledger()
        members = [name for name in good if not name.startswith("skipped") and name != "rx_nombuf"]
        answers = [{name: value for name, value in good.items() if name != missing} for missing in members]
        answers += [{**good, "broken": "x"}, {name: value for name, value in good.items() if name != "skipped_arp_octets"}]
        self.refuse_answers("ledger", answers, "ledger")


class Settings(ClientTest):

    def test_requests_and_output(self):
        timeouts, expired = "inactive 15 s, active 1800 s\n", "12 flows exported\n"
        levels = "notice\n  lib.eal debug\n  pmd.net.ring info\n  ... and 3 more\n"
        for arguments, request, output in (
                ("timeouts", ("timeouts", ""), timeouts),
                ("timeouts 30 600", ("timeouts", "30,600"), timeouts),
                ("timeouts 1 2147483", ("timeouts", "1,2147483"), timeouts),
                ("expire --all", ("expire", ""), expired),
                ("expire --filter tcp", ("expire", "tcp"), expired),
                ("log-level", ("log_level", ""), levels),
                ("log-level debug", ("log_level", "debug"), levels),
                ("log-level pmd.* 8", ("log_level", "pmd.*,8"), levels),
                ("routes", ("routes", ""), "/etc/routes: 920113 routes, in force since 2026-09-21 14:13:20 UTC\n"),
                ("routes reload", ("routes/reload", ""),
                 "/etc/routes: 920114 routes, in force since 2026-09-21 14:13:24 UTC\n")):
            with self.subTest(arguments):
                answers = fake.pollflow_answers()
                command = "/pollflow/" + request[0]
                with fake.FakeTelemetry(self.socket, answers) as server:
                    self.assertEqual(self.print(*arguments.split()), output)
                    self.assertEqual(json.loads(self.print(*arguments.split(), "--json")), answers[command])
                self.socket.unlink()
                self.assertEqual(server.requests, [(command, request[1])] * 2)

    def test_no_routes(self):
        self.serve(routes={"source": "", "routes": 0, "loaded_ms": 0})
        self.assertIn("no routes", self.print("routes"))

    def test_what_the_server_refuses(self):
        sentence = "10 is longer than 5"
        answers = {name: sentence for name in ("timeouts", "expire", "log_level", "routes", "routes/reload")}
        self.serve(**answers)
        for arguments in ("timeouts 10 5", "expire --filter nothing", "log-level loud", "log-level pmd.* 3"):
            self.refuse(USAGE, *arguments.split(), naming="pollflowctl: %s\n" % sentence)
        for arguments in ("timeouts", "expire --all", "log-level", "routes", "routes reload"):
            self.refuse(FAILED, *arguments.split(), naming="pollflowctl: %s\n" % sentence)

    def test_malformed(self):
        for command, arguments, answers in (
                ("timeouts", "timeouts", [{}, {"inactive_s": 1}, {"inactive_s": "1", "active_s": 2}, 5]),
                ("expire", "expire --all", [{}, {"expired": -1}, []]),
                ("log_level", "log-level", [{"level": 5, "types": []}, {"level": "x"}, {"level": "x", "types": [1]}]),
                ("routes", "routes", [{"source": "x", "routes": 1}, {"source": 1, "routes": 1, "loaded_ms": 1}])):
            self.refuse_answers(command, answers, *arguments.split())


if __name__ == "__main__":
    unittest.main()
