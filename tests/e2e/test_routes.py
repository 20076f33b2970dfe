#!/usr/bin/env python3
"""--routes: a million prefixes against a model, the kernel's table against `ip route get`, bad files."""

import contextlib
import ipaddress
import random
import re
import subprocess
import sys
import time
import unittest

import capture_writer as writer
import frames
import pollflow_runner as runner
import v5
from live_runner import Namespace, require_namespaces, veth_pair
from traffic import GeneratedTest, at

PREFIXES, ADDRESSES = 1_000_000, 100_000
AS_TRANS = 23456
NAMES = ("ra", "rb", "rc")
NOTHING = (0, "0.0.0.0", 0, 0)      # out_if, next_hop, mask, AS
CONFIGURATION, NO_INPUT = 78, 66


def dotted(address):
    return "%d.%d.%d.%d" % (address >> 24, address >> 16 & 255, address >> 8 & 255, address & 255)


def masked(address, length):
    return address >> (32 - length) << (32 - length)


def random_table(chance, count):
    """{(prefix, length): (out_if, next_hop, AS)}, lengths 1 to 32."""
    table = {}
    while len(table) < count:
        length = chance.randint(1, 32)
        table[masked(chance.getrandbits(32), length), length] = (
            chance.randrange(65536), dotted(chance.getrandbits(32)),
            chance.choice((0, 64512, 65535, 65536, 4294967295)))
    return table


def longest_match(table, address):
    for length in range(32, -1, -1):
        found = table.get((masked(address, length), length))
        if found is not None:
            out_if, next_hop, number = found
            return out_if, next_hop, length, number if number < 65536 else AS_TRANS
    return NOTHING


def table_file(table, chance):
    """One line for each, in no order, and before some a line that it takes the place of."""
    lines = ["%s/%d %s %d %d\n" % (dotted(prefix), length, next_hop, out_if, number)
             for (prefix, length), (out_if, next_hop, number) in table.items()]
    chance.shuffle(lines)
    return "".join("%s 192.0.2.99 99 99\n" % line.split()[0] for line in lines[::10]) + "".join(lines)


