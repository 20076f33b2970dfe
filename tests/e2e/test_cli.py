"""What a person meets: options, refusals, exit codes, signals, files that cannot be written."""

import json
import os
import shutil
import signal
import subprocess
import sys
import unittest

import capture_writer as writer
import frames
import pollflow_runner as runner
import reference
import v5
from frames import ACK, FIN, SYN
from traffic import EVERYDAY, GeneratedTest, at, numbered

FAILED, USAGE, NO_INPUT, CANNOT_CREATE, NO_PERMISSION, CONFIGURATION = 1, 64, 66, 73, 77, 78

OPTIONS = ("read", "collector", "flows-out", "inactive-timeout", "active-timeout", "hold-idle", "max-flows",
           "engine-type", "engine-id", "ifindex", "routes", "pair", "export-delay", "export-rate", "max-records",
           "hash-seed", "skip-own-export", "user", "seccomp", "ledger", "config", "check-config", "help", "version")


class CommandLineTest(GeneratedTest):

    def setUp(self):
        super().setUp()
        self.capture = self.write(EVERYDAY, "good.pcap")

    def refuse(self, code, *arguments, naming="", **named):
        """pollflow answers with this exit code, one sentence that holds `naming`, and nothing else."""
        with self.subTest(" ".join(map(str, arguments))):
            outcome = runner.execute(arguments, **named)
            self.assertEqual((outcome.code, outcome.stdout), (code, ""), outcome.stderr)
            self.assert_one_sentence(outcome.stderr)
            self.assertIn(naming, outcome.stderr)

    def close(self, folder):
        """Nobody but root gets into the folder any more, not even its owner."""
        folder.chmod(0)
        self.addCleanup(folder.chmod, 0o700)

    def refuse_with_capture(self, code, *arguments, **named):
        return self.refuse(code, "--read", self.capture, *arguments, **named)


class Input(CommandLineTest):

    def test_no_such_file(self):
        self.refuse(NO_INPUT, "--read", self.folder / "absent.pcap", naming="absent.pcap")
        self.refuse(NO_INPUT, "--read", self.capture / "below-a-file")
        self.refuse(NO_INPUT, "--read", self.folder / ("n" * 300))

    def test_a_folder(self):
        self.refuse(NO_INPUT, "--read", self.folder)

    def test_a_name_of_two_lines_is_still_named_in_one(self):
        self.refuse(NO_INPUT, "--read", self.folder / "two\nlines")

    def test_files_that_are_no_captures(self):
        for name, contents in (("text.pcap", b"This is a text and not a capture.\n" * 9), ("empty.pcap", b""),
                               ("short.pcap", writer.pcap_header()[:20]), ("zeros.pcap", bytes(4096)),
                               ("magic.pcap", writer.pcap_header()[:4]), ("section.pcapng", writer.section("<"))):
            path = self.folder / name
            path.write_bytes(contents)
            self.refuse(NO_INPUT, "--read", path, naming=name)

    def test_an_unreadable_file(self):
        self.capture.chmod(0)
        self.folder.chmod(0o755)
        self.refuse_with_capture(NO_PERMISSION, prefix=as_nobody(self), naming="good.pcap")

    def test_routes_that_may_not_be_read(self):
        routes = self.folder / "routes.txt"
        routes.touch()
        routes.chmod(0)
        self.folder.chmod(0o755)
        self.refuse_with_capture(NO_PERMISSION, "--routes", routes, prefix=as_nobody(self), naming="--routes")

    def test_a_file_in_a_closed_folder(self):
        self.close(self.folder)
        self.refuse_with_capture(NO_PERMISSION, prefix=as_nobody(self))

    def test_names_with_odd_characters(self):
        expected = reference.run(self.capture).lines()
        for name in ("with space.pcap", "comma,rx_pcap=other.pcap", "equals=sign", "semi;colon&*?[1].pcap",
                     "quote'\"\\.pcap", "ümläut.pcap", "--read"):
            with self.subTest(name):
                path = self.folder / name
                shutil.copy(self.capture, path)
                out, ledger = self.folder / ("out " + name), self.folder / ("ledger,=" + name)
                outcome = runner.execute(["--read", path, "--flows-out", out, "--ledger", ledger])
                self.assert_success(outcome)
                self.assertEqual(runner.sorted_lines(out.read_text()), expected)
                self.assertIs(json.loads(ledger.read_text())["balanced"], True)

    def test_a_relative_name(self):
        outcome = runner.execute(["--read", "good.pcap", "--flows-out", "out.csv"], cwd=self.folder)
        self.assert_success(outcome)
        self.assertEqual(runner.sorted_lines((self.folder / "out.csv").read_text()),
                         reference.run(self.capture).lines())


