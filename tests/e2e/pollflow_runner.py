"""What the end-to-end tests share: running pollflow, its ledger, a collector, the captures.

POLLFLOW           the program, an absolute path
POLLFLOW_CAPTURES  folder of captures; without it ../shared/captures beside the repository
"""

import collections
import csv
import json
import os
import pathlib
import select
import socket
import struct
import subprocess
import tempfile
import threading
import unittest

import reference

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
TIMEOUT_S = 120                 # a run that takes longer hangs
NOBODY = 65534
SO_RCVBUFFORCE = 33             # Linux; only root may
SO_MEMINFO = 55                 # likewise; nine words, the last of which counts what was dropped
RECEIVE_BUFFER = 64 << 20

Outcome = collections.namedtuple("Outcome", "code stdout stderr")


def binary():
    """The program under test. Without one nothing is tested, so that is a failure and not a skip."""
    path = os.environ.get("POLLFLOW", "")
    if not path:
        raise AssertionError("POLLFLOW is not set: set it to the absolute path of the pollflow to test")
    if not os.path.isabs(path) or not os.access(path, os.X_OK):
        raise AssertionError("POLLFLOW=%s is no absolute path of a program" % path)
    return path


def captures_folder():
    """Folder of real captures, or a skip that says why."""
    folder = pathlib.Path(os.environ.get("POLLFLOW_CAPTURES") or REPOSITORY.parent / "shared" / "captures")
    if not folder.is_dir():
        raise unittest.SkipTest("no captures: %s is no folder; set POLLFLOW_CAPTURES" % folder)
    return folder


def captures():
    found = sorted(path for path in captures_folder().iterdir()
                   if path.suffix in (".pcap", ".pcapng", ".cap"))
    if not found:
        raise unittest.SkipTest("no captures: %s holds none" % captures_folder())
    return found


def execute(arguments, prefix=(), stdout=subprocess.PIPE, **named):
    """Runs pollflow to its end. prefix: a command in front of it, such as setpriv."""
    done = subprocess.run([*prefix, binary(), *map(str, arguments)], stdin=subprocess.DEVNULL,
                          stdout=stdout, stderr=subprocess.PIPE, timeout=TIMEOUT_S, **named)
    return Outcome(done.returncode, text(done.stdout), text(done.stderr))


def start(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **named):
    """A pollflow that runs while the test goes on."""
    return subprocess.Popen([binary(), *map(str, arguments)], stdin=subprocess.DEVNULL, stdout=stdout,
                            stderr=stderr, **named)


