"""Processor time of a program and of all that it started, user and system, to the microsecond.

As a program: cpu_time.py RESULT COMMAND... runs COMMAND, waits also for what it leaves behind, and writes
to the file RESULT its exit code and the seconds. A process of its own, since the kernel sums up all children
of a process: the measurement's collectors are none of the command.
"""

import collections
import ctypes
import json
import os
import pathlib
import resource
import signal
import statistics
import subprocess
import sys
import tempfile

PR_SET_CHILD_SUBREAPER = 36     # linux/prctl.h
TIMEOUT_S = 600

Timed = collections.namedtuple("Timed", "code cpu_s stdout stderr")


def run(command, cwd=None, env=None):
    """Runs command to its end. Processes that it leaves behind count too, and are waited for."""
    with tempfile.TemporaryDirectory() as folder:
        result = pathlib.Path(folder) / "result.json"
        with subprocess.Popen([sys.executable, "-B", __file__, result, *map(str, command)],
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              text=True, errors="replace", cwd=cwd, env=env, start_new_session=True) as process:
            try:
                stdout, stderr = process.communicate(timeout=TIMEOUT_S)
            except BaseException:
                os.killpg(process.pid, signal.SIGKILL)
                raise
        if not result.exists():
            raise RuntimeError("%s cannot be timed: %s" % (command[0], stderr.strip()))
        return Timed(stdout=stdout, stderr=stderr, **json.loads(result.read_text()))


def summary(values):
    """Median and spread."""
    return {"median": statistics.median(values), "min": min(values), "max": max(values)}


def time_command(result, command):
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    code = subprocess.run(command, check=False).returncode
    while True:
        try:
            os.wait()
        except ChildProcessError:
            break
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    pathlib.Path(result).write_text(json.dumps({"code": code, "cpu_s": used.ru_utime + used.ru_stime}))


if __name__ == "__main__":
    time_command(sys.argv[1], sys.argv[2:])
