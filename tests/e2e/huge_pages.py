"""Huge pages of 2 MiB for a test, given back; one test of this machine at a time."""

import contextlib
import fcntl
import os
import pathlib
import subprocess
import tempfile
import unittest

COUNTER = pathlib.Path("/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages")
FREE = COUNTER.with_name("free_hugepages")


@contextlib.contextmanager
def left_alone():
    """Nobody else who asks so changes how many there are meanwhile."""
    with open(COUNTER if COUNTER.exists() else "/proc/self/status", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@contextlib.contextmanager
def reserved(pages):
    """A folder with a hugetlbfs of its own, that many pages being free for it; skips where they cannot be had."""
    if not os.access(COUNTER, os.W_OK):
        raise unittest.SkipTest("%s cannot be written here" % COUNTER)
    with left_alone(), tempfile.TemporaryDirectory() as folder:
        before = int(COUNTER.read_text())
        try:
            give(before + pages)
            mounted = subprocess.run(["mount", "-t", "hugetlbfs", "-o", "pagesize=2M", "none", folder],
                                     capture_output=True, text=True, check=False)
            if mounted.returncode != 0:
                raise unittest.SkipTest("no hugetlbfs can be mounted here: %s" % mounted.stderr.strip())
            try:
                yield pathlib.Path(folder)
            finally:
                subprocess.run(["umount", folder], check=True)
        finally:
            COUNTER.write_text(str(before))


def give(pages):
    with contextlib.suppress(OSError):
        COUNTER.write_text(str(pages))
    if int(COUNTER.read_text()) != pages:
        raise unittest.SkipTest("the kernel has not %d huge pages to give" % pages)


def free():
    return int(FREE.read_text())
