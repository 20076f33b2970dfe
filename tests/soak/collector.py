"""A collector that counts and keeps nothing, so that it can listen for as long as a soak lasts."""

import socket
import struct
import threading

import pollflow_runner as runner
import v5

COUNTS = struct.Struct(">16xII24x")     # of a record its packets and octets
NOWHERE = ("127.0.0.1", 9)              # whom a socket listens to that is about to close


class Collector:
    """Takes datagrams in a namespace, on a port that stays the same while it goes and comes back."""

    def __init__(self, namespace):
        self.namespace = namespace
        self.port = 0
        self.datagrams = self.records = self.packets = self.octets = 0
        self.missed, self.expected = 0, 0       # records by the gaps of flow_sequence; what comes next
        self.damaged = self.dropped = 0
        self.socket = self.thread = None

    def __enter__(self):
        self.come()
        return self

    def __exit__(self, *_):
        if self.socket:
            self.leave()

    @property
    def address(self):
        return "127.0.0.1:%d" % self.port

    def come(self):
        self.socket = self.namespace.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.setsockopt(socket.SOL_SOCKET, runner.SO_RCVBUFFORCE, runner.RECEIVE_BUFFER)
        self.socket.settimeout(0.1)
        self.socket.bind(("127.0.0.1", self.port))
        self.port = self.socket.getsockname()[1]
        self.leaving = threading.Event()
        self.thread = threading.Thread(target=self.collect, daemon=True)
        self.thread.start()

    def leave(self):
        """From one moment on all is refused, and what came before is still counted. Closing alone would lose
        what waits in the socket, and nobody could tell how much that was."""
        self.socket.connect(NOWHERE)
        self.leaving.set()
        self.thread.join()
        self.dropped += self.dropped_by_socket()
        self.socket.close()
        self.socket = None

    def dropped_by_socket(self):
        """Datagrams that the kernel dropped as this socket's buffer was full."""
        table = self.namespace.run("cat", "/proc/net/udp").splitlines()[1:]
        return sum(int(cells[-1]) for cells in map(str.split, table)
                   if int(cells[1].rpartition(":")[2], 16) == self.port)

    def collect(self):
        buffer = bytearray(65536)
        while True:
            leaving = self.leaving.is_set()     # asked before looking: what was sent by then is there
            try:
                size = self.socket.recv_into(buffer)
            except TimeoutError:
                if leaving:
                    return
                continue
            self.count(memoryview(buffer)[:size])

    def count(self, datagram):
        if v5.lint_length(datagram, v5.MOST_RECORDS):
            self.damaged += 1
            return
        head = v5.header(datagram)
        self.missed += (head.flow_sequence - self.expected) % v5.MODULUS
        self.expected = (head.flow_sequence + head.count) % v5.MODULUS
        self.datagrams += 1
        self.records += head.count
        for packets, octets in COUNTS.iter_unpack(datagram[v5.HEADER.size:]):
            self.packets += packets
            self.octets += octets
