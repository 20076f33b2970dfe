"""What bash and zsh offer for pollflow and pollflowctl is what the programs take."""

import os
import pathlib
import re
import shutil
import socket
import subprocess
import tempfile
import unittest

import documents
from documents import COMMON, REPOSITORY

COMPLETION = REPOSITORY / "scripts/completion"
# Sources the script named first, and completes the last of the words; a word "|" stands before those behind the cursor.
COMPLETE = """
set -u
source "$1"
shift
COMP_WORDS=() COMP_CWORD=
for word; do
  if [ "$word" = "|" ]; then COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); else COMP_WORDS+=("$word"); fi
done
: "${COMP_CWORD:=$((${#COMP_WORDS[@]} - 1))}"
[[ $(complete -p "$1") =~ \\ -F\\ ([a-z_]+)\\  ]]
"${BASH_REMATCH[1]}" "$1" "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
[ ${#COMPREPLY[@]} -eq 0 ] || printf '%s\\n' "${COMPREPLY[@]}"
"""
ZSH_SPECS = """
_arguments() { print -rl -- "$@" }
_call_program() { shift; eval "$@" }
words=($2)
CURRENT=2
source $1
"""


def output(command, **named):
    done = subprocess.run(list(map(str, command)), stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          timeout=60, check=False, **named)
    if done.stderr:
        raise AssertionError(done.stderr)
    return done.stdout


def long(names):
    return ["--" + name for name in sorted(names)]


class Bash(unittest.TestCase):
    maxDiff = None

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        (self.folder / "a file").touch()
        (self.folder / "folder").mkdir()

    def offered(self, *words, **variables):
        """What is offered for the last word, sorted."""
        command = ["bash", "--norc", "-c", COMPLETE, "bash", COMPLETION / (words[0] + ".bash"), *words]
        return sorted(output(command, cwd=self.folder, env={**os.environ, **variables}).splitlines())


class Pollflow(Bash):
    @classmethod
    def setUpClass(cls):
        cls.told = documents.help_options(output([os.environ["POLLFLOW"], "--help"]))

    def test_the_options_are_those_of_help(self):
        self.assertEqual(self.offered("pollflow", ""), long(self.told))
        self.assertEqual(self.offered("pollflow", "--max"), ["--max-flows", "--max-records"])

    def test_values_are_of_the_kind_that_help_tells(self):
        for name, option in self.told.items():
            words = [word for word in option.value.split("|") if word.islower()]
            if not option.value:
                wanted = long(self.told)
            elif "FILE" in option.value:
                wanted = sorted(["a file", "folder", *words])
            elif option.value == "DIR":
                wanted = ["folder"]
            else:
                wanted = sorted(words)
            # Behind a blank stands the next argument, where a value may be left out.
            behind_blank = long(self.told) if option.value == "true|false" else wanted
            self.assertEqual(self.offered("pollflow", "--" + name, ""), behind_blank, name)
            if option.value:
                self.assertEqual(self.offered("pollflow", "--" + name, "="), wanted, name)

    def test_a_value_behind_an_equals_sign_is_completed(self):
        self.assertEqual(self.offered("pollflow", "--read", "=", "a"), ["a file"])
        self.assertEqual(self.offered("pollflow", "--routes", "=", "k"), ["kernel"])

    def test_before_the_separator_are_EALs_arguments(self):
        self.assertEqual(self.offered("pollflow", "-l", "0", ""), ["--"])
        self.assertEqual(self.offered("pollflow", "--re", "|", "--", "--dry-run"), [])
        self.assertEqual(self.offered("pollflow", "-l", "0", "--", "--dr"), ["--driver-config", "--dry-run"])


