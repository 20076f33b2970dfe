"""What the doctor examines, and what it finds."""

import collections
import functools
import os
import pwd

from host import huge_pages, nics

Finding = collections.namedtuple("Finding", "level what mend")     # mend: the command that mends it, or None

BYTES_PER_FLOW = 85             # docs/reference/options.md, --max-flows


def ok(what):
    return Finding("ok", what, None)


def warn(what, mend):
    return Finding("warn", what, mend)


def fail(what, mend):
    return Finding("fail", what, mend)


class Subject:
    """A machine, who will run pollflow on it, and how. `eal` is None when no EAL options were given."""

    def __init__(self, machine, user_name, eal, max_flows):
        self.machine = machine
        self.user_name = user_name
        self.eal = eal
        self.max_flows = max_flows

    @functools.cached_property
    def user(self):
        """Of the password file; None when it has no such name."""
        try:
            return pwd.getpwnam(self.user_name)
        except KeyError:
            return None

    @property
    def is_root(self):
        return self.user is not None and self.user.pw_uid == 0

    @functools.cached_property
    def layout(self):
        return self.eal and self.eal.layout()

    @functools.cached_property
    def ports(self):
        """PCI devices that pollflow will find: those of -a, or else all that are bound for DPDK."""
        if self.eal and self.eal.no_pci:
            return []
        if self.eal and self.eal.allowed:
            return [nics.Nic(self.machine, address) for address in self.eal.allowed]
        takes = nics.USERSPACE_DRIVERS + nics.BIFURCATED_DRIVERS
        blocked = self.eal.blocked if self.eal else ()
        return [nic for nic in nics.all_nics(self.machine) if nic.driver in takes and nic.address not in blocked]

    @property
    def needs_vfio(self):
        """Whether any port does, or is going to; while nothing is known, one that is yet to be bound."""
        if not self.ports:
            return self.eal is None
        do_not = nics.BIFURCATED_DRIVERS + nics.UIO_DRIVERS
        return any(port.driver not in do_not for port in self.ports)

    def nodes_of_cpus(self, cpus):
        """NUMA nodes of these CPUs."""
        return {node for node in huge_pages.nodes(self.machine)
                if cpus & (self.machine.cpus("/sys/devices/system/node/node%d/cpulist" % node) or cpus)}

    def may(self, name, wanted):
        """Whether the user has these permission bits (4 read, 2 write, 1 search) on a file."""
        if self.user is None or self.is_root:
            return self.is_root
        try:
            status = self.machine.path(name).stat()
        except OSError:
            return False
        groups = os.getgrouplist(self.user.pw_name, self.user.pw_gid)
        shift = 6 if status.st_uid == self.user.pw_uid else 3 if status.st_gid in groups else 0
        return status.st_mode >> shift & wanted == wanted
