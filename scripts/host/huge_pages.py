"""Huge pages: what each NUMA node holds, and where hugetlbfs is mounted."""

import collections
import re

KB, MB, GB = 1 << 10, 1 << 20, 1 << 30

Pool = collections.namedtuple("Pool", "node bytes total free")    # the pages of one size on one node
Mount = collections.namedtuple("Mount", "folder bytes")


def nodes(machine):
    """The nodes that have memory; a kernel without NUMA has node 0."""
    return sorted(machine.cpus("/sys/devices/system/node/has_memory")
                  or machine.cpus("/sys/devices/system/node/online") or {0})


def folder(machine, node):
    """Where the kernel counts the huge pages of a node."""
    of_node = "/sys/devices/system/node/node%d/hugepages" % node
    return of_node if machine.exists(of_node) else "/sys/kernel/mm/hugepages"


def counter(machine, node, page_bytes):
    """The file that holds, and sets, how many pages of a size a node has."""
    return "%s/hugepages-%dkB/nr_hugepages" % (folder(machine, node), page_bytes // KB)


def page_sizes(machine):
    """In bytes, the smallest first."""
    names = machine.names("/sys/kernel/mm/hugepages")
    return sorted(int(name[len("hugepages-"):-len("kB")]) * KB for name in names if name.startswith("hugepages-"))


def pools(machine):
    found = []
    for node in nodes(machine):
        for page_bytes in page_sizes(machine):
            counts = "%s/hugepages-%dkB/" % (folder(machine, node), page_bytes // KB)
            found.append(Pool(node, page_bytes, machine.number(counts + "nr_hugepages") or 0,
                              machine.number(counts + "free_hugepages") or 0))
    return found


def default_page_bytes(machine):
    """The size that the kernel uses where none is said."""
    for line in machine.lines("/proc/meminfo"):
        if line.startswith("Hugepagesize:"):
            return int(line.split()[1]) * KB
    return 2 * MB


def mounts(machine):
    """Every hugetlbfs, with the size of its pages."""
    found = []
    for line in machine.lines("/proc/mounts"):
        _, target, kind, options = line.split()[:4]
        if kind == "hugetlbfs":
            size = re.search(r"\bpagesize=(\d+)([KMG])", options)
            page_bytes = parse_size(size.group(1) + size.group(2)) if size else default_page_bytes(machine)
            found.append(Mount(target, page_bytes))
    return found


def parse_size(text):
    """Bytes of "2M", "1G" or "64K"; None for anything else."""
    size = re.fullmatch(r"([1-9]\d*)([KMG])", text)
    return int(size.group(1)) * {"K": KB, "M": MB, "G": GB}[size.group(2)] if size else None


def size_text(size):
    for letter, unit in (("G", GB), ("M", MB)):
        if size % unit == 0:
            return "%d%s" % (size // unit, letter)
    return "%dK" % (size // KB)


def node_bytes(machine, node):
    """The memory of a node; None when the kernel does not say."""
    name = "/sys/devices/system/node/node%d/meminfo" % node
    for line in machine.lines(name if machine.exists(name) else "/proc/meminfo"):
        words = line.split()
        if "MemTotal:" in words:
            return int(words[words.index("MemTotal:") + 1]) * KB
    return None