class Damaged(CommandLineTest):
    """All whole packets before the damage are exported, and the exit code tells of it."""

    def check_damaged(self, contents):
        path = self.folder / "damaged.pcap"
        path.write_bytes(contents)
        run = runner.read_capture(path, collect=True)
        expected = reference.run(path)
        self.assertIsNotNone(expected.damage)
        self.assertEqual(run.outcome.code, FAILED)
        self.assert_one_sentence(run.outcome.stderr)
        self.assertIn("damaged.pcap", run.outcome.stderr)
        self.assert_model(run, expected)
        port, = run.ledger["ports"]
        self.assertEqual([port["offered"], port["received"], port["missed"], port["errored"]],
                         [expected.received[0] + 1, expected.received[0], 0, 1])
        self.assertEqual(len(v5.rows(run.datagrams)), len(expected.rows))

    def test_cut_in_the_middle_of_a_packet(self):
        whole = writer.pcap(EVERYDAY)
        self.check_damaged(whole[:-1])
        self.check_damaged(whole[:-20])

    def test_cut_in_the_middle_of_a_record_header(self):
        self.check_damaged(writer.pcap(EVERYDAY) + bytes(15))
        self.check_damaged(writer.pcap([]) + bytes(1))

    def test_a_length_beyond_reason(self):
        self.check_damaged(writer.pcap(EVERYDAY) + writer.pcap_record(1, 1, bytes(100), captured=2 ** 31))

    def test_pcapng(self):
        self.check_damaged(writer.pcapng(EVERYDAY)[:-3])
        self.check_damaged(writer.pcapng(EVERYDAY) + writer.enhanced_packet("<", 5, 0, b"x" * 40))
        self.check_damaged(writer.pcapng(EVERYDAY) + writer.interface("<", link_type=10))