def finish(process):
    try:
        stdout, stderr = process.communicate(timeout=TIMEOUT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        raise
    return Outcome(process.returncode, text(stdout), text(stderr))


def text(output):
    return None if output is None else output.decode("utf-8", "replace")


# --- what a run leaves behind ---

def parse_ledger(contents):
    return json.loads(contents)


def parse_rows(contents):
    """Rows of a flows-out file as reference.Row with numbers where there are numbers."""
    lines = contents.splitlines()
    if not lines or lines[0] != reference.CSV_HEADER:
        raise AssertionError("the CSV begins with %r" % (lines[:1],))
    rows = []
    for cells in csv.reader(lines[1:]):
        if len(cells) != len(reference.Row._fields):
            raise AssertionError("the CSV holds a line of %d cells: %r" % (len(cells), cells))
        rows.append(reference.Row(*(int(cell) if cell.lstrip("-").isdigit() else cell for cell in cells)))
    return rows


def sorted_lines(contents):
    """Sorted lines of CSV without the header."""
    parse_rows(contents)
    return sorted(contents.splitlines()[1:])


def skipped_numbers(ledger):
    return {name: [numbers["packets"], numbers["octets"]] for name, numbers in ledger["skipped"].items()}


def sums_by_key(rows):
    """Key -> packets, octets, earliest first_ms, latest last_ms, over all its records."""
    sums = {}
    for row in rows:
        key = (row.src, row.dst, row.src_port, row.dst_port, row.protocol, row.tos, row.in_if)
        before = sums.get(key, (0, 0, row.first_ms, row.last_ms))
        sums[key] = (before[0] + row.packets, before[1] + row.octets, min(before[2], row.first_ms),
                     max(before[3], row.last_ms))
    return sums


class Run:
    """A finished `pollflow --read`: outcome, csv and ledger as text, datagrams."""

    def __init__(self, outcome, folder, datagrams):
        self.outcome = outcome
        self.csv = read_if_there(folder / "flows.csv")
        self.ledger_text = read_if_there(folder / "ledger.json")
        self.datagrams = datagrams

    @property
    def ledger(self):
        return parse_ledger(self.ledger_text)

    @property
    def rows(self):
        return parse_rows(self.csv)

    @property
    def lines(self):
        return sorted_lines(self.csv)


def read_if_there(path):
    return path.read_text() if path.exists() else None


def read_capture(capture, *options, collect=False, eal=(), **named):
    """Runs pollflow over a capture with CSV and ledger, and with a collector if so wished."""
    with tempfile.TemporaryDirectory() as folder, Collector() as collector:
        folder = pathlib.Path(folder)
        arguments = [*eal, *(["--"] if eal else []), "--read", capture,
                     "--flows-out", folder / "flows.csv", "--ledger", folder / "ledger.json", *options]
        if collect:
            arguments += ["--collector", collector.address]
        outcome = execute(arguments, **named)
        return Run(outcome, folder, collector.finish())


# --- a collector ---

class Collector:
    """Takes datagrams on a port of its own until finish(). It fails rather than lose one quietly.

    make: what makes its socket, which may live in another network namespace."""

    def __init__(self, host="127.0.0.1", port=0, make=socket.socket):
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.socket = make(family, socket.SOCK_DGRAM)
        try:
            self.socket.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, RECEIVE_BUFFER)
        except PermissionError:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
        self.socket.bind((host, port))
        self.port = self.socket.getsockname()[1]
        self.address = ("[%s]:%d" if ":" in host else "%s:%d") % (host, self.port)
        self.datagrams = []
        self.arrived = threading.Event()        # set with the first datagram
        self.ending = threading.Event()
        self.thread = threading.Thread(target=self.collect, daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.ending.set()
        self.thread.join()
        self.socket.close()

    def collect(self):
        while True:
            ending = self.ending.is_set()       # asked before looking: what was sent by then is there
            readable, _, _ = select.select([self.socket], [], [], 0 if ending else 0.02)
            if readable:
                self.datagrams.append(self.socket.recv(65536))
                self.arrived.set()
            elif ending:
                return

    def finish(self):
        """All datagrams, once their sender has exited: on the loopback what was sent has arrived."""
        self.ending.set()
        self.thread.join()
        dropped = dropped_by(self.socket)
        if dropped:
            raise AssertionError("the test's own collector dropped %d datagrams" % dropped)
        return self.datagrams

    def vanish(self):
        """As if killed: all that it had taken; whatever comes from then on is refused by its host."""
        # A socket that is connected elsewhere is nobody to others. Closed first, it would lose what waits in it.
        self.socket.connect((self.socket.getsockname()[0], 9))
        datagrams = self.finish()
        self.socket.close()
        return datagrams


def dropped_by(receiver):
    """Datagrams that found a socket full, as the kernel counts them."""
    return struct.unpack("9I", receiver.getsockopt(socket.SOL_SOCKET, SO_MEMINFO, 36))[8]


def udp_sockets():
    """(port, bytes waiting, datagrams dropped) of each UDP socket of this machine."""
    for table in ("/proc/net/udp", "/proc/net/udp6"):
        if os.path.exists(table):
            for line in pathlib.Path(table).read_text().splitlines()[1:]:
                cells = line.split()
                yield (int(cells[1].rpartition(":")[2], 16), int(cells[4].partition(":")[2], 16),
                       int(cells[12]))


def dropped_datagrams(port):
    return sum(dropped for number, _, dropped in udp_sockets() if number == port)


def closed_port():
    """A UDP port of the loopback on which nobody listens."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def closed_tcp_port():
    """A TCP port of the loopback on which nobody listens."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


# --- test cases ---

class PollflowTest(unittest.TestCase):
    """A test with a folder of its own, self.folder."""

    maxDiff = 4000

    @classmethod
    def setUpClass(cls):
        binary()

    def setUp(self):
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.folder = pathlib.Path(temporary.name)

    def assert_success(self, outcome):
        """Exit 0, and nothing to say on the error output."""
        self.assertEqual((outcome.code, outcome.stderr), (0, ""), "exit code and error output")

    def assert_one_sentence(self, stderr):
        """Exactly one line, and it says who speaks."""
        self.assertRegex(stderr, r"\Apollflow: [^\n]+\n\Z")

    def assert_model(self, run, expected):
        """The run's CSV and ledger are those of the model."""
        self.assertEqual(run.lines, expected.lines())
        self.assert_model_ledger(run.ledger, expected)
        expired = {reason: count for reason, count in run.ledger["expired"].items() if count}
        self.assertEqual(expired, {reason: count for reason, count in expected.expired.items() if count})

    def assert_adds_up(self, ledger):
        """Every equation of docs/reference/ledger.md, worked out here; at exit nothing is under way."""
        self.assertIs(ledger["balanced"], True)
        received, accounted, tables = ledger["received"], ledger["accounted"], ledger["in_tables"]
        skipped, records = ledger["skipped"].values(), ledger["records"]
        for port in ledger["ports"]:
            self.assertEqual(port["offered"], port["received"] + port["missed"] + port["errored"])
        self.assertEqual(received["packets"], sum(port["received"] for port in ledger["ports"]))
        self.assertEqual(received["packets"], accounted["packets"] + sum(each["packets"] for each in skipped))
        self.assertEqual(received["octets"], accounted["frame_octets"] + sum(each["octets"] for each in skipped))
        for unit in ("packets", "octets"):
            self.assertEqual(accounted[unit], tables[unit] + records["created"][unit])
        for unit in ("records", "packets", "octets"):
            self.assertEqual(records["created"][unit], records["sent"][unit]
                             + sum(lost[unit] for lost in records["lost"].values()))
            self.assertEqual([records["in_rings"][unit], records["in_datagram"][unit]], [0, 0])
        self.assertEqual([tables["flows"], tables["packets"], tables["octets"]], [0, 0, 0])
        self.assertEqual(records["created"]["records"], sum(ledger["expired"].values()))
        self.assertEqual(ledger["flow_sequence"], records["created"]["records"] % 2 ** 32)

    def assert_model_ledger(self, ledger, expected):
        """received, accounted and skipped: what the rules decide whatever the flows."""
        self.assert_adds_up(ledger)
        received, accounted = ledger["received"], ledger["accounted"]
        self.assertEqual([received["packets"], received["octets"]], expected.received)
        self.assertEqual([accounted["packets"], accounted["octets"], accounted["frame_octets"]],
                         expected.accounted)
        self.assertEqual(skipped_numbers(ledger), expected.skipped)

    def assert_same_sums(self, run, expected):
        """Each key has the packets, octets and times of the model, however they are cut into records."""
        self.assertEqual(sums_by_key(run.rows), sums_by_key(expected.rows))
        self.assert_model_ledger(run.ledger, expected)
