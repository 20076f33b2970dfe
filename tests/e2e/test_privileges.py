#!/usr/bin/env python3
"""What a pollflow that has started may still do: /proc says it of every thread, and calls are tried."""

import os
import pathlib
import pwd
import signal
import subprocess
import unittest
import urllib.request

import frames
import huge_pages
import pollflow_runner as runner
from live_runner import NOTHING_LEFT_BEHIND, Controlled, Live, LiveTest, TapTest, wait_until

NOTHING = 0
NET_ADMIN = 1 << 12
SECCOMP_FILTER = 2
ONE_LCORE = ["--lcores", "0@0"]
TWO_LCORES = ["--lcores", "0@0,1@1"]
SANITIZED = bool(os.environ.get("POLLFLOW_SANITIZED"))
USER = "nobody"
PAGES = 128             # of 2 MiB


def statuses(process):
    """{thread id: {field: words}} of every thread."""
    threads = {}
    for thread in pathlib.Path("/proc/%d/task" % process).iterdir():
        lines = (thread / "status").read_text().splitlines()
        threads[int(thread.name)] = {name: words.split() for name, _, words in (line.partition(":") for line in lines)}
    return threads


class OnHugePages(Live):
    def common_eal(self):
        return [argument for argument in NOTHING_LEFT_BEHIND if argument != "--no-huge"]


class Privileges(LiveTest):

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        if os.geteuid() != 0:
            raise unittest.SkipTest("giving root up wants root")

    def assert_stepped_down(self, process, user, main_keeps=NOTHING):
        """Every thread: that user and its groups, no capability (the main one: `main_keeps`), and the kernel's word for
        the rest. Who stays keeps the groups that pollflow was started with."""
        entry = pwd.getpwnam(user)
        uid, gid = str(entry.pw_uid), str(entry.pw_gid)
        groups = os.getgrouplist(user, entry.pw_gid) if entry.pw_uid != os.geteuid() else os.getgroups()
        for thread, status in statuses(process).items():
            kept = main_keeps if thread == process else NOTHING
            self.assertEqual(status["Uid"], [uid] * 4, status["Name"])
            self.assertEqual(status["Gid"], [gid] * 4, status["Name"])
            self.assertEqual(sorted(map(int, status["Groups"])), sorted(groups), status["Name"])
            for held in ("CapPrm", "CapEff"):
                self.assertEqual(int(status[held][0], 16), kept, (status["Name"], held))
            for held in ("CapInh", "CapAmb"):
                self.assertEqual(int(status[held][0], 16), NOTHING, (status["Name"], held))
            self.assertEqual(status["NoNewPrivs"], ["1"], status["Name"])
            if not SANITIZED:
                self.assertEqual(status["Seccomp"], [str(SECCOMP_FILTER)], status["Name"])

    def idle_port(self):
        return [*TWO_LCORES, "--vdev", "net_ring0"]

    def test_with_a_user_nothing_is_left_of_root_and_everything_works(self):
        config = self.folder / "pollflow.conf"
        config.write_text("inactive-timeout = 20\n")
        os.chmod(self.folder, 0o755)
        metrics = runner.closed_tcp_port()
        with Controlled(self.idle_port(), [*self.outputs(), "--user", USER, "--config", config,
                                           "--metrics", "127.0.0.1:%d" % metrics]) as live:
            self.assert_stepped_down(live.process.pid, USER)
            self.assertEqual(live.ask("/pollflow/info")["version"], "0.1.0")
            with urllib.request.urlopen("http://127.0.0.1:%d/metrics" % metrics, timeout=30) as page:
                self.assertIn("# EOF", page.read().decode())
            self.assert_stepped_down(live.process.pid, USER)    # with the threads that were started since
            config.write_text("inactive-timeout = 21\n")
            live.send(signal.SIGHUP)
            live.wait_for("reloaded")
            outcome = live.stop()
        self.assert_done(outcome)
        self.assertIn("privileges: user %s, no capabilities" % USER, outcome.stdout)

    def test_without_a_user_root_goes_on_without_capabilities_and_is_told_so(self):
        with Live(self.idle_port(), self.outputs()) as live:
            self.assert_stepped_down(live.process.pid, "root")
            outcome = live.stop()
        self.assert_done(outcome)
        self.assertIn("privileges: root still (--user NAME changes that), no capabilities", outcome.stdout)

    def test_a_file_that_the_user_cannot_read_again_is_named_at_the_start(self):
        config = self.folder / "pollflow.conf"
        config.write_text("inactive-timeout = 20\n")
        config.chmod(0o600)
        with Live(self.idle_port(), [*self.outputs(), "--user", USER, "--config", config]) as live:
            live.wait_for("--config %s: Permission denied" % config)
            live.send(signal.SIGHUP)
            live.wait_for("not reloaded, everything stays as it was")
            outcome = live.stop()
        self.assert_done(outcome)

    def test_routes_are_loaded_again_without_roots_files_of_huge_pages(self):
        routes = self.folder / "routes"
        routes.write_text("0.0.0.0/0 192.0.2.1 1\n")
        os.chmod(self.folder, 0o755)
        for user in ("root", USER):
            with self.subTest(user), huge_pages.reserved(PAGES) as folder:
                options = [*self.outputs(), "--max-flows", 1000, "--routes", routes]
                with OnHugePages([*self.idle_port(), "--huge-dir", folder], [*options, "--user", user]) as live:
                    live.send(signal.SIGHUP)
                    live.wait_for("1 routes are in force")
                    outcome = live.stop()
                self.assert_done(outcome)

    def test_a_user_that_there_is_not_is_refused(self):
        outcome = runner.execute([*self.idle_port(), "--no-huge", "--no-pci", "--", "--user", "no-such-user"])
        self.assertEqual(outcome.code, 64)
        self.assertIn("there is no user no-such-user", outcome.stderr)

    def test_a_capture_is_read_without_root(self):
        path = self.capture([(number * 1000, frames.udp_frame(src_port=number + 1)) for number in range(50)])
        process = runner.start(["--read", path, "--collector", "127.0.0.1:%d" % runner.closed_port(),
                                "--export-rate", 1, "--user", USER])
        wait_until(lambda: len(statuses(process.pid)) > 0 and
                   statuses(process.pid)[process.pid]["Uid"][0] == str(pwd.getpwnam(USER).pw_uid), "root is given up")
        if not SANITIZED:
            wait_until(lambda: statuses(process.pid)[process.pid]["Seccomp"] == [str(SECCOMP_FILTER)], "a filter")
        self.assert_stepped_down(process.pid, USER)
        process.kill()
        runner.finish(process)