class Options(CommandLineTest):

    def test_what_to_do_must_be_said_and_nothing_else(self):
        self.refuse(USAGE)
        self.refuse(USAGE, "--hold-idle")
        self.refuse(USAGE, "--read")
        self.refuse_with_capture(USAGE, "--no-such-option", naming="--no-such")
        self.refuse_with_capture(USAGE, "surplus.pcap", naming="surplus")
        self.refuse(USAGE, "surplus.pcap", naming="surplus")
        self.refuse(USAGE, "--read", "")

    def test_collector(self):
        for value in ("127.0.0.1:0", "127.0.0.1:65536", "127.0.0.1:abc", "127.0.0.1", "127.0.0.1:", ":9995",
                      "127.0.0.1:99999999999999999999", "127.0.0.1:-1", "",
                      "[::1]", "[::1]:", "[::1:9995", "[::1]9995"):
            self.refuse_with_capture(USAGE, "--collector", value)

    def test_collector_that_cannot_be_found(self):
        self.refuse_with_capture(FAILED, "--collector", "host.invalid:9995", naming="host.invalid")

    def test_numbers(self):
        for option, values in (
                ("--inactive-timeout", ("-1", "0", "abc", "1.5", "99999999999", "", "0x10", "1s")),
                ("--active-timeout", ("-1", "0", "abc", "1.5", "99999999999", "")),
                ("--max-records", ("0", "31", "-1", "x", "")),
                ("--engine-id", ("256", "-1", "x", "")),
                ("--engine-type", ("256", "-1", "x", "")),
                ("--max-flows", ("0", "-1", "x", "", "99999999999999999999")),
                ("--export-rate", ("-1", "x", "1.5", "")),
                ("--export-delay", ("-1", "x", "")),
                ("--hash-seed", ("x", "-1", "1.5", "")),
                ("--ifindex", ("1", "0=0", "0=65536", "x=1", "0=", "=1", "0=1=2", "-1=1", "", "0=x"))):
            for value in values:
                self.refuse_with_capture(USAGE, "%s=%s" % (option, value), naming=option[2:])

    def test_options_given_twice(self):
        for option, value in (("--inactive-timeout", "5"), ("--max-records", "7"), ("--read", self.capture),
                              ("--ledger", self.folder / "ledger"), ("--flows-out", self.folder / "flows"),
                              ("--engine-id", "1")):
            self.refuse_with_capture(USAGE, option, value, option, value)
        self.refuse_with_capture(USAGE, "--ifindex", "0=5", "--ifindex", "0=6")

    def test_two_outputs_in_one_place(self):
        same = self.folder / "same"
        self.refuse_with_capture(USAGE, "--flows-out", "-", "--ledger", "-")
        self.refuse_with_capture(USAGE, "--flows-out", same, "--ledger", same)
        self.refuse_with_capture(USAGE, "--flows-out", same, "--ledger", "%s/./same" % self.folder)
        self.assertFalse(same.exists())

    def test_an_output_never_destroys_the_capture(self):
        before = self.capture.read_bytes()
        (self.folder / "link.pcap").symlink_to(self.capture)
        os.link(self.capture, self.folder / "hard.pcap")
        for spelling in (self.capture, "%s/./good.pcap" % self.folder, "%s//good.pcap" % self.folder,
                         self.folder / "link.pcap", self.folder / "hard.pcap"):
            for option in ("--flows-out", "--ledger"):
                self.refuse_with_capture(USAGE, option, spelling)
                self.assertEqual(self.capture.read_bytes(), before)
        self.refuse(USAGE, "--read", self.folder / "link.pcap", "--flows-out", self.capture)
        self.assertEqual(self.capture.read_bytes(), before)

    def test_an_output_never_destroys_the_configuration(self):
        path = self.folder / "pollflow.conf"
        path.write_text("max-records = 7\n")
        for option in ("--flows-out", "--ledger"):
            self.refuse_with_capture(USAGE, "--config", path, option, path)
            self.assertEqual(path.read_text(), "max-records = 7\n")

    def test_two_outputs_that_are_links_to_one_place(self):
        """Neither the target nor anything else is there before the run."""
        for name in ("one", "two"):
            (self.folder / name).symlink_to("target")
        self.refuse_with_capture(USAGE, "--flows-out", self.folder / "one", "--ledger", self.folder / "two")
        (self.folder / "target").unlink(missing_ok=True)
        self.refuse_with_capture(USAGE, "--flows-out", self.folder / "target", "--ledger", self.folder / "two")

    def test_help_lists_every_option(self):
        outcome = runner.execute(["--help"])
        self.assert_success(outcome)
        for option in OPTIONS:
            self.assertRegex(outcome.stdout, r"--%s\b" % option)

    def test_version(self):
        outcome = runner.execute(["--version"])
        self.assert_success(outcome)
        self.assertRegex(outcome.stdout, r"\Apollflow\b.*\d+\.\d+")


class Configuration(CommandLineTest):

    def config(self, contents):
        path = self.folder / "pollflow.conf"
        path.write_text(contents)
        return path

    def test_a_good_configuration(self):
        path = self.config("# comment\n\ninactive-timeout = 7\nmax-records=7\n")
        self.assertEqual(runner.execute(["--config", path, "--check-config"]).code, 0)
        self.assertEqual(runner.execute(["--config", path, "--check-config", "--read", self.capture]).code, 0)

    def test_it_works_and_the_command_line_wins(self):
        packets = [at(0, frames.udp_frame()), at(3000, frames.udp_frame()), at(9000, frames.udp_frame())]
        capture = self.write(packets, "timeouts.pcap")
        path = self.config("inactive-timeout = 5\nifindex = 0=42\n")
        for options, model in (((), reference.Options(5, ifindex=42)),
                               (("--inactive-timeout", 2), reference.Options(2, ifindex=42)),
                               (("--inactive-timeout", 6), reference.Options(6, ifindex=42))):
            with self.subTest(options):
                run = runner.read_capture(capture, "--config", path, *options)
                self.assert_success(run.outcome)
                self.assert_model(run, reference.run(capture, model))

    def test_faults(self):
        self.refuse_with_capture(CONFIGURATION, "--config", self.folder / "absent.conf")
        self.refuse_with_capture(CONFIGURATION, "--config", self.folder)
        for contents, key in (("inactive-timeout = 5\nno-such-key = 1\n", "no-such-key"),
                              ("\ninactive-timeout = abc\n", "inactive-timeout"),
                              ("max-records = 31\n", "max-records"), ("engine-id = 256\n", "engine-id"),
                              ("ifindex = 0=0\n", "ifindex"), ("just words\n", ""),
                              ("collector = 127.0.0.1:0\n", "collector")):
            path = self.config(contents)
            for more in ((), ("--check-config",)):
                self.refuse_with_capture(CONFIGURATION, "--config", path, *more, naming=key)
                self.refuse_with_capture(CONFIGURATION, "--config", path, *more, naming="pollflow.conf")


