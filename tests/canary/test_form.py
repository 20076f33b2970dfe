"""clang-format and clang-tidy, as scripts/test and scripts/gates ask them, refuse what breaks the rules of form."""

import pathlib
import subprocess
import tempfile
import unittest

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
GOOD = "namespace pollflow {\n\nint seven() {\n  return 7;\n}\n\n}  // namespace pollflow\n"

BREACHES = {
    "a function": ("int seven() {", "int sevenThings() {", "readability-identifier-naming"),
    "a type": ("int seven() {", "struct lower_case {};\n\nint seven() {", "readability-identifier-naming"),
    "a division by zero": ("return 7", "int a = 0;\n  return 7 / a", "clang-analyzer-"),
    "a null that is a number": ("return 7", "int* a = 0;\n  return a == nullptr ? 7 : *a", "modernize-use-nullptr"),
}


def refusal(*command):
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=120, check=False)
    return done.returncode, done.stdout + done.stderr


class FormTest(unittest.TestCase):

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.file = pathlib.Path(folder.name, "lib", "fault.cpp")
        self.file.parent.mkdir()

    def formatted(self, source):
        self.file.write_text(source)
        return refusal("clang-format", "--style=file:%s" % (REPOSITORY / ".clang-format"), "--dry-run", "-Werror", self.file)

    def tidied(self, source):
        self.file.write_text(source)
        return refusal("clang-tidy", "-quiet", "--config-file=.clang-tidy", self.file, "--", "-std=c++20", "-w")

    def test_good_source_passes(self):
        self.assertEqual(self.formatted(GOOD), (0, ""))
        self.assertEqual(self.tidied(GOOD)[0], 0)

    def test_what_is_not_formatted_is_refused(self):
        for breach in (GOOD.replace("  return", "    return"), GOOD.replace("int seven() {", "int seven()\n{")):
            code, words = self.formatted(breach)
            self.assertIn("-Wclang-format-violations", words)
            self.assertNotEqual(code, 0)

    def test_what_is_not_tidy_is_refused(self):
        for name, (good, bad, rule) in BREACHES.items():
            with self.subTest(name):
                code, words = self.tidied(GOOD.replace(good, bad))
                self.assertRegex(words, r"error: .*\[%s" % rule)
                self.assertNotEqual(code, 0)


if __name__ == "__main__":
    unittest.main()
