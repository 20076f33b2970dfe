"""A machine made up in a temporary folder: its /proc and /sys, and a kernel that answers what is written there."""

import collections
import contextlib
import errno
import importlib.machinery
import importlib.util
import io
import json
import pathlib
import sys
import tempfile
import unittest
from unittest import mock

SCRIPTS = pathlib.Path(__file__).resolve().parents[2] / "scripts"
sys.dont_write_bytecode = True
sys.path.insert(0, str(SCRIPTS))
from host import command_line  # noqa: E402  (the scripts' own package, found by the line above)
from host.machine import Machine, list_text  # noqa: E402

PCI = "/sys/bus/pci/devices/"
DRIVERS = "/sys/bus/pci/drivers/"
NO_DRIVER = "(null)"

Outcome = collections.namedtuple("Outcome", "code stdout stderr")


class MadeUpMachine(Machine):
    """Two nodes of 4 CPUs and 16 GB each, IOMMU on, vfio-pci loaded, nothing bound; change what the test is about."""

    def __init__(self, folder):
        super().__init__(folder)
        self.writes = []                # (path, text), in order
        self.commands = []              # what was run, as one text each
        self.pages_to_give = {}         # node -> pages the kernel has for it; without one as many as asked
        self.pages_in_use = {}          # node -> pages that cannot be taken back
        self.refusing = set()           # drivers that take no device
        self.loadable = set()           # drivers that modprobe finds
        self.kernel_drivers = {}        # address -> driver, interfaces: what the kernel itself gives a device
        self.addresses = {}             # interface -> [address/length]
        self.default_routes = {"-4": [], "-6": []}      # as ip -j answers
        self.has_ip = True
        self.synchronised = True
        self.file("/proc/mounts", "proc /proc proc rw 0 0")
        self.file("/proc/meminfo", "MemTotal: 33554432 kB\nHugepagesize:       2048 kB")
        self.file("/proc/cpuinfo", "vendor_id : GenuineIntel\nflags : fpu tsc constant_tsc nonstop_tsc")
        self.file("/proc/cmdline", "quiet")
        self.file("/sys/devices/system/clocksource/clocksource0/current_clocksource", "tsc")
        self.file("/sys/bus/pci/drivers_probe", "")
        self.file("/sys/class/iommu/dmar0/uevent", "")
        self.file("/dev/vfio/vfio", "").chmod(0o666)
        self.driver("vfio-pci")
        self.file("/sys/module/vfio_iommu_type1/parameters/allow_unsafe_interrupts", "N")
        self.nodes({0: range(4), 1: range(4, 8)})

    # --- making it up ---

    def file(self, name, text):
        path = self.path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("%s\n" % text)
        return path

    def link_to(self, name, target):
        path = self.path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        path.symlink_to(target)

    def driver(self, name):
        self.file(DRIVERS + name + "/unbind", "")

    def nodes(self, cpus):
        """node -> its CPUs; no CPU is isolated, each is a core."""
        for node, its in cpus.items():
            self.file("/sys/devices/system/node/node%d/cpulist" % node, list_text(its))
            self.file("/sys/devices/system/node/node%d/meminfo" % node, "Node %d MemTotal: 16777216 kB" % node)
            for size in (2048, 1048576):
                self.pages(node, 0, size)
            for cpu in its:
                self.file("/sys/devices/system/cpu/cpu%d/topology/thread_siblings_list" % cpu, cpu)
        self.file("/sys/devices/system/node/has_memory", list_text(cpus))
        for size in (2048, 1048576):
            self.file("/sys/kernel/mm/hugepages/hugepages-%dkB/nr_hugepages" % size, 0)
        everything = list_text(cpu for its in cpus.values() for cpu in its)
        self.file("/sys/devices/system/cpu/online", everything)
        self.file("/sys/devices/system/cpu/possible", everything)
        self.file("/sys/devices/system/cpu/isolated", "")
        self.file("/sys/devices/system/cpu/nohz_full", "(null)")

    def pages(self, node, total, size=2048, free=None):
        counts = "/sys/devices/system/node/node%d/hugepages/hugepages-%dkB/" % (node, size)
        self.file(counts + "nr_hugepages", total)
        self.file(counts + "free_hugepages", total if free is None else free)

    def hugetlbfs(self, folder, size):
        with self.path("/proc/mounts").open("a") as mounts:
            mounts.write("hugetlbfs %s hugetlbfs rw,relatime,pagesize=%s 0 0\n" % (folder, size))
        self.path(folder).mkdir(parents=True, exist_ok=True)

    def nic(self, address, driver, interface=None, node=0, group="7", device_class="0x020000", bound=None):
        """A device whose kernel driver is `driver`; `bound` is the driver that has it instead."""
        folder = PCI + address
        for name, text in (("class", device_class), ("vendor", "0x8086"), ("device", "0x1572"), ("numa_node", node),
                           ("driver_override", NO_DRIVER), ("modalias", "pci:" + address)):
            self.file("%s/%s" % (folder, name), text)
        if driver:
            self.driver(driver)
        self.kernel_drivers[address] = driver, interface
        if group is not None:
            self.link_to(folder + "/iommu_group", "../../../../kernel/iommu_groups/" + group)
            self.file("/sys/kernel/iommu_groups/%s/devices/%s/placeholder" % (group, address), "")
        if bound or driver:
            self.attach(address, bound or driver)

    def without_iommu(self):
        self.path("/sys/class/iommu/dmar0/uevent").unlink()
        self.path("/sys/class/iommu/dmar0").rmdir()

    # --- the kernel's side ---

    def attach(self, address, driver):
        self.link_to(PCI + address + "/driver", "../../drivers/" + driver)
        kernel_driver, interface = self.kernel_drivers[address]
        if interface and driver == kernel_driver:
            self.file("%s%s/net/%s/operstate" % (PCI, address, interface), "up")
            self.file("/sys/class/net/%s/operstate" % interface, "up")

    def detach(self, address):
        self.path(PCI + address + "/driver").unlink()
        interface = self.kernel_drivers[address][1]
        operstate = self.path("%s%s/net/%s/operstate" % (PCI, address, interface))
        if operstate.exists():
            operstate.unlink()
            operstate.parent.rmdir()

    def write(self, name, text):
        self.writes.append((name, text))
        super().write(name, text)
        if name.endswith("/nr_hugepages"):
            node = int(name.partition("/node/node")[2].partition("/")[0])
            given = max(min(int(text), self.pages_to_give.get(node, int(text))), self.pages_in_use.get(node, 0))
            self.pages(node, given,
                       int(name.partition("hugepages-")[2].partition("kB")[0]))
        elif name.endswith("/driver/unbind"):
            self.detach(text)
        elif name.endswith("/drivers_probe"):
            self.probe(text)

    def probe(self, address):
        wanted = self.read(PCI + address + "/driver_override") or self.kernel_drivers[address][0]
        if wanted is None or wanted in self.refusing or not self.exists(DRIVERS + wanted):
            raise OSError(errno.EINVAL, "Invalid argument", "drivers_probe")
        self.attach(address, wanted)

    def run(self, *command, **_):
        self.commands.append(" ".join(command))
        if command[0] == "ip":
            return self.ip(*command[2:])
        if command[0] == "modprobe":
            name = command[1]
            if name not in self.loadable:
                return 1, "", "modprobe: FATAL: Module %s not found" % name
            self.driver(name)
        elif command[0] == "mount":
            self.hugetlbfs(command[-1].removeprefix(str(self.root)), command[4].removeprefix("pagesize="))
        return 0, "", ""

    def ip(self, *words):
        if not self.has_ip:
            return 127, "", "ip: there is no such program"
        if words[0] in self.default_routes:
            return 0, json.dumps(self.default_routes[words[0]]), ""
        found = [{"family": "inet6" if ":" in each else "inet", "local": each.partition("/")[0],
                  "prefixlen": int(each.partition("/")[2]),
                  "scope": "link" if each.startswith("fe80") else "global"}
                 for each in self.addresses.get(words[-1], [])]
        return 0, json.dumps([{"ifname": words[-1], "addr_info": found}]), ""

    def clock_is_synchronised(self):
        return self.synchronised


