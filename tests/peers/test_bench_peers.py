#!/usr/bin/env python3
"""scripts/bench-peers and tests/peers/captures.py, tiny: figures stand only where totals are right.

POLLFLOW, POLLFLOW_CAPTURE_FLOOR, POLLFLOW_PCAP_FLOOR: the programs, absolute paths.
"""

import json
import os
import pathlib
import stat
import subprocess
import sys
import tempfile
import unittest

TESTS = pathlib.Path(__file__).resolve().parents[1]
SCRIPTS = TESTS.parent / "scripts"
sys.path[:0] = [str(TESTS / "peers"), str(TESTS / "e2e")]

import capture_writer   # noqa: E402
import cpu_time         # noqa: E402
import frames           # noqa: E402
import plain_reading    # noqa: E402

PACKETS, IPV4_OCTETS = 3000, 46
TIMEOUT_S = 170

# Runs pollflow, then changes its ledger by one statement.
LYING_POLLFLOW = """#!{python}
import json, subprocess, sys
code = subprocess.run(["{pollflow}", *sys.argv[1:]]).returncode
if "--ledger" in sys.argv:
    file = sys.argv[sys.argv.index("--ledger") + 1]
    ledger = json.load(open(file))
    {lie}
    json.dump(ledger, open(file, "w"))
sys.exit(code)
"""

# Prints what the floor printed, with another number.
LYING_FLOOR = """#!{python}
import subprocess, sys
words = subprocess.run(["{floor}", *sys.argv[1:]], capture_output=True, text=True, check=True).stdout.split()
words[{word}] = str(int(words[{word}]) - 1)
print(*words)
"""

# Sends one v5 record whatever the capture holds.
FAKE_SOFTFLOWD = """#!{python}
import socket, struct, sys
if "-h" in sys.argv:
    sys.exit("This is softflowd version 9.9.9. Valid")
host, port = sys.argv[sys.argv.index("-n") + 1].split(":")
record = struct.pack(">12sHHIIIIHHBBBBHHBBH", bytes(12), 0, 0, {packets}, {octets}, *[0] * 13)
header = struct.pack(">HHIIIIBBH", {version}, 1, *[0] * 7)
socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(header + record, (host, int(port)))
sys.exit({code})
"""


class BenchTest(unittest.TestCase):

    def setUp(self):
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.folder = pathlib.Path(temporary.name)
        self.capture = self.folder / "made-up.pcap"
        subprocess.run([SCRIPTS / "make-capture", self.capture, "--packets", str(PACKETS), "--flows", "100"],
                       check=True, timeout=TIMEOUT_S)

    def program(self, name, text, **fields):
        path = self.folder / name
        path.write_text(text.format(python=sys.executable, **fields))
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
        return path

    def lying_pollflow(self, lie):
        return self.program("pollflow", LYING_POLLFLOW, pollflow=os.environ["POLLFLOW"], lie=lie)

    def lying_floor(self, variable, word):
        return self.program("floor", LYING_FLOOR, floor=os.environ[variable], word=word)

    def run_command(self, command, **environment):
        return subprocess.run([*map(str, command)], capture_output=True, text=True, timeout=TIMEOUT_S, check=False,
                              env={**os.environ, **{name: str(value) for name, value in environment.items()}})

    def assert_refused(self, done, code, words):
        """No figure, and one sentence beside those on programs that this machine does not have."""
        self.assertEqual((done.returncode, done.stdout), (code, ""), done.stderr)
        sentences = [line for line in done.stderr.splitlines() if "is left out: it is not installed" not in line]
        self.assertEqual(len(sentences), 1, done.stderr)
        self.assertIn(words, done.stderr)


LIES = (("ledger['balanced'] = False", "does not add up"),
        ("ledger['accounted']['packets'] -= 1", "packets accounted"),
        ("ledger['accounted']['octets'] -= 1", "IPv4 octets accounted"),
        ("ledger['received']['octets'] -= 1", "octets of frames received"),
        ("ledger['records']['sent']['packets'] -= 1", "packets in records sent"),
        ("ledger['records']['sent']['octets'] -= 1", "octets in records sent"),
        ("ledger['records']['sent']['records'] = 3", "3 records of 64 flows"),
        ("ledger['expired']['evicted'] += 1", "flows evicted"),
        ("code = 1", "ended with 1"))


