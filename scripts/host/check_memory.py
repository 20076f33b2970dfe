"""Doctor: memory. Tables and packet buffers live in huge pages on the NUMA nodes of the workers; VFIO pins them."""

import os

from host import huge_pages
from host.huge_pages import MB, size_text
from host.subject import BYTES_PER_FLOW, fail, ok, warn

# Not what pollflow takes to the byte, which its own dry run tells, but enough for most NICs.
BUFFERS_MB = 16         # for each worker and port: some 4000 packet buffers
EAL_MB = 32             # rings, EAL's own


def checks(subject):
    yield ok("%d flows take %d MB of tables" % (subject.max_flows, table_mb(subject)))
    if subject.eal and subject.eal.no_huge:
        yield ok("--no-huge: no huge pages are needed; good for a try, slow for a NIC")
        return
    yield from huge_pages_of_nodes(subject)
    yield from mounted(subject)
    yield from locked_memory(subject)


def table_mb(subject):
    return -(-subject.max_flows * BYTES_PER_FLOW // MB)


def needed_mb(subject):
    """Node -> what pollflow takes there; the key None is for wherever it is, while the lcores are not known."""
    ports = max(1, len(subject.ports))
    if subject.layout is None:
        return {None: table_mb(subject) + BUFFERS_MB * ports + EAL_MB}
    workers = subject.layout.workers
    needed = {}
    for worker in workers:
        for node in list(subject.nodes_of_cpus(subject.layout.cpus[worker]))[:1]:
            share = -(-table_mb(subject) // len(workers)) + BUFFERS_MB * ports
            needed[node] = needed.get(node, EAL_MB) + share
    return needed


def usable_pools(subject):
    """Without --in-memory EAL takes only pages of a size that has a hugetlbfs; that there is none is said apart."""
    pools = huge_pages.pools(subject.machine)
    sizes = {mount.bytes for mount in huge_pages.mounts(subject.machine)}
    if not sizes or (subject.eal and subject.eal.in_memory):
        return pools
    return [pool for pool in pools if pool.bytes in sizes]


def huge_pages_of_nodes(subject):
    pools = usable_pools(subject)
    size = min((pool.bytes for pool in pools), default=2 * MB)
    for node, needed in sorted(needed_mb(subject).items(), key=str):
        here = [pool for pool in pools if node in (None, pool.node)]
        free = sum(pool.free * pool.bytes for pool in here) // MB
        where = "all nodes together" if node is None else "node %d" % node
        what = "%s: %d MB of huge pages free, about %d MB needed" % (where, free, needed)
        if free >= needed:
            yield ok(what)
        else:
            # scripts/hugepages sets how many pages of a size there are to be: those there are, and what is lacking.
            held = sum(pool.total * size for pool in here if pool.bytes == size) // MB
            yield fail(what, "scripts/hugepages %d --page %s%s" % (held + needed - free, size_text(size),
                                                                  "" if node is None else " --node %d" % node))


def mounted(subject):
    if subject.eal and subject.eal.in_memory:
        yield ok("--in-memory: hugetlbfs is not needed")
        return
    judge = warn if subject.eal is None else fail       # --in-memory may be among them yet
    mounts = huge_pages.mounts(subject.machine)
    if not mounts:
        yield judge("hugetlbfs is not mounted", "scripts/hugepages mounts it; or add --in-memory to the EAL options")
        return
    if subject.user is None:
        return
    for mount in mounts:
        what = "hugetlbfs of %s pages on %s" % (size_text(mount.bytes), mount.folder)
        if subject.may(mount.folder, 7):
            yield ok("%s: %s may write there" % (what, subject.user_name))
        else:
            yield judge("%s: %s may not write there" % (what, subject.user_name),
                       "add --in-memory to the EAL options: that needs no hugetlbfs")


def locked_memory(subject):
    """VFIO pins all memory that EAL has, and counts it against this limit; root has CAP_IPC_LOCK and is not asked."""
    if subject.is_root or subject.user is None or not subject.needs_vfio:
        return
    if subject.user.pw_uid != os.geteuid():
        yield warn("locked memory: the limit (RLIMIT_MEMLOCK) that %s will have cannot be seen from here; the "
                   "systemd unit sets it to infinity" % subject.user_name,
                   "runuser -u %s -- scripts/doctor ..." % subject.user_name)
        return
    limit = next((line.split()[3] for line in subject.machine.lines("/proc/self/limits")
                  if line.startswith("Max locked memory")), "unlimited")
    needed = sum(needed_mb(subject).values())
    if limit == "unlimited" or int(limit) >= needed * MB:
        yield ok("locked memory: limit %s" % limit)
    else:
        yield fail("locked memory: limit %d MB (RLIMIT_MEMLOCK), about %d MB needed" % (int(limit) // MB, needed),
                   "prlimit --pid $$ --memlock=unlimited, as root; LimitMEMLOCK=infinity in a unit")
