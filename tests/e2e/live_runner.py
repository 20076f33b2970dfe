"""Running pollflow on live (virtual) ports, and network namespaces with traffic of their own."""

import contextlib
import ctypes
import fcntl
import itertools
import json
import os
import pathlib
import shutil
import signal
import socket
import struct
import subprocess
import threading
import time
import unittest

import capture_writer as writer
import frames
import pollflow_runner as runner

READY = "Receiving"
REPLY_MAX = 16384
NOTHING_LEFT_BEHIND = ["--no-pci", "--no-huge", "--no-shconf", "--no-telemetry"]
CLONE_NEWNET = 0x40000000
SIOCETHTOOL = 0x8946
ETHTOOL_SET = {"rx-checksum": 0x15, "tx-checksum": 0x17, "scatter-gather": 0x19, "tso": 0x1f, "gso": 0x24,
               "gro": 0x2c}
numbers = itertools.count()


def own_name(what="pf"):
    """A name that no other test of this machine has."""
    return "%s%d-%d" % (what, os.getpid(), next(numbers))


def wait_until(condition, what, seconds=120):
    """Waits for a condition, not for a while; fails when it does not come."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError("not within %d seconds: %s" % (seconds, what))
        time.sleep(0.005)


class Live:
    """A pollflow on live ports; started when it says that it receives."""

    START_S = 180

    def __init__(self, eal, options, prefix=(), **named):
        eal = [*eal, *self.common_eal()]
        self.process = subprocess.Popen([*prefix, runner.binary(), *map(str, eal), "--", *map(str, options)],
                                        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                        **{"stderr": subprocess.PIPE, **named})
        self.stdout, self.stderr = [], []
        self.readers = [threading.Thread(target=self.read, args=stream, daemon=True) for stream in
                        ((self.process.stdout, self.stdout), (self.process.stderr, self.stderr))
                        if stream[0] is not None]
        for reader in self.readers:
            reader.start()

    def common_eal(self):
        return NOTHING_LEFT_BEHIND

    @staticmethod
    def read(stream, lines):
        for line in stream:
            lines.append(line.decode("utf-8", "replace"))

    def __enter__(self):
        try:
            wait_until(lambda: self.says(READY) or self.process.poll() is not None, "pollflow receives", self.START_S)
        except AssertionError:
            self.__exit__()     # which nobody else would call
            raise
        if self.process.poll() is not None:
            outcome = self.finish()
            raise AssertionError("pollflow did not start: %r" % (outcome,))
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.finish()

    def says(self, words):
        return any(words in line for line in self.stdout + self.stderr)

    def wait_for(self, words):
        wait_until(lambda: self.says(words), "pollflow says %r; it said %r" % (words, self.stderr))

    def send(self, number):
        self.process.send_signal(number)

    def stop(self, number=signal.SIGTERM):
        self.send(number)
        return self.finish()

    def finish(self):
        self.process.wait(timeout=runner.TIMEOUT_S)
        for reader in self.readers:
            reader.join()
        for stream in filter(None, (self.process.stdout, self.process.stderr)):
            stream.close()
        return runner.Outcome(self.process.returncode, "".join(self.stdout), "".join(self.stderr))


class Controlled(Live):
    """A pollflow whose telemetry socket answers: ask() as dpdk-telemetry.py does."""

    def common_eal(self):
        self.file_prefix = own_name("pfctl")
        return ["--no-pci", "--no-huge", "--no-shconf", "--file-prefix", self.file_prefix]

    @property
    def runtime_folder(self):
        if os.geteuid() == 0:
            return pathlib.Path("/var/run/dpdk") / self.file_prefix
        return pathlib.Path(os.environ.get("XDG_RUNTIME_DIR", "/tmp")) / "dpdk" / self.file_prefix

    @property
    def telemetry(self):
        return str(self.runtime_folder / "dpdk_telemetry.v2")

    def connect(self):
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        connection.connect(self.telemetry)      # waits its turn, which one with a timeout would not
        connection.settimeout(60)
        banner = json.loads(connection.recv(1024))
        assert banner["max_output_len"] <= REPLY_MAX, banner
        return connection

    def ask(self, command, connection=None):
        """The value of a reply."""
        with contextlib.nullcontext(connection) if connection else contextlib.closing(self.connect()) as at:
            at.send(command.encode())
            reply = json.loads(at.recv(REPLY_MAX + 1))
        return reply[command.partition(",")[0]]

    def pages(self, condition=""):
        """The rows of a snapshot of live flows, page by page."""
        with contextlib.closing(self.connect()) as at:
            cursor = "0"
            while cursor:
                page = self.ask("/pollflow/flows,%s,%s" % (cursor, condition), at)
                yield page["flows"]
                cursor = page["next"]

    def finish(self):
        outcome = super().finish()
        shutil.rmtree(self.runtime_folder, ignore_errors=True)
        return outcome


# --- test cases ---

class LiveTest(runner.PollflowTest):

    def outputs(self):
        return ["--flows-out", self.folder / "flows.csv", "--ledger", self.folder / "ledger.json"]

    @property
    def ledger(self):
        return runner.parse_ledger((self.folder / "ledger.json").read_text())

    @property
    def rows(self):
        return runner.parse_rows((self.folder / "flows.csv").read_text())

    def assert_done(self, outcome):
        """Exit 0 and a ledger that adds up."""
        self.assertEqual(outcome.code, 0, outcome.stderr)
        self.assert_adds_up(self.ledger)

    def written_flows(self):
        """Rows in the file so far; it is flushed every --export-delay."""
        path = self.folder / "flows.csv"
        return len(path.read_text().splitlines()) - 1 if path.exists() else 0

    def capture(self, packets, name="capture.pcap"):
        path = self.folder / name
        writer.write_pcap(path, packets)
        return path

    def many_flows(self, flows):
        """A live port that delivers so many flows of one packet at once, and then is silent."""
        path = self.folder / "flows.pcap"
        template = bytearray(frames.udp_frame())
        at = frames.udp_frame().index(bytes([10, 0, 0, 1]))
        with open(path, "wb") as file:
            file.write(struct.pack("<IHHiIII", 0xa1b2c3d4, 2, 4, 0, 0, 65535, 1))
            for number in range(flows):
                template[at:at + 4] = struct.pack(">I", 0x0b000000 + number)
                file.write(struct.pack("<IIII", 1700000000, 0, len(template), len(template)) + template)
        return ["--vdev", "net_pcap0,rx_pcap=%s" % path]


# --- network namespaces ---

def require_namespaces():
    if os.geteuid() != 0:
        raise unittest.SkipTest("network namespaces want root")
    if shutil.which("ip") is None:
        raise unittest.SkipTest("network namespaces want iproute2")
    name = own_name()
    if subprocess.run(["ip", "netns", "add", name], stderr=subprocess.DEVNULL).returncode != 0:
        raise unittest.SkipTest("this machine gives no network namespaces")
    entered = subprocess.run(["ip", "netns", "exec", name, "true"], stderr=subprocess.DEVNULL, check=False)
    subprocess.run(["ip", "netns", "del", name], check=True)
    if entered.returncode != 0:
        raise unittest.SkipTest("network namespaces cannot be entered here, as in a chroot")


class Namespace:
    """A network namespace without IPv6, so that the kernel sends nothing by itself but ARP."""

    def __init__(self):
        self.name = own_name()

    def __enter__(self):
        subprocess.run(["ip", "netns", "add", self.name], check=True)
        self.run("sysctl", "-qw", "net.ipv6.conf.all.disable_ipv6=1", "net.ipv6.conf.default.disable_ipv6=1")
        self.ip("link", "set", "lo", "up")
        return self

    def __exit__(self, *_):
        subprocess.run(["ip", "netns", "del", self.name], check=True)

    @property
    def prefix(self):
        return ["ip", "netns", "exec", self.name]

    def run(self, *command):
        return subprocess.run([*self.prefix, *command], check=True, capture_output=True, text=True).stdout

    def ip(self, *command):
        subprocess.run(["ip", "-n", self.name, *command], check=True)

    def socket(self, *kind):
        """A socket that lives in the namespace, whoever uses it."""
        made = []

        def enter_and_make():
            with open("/var/run/netns/" + self.name, encoding="ascii") as namespace:
                if ctypes.CDLL(None, use_errno=True).setns(namespace.fileno(), CLONE_NEWNET) != 0:
                    raise OSError(ctypes.get_errno(), "setns")
            made.append(socket.socket(*kind))

        thread = threading.Thread(target=enter_and_make)    # only this thread changes sides
        thread.start()
        thread.join()
        return made[0]

    def frames_on(self, interface):
        """A socket that sends whole Ethernet frames out of an interface."""
        raw = self.socket(socket.AF_PACKET, socket.SOCK_RAW)
        raw.bind((interface, 0))
        return raw

    def counters(self, interface):
        """(received, sent) packets as the kernel counts them."""
        folder = "/sys/class/net/%s/statistics/" % interface
        return tuple(map(int, self.run("cat", folder + "rx_packets", folder + "tx_packets").split()))

    def no_offloads(self, interface):
        """Whole packets on the wire: no segments that a NIC would have cut."""
        with contextlib.closing(self.socket(socket.AF_INET, socket.SOCK_DGRAM)) as control:
            for command in ETHTOOL_SET.values():
                value = ctypes.create_string_buffer(struct.pack("II", command, 0))
                request = struct.pack("16sP8x", interface.encode(), ctypes.addressof(value))
                with contextlib.suppress(OSError):      # those that a veth does not have
                    fcntl.ioctl(control, SIOCETHTOOL, request)


@contextlib.contextmanager
def veth_pair(here, there, name="tap"):
    """An interface in each of two namespaces (or both in one), joined, up, without offloads."""
    far = name + "far"
    here.ip("link", "add", name, "type", "veth", "peer", "name", far, "netns", there.name)
    for namespace, interface in ((here, name), (there, far)):
        namespace.no_offloads(interface)
        namespace.ip("link", "set", interface, "up")
    try:
        yield name, far
    finally:
        subprocess.run(["ip", "-n", here.name, "link", "del", name], stderr=subprocess.DEVNULL, check=False)


class TapTest(LiveTest):
    """A tap between two hosts, 10.9.0.1 here and 10.9.0.2 there; pollflow listens here."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        require_namespaces()

    def setUp(self):
        super().setUp()
        stack = contextlib.ExitStack()
        self.addCleanup(stack.close)
        self.here, self.there = stack.enter_context(Namespace()), stack.enter_context(Namespace())
        self.tap, self.far = stack.enter_context(veth_pair(self.here, self.there))

    def addresses(self):
        self.here.ip("addr", "add", "10.9.0.1/24", "dev", self.tap)
        self.there.ip("addr", "add", "10.9.0.2/24", "dev", self.far)

    def af_packet(self, qpairs=2):
        return ["--vdev", "net_af_packet0,iface=%s,qpairs=%d,framecnt=4096" % (self.tap, qpairs)]
