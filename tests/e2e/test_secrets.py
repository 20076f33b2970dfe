#!/usr/bin/env python3
"""The RSS key and the tables' secret: other ones at each start, and nowhere to be read."""

import contextlib
import os
import pathlib
import random
import resource
import signal
import subprocess
import unittest
import urllib.request

import pollflow_runner as runner
from live_runner import Controlled, Live, LiveTest, wait_until

ONE_LCORE = ["--lcores", "0@0"]
KEY_BYTES = 40
IDLE_PORT = ["--vdev", "net_null0,no-rx=1"]     # which has no packets
FEW = ["--max-flows", 1024]
TEXT_FORMS = ("", ":", " ", ", ", ",", "-")
MASK = 2 ** 64 - 1
RAW_BYTES = 6           # of a key in a row: a part of it is as bad


def split_mix(seed):
    """The words that the table makes of its secret."""
    words = []
    for _ in range(4):
        seed = (seed + 0x9e3779b97f4a7c15) & MASK
        word = ((seed ^ seed >> 30) * 0xbf58476d1ce4e5b9) & MASK
        word = ((word ^ word >> 27) * 0x94d049bb133111eb) & MASK
        words.append(word ^ word >> 31)
    return words


class Secrets:
    """A key and a seed that no other run has, and every form in which they might be told."""

    def __init__(self):
        self.key = random.randbytes(KEY_BYTES)
        self.seed = random.getrandbits(64) | 1 << 63

    def forms(self):
        for order in (self.key, self.key[::-1]):
            for at in range(0, KEY_BYTES - RAW_BYTES + 1):
                part = order[at:at + RAW_BYTES]
                yield part
                for between in TEXT_FORMS:
                    yield between.join("%02x" % byte for byte in part).encode()
                    yield between.join("0x%02x" % byte for byte in part).encode()
                yield ", ".join(map(str, part)).encode()
                yield " ".join(map(str, part)).encode()
        for word in (self.seed, *split_mix(self.seed)):
            for order in ("little", "big"):
                yield word.to_bytes(8, order)
                yield word.to_bytes(8, order).hex().encode()
            yield b"%x" % word
            yield b"%d" % word

    def found_in(self, told):
        """The forms that stand in these bytes, upper case or lower."""
        folded = told.lower()
        return [form for form in self.forms() if form in told or form in folded]

    def options(self, folder):
        """By way of a file that only its owner can read, as the documents say."""
        config = folder / "secret.conf"
        config.touch(mode=0o600)
        config.write_text("rss-key = %s\nhash-seed = %d\n" % (self.key.hex(), self.seed))
        return ["--config", config]


class SecretsTest(LiveTest):

    def setUp(self):
        super().setUp()
        self.secrets = Secrets()

    @property
    def keyed_port(self):
        """The environment in which port 0 takes a key, and writes it to self.folder / "key"."""
        library = os.environ.get("POLLFLOW_KEYED_PORT", "")
        if not library:
            self.skipTest("POLLFLOW_KEYED_PORT is not set: the library that the build makes of keyed_port.cpp")
        return {**os.environ, "LD_PRELOAD": library, "ASAN_OPTIONS": "verify_asan_link_order=0",
                "POLLFLOW_PORT_KEY": str(self.folder / "key")}


class ToldTest(SecretsTest):

    def assert_untold(self, what, told):
        self.assertEqual(self.secrets.found_in(told), [], "told by %s" % what)

    def every_reply(self, live):
        """(command, bytes of its reply) of all that telemetry answers, with parameters that most of them take."""
        commands = live.ask("/")
        self.assertIn("/ethdev/info", commands)
        self.assertIn("/pollflow/info", commands)
        with contextlib.closing(live.connect()) as at:
            for command in commands:
                for parameters in ("", ",0", ",net_null0", ",0,0"):
                    at.send((command + parameters).encode())
                    yield command + parameters, at.recv(1 << 20)

    def test_neither_words_nor_telemetry_nor_metrics_nor_outputs_tell_them(self):
        metrics = "127.0.0.1:%d" % runner.closed_tcp_port()
        with Controlled([*ONE_LCORE, *IDLE_PORT, "--log-level=*:debug"],
                        [*self.outputs(), *FEW, "--metrics", metrics, *self.secrets.options(self.folder)],
                        env=self.keyed_port) as live:
            for command, reply in self.every_reply(live):
                self.assert_untold(command, reply)
            with urllib.request.urlopen("http://%s/metrics" % metrics, timeout=20) as page:
                self.assert_untold("the metrics page", page.read())
            for name in ("cmdline", "environ", "comm"):
                self.assert_untold(name, pathlib.Path("/proc/%d/%s" % (live.process.pid, name)).read_bytes())
            live.send(signal.SIGHUP)
            live.wait_for("reloaded")
            outcome = live.stop()
        self.assert_done(outcome)
        self.assertEqual((self.folder / "key").read_text(), self.secrets.key.hex())
        self.assertIn("key of 40 bytes (read back: the same)", outcome.stdout)
        self.assertIn("EAL", outcome.stderr)        # the debug messages are there
        self.assert_untold("standard output", outcome.stdout.encode())
        self.assert_untold("standard error", outcome.stderr.encode())
        for name in ("flows.csv", "ledger.json"):
            self.assert_untold(name, (self.folder / name).read_bytes())

    def test_a_dry_run_and_a_check_do_not_tell_them(self):
        secret = self.secrets.options(self.folder)
        for arguments in ([*secret, "--check-config"],
                          ["--no-huge", "--no-pci", "--no-shconf", "--no-telemetry", "--log-level=*:debug", *ONE_LCORE,
                           *IDLE_PORT, "--", "--dry-run", *FEW, *secret]):
            outcome = runner.execute(arguments, env=self.keyed_port)
            self.assertEqual(outcome.code, 0, outcome.stderr)
            self.assert_untold(str(arguments), (outcome.stdout + outcome.stderr).encode())

    def test_the_search_finds_what_is_told(self):
        key, seed = self.secrets.key, self.secrets.seed
        for told in (b"key " + key.hex().upper().encode(), b"\0" + key[8:20], key.hex(":").encode(), b"%d" % seed,
                     b"seed=%#x" % seed, split_mix(seed)[2].to_bytes(8, "little"), str(list(key)).encode()):
            self.assertNotEqual(self.secrets.found_in(b"before " + told + b" behind"), [], told)

    def test_the_search_finds_a_key_on_the_command_line(self):
        with Live([*ONE_LCORE, *IDLE_PORT], [*FEW, "--rss-key", self.secrets.key.hex(), *self.outputs()]) as live:
            command_line = pathlib.Path("/proc/%d/cmdline" % live.process.pid).read_bytes()
            self.assertNotEqual(self.secrets.found_in(command_line), [])


