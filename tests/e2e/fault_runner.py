"""What the tests of faults share: a tap with traffic, a way to collectors, and faults to order."""

import contextlib
import ctypes
import os
import pathlib
import re
import signal
import socket
import struct
import subprocess
import tempfile
import threading
import time
import unittest

import frames
import pollflow_runner as runner
import v5
from live_runner import Controlled, LiveTest, Namespace, require_namespaces, veth_pair, wait_until

SANITIZED = bool(os.environ.get("POLLFLOW_SANITIZED"))
CONTROL, WORKER, EXPORTER = 0, 1, 2                 # lcores, as they are laid out here
THREE_LCORES = ["--lcores", "0@0,1@1,2@0"]
COLLECTOR_HOST, ROUTER, NO_HOST = "10.8.0.2", "10.8.0.2", "10.8.0.99"
PORT = 2055


class Site:
    """A namespace for pollflow, with a tap, and one beyond: it sends the traffic and has the collectors."""

    def __enter__(self):
        self.stack = contextlib.ExitStack()
        self.here, self.there = (self.stack.enter_context(Namespace()) for _ in range(2))
        self.tap, self.far = self.stack.enter_context(veth_pair(self.here, self.there))
        self.way, way_far = self.stack.enter_context(veth_pair(self.here, self.there, "way"))
        self.here.ip("addr", "add", "10.8.0.1/24", "dev", self.way)
        self.there.ip("addr", "add", COLLECTOR_HOST + "/24", "dev", way_far)
        # Each datagram that finds nobody is answered, not some a second.
        self.there.run("sysctl", "-qw", "net.ipv4.icmp_ratemask=0")
        self.wire = self.stack.enter_context(contextlib.closing(self.there.frames_on(self.far)))
        return self

    def __exit__(self, *_):
        self.stack.close()

    def port(self, framecnt=32768):
        """EAL's arguments for the tap; so many frames wait in the kernel while nobody takes them."""
        return ["--vdev", "net_af_packet0,iface=%s,qpairs=1,framecnt=%d,blocksz=1048576,framesz=2048"
                % (self.tap, framecnt)]

    @property
    def arrived(self):
        """Frames that came to the tap, as the kernel counts them."""
        return self.here.counters(self.tap)[0]

    def collector(self, port=PORT):
        return runner.Collector(COLLECTOR_HOST, port, self.there.socket)

    def router_answers(self, kind, network):
        """Packets for this network go there, and are answered: `prohibit` or `unreachable`, as ip route has it."""
        self.there.run("sysctl", "-qw", "net.ipv4.ip_forward=1")
        self.there.ip("route", "add", kind, network)
        self.here.ip("route", "add", network, "via", ROUTER)


class Tapped(Controlled):
    """A pollflow on the tap of a site."""

    def __init__(self, site, options, framecnt=32768, **named):
        super().__init__([*THREE_LCORES, *site.port(framecnt)], options, prefix=site.here.prefix, **named)

    @property
    def received(self):
        """By the workers so far, as they tell it."""
        return self.ask("/pollflow/ledger")["received_packets"]

    @property
    def resident_kb(self):
        status = pathlib.Path("/proc/%d/status" % self.process.pid).read_text()
        return int(re.search(r"VmRSS:\s+(\d+) kB", status)[1])


def flow_frames(count, octets=0):
    """A frame of another flow each."""
    template = frames.udp_frame(data=bytes(octets))
    at = template.index(bytes([10, 0, 0, 1]))
    return [template[:at] + struct.pack(">I", 0x0b000000 + number) + template[at + 4:] for number in range(count)]


