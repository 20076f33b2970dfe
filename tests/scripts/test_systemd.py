"""scripts/systemd: what is installed is accepted by those who read it; the unit is closed tightly, and pollflow runs in
it all the same."""

import ctypes
import errno
import os
import pathlib
import re
import shutil
import signal
import subprocess
import tempfile
import unittest

SYSTEMD = pathlib.Path(__file__).resolve().parents[2] / "scripts/systemd"
EXPOSURE_MAX = 2.0              # systemd's own figure: 0 is shut, 10 is open


def run(*command):
    return subprocess.run(list(map(str, command)), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, timeout=60)


@unittest.skipUnless(shutil.which("systemd-analyze"), "no systemd-analyze")
class Unit(unittest.TestCase):
    def setUp(self):
        """The unit, with a program in place of the pollflow that is not installed here."""
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.unit = pathlib.Path(folder.name, "pollflow.service")
        text = (SYSTEMD / "pollflow.service").read_text()
        self.assertIn("ExecStart=/usr/local/bin/pollflow ", text)
        self.unit.write_text(text.replace("=/usr/local/bin/pollflow ", "=/bin/true "))

    def test_systemd_has_nothing_to_say_against_it(self):
        done = run("systemd-analyze", "verify", "--man=no", self.unit)
        # It looks at the units that this one wants, too; what is wrong with those is this machine's.
        self.assertEqual([line for line in done.stdout.splitlines() if "pollflow" in line], [])

    def test_it_is_closed_tightly(self):
        done = run("systemd-analyze", "security", "--offline=true", "--no-pager", self.unit)
        figure = re.search(r"exposure level for pollflow.service: ([\d.]+)", done.stdout)
        self.assertIsNotNone(figure, done.stdout)
        self.assertLessEqual(float(figure.group(1)), EXPOSURE_MAX)


def system_calls(group):
    """Those of a group of systemd's, or one by itself."""
    if not group.startswith("@"):
        return {group}
    told = run("systemd-analyze", "--no-pager", "syscall-filter", group).stdout
    lines = [line.strip() for line in told.splitlines()[1:]]
    return set().union(*(system_calls(line) for line in lines if line and not line.startswith("#")))


def allowed_by_the_unit():
    """SystemCallFilter= as systemd reads it: the first line says what all is about, each one adds or takes away."""
    allowed, unit = set(), (SYSTEMD / "pollflow.service").read_text()
    for less, names in re.findall(r"^SystemCallFilter=(~?)(.*)$", unit, re.MULTILINE):
        these = set().union(*map(system_calls, names.split()))
        allowed = allowed - these if less else allowed | these
    return allowed


class Confinement:
    """The unit's filter of system calls, for the process that enters it; libseccomp is what systemd takes."""

    def __init__(self):
        self.seccomp = ctypes.CDLL("libseccomp.so.2")
        self.seccomp.seccomp_init.restype = ctypes.c_void_p
        eperm = 0x00050000 | errno.EPERM        # SCMP_ACT_ERRNO
        self.filter = ctypes.c_void_p(self.seccomp.seccomp_init(eperm))
        for name in allowed_by_the_unit():
            number = self.seccomp.seccomp_syscall_resolve_name(name.encode())
            if number >= 0:     # this architecture has it
                self.seccomp.seccomp_rule_add(self.filter, 0x7fff0000, number, 0)

    def enter(self):
        if self.seccomp.seccomp_load(self.filter) != 0:
            os._exit(125)


@unittest.skipUnless(shutil.which("systemd-analyze") and os.geteuid() == 0, "no systemd-analyze, or not root")
@unittest.skipUnless(os.environ.get("POLLFLOW"), "POLLFLOW is not set: no pollflow to run in the unit")
@unittest.skipIf(os.environ.get("POLLFLOW_SANITIZED"), "sanitizers make calls of their own")
class Confined(unittest.TestCase):
    """pollflow under the unit's filter: as a user without capabilities, and as root, as comments in the unit have it."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.folder.chmod(0o777)
        self.program = shutil.copy(os.environ["POLLFLOW"], self.folder)     # where any user gets to

    def lines_of_a_run(self, **named):
        """Started, told to read its configuration again, stopped: what it says; it says why it cannot."""
        config = self.folder / "pollflow.conf"
        config.write_text("ledger = %s\n" % (self.folder / "ledger.json"))
        command = [self.program, "--no-huge", "--no-pci", "--vdev", "net_ring0", "-l", "0", "--", "--config", config]
        with subprocess.Popen(list(map(str, command)), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              env={**os.environ, "RUNTIME_DIRECTORY": str(self.folder)}, **named) as process:
            lines = []
            for line in process.stdout:
                lines.append(line)
                if line.startswith("Receiving"):
                    process.send_signal(signal.SIGHUP)
                if "reloaded" in line:
                    process.send_signal(signal.SIGTERM)
        self.assertEqual(process.returncode, 0, lines)
        return "".join(lines)

    def test_as_its_user_it_starts_reloads_and_stops(self):
        said = self.lines_of_a_run(user="nobody", group="nogroup", extra_groups=[], preexec_fn=Confinement().enter)
        self.assertIn("privileges: user nobody, no capabilities, system calls filtered", said)

    def test_with_capabilities_it_can_give_them_up(self):
        said = self.lines_of_a_run(preexec_fn=Confinement().enter)
        self.assertIn("no capabilities, system calls filtered", said)


class Files(unittest.TestCase):
    def test_the_environment_file_sets_what_the_unit_uses(self):
        lines = (SYSTEMD / "pollflow.eal").read_text().splitlines()
        assignments = [line for line in lines if line and not line.startswith("#")]
        self.assertEqual([line.partition("=")[0] for line in assignments], ["POLLFLOW_EAL"])
        self.assertIn("pollflow $POLLFLOW_EAL -- --config /etc/pollflow/pollflow.conf\n",
                      (SYSTEMD / "pollflow.service").read_text())

    @unittest.skipUnless(os.environ.get("POLLFLOW"), "POLLFLOW is not set: no pollflow to check the configuration")
    def test_pollflow_takes_the_configuration(self):
        done = run(os.environ["POLLFLOW"], "--check-config", "--config", SYSTEMD / "pollflow.conf")
        self.assertEqual(done.returncode, 0, done.stdout)


if __name__ == "__main__":
    unittest.main()
