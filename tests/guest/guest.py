"""A virtual machine without KVM, root or disk: boots the initramfs with one emulated network card, runs
commands in it, and injects frames into its card."""

import contextlib
import json
import os
import pathlib
import select
import shlex
import socket
import subprocess
import tempfile
import time

DEADLINE_S = 90                 # from power-on to power-off
LAST_WORDS_S = 5                # after that, to say why
POLL_S = 0.01
MEMORY_MB = 384
CARD = "0000:00:05.0"


class GuestFailed(AssertionError):
    """The guest did not do what it was asked in time; says what it printed last."""


class Guest:
    """A running guest; leaving the `with` kills it."""

    def __init__(self, packages, initramfs, card):
        self.deadline = time.monotonic() + DEADLINE_S
        self.card = card
        self.commands = 0
        self.received = b""
        with contextlib.ExitStack() as leftovers:
            self.folder = pathlib.Path(leftovers.enter_context(tempfile.TemporaryDirectory()))
            self.boot(leftovers, packages, initramfs)
            self.leftovers = leftovers.pop_all()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.leftovers.close()

    def boot(self, leftovers, packages, initramfs):
        listeners = [leftovers.enter_context(socket.socket(socket.AF_UNIX)) for _ in range(2)]
        for listener, name in zip(listeners, ("shell", "qmp")):
            listener.bind(str(self.folder / name))
            listener.listen()
        with open(self.folder / "qemu", "wb") as said:
            self.process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", *self.qemu_command(packages, initramfs)],
                stdin=subprocess.DEVNULL, stdout=said, stderr=subprocess.STDOUT,
                env={**os.environ, **packages.qemu_environment})
        leftovers.callback(self.process.wait)
        leftovers.callback(self.process.kill)
        self.shell, qmp = (leftovers.enter_context(self.accept(listener)) for listener in listeners)
        self.monitor = Monitor(leftovers.enter_context(qmp.makefile("rw")))
        self.read_through(b"guest is ready\n")

    def qemu_command(self, packages, initramfs):
        sockets = ("local.type=unix,local.path={0}/card,remote.type=unix,remote.path={0}/host"
                   .format(self.folder))
        return [*packages.qemu, "-machine", "q35", "-accel", "tcg,thread=multi", "-cpu", "max", "-smp", "2",
                "-m", str(MEMORY_MB), "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot",
                "-kernel", packages.kernel, "-initrd", initramfs,
                # no_timer_check: on a busy machine the timer is late, and the kernel gives up before it starts
                "-append", "console=ttyS0 quiet panic=-1 intel_iommu=on no_timer_check",
                "-device", "intel-iommu,intremap=on",
                "-netdev", "dgram,id=h0," + sockets, "-device", self.card + ",netdev=h0,addr=5.0,romfile=",
                "-serial", "file:%s" % (self.folder / "console"),
                "-serial", "unix:%s" % (self.folder / "shell"), "-qmp", "unix:%s" % (self.folder / "qmp")]

    # --- the serial line ---

    def left(self):
        """Seconds until the deadline."""
        return max(self.deadline - time.monotonic(), 0)

    def accept(self, listener):
        while not select.select([listener], [], [], 0.1)[0]:
            self.check_alive()
        return listener.accept()[0]

    def check_alive(self):
        if self.process.poll() is not None:
            raise GuestFailed("QEMU ended with %d%s" % (self.process.returncode, self.last_words()))
        if time.monotonic() > self.deadline + LAST_WORDS_S:
            raise GuestFailed("the guest answers no more%s" % self.last_words())

    def last_words(self):
        said = [path.read_text(errors="replace") for path in (self.folder / "qemu", self.folder / "console")
                if path.exists()]
        return "\n".join([":", *said, self.received[-4000:].decode(errors="replace")])

    def read_through(self, mark):
        """What the guest sends before the mark."""
        while mark not in self.received:
            if select.select([self.shell], [], [], 1)[0]:
                self.received += self.shell.recv(65536)
            self.check_alive()
        before, _, self.received = self.received.partition(mark)
        return before

    def run(self, command):
        """(exit code, output) of the shell command, one line, in the guest."""
        self.commands += 1
        self.shell.sendall(b"%d %s\n" % (self.commands, command.encode()))
        self.read_through(b"<<<begin %d>>>\n" % self.commands)
        output = self.read_through(b"<<<end %d " % self.commands)
        return int(self.read_through(b">>>\n")), output.decode(errors="replace")

    def read(self, path):
        """Contents of the file, empty when there is none."""
        return self.run("cat " + path)[1] if self.run("test -e " + path)[0] == 0 else ""

    def wait_until(self, condition, what, said=lambda: ""):
        """Asks until it is so. what: is waited for; said: tells what there is instead, at the deadline."""
        while not condition():
            if self.left() == 0:
                raise GuestFailed("waited in vain for %s%s\n%s" % (what, self.last_words(), said()))
            time.sleep(POLL_S)


class Program:
    """A command that runs in the guest while the test goes on."""

    def __init__(self, guest, *arguments):
        self.guest = guest
        started = "echo $$ >/tmp/pid; exec " + shlex.join(map(str, arguments))
        guest.run("rm -f /tmp/code; (sh -c %s >/tmp/stdout 2>/tmp/stderr; echo $? >/tmp/code) &"
                  % shlex.quote(started))

    def said(self):
        return self.guest.read("/tmp/stdout") + self.guest.read("/tmp/stderr")

    def ended(self):
        return self.guest.read("/tmp/code") != ""

    def wait_until_says(self, words):
        def condition():
            ended = self.ended()        # asked before looking: what it said by then is there
            if words in self.said():
                return True
            if ended:
                raise GuestFailed("the program ended without saying %r but:\n%s" % (words, self.said()))
            return False
        self.guest.wait_until(condition, "the program to say %r" % words, self.said)

    def stop(self):
        """Exit code, standard output and error output after SIGTERM."""
        self.guest.run("kill $(cat /tmp/pid)")
        self.guest.wait_until(self.ended, "the program to end after SIGTERM", self.said)
        return (int(self.guest.read("/tmp/code")), self.guest.read("/tmp/stdout"),
                self.guest.read("/tmp/stderr"))


class Monitor:
    """QEMU's own command line: one JSON object a line."""

    def __init__(self, stream):
        self.stream = stream
        self.stream.readline()
        self.do("qmp_capabilities")

    def do(self, command, **arguments):
        self.stream.write(json.dumps({"execute": command, "arguments": arguments}) + "\n")
        self.stream.flush()
        while True:
            answer = json.loads(self.stream.readline())
            if "return" in answer:
                return answer["return"]
            if "error" in answer:
                raise GuestFailed("QEMU refused %s: %s" % (command, answer["error"]))

    def words_at(self, address, count):
        """32-bit words of the guest's physical memory, registers of its card among it."""
        dump = self.do("human-monitor-command", **{"command-line": "xp /%dwx %#x" % (count, address)})
        return [int(word, 16) for line in dump.splitlines() for word in line.partition(":")[2].split()]
