"""QEMU, a kernel and busybox from Debian, unpacked in a cache folder: 63 MB to fetch, 270 MB unpacked.

Nothing is installed, nothing outside the cache changes, and no root is needed: apt works on sources, lists
and an empty package database of its own. QEMU comes from the backports, as its igb (82576) is newer than
Debian 12, and with all its libraries, so that it does not matter what this machine has installed.

POLLFLOW_GUEST_CACHE   the folder; without it ~/.cache/pollflow-guest
"""

import collections
import contextlib
import fcntl
import os
import pathlib
import platform
import re
import shutil
import subprocess

FETCHED = ("qemu-system-x86", "busybox-static")
KERNEL = "linux-image-cloud-amd64"              # a name that depends on the newest of them
KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
DOWNLOAD_TIMEOUT_S = 300

APT_CONFIGURATION = """\
Dir::Etc::sourcelist "{folder}/sources.list";
Dir::Etc::sourceparts "-";
Dir::Etc::preferences "-";
Dir::Etc::preferencesparts "-";
Dir::State "{folder}/state";
Dir::State::status "{folder}/status";
Dir::Cache "{folder}/cache";
Acquire::http::Timeout "20";
APT::Sandbox::User "";
APT::Update::Error-Mode "any";
#clear APT::Update::Pre-Invoke;
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
#clear DPkg::Post-Invoke;
"""

Packages = collections.namedtuple("Packages", "qemu qemu_environment kernel modules busybox")


class Unavailable(Exception):
    """The packages cannot be had here; says why."""


def ready():
    """The packages, fetched first when they are not there yet."""
    if platform.machine() != "x86_64":
        raise Unavailable("the guest's packages are for x86_64, this is %s" % platform.machine())
    if not shutil.which("apt-get"):
        raise Unavailable("there is no apt-get here to fetch the guest's packages with")
    folder = os.environ.get("POLLFLOW_GUEST_CACHE") or os.path.expanduser("~/.cache/pollflow-guest")
    root = pathlib.Path(folder).absolute() / codename()
    try:
        with locked(root.parent):
            if not root.is_dir():
                fetch(root)
    except OSError as error:
        raise Unavailable("POLLFLOW_GUEST_CACHE %s: %s" % (folder, error)) from error
    return find(root)


def codename():
    return platform.freedesktop_os_release().get("VERSION_CODENAME", "unknown")


@contextlib.contextmanager
def locked(cache):
    """Two tests that start together fetch once."""
    cache.mkdir(parents=True, exist_ok=True)
    with open(cache / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def find(root):
    """What is where in the unpacked packages."""
    libraries = [root / "lib/x86_64-linux-gnu", root / "usr/lib/x86_64-linux-gnu"]
    share = root / "usr/share"
    return Packages(
        qemu=[one(root, "lib64/ld-linux-x86-64.so.2", "usr/lib64/ld-linux-x86-64.so.2"),
              "--library-path", ":".join(map(str, libraries)), root / "usr/bin/qemu-system-x86_64",
              "-L", share / "qemu", "-L", share / "seabios"],
        qemu_environment={"QEMU_MODULE_DIR": str(libraries[1] / "qemu")},
        kernel=one(root, "boot/vmlinuz-*"),
        modules=one(root, "lib/modules/*/kernel", "usr/lib/modules/*/kernel"),
        busybox=one(root, "bin/busybox", "usr/bin/busybox"))


def one(root, *patterns):
    found = [path for pattern in patterns for path in root.glob(pattern)]
    if not found:
        raise Unavailable("%s holds no %s: remove it, and the next run fetches it anew" % (root, patterns[0]))
    return found[0]


# --- fetching ---

def fetch(root):
    """Fills the folder root; it appears when it is complete, never before."""
    apt, unpacked = root.with_suffix(".apt"), root.with_suffix(".new")
    try:
        for archive in download(apt):
            run("dpkg", "-x", archive, unpacked)
        unpacked.rename(root)
    finally:
        shutil.rmtree(apt, ignore_errors=True)
        shutil.rmtree(unpacked, ignore_errors=True)


def download(folder):
    """The packages' files, in a folder that apt needs for nothing else."""
    archives, configuration = folder / "cache/archives", folder / "configuration"
    shutil.rmtree(folder, ignore_errors=True)
    (archives / "partial").mkdir(parents=True)
    (folder / "state/lists/partial").mkdir(parents=True)
    (folder / "status").touch()
    (folder / "sources.list").write_text(sources())
    configuration.write_text(APT_CONFIGURATION.format(folder=folder))
    apt_get = ["apt-get", "-c", configuration, "-q"]
    run(*apt_get, "update")
    run(*apt_get, "-y", "--no-install-recommends", "--download-only", "-t", codename() + "-backports",
        "install", *FETCHED)
    depends = run("apt-cache", "-c", configuration, "depends", KERNEL)
    # Without what it depends on: it is only booted.
    run(*apt_get, "download", re.search(r"Depends: (\S+)", depends)[1], cwd=archives)
    return sorted(archives.glob("*.deb"))


def sources():
    """The mirror that this machine's own sources name, and the same with backports."""
    targets = run("apt-get", "indextargets", "--format", "$(REPO_URI) $(RELEASE) $(COMPONENT)",
                  "Identifier: Packages")
    for target in map(str.split, targets.splitlines()):
        if target[1:] in ([codename(), "main"], ["stable", "main"]):
            return "".join("deb [signed-by=%s] %s %s main\n" % (KEYRING, target[0], suite)
                           for suite in (codename(), codename() + "-backports"))
    raise Unavailable("no source of apt on this machine is for Debian %s main" % codename())


def run(*command, **named):
    """Standard output of the command, which has to succeed."""
    try:
        done = subprocess.run(list(map(str, command)), stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              timeout=DOWNLOAD_TIMEOUT_S, **named)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Unavailable("the guest's packages cannot be fetched: %s" % error) from error
    if done.returncode != 0:
        first_words = (done.stderr.strip() or done.stdout.strip()).splitlines()[:1]
        raise Unavailable("the guest's packages cannot be fetched: %s: %s"
                          % (command[0], "".join(first_words)))
    return done.stdout