class MadeUpTest(unittest.TestCase):
    """A test of `script` on self.machine."""

    script = None
    maxDiff = 4000

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.machine = MadeUpMachine(folder.name)
        loader = importlib.machinery.SourceFileLoader(self.script.replace("-", "_"), str(SCRIPTS / self.script))
        self.module = importlib.util.module_from_spec(importlib.util.spec_from_loader(loader.name, loader))
        loader.exec_module(self.module)

    def run_script(self, *arguments):
        """The whole script, but for the machine under it."""
        stdout, stderr = io.StringIO(), io.StringIO()
        with mock.patch.object(self.module, "Machine", lambda root: self.machine), \
                mock.patch.object(sys, "argv", [self.script, *map(str, arguments)]), \
                contextlib.redirect_stdout(stdout), contextlib.redirect_stderr(stderr), \
                self.assertRaises(SystemExit) as end:
            command_line.run(self.module.NAME, self.module.main)
        return Outcome(end.exception.code, stdout.getvalue(), stderr.getvalue())

    def assert_refused(self, outcome, code, *words):
        """One sentence that says who speaks and holds these words; nothing was written."""
        self.assertEqual(outcome.code, code, outcome)
        self.assertRegex(outcome.stderr, r"\A%s: [^\n]+\n\Z" % self.script)
        for word in words:
            self.assertIn(word, outcome.stderr)
        self.assertEqual(self.machine.writes, [])
