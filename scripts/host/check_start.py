"""Doctor: the start itself. pollflow's own dry run knows what each port can do; it is shown as it comes."""

import os
import pathlib
import shutil
import subprocess
import tempfile

from host import command_line
from host.subject import fail, ok, warn

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
TIMEOUT_S = 60


def program():
    """The pollflow to ask: POLLFLOW, else the one that was built here, else the one that is installed."""
    named = os.environ.get("POLLFLOW")
    if named:
        return named if os.access(named, os.X_OK) else None
    built = REPOSITORY / "build/app/pollflow"
    return str(built) if os.access(built, os.X_OK) else shutil.which("pollflow")


def checks(subject):
    path = program()
    if path is None:
        yield warn("no pollflow to ask: $POLLFLOW, build/app/pollflow and PATH have none",
                   "meson setup build --buildtype release && ninja -C build app/pollflow")
    elif subject.eal is not None and subject.user is None:
        yield warn("dry run: left out, as there is no such user", "create the user, or name another by --user")
    elif subject.eal is not None:
        yield from dry_run(subject, [path, *subject.eal.arguments, "--", "--max-flows", str(subject.max_flows),
                                     "--dry-run"])


def dry_run(subject, command):
    """As the user who will run it, when it is ours to choose."""
    with tempfile.TemporaryDirectory() as folder:
        named = {}
        if os.geteuid() == 0 and not subject.is_root:
            os.chown(folder, subject.user.pw_uid, subject.user.pw_gid)
            named = {"user": subject.user.pw_uid, "group": subject.user.pw_gid,
                     "extra_groups": os.getgrouplist(subject.user.pw_name, subject.user.pw_gid)}
        try:
            # EAL makes its runtime folder there.
            done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace",
                                  timeout=TIMEOUT_S, env={**os.environ, "RUNTIME_DIRECTORY": folder}, **named)
        except subprocess.TimeoutExpired:
            yield fail("dry run: no end after %d s" % TIMEOUT_S, " ".join(command))
            return
        except OSError as error:
            yield fail("dry run: %s does not start: %s" % (command[0], error.strerror), "ls -l " + command[0])
            return
    yield from judge(command, done)


def judge(command, done):
    lines = "".join("\n    " + line for line in (done.stdout + done.stderr).splitlines() if line)
    if done.returncode == 0:
        yield ok("dry run: " + " ".join(command) + lines)
    elif done.returncode == command_line.USAGE and "--dry-run" in done.stderr:
        yield warn("dry run: %s does not know --dry-run, so RSS and layout are not shown" % command[0],
                   "ninja -C build app/pollflow")
    else:
        yield fail("dry run: ends with exit code %d%s" % (done.returncode, lines), " ".join(command))
