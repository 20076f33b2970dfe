"""Man pages, reference and completion say what the programs' own --help says, and the examples run."""

import json
import os
import pathlib
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import unittest

import documents
from documents import COMMON, MAN, OPERATING, REFERENCE, REPOSITORY

sys.path.insert(0, str(REPOSITORY / "tests/e2e"))
import live_runner  # noqa: E402

# EAL's own, which the pages of pollflow name, too.
EAL_OPTIONS = {"vdev", "lcores", "no-huge", "no-pci", "in-memory", "file-prefix", "no-telemetry", "socket-mem",
               "huge-unlink", "single-file-segments", "proc-type"}

needs_pollflowctl = unittest.skipUnless(os.environ.get("POLLFLOWCTL"),
                                        "POLLFLOWCTL is not set: no pollflowctl to compare with")


def run(*command, **named):
    return subprocess.run(list(map(str, command)), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, timeout=60, **named)


def pollflow_options():
    return documents.help_options(run(os.environ["POLLFLOW"], "--help").stdout)


class WithFolder(unittest.TestCase):
    maxDiff = None

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)


class PollflowPages(WithFolder):
    def test_the_man_page_has_each_option_with_value_and_default(self):
        self.check_options(documents.man_options(MAN / "pollflow.8")[""])

    def test_the_reference_has_each_option_with_value_and_default(self):
        self.check_options(documents.table_options(REFERENCE / "options.md"))

    def check_options(self, page):
        told = pollflow_options()
        self.assertEqual(sorted(page), sorted(told))
        for name, option in told.items():
            self.assertEqual(page[name].value, option.value, name)
            if option.default or page[name].default not in ("", "none", "off"):
                self.assertEqual(page[name].default, option.default, name)

    def test_man_page_and_reference_have_the_same_defaults(self):
        page = documents.man_options(MAN / "pollflow.8")[""]
        for name, option in documents.table_options(REFERENCE / "options.md").items():
            self.assertEqual(page[name].default, option.default, name)

    def test_pollflow_conf_has_each_key_that_a_file_may_have(self):
        keys = documents.man_keys(MAN / "pollflow.conf.5")
        told = pollflow_options()
        self.assertEqual(sorted(keys), sorted(filter(self.is_key, told)))
        page = documents.man_options(MAN / "pollflow.8")[""]
        for name, key in keys.items():
            self.assertEqual(key.value, told[name].value or "true|false", name)
            self.assertEqual(key.default, page[name].default, name)

    def is_key(self, name):
        file = self.folder / "pollflow.conf"
        file.write_text(name + " = \n")
        done = run(os.environ["POLLFLOW"], "--check-config", "--config", file)
        return "unknown key" not in done.stdout

    def test_no_page_names_an_option_that_is_not_there(self):
        there = set(pollflow_options()) | EAL_OPTIONS
        for page in (MAN / "pollflow.8", MAN / "pollflow.conf.5", REFERENCE / "options.md"):
            self.assertEqual(documents.mentioned(page) - there, set(), page.name)


@needs_pollflowctl
class PollflowctlPages(unittest.TestCase):
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        cls.told = documents.help_commands(lambda *arguments: run(os.environ["POLLFLOWCTL"], *arguments).stdout)

    def test_the_man_page_has_each_command_with_its_options(self):
        page = documents.man_options(MAN / "pollflowctl.8")
        self.assertEqual(list(page), list(self.told))
        for command, options in self.told.items():
            self.assertEqual(page[command], options, command)

    def test_the_reference_has_each_command_with_its_options(self):
        page = documents.table_commands(REFERENCE / "pollflowctl.md")
        self.assertEqual(page, {command: set(options) for command, options in self.told.items() if command != COMMON})
        rows = documents.table_options(REFERENCE / "pollflowctl.md")
        self.assertLessEqual(set(self.told[COMMON]), set(rows))
        told = {name: option for options in self.told.values() for name, option in options.items()}
        for name, row in rows.items():
            self.assertEqual(row.value, told[name].value, name)
            self.assertTrue(row.default.startswith(told[name].default), name)

    def test_no_page_names_an_option_that_is_not_there(self):
        there = {name for options in self.told.values() for name in options} | EAL_OPTIONS
        for page in (MAN / "pollflowctl.8", REFERENCE / "pollflowctl.md"):
            self.assertEqual(documents.mentioned(page) - there, set(), page.name)


class ManPages(unittest.TestCase):
    def test_they_are_free_of_warnings(self):
        if shutil.which("mandoc"):
            command = ["mandoc", "-T", "lint", "-W", "warning"]
        elif shutil.which("man") and shutil.which("groff"):
            command = ["man", "--warnings", "-P", "true", "-l"]
        else:
            self.skipTest("neither mandoc nor man and groff are here")
        pages = sorted(MAN.iterdir())
        self.assertEqual([page.name for page in pages], ["pollflow.8", "pollflow.conf.5", "pollflowctl.8"])
        for page in pages:
            done = run(*command, page, env={**os.environ, "LC_ALL": "C.UTF-8", "MANWIDTH": "80"})
            self.assertEqual((done.returncode, done.stdout), (0, ""))