class Output(CommandLineTest):

    def test_outputs_that_cannot_be_created(self):
        for option in ("--flows-out", "--ledger"):
            self.refuse_with_capture(CANNOT_CREATE, option, self.folder / "missing" / "file")
            self.refuse_with_capture(CANNOT_CREATE, option, self.folder)
            self.refuse_with_capture(CANNOT_CREATE, option, self.capture / "below-a-file")

    def test_an_output_in_a_closed_folder(self):
        closed = self.folder / "closed"
        closed.mkdir()
        self.close(closed)
        self.folder.chmod(0o755)
        for option in ("--flows-out", "--ledger"):
            outcome = runner.execute(["--read", self.capture, option, closed / "file"], prefix=as_nobody(self))
            self.assertIn(outcome.code, (CANNOT_CREATE, NO_PERMISSION))
            self.assertEqual(outcome.stdout, "")
            self.assert_one_sentence(outcome.stderr)

    def test_a_full_disk_under_the_flows(self):
        if not os.path.exists("/dev/full"):
            self.skipTest("no /dev/full")
        outcome = runner.execute(["--read", self.capture, "--flows-out", "/dev/full",
                                  "--ledger", self.folder / "ledger"])
        self.assertEqual(outcome.code, FAILED)
        self.assert_one_sentence(outcome.stderr)
        ledger = json.loads((self.folder / "ledger").read_text())
        flows = len(reference.run(self.capture).rows)
        self.assertEqual(ledger["records"]["lost"]["write_failed"]["records"], flows)
        self.assertEqual(ledger["records"]["sent"]["records"], 0)
        self.assertEqual(ledger["flows_out"], {"records_written": 0, "records_failed": flows})

    def test_a_full_disk_under_the_ledger(self):
        if not os.path.exists("/dev/full"):
            self.skipTest("no /dev/full")
        outcome = runner.execute(["--read", self.capture, "--flows-out", self.folder / "flows",
                                  "--ledger", "/dev/full"])
        self.assertEqual(outcome.code, FAILED)
        self.assert_one_sentence(outcome.stderr)
        self.assertEqual(runner.sorted_lines((self.folder / "flows").read_text()),
                         reference.run(self.capture).lines())

    def test_flows_on_standard_output(self):
        outcome = runner.execute(["--read", self.capture, "--flows-out", "-"])
        self.assertEqual(outcome.code, 0)
        self.assertEqual(runner.sorted_lines(outcome.stdout), reference.run(self.capture).lines())

    def test_ledger_on_standard_output(self):
        outcome = runner.execute(["--read", self.capture, "--ledger", "-"])
        self.assertEqual(outcome.code, 0)
        self.assert_model_ledger(json.loads(outcome.stdout), reference.run(self.capture))

    def test_ledger_has_every_field(self):
        run = runner.read_capture(self.capture, collect=True)
        self.assert_success(run.outcome)
        ledger, counts = run.ledger, {"records", "packets", "octets"}
        self.assertLessEqual({"balanced", "ports", "received", "accounted", "skipped", "in_tables", "records", "expired",
                              "datagrams", "collectors", "flows_out", "flow_sequence", "flows_high_water"}, set(ledger))
        self.assertLessEqual({"port", "driver", "offered", "received", "missed", "errored", "rx_nombuf"},
                             set(ledger["ports"][0]))
        self.assertEqual(set(ledger["skipped"]), set(reference.SKIP_NAMES))
        self.assertEqual(set(ledger["expired"]), set(reference.END_REASONS))
        self.assertEqual(set(ledger["in_tables"]), {"flows", "packets", "octets"})
        for name in ("created", "in_rings", "in_datagram", "sent"):
            self.assertEqual(set(ledger["records"][name]), counts)
        self.assertEqual(set(ledger["records"]["lost"]), {"ring_full", "send_failed", "write_failed"})
        for lost in ledger["records"]["lost"].values():
            self.assertEqual(set(lost), counts)
        self.assertEqual(set(ledger["collectors"][0]), {"name", "datagrams_sent", "datagrams_failed", "records_sent",
                                                        "records_failed", "refused", "records_refused"})

    def test_without_flows_out_the_ledger_says_null(self):
        self.assert_success(runner.execute(["--read", self.capture, "--ledger", self.folder / "ledger"]))
        ledger = json.loads((self.folder / "ledger").read_text())
        self.assertIsNone(ledger["flows_out"])
        self.assertEqual(ledger["collectors"], [])
        self.assertEqual(ledger["records"]["sent"]["records"], len(reference.run(self.capture).rows))

    def test_without_any_output_a_person_sees_the_flows(self):
        outcome = runner.execute(["--read", self.capture])
        self.assert_success(outcome)
        for row in reference.run(self.capture).rows:
            self.assertIn(row.src, outcome.stdout)

    def test_standard_output_closed_early(self):
        """As `pollflow ... | head -1` does."""
        packets = [at(number, frames.udp_frame(numbered(number))) for number in range(20000)]
        path = self.write(packets)
        for arguments in (["--flows-out", "-"], ["--ledger", "-"], []):
            with self.subTest(arguments):
                reader, pipe = os.pipe()
                os.close(reader)
                try:
                    outcome = runner.execute(["--read", path, *arguments], stdout=pipe)
                finally:
                    os.close(pipe)
                if arguments:
                    self.assertEqual(outcome.code, FAILED)
                    self.assertIn("pollflow: ", outcome.stderr)
                else:       # what only a person would have read
                    self.assertIn(outcome.code, (0, FAILED))

    def test_started_with_closed_files(self):
        """As some supervisors start their children: no file may take the place of a standard one."""
        for closed in ("<&-", ">&-", "2>&-", "<&- >&- 2>&-"):
            with self.subTest(closed):
                flows = self.folder / "flows"
                flows.unlink(missing_ok=True)
                outcome = runner.execute(["--read", self.capture, "--flows-out", flows],
                                         prefix=["sh", "-c", 'exec "$0" "$@" ' + closed])
                self.assertIn(outcome.code, (0, FAILED))
                self.assertTrue(flows.exists())
                self.assertEqual(runner.sorted_lines(flows.read_text()), reference.run(self.capture).lines())

    def test_an_earlier_output_is_replaced(self):
        for name in ("flows", "ledger"):
            (self.folder / name).write_text("old\n" * 10000)
        self.assert_success(runner.execute(["--read", self.capture, "--flows-out", self.folder / "flows",
                                            "--ledger", self.folder / "ledger"]))
        self.assertEqual(runner.sorted_lines((self.folder / "flows").read_text()),
                         reference.run(self.capture).lines())
        json.loads((self.folder / "ledger").read_text())

    def test_no_output_touches_a_refused_run(self):
        """A usage error is found before a file is created."""
        self.refuse_with_capture(USAGE, "--flows-out", self.folder / "flows", "--max-records", "0")
        self.refuse(NO_INPUT, "--read", self.folder / "absent", "--flows-out", self.folder / "flows")
        self.assertFalse((self.folder / "flows").exists())


