"""What a process holds, second by second, and whether that stays so."""

import collections
import pathlib
import time

# peak_kib: the most memory that was resident at any moment since the sample before.
Sample = collections.namedtuple("Sample", "at_s rss_kib peak_kib descriptors threads")

WARM_UP = 0.2       # of the samples, not judged: tables and pools are touched for the first time
WINDOW = 10         # samples
FEWEST = 25         # samples of which two whole windows are judged
TRIES, TRY_EVERY_S = 5, 0.02    # of one sample


def take_settled(pid, at_s):
    """The least of a few looks, as what pollflow needs to answer somebody goes a little after he has his answer; and
    the peak, which no look has to meet."""
    tries = []
    for _ in range(TRIES):
        time.sleep(TRY_EVERY_S)
        tries.append(take(pid, at_s))
    forget_peak(pid)
    return Sample(at_s, min(each.rss_kib for each in tries), max(each.peak_kib for each in tries),
                  min(each.descriptors for each in tries), min(each.threads for each in tries))


def take(pid, at_s):
    folder = pathlib.Path("/proc/%d" % pid)
    status = dict(line.split(":", 1) for line in (folder / "status").read_text().splitlines())
    rss_kib, peak_kib = (int(status[name].split()[0]) for name in ("VmRSS", "VmHWM"))
    return Sample(at_s, rss_kib, peak_kib, len(list((folder / "fd").iterdir())), int(status["Threads"]))


def forget_peak(pid):
    """VmHWM begins anew: proc(5), clear_refs."""
    pathlib.Path("/proc/%d/clear_refs" % pid).write_text("5")


def sanitized(pid):
    return "libasan" in pathlib.Path("/proc/%d/maps" % pid).read_text()


def after_warm_up(samples):
    return samples[int(len(samples) * WARM_UP):]


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
    """The least of each window: pollflow may be about to close what somebody asked by, but what leaks never goes away
    again."""
    whole = max(len(values) // WINDOW, 1)
    return [min(values[at * WINDOW:(at + 1) * WINDOW if at + 1 < whole else None]) for at in range(whole)]