class Examples(WithFolder):
    def run_example(self, command, **variables):
        """Runs it as the shell would, pollflow and pollflowctl being those under test."""
        for name in ("pollflow", "pollflowctl"):
            link = self.folder / name
            if os.environ.get(name.upper()) and not link.exists():
                link.symlink_to(os.environ[name.upper()])
        path = "%s:%s" % (self.folder, os.environ["PATH"])
        return run("bash", "-c", command, cwd=self.folder, env={**os.environ, "PATH": path, **variables})

    def collector(self):
        """A socket that takes what is sent to it; its address."""
        receiver = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.addCleanup(receiver.close)
        receiver.bind(("127.0.0.1", 0))
        return "127.0.0.1:%d" % receiver.getsockname()[1]

    def test_those_over_a_capture_run(self):
        run(REPOSITORY / "scripts/make-capture", self.folder / "FILE.pcap", "--packets", 1000, "--flows", 50)
        commands = [command for command in documents.examples(MAN / "pollflow.8") if "--read" in command]
        self.assertEqual(len(commands), 2)
        for command in commands:
            done = self.run_example(re.sub(r"\S+:2055", lambda _: self.collector(), command))
            self.assertEqual(done.returncode, 0, command + done.stdout)
            self.assertIn("The ledger adds up", done.stdout)

    def test_those_on_live_ports_have_options_that_go_together(self):
        commands = [command for command in documents.examples(MAN / "pollflow.8") if " -- " in command]
        self.assertEqual(len(commands), 2)
        for command in commands:
            done = self.run_example(command + " --check-config")
            self.assertEqual(done.returncode, 0, command + done.stdout)

    def test_the_configuration_file_is_taken(self):
        text, command = documents.examples(MAN / "pollflow.conf.5")
        file = self.folder / "pollflow.conf"
        file.write_text(text)
        done = self.run_example(command.replace("/etc/pollflow", str(self.folder)))
        self.assertEqual(done.returncode, 0, command + done.stdout)

    @needs_pollflowctl
    def test_those_of_pollflowctl_get_as_far_as_the_socket(self):
        commands = "\n".join(documents.examples(MAN / "pollflowctl.8")).splitlines()
        self.assertEqual(len(commands), 5)
        for command in commands:
            done = self.run_example(command.replace("/run/pollflow", str(self.folder)),
                                    RUNTIME_DIRECTORY=str(self.folder))
            self.assertEqual(done.returncode, 69, command + done.stdout)


class Troubleshooting(WithFolder):
    """Each counter that the programs print is in docs/operating/troubleshooting.md."""

    # Which thing it is about, not how it fares.
    NAMES = {"name", "version", "driver", "ifindex", "port", "ports", "queue", "queues", "queue_ids", "queue_lcores",
             "queue_ports", "lcore", "workers", "export_lcore", "collectors", "flows_out"}

    def assert_told(self, names):
        told = documents.names_in_tables(OPERATING / "troubleshooting.md")
        self.assertEqual(sorted(names - self.NAMES - told), [])

    def test_those_of_the_ledger(self):
        run(REPOSITORY / "scripts/make-capture", self.folder / "in.pcap", "--packets", 100, "--flows", 5)
        ledger = self.folder / "ledger.json"
        run(os.environ["POLLFLOW"], "--read", self.folder / "in.pcap", "--ledger", ledger, "--flows-out",
            self.folder / "flows.csv", "--collector", "127.0.0.1:9")
        names = documents.counters_of(json.loads(ledger.read_text()))
        self.assertLessEqual({"missed", "lost_ring_full", "skipped_arp", "records_refused", "records_written"}, names)
        self.assert_told(names)

    def test_those_of_telemetry(self):
        with live_runner.Controlled(["--lcores", "0@0", "--vdev", "net_null0"],
                                    ["--collector", "127.0.0.1:9", "--max-flows", 1024]) as live:
            for about in ("info", "ledger", "worker,0", "port,0", "collector,0"):
                with self.subTest(about):
                    names = set(live.ask("/pollflow/" + about))
                    self.assertGreater(len(names), 5)
                    self.assert_told(set(map(documents.without_unit, names)) if about == "ledger" else names)
            live.stop()

    def test_those_of_the_metrics_page(self):
        page = os.environ.get("POLLFLOW_METRICS_PAGE", "")
        if not os.access(page, os.X_OK):
            self.skipTest("POLLFLOW_METRICS_PAGE is not set: the program that the build makes of metrics_page.cpp")
        text = run(page).stdout
        names = {re.sub(r"_bucket$|_sum$|_count$", "", name)
                 for name in re.findall(r"^(pollflow_\w+)[{ ]", text, re.MULTILINE)}
        self.assert_told(names)
        told = documents.names_in_tables(OPERATING / "troubleshooting.md")
        self.assertEqual(sorted(name for name in told - names if name.startswith("pollflow_")), [])


if __name__ == "__main__":
    if not os.environ.get("POLLFLOW"):
        raise SystemExit("POLLFLOW is not set: set it to the absolute path of the pollflow to test")
    unittest.main()
