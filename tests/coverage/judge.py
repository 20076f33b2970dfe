#!/usr/bin/env -S python3 -B
"""Judges what gcovr tells as JSON, from standard input: enough lines of lib/ were run, and every branch of the decoder
and of the assembler taken, but for those that exceptions.txt excuses. Exits with 1 when not."""

import json
import pathlib
import sys

LINES_PERCENT_MIN = 90.0
LINES_OF = "lib/"
EVERY_BRANCH_OF = ("lib/packet/", "lib/netflow/")


def read_exceptions(text):
    """{(file, line of source): reason}; each stands in a line of its own: file | line of source | reason."""
    exceptions = {}
    for line in text.splitlines():
        if line.strip() and not line.startswith("#"):
            file, source, reason = (part.strip() for part in line.split(" | "))
            exceptions[file, source] = reason
    return exceptions


def lines_share(report):
    """Percent of the lines of lib/ that were run."""
    counts = [line["count"] for file in report["files"] if file["file"].startswith(LINES_OF)
              for line in file["lines"] if not line.get("gcovr/noncode")]
    return 100.0 * sum(count > 0 for count in counts) / len(counts) if counts else 0.0


def not_taken(report):
    """(file, number of the line) of each line that has to have all of its branches taken, and has not."""
    return [(file["file"], line["line_number"]) for file in report["files"] if file["file"].startswith(EVERY_BRANCH_OF)
            for line in file["lines"] if any(branch["count"] == 0 for branch in line["branches"])]


def complaints(report, exceptions, source_of):
    """What is wrong, a sentence each. source_of: the text of a file's line."""
    wrong, excused = [], set()
    share = lines_share(report)
    if share < LINES_PERCENT_MIN:
        wrong.append("%.1f %% of the lines of %s are run by tests, %.0f %% is the least" %
                     (share, LINES_OF, LINES_PERCENT_MIN))
    for part in EVERY_BRANCH_OF:
        if not any(line["branches"] for file in report["files"] if file["file"].startswith(part)
                   for line in file["lines"]):
            wrong.append("nothing is told of the branches of %s" % part)
    for file, number in not_taken(report):
        where = file, source_of(file, number).strip()
        if where in exceptions:
            excused.add(where)
        else:
            wrong.append("%s:%d has a branch that no test takes: %s" % (file, number, where[1]))
    for where in sorted(exceptions.keys() - excused):
        wrong.append("exceptions.txt excuses what needs no excuse: %s: %s" % where)
    return wrong


def source_of(file, number):
    return pathlib.Path(file).read_text(encoding="utf-8").splitlines()[number - 1]


def main():
    report = json.load(sys.stdin)
    exceptions = read_exceptions(pathlib.Path(__file__).with_name("exceptions.txt").read_text(encoding="utf-8"))
    wrong = complaints(report, exceptions, source_of)
    print("%.1f %% of the lines of %s; branches of %s: all but %d excused" %
          (lines_share(report), LINES_OF, " and ".join(EVERY_BRANCH_OF), len(exceptions)))
    for sentence in wrong:
        print("coverage: " + sentence)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
