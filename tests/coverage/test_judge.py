"""The judge of coverage: what it lets pass, and each thing that it must not."""

import unittest

import judge

SOURCE = {"lib/packet/decode.cpp": ["if (a)", "switch (b) {"], "lib/netflow/assembler.cpp": ["if (c)"],
          "lib/port/nic_port.cpp": ["if (d)"]}


def line(number, count=1, branches=(1, 1)):
    return {"line_number": number, "count": count, "branches": [{"count": taken} for taken in branches]}


def report(decode=None, nic_port=None):
    return {"files": [
        {"file": "lib/packet/decode.cpp", "lines": decode or [line(1), line(2)]},
        {"file": "lib/netflow/assembler.cpp", "lines": [line(1)]},
        {"file": "lib/port/nic_port.cpp", "lines": nic_port or [line(1, branches=(1, 0))]},
        {"file": "app/pollflow/main.cpp", "lines": [line(1, count=0)] * 100},
    ]}


def complaints(told, exceptions=""):
    return judge.complaints(told, judge.read_exceptions(exceptions), lambda file, number: SOURCE[file][number - 1])


class JudgeTest(unittest.TestCase):

    def test_all_is_well(self):
        self.assertEqual(complaints(report()), [])

    def test_lines_below_the_floor(self):
        lines = [line(1) for _ in range(24)] + [line(1, count=0) for _ in range(3)]     # 27 of 30
        self.assertEqual(complaints(report(nic_port=lines)), [])
        self.assertEqual(complaints(report(nic_port=lines + [line(1, count=0)])),
                         ["87.1 % of the lines of lib/ are run by tests, 90 % is the least"])

    def test_a_branch_of_the_decoder(self):
        self.assertEqual(complaints(report(decode=[line(1), line(2, branches=(5, 5, 0))])),
                         ["lib/packet/decode.cpp:2 has a branch that no test takes: switch (b) {"])

    def test_an_excused_branch(self):
        excuse = "# why\n\nlib/packet/decode.cpp | switch (b) { | nobody can\n"
        self.assertEqual(complaints(report(decode=[line(1), line(2, branches=(5, 0))]), excuse), [])
        self.assertEqual(complaints(report(), excuse),
                         ["exceptions.txt excuses what needs no excuse: lib/packet/decode.cpp: switch (b) {"])

    def test_an_excuse_without_a_reason(self):
        with self.assertRaises(ValueError):
            judge.read_exceptions("lib/packet/decode.cpp | switch (b) {")

    def test_nothing_told(self):
        self.assertEqual(len(complaints({"files": []})), 3)


if __name__ == "__main__":
    unittest.main()
