"""QEMU, a kernel and busybox from Debian, unpacked in a cache folder: 63 MB to fetch, 270 MB unpacked.

Nothing is installed. QEMU comes from the backports, as its igb (82576) is newer than Debian 12, and with all its
libraries, so that it does not matter what this machine has installed.

POLLFLOW_GUEST_CACHE   the folder; without it ~/.cache/pollflow-guest
"""

import collections
import pathlib
import platform
import re
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "support"))

import debian_packages  # noqa: E402
from debian_packages import Unavailable, one  # noqa: E402

FETCHED = ("qemu-system-x86", "busybox-static")
KERNEL = "linux-image-cloud-amd64"              # a name that depends on the newest of them

Packages = collections.namedtuple("Packages", "qemu qemu_environment kernel modules busybox")


def ready():
    """The packages, fetched first when they are not there yet."""
    if platform.machine() != "x86_64":
        raise Unavailable("the guest's packages are for x86_64, this is %s" % platform.machine())
    return find(debian_packages.unpacked("POLLFLOW_GUEST_CACHE", "~/.cache/pollflow-guest", download))


def download(apt):
    apt.get("-y", "--no-install-recommends", "--download-only", "-t",
            debian_packages.codename() + "-backports", "install", *FETCHED)
    # Without what it depends on: it is only booted.
    apt.get("download", re.search(r"Depends: (\S+)", apt.cache("depends", KERNEL))[1])


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