class CapturesTest(BenchTest):

    def measure(self, pollflow=None, floor=None, *more):
        return self.run_command([TESTS / "peers" / "captures.py", pollflow or os.environ["POLLFLOW"],
                                 floor or os.environ["POLLFLOW_CAPTURE_FLOOR"], "--packets", "3000", "--flows",
                                 "100,1000", "--pairs", "2", "--json", self.folder / "out.json", *more])

    def test_right_totals_give_figures_for_each_number_of_flows(self):
        done = self.measure()
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        result = json.loads((self.folder / "out.json").read_text())
        self.assertEqual((result["packets"], result["pairs"], sorted(result["flows"])), (3000, 2, ["100", "1000"]))
        for of_flows in result["flows"].values():
            self.assertEqual([len(of_flows["run_s"]["pollflow"]), len(of_flows["start_s"]["floor"]),
                              len(of_flows["ratio"])], [2, 2, 2])
        self.assertRegex(done.stdout, r"\n +100 .*\[.*\]\n +1000 .*\[.*\]\n\Z")

    def test_a_ledger_that_is_wrong_gives_no_figure(self):
        for lie, words in LIES:
            with self.subTest(lie):
                self.assert_refused(self.measure(pollflow=self.lying_pollflow(lie)), 1, words)
        self.assertEqual((self.folder / "out.json").read_text(), "")

    def test_a_floor_that_is_wrong_gives_no_figure(self):
        for word, words in ((1, "packets that the floor counted"), (3, "octets that the floor counted")):
            with self.subTest(words):
                self.assert_refused(self.measure(floor=self.lying_floor("POLLFLOW_CAPTURE_FLOOR", word)), 1, words)

    def test_a_wrong_argument_is_named(self):
        self.assert_refused(self.measure(None, None, "--pairs", "0"), 64, "--pairs")
        self.assert_refused(self.measure(None, None, "--packets", "64"), 64, "--packets 64")


