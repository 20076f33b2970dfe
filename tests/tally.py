"""Adds up a folder of results: meson's *.json test logs and *.check files of one word each.

Prints one line, 'N passed, N failed, N skipped', counting the cases within each test, and exits with 1
when any failed.
"""

import json
import pathlib
import re
import sys


def cases(log):
    """(passed, failed, skipped) of one meson test, from what Catch2 or unittest printed."""
    output = log.get("stdout", "") + log.get("stderr", "")
    good = log["result"] == "OK"
    if match := re.search(r"All tests passed \(\d+ assertions? in (\d+) test cases?\)", output):
        passed, failed, skipped = int(match[1]), 0, 0
    elif match := re.search(r"test cases: *(\d+) \|(?: *(\d+) passed \|)? *(\d+) failed", output):
        passed, failed, skipped = int(match[2] or 0), int(match[3]), 0
    elif match := re.search(r"Ran (\d+) tests?", output):
        counts = {name: int(number) for name, number in re.findall(r"(failures|errors|skipped)=(\d+)", output)}
        failed = counts.get("failures", 0) + counts.get("errors", 0)
        skipped = counts.get("skipped", 0)
        passed = max(int(match[1]) - failed - skipped, 0)
    else:
        passed, failed, skipped = int(good), 0, 0
    # Catch2 2 cannot skip a case: one that skips itself says so, and passes.
    said = len(re.findall(r"^skipped: ", output, re.MULTILINE))
    passed, skipped = passed - said, skipped + said
    if not good and failed == 0:
        failed = 1
    return passed, failed, skipped


def main():
    folder = pathlib.Path(sys.argv[1])
    total = [0, 0, 0]
    for log_file in sorted(folder.glob("*.json")):
        for line in log_file.read_text().splitlines():
            total = [sum(pair) for pair in zip(total, cases(json.loads(line)))]
    for check in folder.glob("*.check"):
        total[{"passed": 0, "skipped": 2}.get(check.read_text().strip(), 1)] += 1
    print(f"{total[0]} passed, {total[1]} failed, {total[2]} skipped")
    sys.exit(total[1] > 0 or total[0] == 0)


if __name__ == "__main__":
    main()