class Traffic:
    """Sends frames, round and round, so many a second, until it is left."""

    def __init__(self, wire, these, a_second):
        self.wire, self.frames, self.pause_s = wire, these, 0.005
        self.each_time = max(1, round(a_second * self.pause_s))
        self.ending = threading.Event()
        self.thread = threading.Thread(target=self.send, daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.ending.set()
        self.thread.join()

    def send(self):
        at = 0
        while not self.ending.is_set():
            due = time.monotonic() + self.pause_s
            for _ in range(self.each_time):
                with contextlib.suppress(OSError):      # the link is down: it does not count then
                    self.wire.send(self.frames[at % len(self.frames)])
                at += 1
            time.sleep(max(0, due - time.monotonic()))


# --- an lcore that stands still ---

PTRACE_SEIZE, PTRACE_INTERRUPT, PTRACE_DETACH = 0x4206, 0x4207, 17
WAIT_FOR_THREADS = 0x40000000       # __WALL
libc = ctypes.CDLL(None, use_errno=True)


def ptrace(request, thread):
    if libc.ptrace(request, thread, ctypes.c_void_p(0), ctypes.c_void_p(0)) != 0:
        raise OSError(ctypes.get_errno(), "ptrace %#x of thread %d" % (request, thread))


def thread_of_lcore(process, lcore):
    """EAL names its threads rte-worker-N, since DPDK 23.11 dpdk-workerN."""
    for task in pathlib.Path("/proc/%d/task" % process.pid).iterdir():
        with contextlib.suppress(FileNotFoundError):        # one of telemetry's that has just ended
            if re.fullmatch(r"(rte|dpdk)-worker-?%d" % lcore, (task / "comm").read_text().strip()):
                return int(task.name)
    raise AssertionError("no thread of lcore %d" % lcore)


@contextlib.contextmanager
def stalled(live, lcore):
    """This lcore alone stands still meanwhile; the process's other threads go on."""
    thread = thread_of_lcore(live.process, lcore)
    try:
        ptrace(PTRACE_SEIZE, thread)
    except PermissionError as error:
        raise unittest.SkipTest("threads cannot be stopped here: %s" % error) from None
    ptrace(PTRACE_INTERRUPT, thread)
    os.waitpid(thread, WAIT_FOR_THREADS)
    try:
        yield
    finally:
        ptrace(PTRACE_DETACH, thread)


# --- a disk that is soon full ---

@contextlib.contextmanager
def small_disk(kilobytes):
    """The folder of a file system of its own."""
    with tempfile.TemporaryDirectory() as folder:
        mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=%dk" % kilobytes, "none", folder],
                                 capture_output=True, text=True, check=False)
        if mounted.returncode != 0:
            raise unittest.SkipTest("no tmpfs can be mounted here: %s" % mounted.stderr.strip())
        try:
            yield pathlib.Path(folder)
        finally:
            subprocess.run(["umount", folder], check=True)


# --- test cases ---

class FaultTest(LiveTest):

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        require_namespaces()

    def enter(self, context):
        """Left at the end of the test."""
        entered = context.__enter__()
        self.addCleanup(context.__exit__, None, None, None)
        return entered

    def site(self):
        return self.enter(Site())

    def run_of(self, name, collectors=(), flows_out=True):
        """Options of one of several runs, and a function that reads its ledger."""
        path = self.folder / (name + ".json")
        options = ["--ledger", path, *(["--flows-out", self.folder / (name + ".csv")] if flows_out else [])]
        for each in collectors:
            options += ["--collector", each]
        return options, lambda: runner.parse_ledger(path.read_text())

    def catch_up(self, site, live):
        """Until the worker has all that came: how soon it gets there is the machine's business."""
        wait_until(lambda: live.received >= site.arrived, "all that came is received")

    def assert_received_all(self, site, ledger):
        """Nothing was lost before the workers: they have what the kernel counted on the tap."""
        self.assert_adds_up(ledger)
        port, = ledger["ports"]
        self.assertEqual([port["missed"], port["errored"], port["rx_nombuf"]], [0, 0, 0])
        self.assertEqual(ledger["received"]["packets"], site.arrived)

    def assert_gaps_are(self, datagrams, lost, ledger):
        """By flow_sequence the collector misses as many records as are said to be lost, to the last."""
        missed, expected = v5.missed_records(datagrams)
        missed += (ledger["flow_sequence"] - expected) % v5.MODULUS
        self.assertEqual(missed, lost)

    def assert_no_record_lost(self, ledger):
        for reason, lost in ledger["records"]["lost"].items():
            self.assertEqual(lost["records"], 0, reason)