class Signals(CommandLineTest):

    def test_a_signal_ends_the_run_in_good_order(self):
        """The run is slow as its export is; the signal comes when the first datagram has come, and then
        no more packets are received, but what was received is sent."""
        packets = []
        for number in range(20000):
            for flags in (SYN, FIN | ACK):
                packets.append(at(number, frames.tcp_frame(numbered(number), flags=flags)))
        path = self.write(packets)
        for number in (signal.SIGINT, signal.SIGTERM):
            with self.subTest(number.name), runner.Collector() as collector:
                process = runner.start(["--read", path, "--collector", collector.address, "--export-rate", 4000,
                                        "--ledger", self.folder / "ledger"])
                self.assertTrue(collector.arrived.wait(runner.TIMEOUT_S))
                process.send_signal(number)
                outcome = runner.finish(process)
                self.assert_success(outcome)
                ledger = json.loads((self.folder / "ledger").read_text())
                self.assertIs(ledger["balanced"], True)
                self.assertLess(ledger["received"]["packets"], len(packets))
                datagrams = collector.finish()
                self.assertEqual(v5.lint(datagrams), [])
                self.assertEqual(len(v5.rows(datagrams)), ledger["records"]["sent"]["records"])
                self.assertEqual(ledger["records"]["sent"]["records"] + sum(
                    lost["records"] for lost in ledger["records"]["lost"].values()),
                    ledger["records"]["created"]["records"])
                self.assertEqual(sum(row[7] for row in v5.rows(datagrams)), ledger["accounted"]["packets"])

    def test_a_second_signal_ends_the_run_at_once(self):
        """It need not wait for an export that would take minutes, but it says that records are lost."""
        packets = [at(number, frames.tcp_frame(numbered(number // 2), flags=(SYN, FIN)[number % 2]))
                   for number in range(40000)]
        path = self.write(packets)
        with runner.Collector() as collector:
            process = runner.start(["--read", path, "--collector", collector.address, "--export-rate", 100])
            self.assertTrue(collector.arrived.wait(runner.TIMEOUT_S))
            process.send_signal(signal.SIGINT)
            process.send_signal(signal.SIGTERM)
            outcome = runner.finish(process)
            arrived = len(v5.rows(collector.finish()))
        if outcome.code == 0:       # the first signal sent everything: nothing may be missing then
            self.assertEqual((arrived, outcome.stderr), (20000, ""))
        else:
            self.assertEqual(outcome.code, FAILED)
            self.assertIn("pollflow: ", outcome.stderr)

    def test_a_second_signal_ends_a_run_whose_reader_does_not_read(self):
        path = self.write([at(number // 100, frames.udp_frame(src=numbered(number))) for number in range(20000)])
        process = runner.start(["--read", path, "--flows-out", "-", "--inactive-timeout", 1])
        self.assertEqual(process.stdout.read(3), b"src")     # now the pipe fills, and nobody empties it
        process.send_signal(signal.SIGINT)
        process.send_signal(signal.SIGTERM)
        self.assertEqual(process.wait(runner.TIMEOUT_S), FAILED)
        self.assertIn(b"pollflow: stopped at once by a second signal; lost: about ", process.stderr.read())
        process.stdout.close()
        process.stderr.close()


def as_nobody(test):
    """Command in front of another that runs it as an ordinary user; a skip where that cannot be."""
    if os.getuid() != 0:
        return []
    if not shutil.which("setpriv"):
        test.skipTest("setpriv is not installed")
    prefix = ["setpriv", "--reuid=%d" % runner.NOBODY, "--regid=%d" % runner.NOBODY, "--clear-groups"]
    reachable = subprocess.run([*prefix, "test", "-x", runner.binary()], check=False).returncode == 0
    if not reachable:
        test.skipTest("an ordinary user cannot reach %s" % runner.binary())
    return prefix


class OrdinaryUser(CommandLineTest):

    def test_in_poor_surroundings(self):
        """No root, no runtime folder, no home."""
        self.folder.chmod(0o755)
        self.capture.chmod(0o644)
        expected = reference.run(self.capture).lines()
        bare = {"PATH": os.environ["PATH"]}
        home = {**bare, "HOME": "/nonexistent"}
        for name, environment in (("XDG_RUNTIME_DIR unset", home),
                                  ("XDG_RUNTIME_DIR missing", {**home, "XDG_RUNTIME_DIR": str(self.folder / "gone")}),
                                  ("XDG_RUNTIME_DIR empty", {**home, "XDG_RUNTIME_DIR": ""}),
                                  ("HOME unset", bare), ("nothing set", {})):
            with self.subTest(name):
                outcome = runner.execute(["--read", self.capture, "--flows-out", "-"], prefix=as_nobody(self),
                                         env=environment, cwd="/")
                self.assertEqual(outcome.code, 0, outcome.stderr)
                self.assertEqual(runner.sorted_lines(outcome.stdout), expected)

    def test_two_at_the_same_time(self):
        """One capture read by several pollflows at once: none is in another's way."""
        started = [runner.start(["--read", self.capture, "--flows-out", self.folder / str(number)])
                   for number in range(4)]
        for number, process in enumerate(started):
            self.assert_success(runner.finish(process))
            self.assertEqual(runner.sorted_lines((self.folder / str(number)).read_text()),
                             reference.run(self.capture).lines())


if __name__ == "__main__":
    sys.exit(unittest.main())
