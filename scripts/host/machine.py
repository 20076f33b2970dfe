"""A Linux machine as its /proc, /sys and /dev show it. Everything is read, written and run through Machine,
so that tests can put a made-up machine in its place."""

import ctypes
import os
import pathlib
import subprocess

CLOCK_NOT_SYNCHRONISED = 5      # TIME_ERROR, adjtimex(2)


class Machine:
    """`root` stands in front of every path."""

    def __init__(self, root="/"):
        self.root = pathlib.Path(root)

    def path(self, name):
        return self.root / name.lstrip("/")

    def exists(self, name):
        return self.path(name).exists()

    def read(self, name):
        """The contents without the newline at the end; None when there is nothing to read."""
        try:
            return self.path(name).read_text(errors="replace").strip()
        except OSError:
            return None

    def number(self, name):
        """The number that a file holds; None when it holds none."""
        try:
            return int(self.read(name) or "", 0)
        except ValueError:
            return None

    def lines(self, name):
        return (self.read(name) or "").splitlines()

    def cpus(self, name):
        """The CPUs (or nodes) of a file such as .../online: {0, 1, 2, 3} for "0-3"."""
        return parse_list(self.read(name) or "")

    def names(self, folder):
        try:
            return sorted(os.listdir(self.path(folder)))
        except OSError:
            return []

    def link(self, name):
        """What a symbolic link points to; None when it is no link."""
        try:
            return os.readlink(self.path(name))
        except OSError:
            return None

    def target(self, name):
        """The last part of what a symbolic link points to; None when it is no link."""
        link = self.link(name)
        return link and os.path.basename(link)

    def write(self, name, text):
        """One write, as files of the kernel want it. Never makes a file."""
        descriptor = os.open(self.path(name), os.O_WRONLY | os.O_TRUNC)
        try:
            os.write(descriptor, text.encode())
        finally:
            os.close(descriptor)

    def run(self, *command, **named):
        """Exit code, standard output and error output of a command; 127 when there is no such program."""
        try:
            done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                                  errors="replace", **named)
        except FileNotFoundError:
            return 127, "", "%s: there is no such program" % command[0]
        return done.returncode, done.stdout, done.stderr

    def has_module(self, name):
        return self.exists("/sys/module/" + name.replace("-", "_"))

    def clock_is_synchronised(self):
        """Whether the kernel believes that something (NTP, PTP) steers its clock."""
        return ctypes.CDLL(None).adjtimex(ctypes.create_string_buffer(512)) != CLOCK_NOT_SYNCHRONISED


def parse_list(text):
    """The numbers of "0-3,8"; what is no number ("(null)", "all") counts for nothing."""
    numbers = set()
    for part in text.split(","):
        first, _, last = part.strip().partition("-")
        if first.isdigit() and (last or first).isdigit():
            numbers.update(range(int(first), int(last or first) + 1))
    return numbers


def list_text(numbers):
    """The other way round: "0-3,8"."""
    parts = []
    for number in sorted(numbers):
        if parts and number == parts[-1][1] + 1:
            parts[-1][1] = number
        else:
            parts.append([number, number])
    return ",".join(str(first) if first == last else "%d-%d" % (first, last) for first, last in parts) or "none"