@unittest.skipIf(SANITIZED, "the filter of system calls is not in builds with sanitizers")
class Filter(LiveTest):

    def test_calls_that_pollflow_has_no_use_for_are_refused_and_the_run_goes_on(self):
        environment = {**os.environ, "LD_PRELOAD": os.environ["POLLFLOW_FORBIDDEN_CALLS"]}
        user = ["--user", USER] if os.geteuid() == 0 else []
        with Live([*ONE_LCORE, *self.many_flows(10)], [*self.outputs(), *user], env=environment) as live:
            live.wait_for("forbidden call pasting into the console")
            outcome = live.stop()
        self.assert_done(outcome)
        told = [line for line in outcome.stderr.splitlines() if line.startswith("forbidden call")]
        self.assertEqual(told, ["forbidden call %s: refused" % call for call in
                                ("execve", "packet socket", "setuid", "executable memory", "typing into the terminal",
                                 "pasting into the console")])

    def test_the_operator_can_do_without_the_filter(self):
        with Live([*ONE_LCORE, *self.many_flows(10)], [*self.outputs(), "--seccomp=false"]) as live:
            for status in statuses(live.process.pid).values():
                self.assertEqual(status["Seccomp"], ["0"], status["Name"])
                self.assertEqual(status["NoNewPrivs"], ["1"], status["Name"])
            outcome = live.stop()
        self.assert_done(outcome)
        self.assertIn("system calls not filtered", outcome.stdout)


class KernelInterface(TapTest):

    def test_an_interface_of_the_kernels_is_set_back_by_the_one_thread_that_may(self):
        helper = Privileges("idle_port")
        flags = pathlib.Path("/sys/class/net") / self.tap / "flags"
        promiscuous = 0x100

        def is_promiscuous():
            return int(self.here.run("cat", str(flags)), 16) & promiscuous != 0

        with Live([*TWO_LCORES, *self.af_packet(1)], [*self.outputs(), "--user", USER], prefix=self.here.prefix) as live:
            helper.assert_stepped_down(live.process.pid, USER, main_keeps=NET_ADMIN)
            self.assertTrue(is_promiscuous())
            outcome = live.stop()
        self.assert_done(outcome)
        self.assertFalse(is_promiscuous())


class Built(unittest.TestCase):

    @unittest.skipIf(SANITIZED, "sanitizers look at more, and are built without")
    def test_the_program_is_hardened(self):
        told = subprocess.run(["readelf", "--wide", "--file-header", "--program-headers", "--dynamic", "--dyn-syms",
                               runner.binary()], capture_output=True, text=True, check=True).stdout
        for what, sign in (("position independent", r"Type: +DYN"), ("says so itself", r"FLAGS_1.*PIE"),
                           ("read-only after relocation", "GNU_RELRO"), ("all of it at the start", r"FLAGS_1.*NOW"),
                           ("stack protector", "__stack_chk_fail"), ("fortified", r"__\w+_chk@"),
                           ("no stack to run code on", r"GNU_STACK +(0x0+ +){2,}.*RW ")):
            with self.subTest(what):
                self.assertRegex(told, sign)


if __name__ == "__main__":
    unittest.main()
