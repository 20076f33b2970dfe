"""scripts/systemd: what is installed is accepted by those who read it, and the unit is closed tightly."""

import os
import pathlib
import re
import shutil
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