def random_addresses(chance, table, count):
    """Half of them inside some prefix."""
    prefixes = chance.choices(list(table), k=count // 2)
    inside = [prefix | chance.getrandbits(32) & (1 << 32 - length) - 1 for prefix, length in prefixes]
    return inside + [chance.getrandbits(32) for _ in range(count - len(inside))]


def expected_routing(table, row):
    """out_if, next_hop, src_mask, dst_mask, src_as, dst_as of a record."""
    _, _, src_mask, src_as = longest_match(table, int(ipaddress.IPv4Address(row.src)))
    out_if, next_hop, dst_mask, dst_as = longest_match(table, int(ipaddress.IPv4Address(row.dst)))
    return out_if, next_hop, src_mask, dst_mask, src_as, dst_as


def routing(row):
    return row.out_if, row.next_hop, row.src_mask, row.dst_mask, row.src_as, row.dst_as


class RoutesTest(GeneratedTest):

    def flows_between(self, addresses, name="flows.pcap"):
        """A capture of a flow for each two addresses."""
        return self.write([at(number // 20, frames.udp_frame(src, dst)) for number, (src, dst) in
                           enumerate(zip(addresses[::2], addresses[1::2]))], name)

    def assert_same(self, found, expected):
        """As assertEqual, whose search for what differs takes minutes in a long list."""
        self.assertEqual(len(found), len(expected))
        self.assertEqual([pair for pair in zip(found, expected) if pair[0] != pair[1]][:3], [])

    def routes_file(self, contents):
        path = self.folder / "routes.txt"
        path.write_text(contents)
        return path


class FileTest(RoutesTest):

    def test_a_million_prefixes(self):
        chance = random.Random(1)
        table = random_table(chance, PREFIXES)
        addresses = random_addresses(chance, table, ADDRESSES)
        routes, capture = self.routes_file(table_file(table, chance)), self.flows_between(addresses)
        began = time.monotonic()
        run = runner.read_capture(capture, "--routes", routes)
        took, began = time.monotonic() - began, time.monotonic()
        plain = runner.read_capture(capture)
        print("%d prefixes: %.1f s for a run of %.1f s without them" % (len(table), took, time.monotonic() - began),
              file=sys.stderr)
        self.assertEqual(run.outcome.code, 0, run.outcome.stderr)
        rows = run.rows
        self.assertEqual(len(rows), len(set(zip(addresses[::2], addresses[1::2]))))
        wrong = [row for row in rows if routing(row) != expected_routing(table, row)]
        self.assertEqual(wrong[:3], [])
        self.assert_same([row[:12] for row in rows], [row[:12] for row in plain.rows])

    def test_datagrams_say_the_same(self):
        chance = random.Random(2)
        table = random_table(chance, 5000)
        table[0, 0] = (7, "192.0.2.1", 65000)
        capture = self.flows_between(random_addresses(chance, table, 2000))
        run = runner.read_capture(capture, "--routes", self.routes_file(table_file(table, chance)), collect=True)
        self.assertEqual(v5.lint(run.datagrams), [])
        self.assert_same(v5.rows(run.datagrams), [tuple(row)[:-1] for row in run.rows])
        self.assert_same([routing(row) for row in run.rows], [expected_routing(table, row) for row in run.rows])
        again = runner.read_capture(capture, "--routes", self.folder / "routes.txt",
                                    eal=["--lcores", "0@0,1@0"], collect=True)
        self.assertTrue(again.datagrams == run.datagrams)

    def test_an_empty_file_has_no_routes(self):
        capture = self.flows_between([1, 2])
        run = runner.read_capture(capture, "--routes", self.routes_file("# none yet\n"))
        self.assertEqual([routing(row) for row in run.rows], [(0, "0.0.0.0", 0, 0, 0, 0)])


class RefusalTest(RoutesTest):

    def refuse(self, code, routes, *words):
        capture = self.flows_between([1, 2])
        outcome = runner.execute(["--read", capture, "--routes", routes])
        self.assertEqual((outcome.code, outcome.stdout), (code, ""), outcome.stderr)
        for word in ("pollflow: --routes %s: " % routes, *words):
            self.assertIn(word, outcome.stderr)
        return outcome.stderr.splitlines()

    def test_bad_lines(self):
        lines = self.refuse(CONFIGURATION, self.routes_file("10.0.0.0/8 - 1\n10.0.0.1/8 - 1\n"), "1 bad line; line 2",
                            "10.0.0.0/8 was perhaps meant")
        self.assertEqual(len(lines), 1)
        lines = self.refuse(CONFIGURATION, self.routes_file("x\n" * 30), "30 bad lines", "line 1:", "line 20:")
        self.assertEqual(len(lines), 1 + 20 + 1)

    def test_something_else(self):
        path = self.folder / "routes.bin"
        path.write_bytes(bytes(random.Random(3).choices(range(256), k=100_000)))
        self.refuse(CONFIGURATION, path, "bad lines")

    def test_no_file(self):
        self.refuse(NO_INPUT, self.folder / "absent")
        self.refuse(NO_INPUT, self.folder)


def route_of_kernel(namespace, address):
    """What `ip route get` says: (via, device), or None for no route, a blackhole and their like."""
    done = subprocess.run([*namespace.prefix, "ip", "-4", "route", "get", address], capture_output=True, text=True,
                          check=False)
    if done.returncode != 0:
        return None
    via = re.search(r" via ([0-9.]+)", done.stdout)
    return via[1] if via else "0.0.0.0", re.search(r" dev (\S+)", done.stdout)[1]


class KernelTest(RoutesTest):
    """A namespace with three interfaces and each kind of route that a table may hold."""

    ROUTES = (
        "default via 10.1.0.254 dev ra",
        "10.0.0.0/8 via 10.2.0.254 dev rb",
        "10.64.0.0/10 via 10.3.0.254 dev rc",
        "10.64.64.0/24 via 10.1.0.253 dev ra",
        "10.64.64.64/32 via 10.2.0.253 dev rb",
        "172.16.0.0/12 nexthop via 10.3.0.7 dev rc weight 1 nexthop via 10.2.0.7 dev rb weight 1",
        "192.168.1.0/24 via 10.3.0.1 dev rc metric 500",
        "192.168.1.0/24 via 10.2.0.1 dev rb metric 20",
        "192.168.1.0/24 via 10.1.0.1 dev ra metric 700",
        "192.168.2.0/24 via inet6 fe80::1 dev rc",
        "192.168.3.0/24 dev rb",
        "192.168.4.0/24 via 203.0.113.1 dev rc onlink",
        "192.168.8.0/21 via 10.1.0.8 dev ra",
        "blackhole 192.168.9.0/24", "unreachable 192.168.10.0/24", "prohibit 192.168.11.0/24",
        "throw 192.168.12.0/24",
        "192.168.12.128/25 via 10.2.0.12 dev rb",
        "192.168.20.0/24 via 10.2.0.20 dev rb tos 0x10",
        "192.168.21.0/24 via 10.2.0.21 dev rb table 77",
        "192.168.22.0/24 via 10.3.0.22 dev rc",
        "192.168.22.0/24 via 10.2.0.22 dev rb",         # of equals the first
    )
    MULTIPATH = ipaddress.ip_network("172.16.0.0/12")

    def setUp(self):
        super().setUp()
        require_namespaces()
        stack = contextlib.ExitStack()
        self.addCleanup(stack.close)
        self.namespace = stack.enter_context(Namespace())
        # A gateway of the other family wants it on.
        self.namespace.run("sysctl", "-qw", "net.ipv6.conf.all.disable_ipv6=0", "net.ipv6.conf.default.disable_ipv6=0")
        for number, name in enumerate(NAMES, 1):
            stack.enter_context(veth_pair(self.namespace, self.namespace, name))
            self.namespace.ip("addr", "add", "10.%d.0.2/24" % number, "dev", name)
        for route in self.ROUTES:
            self.namespace.ip("route", "append", *route.split())

    def rows_by_destination(self, addresses):
        capture = self.flows_between([part for address in addresses for part in ("8.8.8.8", address)])
        run = runner.read_capture(capture, "--routes", "kernel", prefix=self.namespace.prefix)
        self.assertEqual(run.outcome.code, 0, run.outcome.stderr)
        rows = {row.dst: row for row in run.rows}
        self.assertEqual(len(rows), len(addresses))
        return rows

    def ifindex(self, name):
        return int(self.namespace.run("cat", "/sys/class/net/%s/ifindex" % name))

    def addresses(self):
        """Not the host's own and not broadcast: those are in another table."""
        chance = random.Random(4)
        found = {"10.64.64.64", "10.64.64.63", "10.64.64.65", "10.1.0.77", "10.2.0.77", "192.168.4.1", "1.1.1.1"}
        found |= {"192.168.%d.%d" % (third, chance.randint(1, 254)) for third in range(24) for _ in range(8)}
        found |= {"10.%d.%d.%d" % (chance.randint(4, 255), chance.randint(0, 255), chance.randint(1, 254))
                  for _ in range(40)}
        found |= {dotted(chance.randint(0x0b000000, 0xdfffffff)) for _ in range(60)}
        return sorted(address for address in found if not address.startswith("127."))

    def test_as_the_kernel_decides(self):
        index = {name: self.ifindex(name) for name in NAMES}
        rows = self.rows_by_destination(self.addresses())
        for address, row in rows.items():
            known = route_of_kernel(self.namespace, address)
            expected = ("0.0.0.0", 0) if known is None else (known[0], index[known[1]])
            if ipaddress.ip_address(address) in self.MULTIPATH:
                expected = ("10.3.0.7", index["rc"])     # the first, where the kernel picks by hash
            with self.subTest(address):
                self.assertEqual((row.next_hop, row.out_if), expected)

    def test_masks(self):
        expected = {"1.1.1.1": 0, "10.9.9.9": 8, "10.70.1.1": 10, "10.64.64.1": 24, "10.64.64.64": 32, "172.20.1.1": 12,
                    "192.168.1.1": 24, "192.168.2.1": 24, "192.168.8.1": 21, "192.168.9.1": 24, "192.168.10.1": 24,
                    "192.168.11.1": 24, "192.168.12.1": 0, "192.168.12.129": 25, "192.168.20.1": 0, "192.168.21.1": 0}
        rows = self.rows_by_destination(expected)
        self.assertEqual({address: rows[address].dst_mask for address in expected}, expected)
        for row in rows.values():
            self.assertEqual((row.src_mask, row.src_as, row.dst_as), (0, 0, 0))

    def test_what_each_kind_of_route_gives(self):
        a, b, c = map(self.ifindex, NAMES)
        expected = {"172.20.1.1": (c, "10.3.0.7"), "192.168.1.1": (b, "10.2.0.1"), "192.168.2.1": (c, "0.0.0.0"),
                    "192.168.3.1": (b, "0.0.0.0"), "192.168.4.1": (c, "203.0.113.1"), "192.168.9.1": (0, "0.0.0.0"),
                    "192.168.12.1": (0, "0.0.0.0"), "192.168.12.129": (b, "10.2.0.12"),
                    "192.168.20.1": (a, "10.1.0.254"), "192.168.21.1": (a, "10.1.0.254"),
                    "192.168.22.1": (c, "10.3.0.22")}
        rows = self.rows_by_destination(expected)
        self.assertEqual({address: (rows[address].out_if, rows[address].next_hop) for address in expected}, expected)

    def test_a_next_hop_that_is_down(self):
        self.namespace.ip("link", "set", "rc", "down")
        rows = self.rows_by_destination(["172.20.1.1"])
        self.assertEqual((rows["172.20.1.1"].out_if, rows["172.20.1.1"].next_hop), (self.ifindex("rb"), "10.2.0.7"))

    def test_many_routes_come_in_many_messages(self):
        batch = "".join("route add 100.%d.%d.0/24 via 10.1.0.%d\n" % (number >> 8, number & 255, 3 + number % 250)
                        for number in range(20_000))
        subprocess.run([*self.namespace.prefix, "ip", "-batch", "-"], input=batch, text=True, check=True)
        chance = random.Random(5)
        numbers = sorted(chance.sample(range(20_000), 2000))
        rows = self.rows_by_destination(["100.%d.%d.9" % (number >> 8, number & 255) for number in numbers])
        self.assert_same([rows["100.%d.%d.9" % (number >> 8, number & 255)].next_hop for number in numbers],
                         ["10.1.0.%d" % (3 + number % 250) for number in numbers])


if __name__ == "__main__":
    unittest.main()