class CoreTest(SecretsTest):

    def crash(self, process):
        process.send_signal(signal.SIGABRT)
        process.wait(timeout=runner.TIMEOUT_S)
        return [path for path in self.folder.iterdir() if path.name.startswith("core")]

    def test_a_crash_leaves_no_core_file(self):
        pattern = pathlib.Path("/proc/sys/kernel/core_pattern").read_text().strip()
        if pattern.startswith(("|", "/")) or not pattern.startswith("core"):
            self.skipTest("core files go elsewhere on this machine: %s" % pattern)
        hard = resource.getrlimit(resource.RLIMIT_CORE)[1]
        limit = {"cwd": self.folder, "preexec_fn": lambda: resource.setrlimit(resource.RLIMIT_CORE, (hard, hard))}
        cores = self.crash(subprocess.Popen(["sleep", "60"], **limit))
        if not cores:
            self.skipTest("not even sleep(1) leaves a core file here")
        for core in cores:
            core.unlink()
        with Live([*ONE_LCORE, *IDLE_PORT], [*FEW, *self.secrets.options(self.folder)], **limit) as live:
            self.assertEqual(self.crash(live.process), [])


class StartsTest(SecretsTest):

    def order_of_flows(self, *options):
        """The order in which a table lets its flows go at the end, which is that of its buckets."""
        (self.folder / "flows.csv").unlink(missing_ok=True)
        with Live([*ONE_LCORE, *self.many_flows(500)], [*self.outputs(), *FEW, "--inactive-timeout", 600,
                                                        *options]) as live:
            wait_until(lambda: self.read_to_the_end(live), "the file is read")
            outcome = live.stop()
        self.assert_done(outcome)
        self.assertEqual(len(self.rows), 500)
        return [row.src for row in self.rows]

    def read_to_the_end(self, live):
        for link in pathlib.Path("/proc/%d/fd" % live.process.pid).iterdir():
            with contextlib.suppress(OSError):
                if link.readlink() == self.folder / "flows.pcap":
                    position = pathlib.Path("/proc/%d/fdinfo/%s" % (live.process.pid, link.name)).read_text().split()[1]
                    return int(position) >= (self.folder / "flows.pcap").stat().st_size
        return False

    def test_two_starts_have_other_table_secrets_and_a_given_one_is_kept(self):
        self.assertNotEqual(self.order_of_flows(), self.order_of_flows())
        self.assertEqual(self.order_of_flows("--hash-seed", 7), self.order_of_flows("--hash-seed", 7))

    def key_of_a_start(self, *options):
        with Live([*ONE_LCORE, *IDLE_PORT], [*self.outputs(), *FEW, *options], env=self.keyed_port) as live:
            outcome = live.stop()
        self.assert_done(outcome)
        return (self.folder / "key").read_text()

    def test_two_starts_have_other_rss_keys_and_a_given_one_is_kept(self):
        given = random.randbytes(KEY_BYTES).hex()
        first, second = self.key_of_a_start(), self.key_of_a_start()
        self.assertEqual([len(first), len(second)], [2 * KEY_BYTES] * 2)
        self.assertGreater(sum(a != b for a, b in zip(first, second)), KEY_BYTES)      # 75 of 80 in the mean
        self.assertEqual(self.key_of_a_start("--rss-key", given), given)


if __name__ == "__main__":
    unittest.main()
