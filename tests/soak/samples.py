"""What a process holds, second by second, and whether that stays so."""

import collections
import pathlib

Sample = collections.namedtuple("Sample", "at_s rss_kib descriptors threads")

WARM_UP = 0.2       # of the samples, not judged: tables and pools are touched for the first time
WINDOW = 10         # samples


def take(pid, at_s):
    folder = pathlib.Path("/proc/%d" % pid)
    status = dict(line.split(":", 1) for line in (folder / "status").read_text().splitlines())
    return Sample(at_s, int(status["VmRSS"].split()[0]), len(list((folder / "fd").iterdir())), int(status["Threads"]))


def after_warm_up(samples):
    return samples[int(len(samples) * WARM_UP):]


def spread(values):
    return max(values) - min(values)


def trend(samples):
    """KiB by which memory grew from the first sample to the last, by the straight line that fits best."""
    count = len(samples)
    mean_s = sum(sample.at_s for sample in samples) / count
    mean_kib = sum(sample.rss_kib for sample in samples) / count
    square = sum((sample.at_s - mean_s) ** 2 for sample in samples)
    if square == 0:
        return 0.0
    slope = sum((sample.at_s - mean_s) * (sample.rss_kib - mean_kib) for sample in samples) / square
    return slope * (samples[-1].at_s - samples[0].at_s)


def floors(values):
    """The least of each window, and of two windows in a run too short for them: pollflow may be about to close what
    somebody asked by, but what leaks never goes away again."""
    whole = max(len(values) // WINDOW, min(len(values), 2))
    size = min(WINDOW, len(values) // whole)
    return [min(values[at * size:(at + 1) * size if at + 1 < whole else None]) for at in range(whole)]
