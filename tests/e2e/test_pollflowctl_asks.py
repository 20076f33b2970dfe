"""Whom the operator's client asks, what it takes as a command line, and its full screen."""

import fcntl
import os
import pathlib
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time
import unittest

import fake_telemetry as fake
from client_runner import (DONE, FAILED, NO_ANSWER, NO_PERMISSION, SOCKET, TIMEOUT_S, USAGE, ClientTest, binary)

NOBODY = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")


def needs_root(test):
    return unittest.skipUnless(os.getuid() == 0, "needs root, to be another user")(test)


class Socket(ClientTest):

    def serve_at(self, path, answers=None):
        self.enterContext(fake.FakeTelemetry(path, answers or fake.pollflow_answers()))

    def test_by_file_prefix(self):
        self.serve_at(self.folder / "dpdk" / "tap.7" / SOCKET)
        self.assertIn("15 s", self.print("--file-prefix", "tap.7", "timeouts"))
        self.refuse(NO_ANSWER, "timeouts", naming="have one: tap.7;")
        self.refuse(NO_ANSWER, "timeouts", "--file-prefix=other", naming="%s/dpdk/other/%s" % (self.folder, SOCKET))

    def test_by_path(self):
        self.serve_at(self.folder / "a socket")
        self.assertIn("15 s", self.print("timeouts", "--socket", str(self.folder / "a socket")))

    @needs_root
    def test_where_eal_puts_it(self):
        self.folder.chmod(0o755)
        outcome = self.execute("info", prefix=NOBODY, RUNTIME_DIRECTORY="", XDG_RUNTIME_DIR=str(self.folder))
        self.assertIn("%s/dpdk/rte/%s" % (self.folder, SOCKET), outcome.stderr)
        outcome = self.execute("info", "--file-prefix=nobodys", prefix=NOBODY, RUNTIME_DIRECTORY="")
        self.assertIn(" /tmp/dpdk/nobodys/" + SOCKET, outcome.stderr)
        outcome = self.execute("info", "--file-prefix=nobodys", RUNTIME_DIRECTORY="", XDG_RUNTIME_DIR="/x")
        self.assertIn(" /var/run/dpdk/nobodys/" + SOCKET, outcome.stderr)

    def test_none_at_all(self):
        self.refuse(NO_ANSWER, "info", naming="--no-telemetry")
        self.refuse(NO_ANSWER, "info", "--socket", str(self.folder / "absent"), naming="absent")

    @needs_root
    def test_without_permission(self):
        self.serve_at(self.socket)
        self.socket.chmod(0o600)
        self.folder.chmod(0o755)
        self.refuse_as_nobody("the user that pollflow runs as")
        self.socket.parent.chmod(0o700)
        self.refuse_as_nobody("the user that pollflow runs as")

    def refuse_as_nobody(self, naming):
        outcome = self.execute("info", prefix=NOBODY)
        self.assertEqual((outcome.returncode, outcome.stdout), (NO_PERMISSION, ""))
        self.assertIn(naming, outcome.stderr)

    def test_one_that_nobody_answers(self):
        self.serve().end()
        self.refuse(NO_ANSWER, "info", naming="nobody listens there any more")

    def test_what_is_no_socket(self):
        self.refuse(NO_ANSWER, "info", "--socket", str(self.folder), naming="no socket")
        self.refuse(USAGE, "info", "--socket", "/" + "n" * 108, naming="107 bytes")

    def test_a_process_that_is_no_pollflow(self):
        self.serve_at(self.socket, {"/": ["/", "/info"]})
        for command in ("info", "show", "top", "ledger", "timeouts", "log-level"):
            self.refuse(NO_ANSWER, command, naming="process 4242 is a DPDK process, but no pollflow")

    def test_a_pollflow_that_knows_less(self):
        self.serve(routes=None)
        self.refuse(FAILED, "routes", naming="does not know /pollflow/routes")

    def test_somebody_else(self):
        for greeting in ({"version": "1"}, b"hello", b"5", b"[]", {"version": 1, "pid": 2, "max_output_len": 3}):
            with fake.FakeTelemetry(self.socket, fake.pollflow_answers(), greeting):
                self.refuse(FAILED if greeting == b"hello" else NO_ANSWER, "info")
            self.socket.unlink()

    def test_one_that_hangs_up(self):
        self.serve(greeting=fake.HANG_UP)
        self.refuse(NO_ANSWER, "info", naming="hung up at once")

    def test_one_that_goes_before_it_answers(self):
        self.serve(timeouts=fake.HANG_UP, worker=fake.HANG_UP)
        self.refuse(NO_ANSWER, "timeouts", naming="has gone")
        self.refuse(NO_ANSWER, "info", naming="has gone")

    def test_one_that_keeps_silent(self):
        self.serve(timeouts=fake.SILENCE)
        begin = time.monotonic()
        self.refuse(NO_ANSWER, "timeouts", naming="no answer for 10 s")
        self.assertLess(time.monotonic() - begin, 30)

    def test_a_slow_one_has_its_time(self):
        """Longer than is allowed for a usual answer."""
        def slow(_):
            time.sleep(11)
            return {"expired": 1}
        self.serve(expire=slow)
        self.assertEqual(self.print("expire", "--all"), "1 flows exported\n")

    def test_answers_that_are_none(self):
        none, no_json = "no answer to /pollflow/timeouts", "no JSON"
        for answer, why in ((b"{", no_json), (b"\xff\xfe", no_json), (b"[" * 16000, no_json), (b"null", none), (b"[]", none),
                            (b"{}", none), (b'{"/pollflow/info": {}}', none), (b" " * 70000, "a message of 70000 bytes"),
                            (b'{"/pollflow/timeouts": {"inactive_s": 1, "active_s": 2}, "more": 1}', none)):
            with fake.FakeTelemetry(self.socket, fake.pollflow_answers(timeouts=fake.Raw(answer))):
                self.refuse(FAILED, "timeouts", naming=why)
            self.socket.unlink()

    def test_a_request_that_would_be_cut(self):
        server = self.serve()
        longest = "x" * (1023 - len("/pollflow/flows,0:1024:7,"))
        self.print("show", "--filter", longest)
        self.assertEqual(server.requests[1], ("/pollflow/flows", "0:1024:7," + longest))
        asked = len(server.requests)
        self.refuse(USAGE, "show", "--filter", "x" * 1100, naming="shorter filter")
        self.refuse(USAGE, "expire", "--filter", "x" * 1100, naming="shorter filter")
        self.assertEqual(len(server.requests), asked)


