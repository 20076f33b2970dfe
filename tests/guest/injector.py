"""Puts frames on the wire of a guest's card, no faster than the guest takes them out of the card.

QEMU holds the sender back only while all receive queues are full; with one of them full its igb drops the
frames of that queue and counts them nowhere. So frames go in groups, and before each group every queue has
room for all of it, as the card's own registers say.
"""

import contextlib
import fcntl
import itertools
import socket
import struct
import termios
import threading

import guest

GROUP = 128                     # frames
DESCRIPTOR_BYTES = 16
# The first four receive queues of an 82576 and both of an 82574 have their registers here.
QUEUE_REGISTERS, QUEUE_STRIDE, QUEUES = 0x2800, 0x100, 4
LENGTH, HEAD, TAIL = 2, 4, 6    # words: bytes of the ring, next to be filled, one behind the last free one


class Injector:
    def __init__(self, machine):
        self.machine = machine
        self.wire = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.wire.bind(str(machine.folder / "host"))
        self.wire.connect(str(machine.folder / "card"))
        resource = machine.read("/sys/bus/pci/devices/%s/resource" % guest.CARD)
        self.registers = int(resource.split()[0], 16)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.wire.close()

    def inject(self, frames):
        """Returns when the card has them all."""
        for at in range(0, len(frames), GROUP):
            self.machine.wait_until(self.has_room, "room in the card's receive queues")
            for frame in frames[at:at + GROUP]:
                self.send(frame)
            self.machine.wait_until(self.is_delivered, "QEMU to take the frames")

    def send(self, frame):
        self.wire.settimeout(max(self.machine.left(), 1))
        try:
            self.wire.send(frame)
        except TimeoutError as error:
            raise guest.GuestFailed("the card took no more frames%s" % self.machine.last_words()) from error

    @contextlib.contextmanager
    def flood(self, frames):
        """Within the `with`, from another thread, the frames over and over, whether there is room or not."""
        flowing, over = threading.Event(), threading.Event()

        def pour():
            for number, frame in enumerate(itertools.cycle(frames)):
                if over.is_set():
                    return
                with contextlib.suppress(TimeoutError):
                    self.wire.send(frame)
                if number == GROUP:
                    flowing.set()

        self.wire.settimeout(0.1)
        thread = threading.Thread(target=pour)
        thread.start()
        try:
            self.machine.wait_until(flowing.is_set, "the first of the flood")
            yield
        finally:
            over.set()
            thread.join()

    def is_delivered(self):
        unread = fcntl.ioctl(self.wire, termios.TIOCOUTQ, bytes(4))
        return struct.unpack("i", unread)[0] == 0

    def has_room(self):
        """Whether each receive queue in use has room for a group; always, where the registers do not show it."""
        for queue in range(QUEUES if self.machine.card in ("igb", "e1000e") else 0):
            words = self.machine.monitor.words_at(self.registers + QUEUE_REGISTERS + queue * QUEUE_STRIDE, 8)
            ring = words[LENGTH] // DESCRIPTOR_BYTES
            if ring and (words[TAIL] - words[HEAD]) % ring < GROUP:
                return False
        return True
