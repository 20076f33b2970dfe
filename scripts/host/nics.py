"""Network devices on the PCI bus: their drivers, kernel interfaces, NUMA nodes and IOMMU groups."""

import json
import re

PCI = "/sys/bus/pci/devices/"
DRIVERS = "/sys/bus/pci/drivers/"
NETWORK_CLASS, BRIDGE_CLASS = 0x02, 0x06
# Drivers that hand a device to DPDK while no kernel driver works it.
UIO_DRIVERS = ("uio_pci_generic", "igb_uio")
USERSPACE_DRIVERS = ("vfio-pci", *UIO_DRIVERS)
# DPDK drives these devices beside the kernel, through the kernel's own driver.
BIFURCATED_DRIVERS = ("mlx4_core", "mlx5_core", "mana")
VFIO_IOMMU = "vfio_iommu_type1"
NOIOMMU = "/sys/module/vfio/parameters/enable_unsafe_noiommu_mode"


class Nic:
    """A PCI device, as it is now."""

    def __init__(self, machine, address):
        self.machine = machine
        self.address = address
        self.folder = PCI + address

    @property
    def exists(self):
        return self.machine.exists(self.folder)

    @property
    def device_class(self):
        return (self.machine.number(self.folder + "/class") or 0) >> 16

    @property
    def driver(self):
        return self.machine.target(self.folder + "/driver")

    @property
    def name(self):
        """Vendor and device, as lspci -n writes them."""
        return "%04x:%04x" % tuple(self.machine.number(self.folder + part) or 0 for part in ("/vendor", "/device"))

    @property
    def node(self):
        """NUMA node; None when the machine does not say."""
        node = self.machine.number(self.folder + "/numa_node")
        return None if node is None or node < 0 else node

    @property
    def interfaces(self):
        """Of the kernel. virtio puts a device of its own between PCI and interface."""
        folders = [self.folder] + [self.folder + "/" + name for name in self.machine.names(self.folder)
                                   if re.fullmatch(r"virtio\d+", name)]
        return sorted(name for folder in folders for name in self.machine.names(folder + "/net"))

    @property
    def group(self):
        """IOMMU group; None without an IOMMU, also when VFIO made a group up in its noiommu mode."""
        link = self.folder + "/iommu_group"
        if self.machine.read(link + "/name") == "vfio-noiommu":
            return None
        return self.machine.target(link)

    @property
    def vfio_file(self):
        """The file that VFIO gives for the device's group, once vfio-pci has the device."""
        group = self.machine.target(self.folder + "/iommu_group")
        if group is None:
            return None
        return "/dev/vfio/%s%s" % ("noiommu-" if self.group is None else "", group)

    def group_companions(self):
        """Devices of the same IOMMU group that keep it from VFIO: all of a group go together, bridges apart."""
        if self.group is None:
            return []
        members = self.machine.names("/sys/kernel/iommu_groups/%s/devices" % self.group)
        others = [Nic(self.machine, address) for address in members if address != self.address]
        return [other for other in others
                if other.device_class != BRIDGE_CLASS and other.driver not in (None, "vfio-pci", "pci-stub")]


def all_nics(machine):
    found = (Nic(machine, address) for address in machine.names(PCI))
    return [nic for nic in found if nic.device_class == NETWORK_CLASS]


def full_address(text):
    """0000:3b:00.0 for 3b:00.0 and for itself; None when the text is no PCI address."""
    match = re.fullmatch(r"(?:([0-9a-f]{4,8}):)?([0-9a-f]{2}:[0-9a-f]{2}\.[0-7])", text.lower())
    return "%s:%s" % (match.group(1) or "0000", match.group(2)) if match else None


def nic_of_interface(machine, interface):
    """The PCI device behind a kernel interface; None when there is none."""
    for nic in all_nics(machine):
        if interface in nic.interfaces:
            return nic
    return None


def noiommu_is_on(machine):
    return machine.read(NOIOMMU) in ("Y", "1")


def iommu_boot_arguments(machine):
    """What turns the IOMMU on, on the kernel command line."""
    intel = "GenuineIntel" in (machine.read("/proc/cpuinfo") or "")
    return "intel_iommu=on iommu=pt" if intel else "iommu=pt"


def uses(machine, nic):
    """Why the kernel would miss the device, as sentences' ends; empty when it would not."""
    reasons = []
    for interface in nic.interfaces:
        for family, version in (("IPv4", "-4"), ("IPv6", "-6")):
            if any(interface in route_devices(route) for route in ip(machine, version, "route", "show", "table",
                                                                     "all", "default")):
                reasons.append("%s carries the default route of %s" % (interface, family))
        addresses = addresses_of(machine, interface)
        if addresses:
            reasons.append("%s has the address %s" % (interface, ", ".join(addresses)))
        for name in machine.names("/sys/class/net/" + interface):
            if name.startswith("upper_"):
                reasons.append("%s belongs to %s" % (interface, name[len("upper_"):]))
    virtual_functions = machine.number(nic.folder + "/sriov_numvfs")
    if virtual_functions:
        reasons.append("it has %d virtual functions, which go with it" % virtual_functions)
    return reasons


def addresses_of(machine, interface):
    """An IPv6 link-local address comes by itself with every link that is up: that is no use."""
    return ["%s/%d" % (each["local"], each["prefixlen"])
            for link in ip(machine, "addr", "show", "dev", interface) for each in link.get("addr_info", [])
            if not (each["family"] == "inet6" and each.get("scope") == "link")]


def route_devices(route):
    """A route over several hops names a device for each."""
    return {hop.get("dev") for hop in (route, *route.get("nexthops", []))}


def holders(machine, nic):
    """(process id, its name) of everything that has the device's VFIO file open."""
    found = []
    for process in filter(str.isdigit, machine.names("/proc") if nic.driver == "vfio-pci" else []):
        folder = "/proc/%s/fd" % process
        if any(machine.link(folder + "/" + name) == nic.vfio_file for name in machine.names(folder)):
            found.append((int(process), machine.read("/proc/%s/comm" % process)))
    return found


class CannotTell(Exception):
    """Whether a device is in use."""


def ip(machine, *arguments):
    """What iproute2 answers: an empty answer is an empty list."""
    code, output, error = machine.run("ip", "-j", *arguments)
    if code:
        raise CannotTell("ip %s: %s" % (" ".join(arguments), error.strip().replace("\n", " ")))
    return json.loads(output or "[]")