class PeersTest(BenchTest):

    def compare(self, *more, path=None, **environment):
        return self.run_command([SCRIPTS / "bench-peers", self.capture, "--rounds", "1", "--no-install",
                                 "--json", self.folder / "out.json", *more],
                                PATH=path or os.environ["PATH"], **environment)

    def beside_softflowd(self, packets=PACKETS, octets=PACKETS * IPV4_OCTETS, version=5, code=0):
        """A comparison with a made-up softflowd alone: its row, and what was said."""
        only = self.folder / "bin"
        only.mkdir(exist_ok=True)
        if not (only / "python3").exists():
            (only / "python3").symlink_to(sys.executable)
        self.program("bin/softflowd", FAKE_SOFTFLOWD, packets=packets, octets=octets, version=version, code=code)
        done = self.compare(path=str(only))
        self.assertEqual(done.returncode, 0, done.stderr)
        rows = [line for line in done.stdout.splitlines() if line.startswith("softflowd")]
        return (rows or [""])[0], done.stderr

    def test_the_programs_that_are_there_count_what_the_capture_holds(self):
        done = self.compare()
        self.assertEqual(done.returncode, 0, done.stderr)
        rows = {row["program"]: row for row in json.loads((self.folder / "out.json").read_text())["programs"]}
        self.assertEqual([rows["pollflow --read"]["octets"], rows["libpcap alone"]["octets"]],
                         [PACKETS * IPV4_OCTETS, PACKETS * 60])
        for name, row in rows.items():
            self.assertEqual((row["packets"], row["verdict"], len(row["ns_per_packet"])), (PACKETS, "exact", 1), name)
            self.assertIn("\n" + name, done.stdout)

    def test_a_peer_that_counts_right_is_compared(self):
        row, stderr = self.beside_softflowd()
        self.assertRegex(row, r"\Asoftflowd +9\.9\.9 +-?\d.* 3000 +138000 +1 +exact;")
        self.assertIn("nfpcapd is left out: it is not installed (Debian's package nfdump)", stderr)
        self.assertIn("pmacctd is left out", stderr)

    def test_a_peer_that_counts_fewer_packets_has_its_time_in_brackets(self):
        row, _ = self.beside_softflowd(packets=PACKETS - 1)
        self.assertRegex(row, r"\Asoftflowd +9\.9\.9 +\(-?\d+ \[.*\]\) +\(.*\) .* 2999 .* 1 packets fewer;")

    def test_a_peer_that_counts_otherwise_is_flagged(self):
        for otherwise in ({"octets": PACKETS * 60}, {"packets": PACKETS + 1}):
            row, _ = self.beside_softflowd(**otherwise)
            self.assertRegex(row, r"\Asoftflowd +9\.9\.9 +-?\d.* differs;")

    def test_a_peer_that_fails_is_left_out_by_name(self):
        for wrong, words in (({"code": 3}, "softflowd ended with 3"),
                             ({"version": 9}, "softflowd sent a datagram that is not NetFlow v5")):
            row, stderr = self.beside_softflowd(**wrong)
            self.assertEqual(row, "")
            self.assertIn("bench-peers: softflowd is left out: " + words, stderr)

    def test_pollflow_or_floor_wrong_gives_no_figure(self):
        for lie in ("ledger['balanced'] = False", "ledger['accounted']['packets'] -= 1",
                    "ledger['records']['sent']['records'] += 1"):
            with self.subTest(lie):
                self.assert_refused(self.compare(POLLFLOW=self.lying_pollflow(lie)), 1, "pollflow's ledger has")
        for word in (1, 3):
            floor = self.lying_floor("POLLFLOW_PCAP_FLOOR", word)
            self.assert_refused(self.compare(POLLFLOW_PCAP_FLOOR=floor), 1, "libpcap alone counted")

    def test_a_capture_that_pollflow_reads_otherwise_gives_no_figure(self):
        shorter = self.folder / "shorter.pcap"
        shorter.write_bytes(self.capture.read_bytes()[:-76])
        text = '#!/bin/sh\n[ "$2" = {capture} ] && set -- --read {shorter} --collector "$4" --ledger "$6"\n' \
               'exec {pollflow} "$@"\n'
        other = self.program("pollflow", text, capture=self.capture, shorter=shorter, pollflow=os.environ["POLLFLOW"])
        self.assert_refused(self.compare(POLLFLOW=other), 1, "pollflow --read counted 2999 packets")

    def test_wrong_input_is_named(self):
        whole = self.capture.read_bytes()
        for contents, words in ((None, "No such file"), (b"GIF89a", "not a whole capture"),
                                (whole[:-1], "packet cut"), (whole[:24 + 76 * 64], "has 64 frames")):
            with self.subTest(words):
                self.capture.unlink(missing_ok=True)
                if contents is not None:
                    self.capture.write_bytes(contents)
                self.assert_refused(self.compare(), 66, words)
        self.capture.write_bytes(whole)
        self.assert_refused(self.compare("--rounds", "0"), 64, "--rounds 0")
        self.assert_refused(self.compare("--json", self.folder / "no" / "such"), 73, "--json")


class PartsTest(BenchTest):

    def test_processor_time_of_what_a_command_leaves_behind_counts(self):
        burn = "import time\nwhile time.process_time() < 0.4: pass"
        done = cpu_time.run(["sh", "-c", '"$0" -c "$1" & exit 3', sys.executable, burn])
        self.assertEqual(done.code, 3)
        self.assertTrue(0.4 <= done.cpu_s < 4, done.cpu_s)

    def test_a_plain_reading_counts_ipv4_and_names_the_rest(self):
        ipv4, arp, ipv6 = (frames.ethernet(each) for each in
                            (frames.ipv4(payload=bytes(16)), frames.arp(), frames.ipv6()))
        capture_writer.write_pcap(self.capture, [(0, ipv4), (1, arp), (2, ipv6), (3, ipv4)])
        self.assertEqual(plain_reading.read(self.capture),
                         (4, 2 * len(ipv4) + len(arp) + len(ipv6), 2, 2 * 36, {"arp": 1, "ipv6": 1}))


if __name__ == "__main__":
    for needed in ("POLLFLOW", "POLLFLOW_CAPTURE_FLOOR", "POLLFLOW_PCAP_FLOOR"):
        if not os.environ.get(needed):
            raise SystemExit("%s is not set: set it to the absolute path of the program" % needed)
    unittest.main()