class CommandLine(ClientTest):

    def test_refused_before_anybody_is_asked(self):
        server = self.serve()
        for line in ("", "frob", "show surplus", "info surplus", "--socket= info", "--file-prefix= info",
                     "--file-prefix=a/b info", "--file-prefix=.. info", "--file-prefix=a --socket=b info",
                     "--file-prefix=a --file-prefix=b info", "show --nope", "show --top", "show --top=0", "show --top=x",
                     "show --top=-1", "show --top=1.5", "show --by=size", "show --json --csv", "show --json --json",
                     "show --filter=", "show --filter=tcp,udp", "show --all", "show --to=5", "info --csv",
                     "info --filter=tcp", "timeouts 5", "timeouts 5 6 7", "timeouts 0 5", "timeouts 5 2147484",
                     "timeouts 5 six", "timeouts --csv", "expire", "expire tcp", "expire --all --filter=tcp",
                     "log-level 9", "log-level 0", "log-level pmd 99999999999", "log-level a,b", "log-level a b c",
                     "routes load", "routes reload again", "top --interval=0", "top --interval=3601", "top --interval=nan",
                     "top --interval=1s", "top --json", "ledger --once"):
            self.refuse(USAGE, *line.split())
        self.assertEqual(server.requests, [])

    def test_options_stand_anywhere(self):
        self.serve()
        self.assertEqual(self.print("--json", "--socket", str(self.socket), "timeouts"),
                         self.print("timeouts", "--socket=%s" % self.socket, "--json"))

    def test_help_and_version(self):
        self.assertRegex(self.print("--version"), r"\Apollflowctl \d+\.\d+\.\d+\n\Z")
        everything = self.print("--help")
        for command in ("show", "top", "info", "ledger", "timeouts", "expire", "log-level", "routes"):
            self.assertIn("\n  %s " % command, everything)
            self.assertIn("pollflowctl %s" % command, self.print(command, "--help"))
        self.assertIn("--filter EXPR", self.print("expire", "--help"))
        self.assertNotIn("--csv", self.print("expire", "--help"))

    def test_the_reference_names_every_option(self):
        page = pathlib.Path(__file__).resolve().parents[2] / "docs" / "reference" / "pollflowctl.md"
        text = page.read_text()
        for command in ("show", "top", "info", "ledger", "timeouts", "expire", "log-level", "routes"):
            for option in re.findall(r"--[a-z-]+", self.print(command, "--help")):
                self.assertIn("`" + option, text)


class RunningPollflow:
    """Counters that grow by a second's worth with each answer."""

    def __init__(self):
        self.asked = 0

    def info(self, _):
        self.asked += 1
        grown = dict(now_ms=1000, received_packets=2500000, octets=1250000000, records_created=1234, lost_ring_full=5)
        return {**fake.INFO, **{name: fake.INFO[name] + by * self.asked for name, by in grown.items()}}

    def worker(self, lcore):
        was = fake.worker(int(lcore))
        return {**was, "received_packets": 1250000 * self.asked, "cycles": 2000 * self.asked,
                "cycles_busy": (500 if lcore == "1" else 2000) * self.asked}

    def port(self, _):
        return {**fake.PORT, "missed": 7 * self.asked}