@unittest.skipUnless(os.environ.get("POLLFLOWCTL"), "POLLFLOWCTL is not set: no pollflowctl to compare with")
class Pollflowctl(Bash):
    @classmethod
    def setUpClass(cls):
        cls.told = documents.help_commands(lambda *arguments: output([os.environ["POLLFLOWCTL"], *arguments]))

    def test_the_commands_are_those_of_help(self):
        commands = sorted(set(self.told) - {COMMON})
        self.assertEqual(self.offered("pollflowctl", ""), commands)
        self.assertEqual(self.offered("pollflowctl", "--socket", "s", ""), commands)

    def test_the_options_are_those_of_help(self):
        for command, own in self.told.items():
            words = [command] if command else []
            self.assertEqual(self.offered("pollflowctl", *words, "-"), long({*own, *self.told[COMMON]}), command)

    def test_behind_each_option_its_value_is_not_taken_for_a_word(self):
        for command, own in self.told.items():
            for name, option in {**own, **self.told[COMMON]}.items():
                words = ["--" + name, *(["routes"] if option.value else []), "routes", ""]
                if not command:
                    self.assertEqual(self.offered("pollflowctl", *words), ["reload"], name)
                if option.value in ("N", "EXPR", "S"):
                    self.assertEqual(self.offered("pollflowctl", command, "--" + name, ""), [], name)

    def test_orders_are_those_that_it_takes(self):
        refusal = subprocess.run([os.environ["POLLFLOWCTL"], "show", "--by", "?"], capture_output=True, text=True,
                                 timeout=60, check=False).stderr
        orders = re.search(r"is none of (.*)$", refusal, re.MULTILINE)[1].split(", ")
        self.assertEqual(self.offered("pollflowctl", "show", "--by", ""), sorted(orders))
        self.assertEqual(self.offered("pollflowctl", "show", "--by", "=", "a"), ["age"])

    def test_log_levels_are_those_that_pollflow_knows(self):
        source = (REPOSITORY / "lib/control/log_level.cpp").read_text()
        names = re.findall(r'"([a-z]+)"', re.search(r" names = \{(.*?)\}", source, re.DOTALL)[1])
        self.assertEqual(names[0], "disabled")          # level 0, which nobody can give
        self.assertEqual(self.offered("pollflowctl", "log-level", ""), sorted(names[1:]))
        self.assertEqual(self.offered("pollflowctl", "log-level", "pmd.*", "d"), ["debug"])

    def test_prefixes_are_those_that_have_a_socket(self):
        for prefix in ("one", "two", "none"):
            (self.folder / "dpdk" / prefix).mkdir(parents=True)
        (self.folder / "dpdk/none/dpdk_telemetry.v2").touch()
        for prefix in ("one", "two"):
            listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            self.addCleanup(listener.close)
            listener.bind(str(self.folder / "dpdk" / prefix / "dpdk_telemetry.v2"))
        there = {"RUNTIME_DIRECTORY": str(self.folder)}
        self.assertEqual(self.offered("pollflowctl", "--file-prefix", "", **there), ["one", "two"])
        self.assertEqual(self.offered("pollflowctl", "info", "--file-prefix", "=", "t", **there), ["two"])
        nowhere = {"RUNTIME_DIRECTORY": str(self.folder / "folder")}
        self.assertEqual(self.offered("pollflowctl", "--file-prefix", "", **nowhere), [])

    def test_a_socket_is_a_file(self):
        self.assertEqual(self.offered("pollflowctl", "--socket", ""), ["a file", "folder"])


@unittest.skipUnless(shutil.which("zsh"), "no zsh")
class Zsh(unittest.TestCase):
    def test_each_option_of_help_has_its_kind_of_value(self):
        told = documents.help_options(output([os.environ["POLLFLOW"], "--help"]))
        specs = output(["zsh", "-f", "-c", ZSH_SPECS, "zsh", COMPLETION / "_pollflow", os.environ["POLLFLOW"]])
        kinds = dict(re.findall(r"^\*--([a-z-]+)(?:=-)?\[[^\]]+\](?:::?.*:(.*))?$", specs, re.MULTILINE))
        actions = {"": "", "FILE": "_files", "DIR": "_files -/", "FILE|kernel": "_pollflow_routes",
                   "random|HEX": "(random)", "random|N": "(random)", "true|false": "(true false)", "NAME": "_users"}
        self.assertEqual(kinds, {name: actions.get(option.value, " ") for name, option in told.items()})


if __name__ == "__main__":
    if not os.environ.get("POLLFLOW"):
        raise SystemExit("POLLFLOW is not set: set it to the absolute path of the pollflow to test")
    unittest.main()
