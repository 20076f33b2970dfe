"""This build's compiler takes a warning for an error: each fault of source is refused by the command that compiles the
decoder."""

import json
import os
import pathlib
import shlex
import subprocess
import tempfile
import unittest

BUILD = pathlib.Path(os.environ["POLLFLOW_BUILD"])
COMPILED = "lib/packet/decode.cpp"

FAULTS = {
    "an unused variable": ("int f() {\n  int unused;\n  return 7;\n}\n", "unused variable"),
    "a name that hides another": ("int f(int a) {\n  {\n    int a = 7;\n    return a;\n  }\n}\n", "shadow"),
    "a number cut short": ("char f(int a) {\n  return a;\n}\n", "conversion"),
    "a parameter forgotten": ("int f(int a) {\n  return 7;\n}\n", "unused parameter"),
}


def compile_command():
    for entry in json.loads((BUILD / "compile_commands.json").read_text()):
        if entry["file"].endswith(COMPILED):
            command = shlex.split(entry["command"])
            return command[:command.index("-MD")]       # what comes after names files
    raise AssertionError("%s compiles no %s" % (BUILD, COMPILED))


class WarningsTest(unittest.TestCase):

    def compiled(self, source):
        with tempfile.TemporaryDirectory() as folder:
            file = pathlib.Path(folder, "fault.cpp")
            file.write_text(source)
            return subprocess.run([*compile_command(), "-fsyntax-only", file], cwd=BUILD, capture_output=True, text=True,
                                  timeout=60, check=False)

    def test_good_source_is_compiled(self):
        self.assertEqual(self.compiled("int f() {\n  return 7;\n}\n").stderr, "")

    def test_each_fault_is_an_error(self):
        for name, (source, words) in FAULTS.items():
            with self.subTest(name):
                done = self.compiled(source)
                self.assertRegex(done.stderr, "error: .*" + words)
                self.assertNotEqual(done.returncode, 0)


if __name__ == "__main__":
    unittest.main()
