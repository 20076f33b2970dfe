"""Debian packages unpacked in a cache folder: nothing is installed, nothing outside the cache changes.

No root is needed: apt works on sources, lists and an empty package database of its own.
"""

import contextlib
import fcntl
import os
import pathlib
import platform
import shutil
import subprocess

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


class Unavailable(Exception):
    """The packages cannot be had here; says why."""


def unpacked(variable, default, download):
    """The folder that holds them, in the one that the environment variable names or else the default.

    download: given an Apt, fetches them; called when they are not there yet.
    """
    if not shutil.which("apt-get"):
        raise Unavailable("there is no apt-get here to fetch packages with")
    folder = os.environ.get(variable) or os.path.expanduser(default)
    root = pathlib.Path(folder).absolute() / codename()
    try:
        with locked(root.parent):
            if not root.is_dir():
                fetch(root, download)
    except OSError as error:
        raise Unavailable("%s %s: %s" % (variable, folder, error)) from error
    return root


def codename():
    return platform.freedesktop_os_release().get("VERSION_CODENAME", "unknown")


@contextlib.contextmanager
def locked(cache):
    """Two tests that start together fetch once."""
    cache.mkdir(parents=True, exist_ok=True)
    with open(cache / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def one(root, *patterns):
    found = [path for pattern in patterns for path in root.glob(pattern)]
    if not found:
        raise Unavailable("%s holds no %s: remove it, and the next run fetches it anew" % (root, patterns[0]))
    return found[0]


def fetch(root, download):
    """Fills the folder root; it appears when it is complete, never before."""
    folder, new = root.with_suffix(".apt"), root.with_suffix(".new")
    try:
        apt = Apt(folder)
        download(apt)
        for archive in sorted(apt.archives.glob("*.deb")):
            run("dpkg", "-x", archive, new)
        new.rename(root)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        shutil.rmtree(new, ignore_errors=True)


class Apt:
    """apt at work in a folder that it needs for nothing else."""

    def __init__(self, folder):
        self.archives = folder / "cache/archives"       # what is fetched has to come here
        self.configuration = folder / "configuration"
        shutil.rmtree(folder, ignore_errors=True)
        (self.archives / "partial").mkdir(parents=True)
        (folder / "state/lists/partial").mkdir(parents=True)
        (folder / "status").touch()
        (folder / "sources.list").write_text(sources())
        self.configuration.write_text(APT_CONFIGURATION.format(folder=folder))
        self.get("update")

    def get(self, *arguments):
        return run("apt-get", "-c", self.configuration, "-q", *arguments, cwd=self.archives)

    def cache(self, *arguments):
        return run("apt-cache", "-c", self.configuration, *arguments)


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
        raise Unavailable("packages cannot be fetched: %s" % error) from error
    if done.returncode != 0:
        first_words = (done.stderr.strip() or done.stdout.strip()).splitlines()[:1]
        raise Unavailable("packages cannot be fetched: %s: %s" % (command[0], "".join(first_words)))
    return done.stdout
