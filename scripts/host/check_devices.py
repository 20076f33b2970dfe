"""Doctor: devices. The IOMMU, VFIO, who may open what, and on which NUMA node it all is."""

from host import nics
from host.machine import list_text
from host.subject import fail, ok, warn

# Virtual devices for which the kernel wants a capability.
VDEV_CAPABILITIES = {"net_af_packet": "CAP_NET_RAW CAP_NET_ADMIN", "net_pcap": "CAP_NET_RAW",
                     "net_tap": "CAP_NET_ADMIN", "net_af_xdp": "CAP_NET_RAW CAP_NET_ADMIN CAP_BPF"}


def checks(subject):
    if subject.user is None:
        yield fail("there is no user %s" % subject.user_name,
                   "useradd --system --no-create-home --shell /usr/sbin/nologin %s" % subject.user_name)
    yield from capabilities(subject)
    if not subject.ports and not subject.needs_vfio:
        yield ok("no PCI device among the EAL options: no IOMMU and no VFIO needed")
        return
    if not subject.ports:
        yield warn("no NIC is bound for DPDK", "scripts/bind-nic lists them; scripts/bind-nic ADDRESS binds one")
    if subject.needs_vfio:
        yield iommu(subject)
        yield from vfio(subject)
    for port in subject.ports:
        yield from port_checks(subject, port)


def capabilities(subject):
    """What a user other than root cannot do without being given it."""
    if subject.eal is None or subject.is_root:
        return
    for driver in sorted(subject.eal.vdev_drivers & set(VDEV_CAPABILITIES)):
        wanted = VDEV_CAPABILITIES[driver]
        yield warn("%s wants %s, which %s does not have by itself" % (driver, wanted, subject.user_name),
                   "AmbientCapabilities=%s in the unit, or setpriv --ambient-caps" % wanted)


def judge(subject):
    """What is lacking hurts once there is a port that wants it."""
    return fail if subject.ports else warn


def iommu(subject):
    machine = subject.machine
    if machine.names("/sys/class/iommu") and machine.names("/sys/kernel/iommu_groups"):
        return ok("IOMMU: on, groups: %d" % len(machine.names("/sys/kernel/iommu_groups")))
    if nics.noiommu_is_on(machine):
        return warn("IOMMU: none, and VFIO is in its unsafe noiommu mode: a device can write to any memory, "
                    "pollflow has to run as root", "boot with %s" % nics.iommu_boot_arguments(machine))
    return judge(subject)("IOMMU: off, or there is none", "turn VT-d or AMD-Vi on in the firmware and boot with "
                          + nics.iommu_boot_arguments(machine))


def vfio(subject):
    machine = subject.machine
    if not machine.exists(nics.DRIVERS + "vfio-pci"):
        yield judge(subject)("VFIO: vfio-pci is not loaded",
                             "modprobe vfio-pci; echo vfio-pci > /etc/modules-load.d/vfio-pci.conf")
        return
    if not machine.has_module(nics.VFIO_IOMMU) and not nics.noiommu_is_on(machine):
        yield judge(subject)("VFIO: %s is not loaded" % nics.VFIO_IOMMU, "modprobe " + nics.VFIO_IOMMU)
    if not machine.exists("/dev/vfio/vfio"):
        yield judge(subject)("VFIO: there is no /dev/vfio/vfio", "modprobe vfio")
    elif subject.user is not None:
        yield may_open(subject, "/dev/vfio/vfio", "VFIO: /dev/vfio/vfio", "chmod 0666 /dev/vfio/vfio")


def may_open(subject, name, what, mend):
    if subject.may(name, 6):
        return ok("%s: %s may open it" % (what, subject.user_name))
    return fail("%s: %s may not read and write it" % (what, subject.user_name), mend)


def port_checks(subject, port):
    if not port.exists:
        yield fail("%s: there is no such PCI device" % port.address, "scripts/bind-nic")
        return
    if port.driver in nics.BIFURCATED_DRIVERS:
        yield ok("%s: DPDK takes it beside %s" % (port.address, port.driver))
    elif port.driver == "vfio-pci":
        yield from group_checks(subject, port)
    elif port.driver in nics.USERSPACE_DRIVERS:
        yield needs_root(subject, port, port.driver)
    else:
        yield fail("%s: is with %s, not with vfio-pci" % (port.address, port.driver or "no driver"),
                   "scripts/bind-nic %s" % port.address)
    yield numa(subject, port)


def needs_root(subject, port, driver):
    what = "%s: bound to %s, which only root can use" % (port.address, driver)
    return ok(what) if subject.is_root else fail(what, "run it as root, or give it an IOMMU and vfio-pci")


def group_checks(subject, port):
    for other in port.group_companions():
        yield fail("%s: %s of the same IOMMU group %s is with %s"
                   % (port.address, other.address, port.group, other.driver), "scripts/bind-nic " + other.address)
    if port.group is None:
        yield needs_root(subject, port, "vfio-pci without an IOMMU")
    elif not subject.machine.exists(port.vfio_file):
        yield fail("%s: bound to vfio-pci, but there is no %s" % (port.address, port.vfio_file),
                   "scripts/bind-nic --unbind %s; scripts/bind-nic %s" % (port.address, port.address))
    elif subject.user is not None:
        yield may_open(subject, port.vfio_file, "%s: bound to vfio-pci, %s" % (port.address, port.vfio_file),
                       "chgrp %s %s; chmod 0660 %s" % (subject.user_name, port.vfio_file, port.vfio_file))
    for pid, name in nics.holders(subject.machine, port):
        yield warn("%s: %s (process %d) has it open" % (port.address, name, pid), "kill %d" % pid)


def numa(subject, port):
    if port.node is None:
        return ok("%s: on no NUMA node in particular" % port.address)
    if subject.layout is None:
        return ok("%s: on NUMA node %d" % (port.address, port.node))
    nodes = subject.nodes_of_cpus(subject.layout.worker_cpus)
    if port.node in nodes:
        return ok("%s: on NUMA node %d, and so are workers" % (port.address, port.node))
    near = subject.machine.cpus("/sys/devices/system/node/node%d/cpulist" % port.node)
    return warn("%s: on NUMA node %d, all workers on node %s: every packet crosses" % (port.address, port.node,
                                                                                       list_text(nodes)),
                "choose lcores among CPUs %s" % list_text(near))
