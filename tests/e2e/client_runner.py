"""What the tests of pollflowctl share: running it beside a stand-in for pollflow.

POLLFLOWCTL  the program, an absolute path
"""

import os
import pathlib
import subprocess
import tempfile
import unittest

import fake_telemetry as fake

DONE, FAILED, USAGE, NO_ANSWER, NO_PERMISSION = 0, 1, 64, 69, 77
TIMEOUT_S = 60
SOCKET = "dpdk_telemetry.v2"


def binary():
    path = os.environ.get("POLLFLOWCTL", "")
    if not os.path.isabs(path) or not os.access(path, os.X_OK):
        raise AssertionError("POLLFLOWCTL=%s is no absolute path of a program" % path)
    return path


class ClientTest(unittest.TestCase):
    maxDiff = 4000

    def setUp(self):
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.folder = pathlib.Path(temporary.name)
        self.socket = self.folder / "dpdk" / "rte" / SOCKET

    def serve(self, greeting=True, **changed):
        server = fake.FakeTelemetry(self.socket, fake.pollflow_answers(**changed), greeting)
        self.enterContext(server)
        return server

    def execute(self, *arguments, prefix=(), stdout=subprocess.PIPE, **environment):
        environment.setdefault("RUNTIME_DIRECTORY", str(self.folder))
        bare = {name: value for name, value in os.environ.items() if name != "XDG_RUNTIME_DIR"}
        return subprocess.run([*prefix, binary(), *arguments], stdin=subprocess.DEVNULL, stdout=stdout,
                              stderr=subprocess.PIPE, timeout=TIMEOUT_S, text=True,
                              env={name: value for name, value in {**bare, **environment}.items() if value})

    def print(self, *arguments, code=DONE):
        """What it prints; nothing may be on the error output."""
        outcome = self.execute(*arguments)
        self.assertEqual((outcome.returncode, outcome.stderr), (code, ""))
        return outcome.stdout

    def refuse(self, code, *arguments, naming="", **environment):
        """It answers with this code, one sentence that holds `naming`, and nothing else."""
        with self.subTest(" ".join(arguments)):
            outcome = self.execute(*arguments, **environment)
            self.assertEqual((outcome.returncode, outcome.stdout), (code, ""), outcome.stderr)
            self.assertRegex(outcome.stderr, r"\Apollflowctl: [^\n]+\n\Z")
            self.assertNotIn("please report", outcome.stderr)
            self.assertIn(naming, outcome.stderr)

    def refuse_answers(self, command, answers, *arguments):
        """Each of these answers to the command is refused as malformed."""
        for answer in answers:
            with self.subTest(repr(answer)[:80]):
                with fake.FakeTelemetry(self.socket, fake.pollflow_answers(**{command: answer})):
                    self.refuse(FAILED, *arguments)
                self.socket.unlink()