class Top(ClientTest):

    def run_pollflow(self, **changed):
        running = RunningPollflow()
        return self.serve(**{"info": running.info, "worker": running.worker, "port": running.port, **changed})

    def test_one_screen_where_there_is_no_terminal(self):
        server = self.run_pollflow()
        output = self.print("top", "--interval", "0.1")
        for line in ("packets/s 2.500 M    bits/s 10.00 G    records/s 1.234 k",
                     "  packets missed               7      14",
                     "  records lost                 5      14",
                     "      1  [|||||               ]   25.0 %    1.250 M  1/524288  1/4095",
                     "      2  [||||||||||||||||||||]  100.0 %    1.250 M  1/524288  1/4095"):
            self.assertIn("\n" + line + "\n", output)
        self.assertIn("10.0.0.3:65535 -> 192.168.100.200:53", output)
        self.assertNotIn("\x1b", output)
        self.assertEqual(server.requests[-1], ("/pollflow/top", "20,octets"))

    def test_counters_that_start_again_and_workers_that_come(self):
        answers = iter([{**fake.INFO, "received_packets": 10 ** 9, "workers": []},
                        {**fake.INFO, "received_packets": 500}])
        self.run_pollflow(info=lambda _: next(answers))
        self.assertIn("packets/s 500 ", self.print("top", "--once", "--interval=0.1"))

    def test_full_screen_until_q(self):
        self.run_pollflow()
        with Terminal(self, "top", "--interval", "0.1") as terminal:
            terminal.read_until(rb"\x1b\[\?1049h.*2\.500 M.*2\.500 M")
            self.assertFalse(terminal.echoes())
            os.write(terminal.keys, b"xq")
            self.assertEqual(terminal.finish(), DONE)
            self.assertTrue(terminal.seen.endswith(b"\x1b[?25h\x1b[?1049l"), terminal.seen[-80:])
            self.assertTrue(terminal.echoes())

    def test_full_screen_until_a_signal(self):
        self.run_pollflow()
        for number in (signal.SIGINT, signal.SIGTERM):
            with Terminal(self, "top", "--interval", "0.1") as terminal:
                terminal.read_until(rb"2\.500 M")
                terminal.process.send_signal(number)
                self.assertEqual(terminal.finish(), DONE)
                self.assertTrue(terminal.seen.endswith(b"\x1b[?25h\x1b[?1049l"), terminal.seen[-80:])
                self.assertTrue(terminal.echoes())

    def test_a_screen_holds_no_more_than_fits(self):
        server = self.run_pollflow()
        lines = self.lines_of_screen(rows=16, columns=60)
        self.assertEqual((len(lines), max(map(len, lines))), (16, 60))
        self.assertEqual(server.requests[-1], ("/pollflow/top", "2,octets"))
        self.assertEqual(len(self.lines_of_screen(rows=8, columns=120)), 8)
        self.assertEqual(server.requests[-1], ("/pollflow/port", "0"))

    def lines_of_screen(self, rows, columns):
        with Terminal(self, "top", "--interval", "0.1", rows=rows, columns=columns) as terminal:
            terminal.read_until(rb"2\.500 M.*\x1b\[J.*\x1b\[J")
            os.write(terminal.keys, b"q")
            terminal.finish()
        screen = re.findall(rb"\x1b\[H(.*?)\x1b\[J", terminal.seen, re.DOTALL)[1]
        return [re.sub(rb"\x1b\[K|\r", b"", line) for line in screen.split(b"\n")]

    def test_pollflow_goes_meanwhile(self):
        server = self.run_pollflow()
        with Terminal(self, "top", "--interval", "0.1") as terminal:
            terminal.read_until(rb"2\.500 M")
            server.end()
            self.assertEqual(terminal.finish(), NO_ANSWER)
            self.assertRegex(terminal.seen, rb"\x1b\[\?1049l.*has gone")


class Terminal:
    """pollflowctl on a terminal of its own; `seen` is what it has put there."""

    def __init__(self, test, *arguments, rows=40, columns=120):
        self.keys, self.screen = pty.openpty()
        fcntl.ioctl(self.screen, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self.seen = b""
        self.process = subprocess.Popen([binary(), *arguments, "--socket", str(test.socket)], stdin=self.screen,
                                        stdout=self.screen, stderr=self.screen)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self.keys)
        os.close(self.screen)

    def echoes(self):
        return bool(termios.tcgetattr(self.screen)[3] & termios.ECHO)

    def read(self, seconds):
        readable, _, _ = select.select([self.keys], [], [], seconds)
        if readable:
            self.seen += os.read(self.keys, 65536)
        return bool(readable)

    def read_until(self, pattern):
        until = time.monotonic() + TIMEOUT_S
        while not re.search(pattern, self.seen, re.DOTALL):
            if time.monotonic() > until or self.process.poll() is not None:
                raise AssertionError("no %r in %r" % (pattern, self.seen[-2000:]))
            self.read(0.1)

    def finish(self):
        """Its exit code, once all that it wrote is seen."""
        until = time.monotonic() + TIMEOUT_S
        while self.process.poll() is None and time.monotonic() < until:
            self.read(0.05)
        while self.read(0):
            pass
        return self.process.poll()


if __name__ == "__main__":
    unittest.main()
