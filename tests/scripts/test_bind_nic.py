"""scripts/bind-nic on made-up machines. No real device is ever touched."""

import shutil
import unittest

from made_up_machine import PCI, MadeUpTest

NIC, OTHER = "0000:3b:00.0", "0000:3b:00.1"
PROBE = "/sys/bus/pci/drivers_probe"


class BindNic(MadeUpTest):
    script = "bind-nic"

    def setUp(self):
        super().setUp()
        self.machine.nic(NIC, "i40e", "eth1", node=1)

    def succeed(self, *arguments):
        outcome = self.run_script(*arguments)
        self.assertEqual((outcome.code, outcome.stderr), (0, ""))
        return outcome.stdout

    def driver(self, address=NIC):
        return self.machine.target(PCI + address + "/driver")

    def rebinding(self, override, address=NIC):
        """The three writes by which a device changes hands."""
        return [(PCI + address + "/driver_override", override + "\n"), (PCI + address + "/driver/unbind", address),
                (PROBE, address)]


class Binding(BindNic):
    def test_binds_by_address_override_unbind_probe(self):
        output = self.succeed(NIC)
        self.assertEqual(self.machine.writes, self.rebinding("vfio-pci"))
        self.assertEqual(self.driver(), "vfio-pci")
        self.assertIn("%s: bound to vfio-pci, was with i40e; for EAL: -a %s\n" % (NIC, NIC), output)
        self.assertIn("/dev/vfio/7", output)

    def test_binds_by_short_address_and_by_interface(self):
        for name in ("3b:00.0", "3B:00.0", "eth1"):
            with self.subTest(name=name):
                self.succeed(name)
                self.assertEqual(self.driver(), "vfio-pci")
                self.succeed("--unbind", NIC)

    def test_finds_the_interface_of_a_virtio_device(self):
        self.machine.nic(OTHER, "virtio-pci", group="8")
        self.machine.file(PCI + OTHER + "/virtio3/net/eth2/operstate", "up")
        self.succeed("eth2")
        self.assertEqual(self.driver(OTHER), "vfio-pci")

    def test_gives_back_to_the_kernel_driver_it_remembers(self):
        self.succeed(NIC)
        self.machine.writes.clear()
        output = self.succeed("--unbind", NIC)
        self.assertEqual(self.machine.writes, self.rebinding(""))
        self.assertEqual(output, "%s: is with i40e again, interface eth1\n" % NIC)
        self.assertFalse(self.machine.exists("/run/pollflow-bind-nic/" + NIC))

    def test_loads_the_remembered_driver_when_it_is_gone(self):
        self.succeed(NIC)
        shutil.rmtree(self.machine.path("/sys/bus/pci/drivers/i40e"))
        self.machine.loadable.add("i40e")
        self.succeed("--unbind", NIC)
        self.assertIn("modprobe i40e", self.machine.commands)
        self.assertEqual(self.driver(), "i40e")

    def test_gives_back_a_device_that_another_bound(self):
        self.machine.nic(OTHER, "ice", "eth2", bound="vfio-pci", group="8")
        self.assertIn("is with ice again", self.succeed("--unbind", OTHER))
        self.assertIn("modprobe pci:" + OTHER, self.machine.commands)

    def test_giving_back_fails_aloud_when_the_kernel_takes_it_not(self):
        self.succeed(NIC)
        self.machine.refusing.add("i40e")
        outcome = self.run_script("--unbind", NIC)
        self.assertEqual(outcome.code, 69)
        self.assertIn("no driver now and not with i40e", outcome.stderr)
        self.assertTrue(self.machine.exists("/run/pollflow-bind-nic/" + NIC), "it is remembered for another try")

    def test_both_ways_twice_is_no_error_and_writes_nothing(self):
        self.assertIn("is with i40e already", self.succeed("--unbind", NIC))
        self.assertEqual(self.machine.writes, [])
        self.succeed(NIC)
        self.machine.writes.clear()
        self.assertIn("is bound to vfio-pci already", self.succeed(NIC))
        self.assertEqual(self.machine.writes, [])

    def test_a_device_without_driver_is_bound_without_unbinding(self):
        self.machine.nic(OTHER, None, group="8")
        self.succeed(OTHER)
        self.assertEqual([name for name, _ in self.machine.writes], [PCI + OTHER + "/driver_override", PROBE])
        self.assertIn("is with no driver again", self.succeed("--unbind", OTHER))
        self.assertEqual(self.driver(OTHER), None)

    def test_puts_it_back_when_vfio_does_not_take_it(self):
        self.machine.refusing.add("vfio-pci")
        outcome = self.run_script(NIC)
        self.assertEqual(outcome.code, 69)
        self.assertIn("vfio-pci does not take it, it is with i40e again", outcome.stderr)
        self.assertEqual(self.driver(), "i40e")
        self.assertEqual(self.machine.read(PCI + NIC + "/driver_override"), "")

    def test_loads_the_iommu_driver_of_vfio_when_it_is_missing(self):
        shutil.rmtree(self.machine.path("/sys/module/vfio_iommu_type1"))
        self.succeed(NIC)
        self.assertIn("modprobe vfio_iommu_type1", self.machine.commands)

    def test_loads_vfio_pci_when_it_is_missing(self):
        shutil.rmtree(self.machine.path("/sys/bus/pci/drivers/vfio-pci"))
        self.assert_refused(self.run_script(NIC), 69, "vfio-pci: this kernel has no such driver", "not found")
        self.machine.loadable.add("vfio-pci")
        self.succeed(NIC)
        self.assertEqual(self.driver(), "vfio-pci")


class Refusals(BindNic):
    def test_the_default_route_of_either_family(self):
        for version, word in (("-4", "IPv4"), ("-6", "IPv6")):
            with self.subTest(version=version):
                self.machine.default_routes = {"-4": [], "-6": [], version: [{"dst": "default", "dev": "eth1"}]}
                outcome = self.run_script("eth1")
                self.assert_refused(outcome, 69, "eth1 carries the default route of " + word, "--force")

    def test_one_hop_of_a_default_route_over_several(self):
        self.machine.default_routes["-4"] = [{"dst": "default", "nexthops": [{"dev": "eth0"}, {"dev": "eth1"}]}]
        self.assert_refused(self.run_script("eth1"), 69, "default route of IPv4")

    def test_an_address_in_use(self):
        for address in ("192.0.2.7/24", "192.0.2.7/32", "2001:db8::7/64"):
            with self.subTest(address=address):
                self.machine.addresses["eth1"] = [address]
                self.assert_refused(self.run_script("eth1"), 69, "eth1 has the address " + address)

    def test_a_link_local_address_is_no_use(self):
        self.machine.addresses["eth1"] = ["fe80::1/64"]
        self.succeed("eth1")

    def test_part_of_a_bond(self):
        self.machine.file("/sys/class/net/eth1/upper_bond0/ifindex", 9)
        self.assert_refused(self.run_script("eth1"), 69, "eth1 belongs to bond0")

    def test_virtual_functions(self):
        self.machine.file(PCI + NIC + "/sriov_numvfs", 4)
        self.assert_refused(self.run_script("eth1"), 69, "4 virtual functions")

    def test_when_nobody_can_tell(self):
        self.machine.has_ip = False
        self.assert_refused(self.run_script("eth1"), 69, "cannot be told", "ip")

    def test_force_binds_it_all_the_same(self):
        self.machine.addresses["eth1"] = ["192.0.2.7/24"]
        self.succeed("eth1", "--force")
        self.assertEqual(self.driver(), "vfio-pci")

    def test_bifurcated_drivers_are_left_to_the_kernel(self):
        self.machine.nic(OTHER, "mlx5_core", "eth2", group="8")
        self.assert_refused(self.run_script("eth2", "--force"), 64, "mlx5_core", "-a " + OTHER)

    def test_what_is_no_network_device(self):
        self.machine.nic("0000:00:1f.2", "ahci", device_class="0x010601")
        self.assert_refused(self.run_script("00:1f.2"), 64, "no network device")

    def test_what_is_not_there(self):
        self.machine.file("/sys/class/net/lo/operstate", "unknown")
        self.assert_refused(self.run_script("lo"), 69, "without PCI device")
        self.assert_refused(self.run_script("eth9"), 69, "no such interface")
        self.assert_refused(self.run_script("0000:99:00.0"), 69, "no such PCI device")

    def test_usage(self):
        self.assert_refused(self.run_script(NIC, "--driver", "e1000"), 64, "--driver")
        self.assert_refused(self.run_script(NIC, "--unbind", NIC), 64, "one device at a time")

    def test_a_device_that_a_process_has_open_is_not_taken_away(self):
        self.succeed(NIC)
        self.machine.writes.clear()
        self.machine.file("/proc/4321/comm", "pollflow")
        self.machine.link_to("/proc/4321/fd/9", "/dev/vfio/7")
        self.machine.driver("uio_pci_generic")
        for arguments in (["--unbind", NIC], [NIC, "--driver", "uio_pci_generic"]):
            with self.subTest(arguments=arguments):
                self.assert_refused(self.run_script(*arguments), 69, "pollflow (process 4321) has it open")


class Iommu(BindNic):
    def test_names_the_others_of_the_group(self):
        self.machine.nic(OTHER, "i40e", "eth2")
        self.machine.nic("0000:3a:00.0", "pcieport", device_class="0x060400")
        output = self.succeed(NIC)
        self.assertIn("%s: is in the same IOMMU group 7 and belongs to i40e" % OTHER, output)
        self.assertIn("scripts/bind-nic %s\n" % OTHER, output)
        self.assertNotIn("3a:00.0", output)

    def test_without_iommu_says_what_turns_it_on(self):
        self.machine.nic(OTHER, "i40e", group=None)
        outcome = self.run_script(OTHER)
        self.assert_refused(outcome, 69, "no IOMMU", '"intel_iommu=on iommu=pt"', "--driver uio_pci_generic")
        self.assertNotIn("noiommu", outcome.stderr, "this kernel has no such mode")

    def test_offers_the_noiommu_mode_where_there_is_one(self):
        self.machine.nic(OTHER, "i40e", group=None)
        self.machine.file("/sys/module/vfio/parameters/enable_unsafe_noiommu_mode", "N")
        self.assert_refused(self.run_script(OTHER), 69, "any memory", "enable_unsafe_noiommu_mode")

    def test_binds_in_noiommu_mode_and_names_the_risk(self):
        self.machine.nic(OTHER, "i40e", group=None)
        self.machine.file("/sys/module/vfio/parameters/enable_unsafe_noiommu_mode", "Y")
        self.assertRegex(self.succeed(OTHER), "any memory.*root")
        self.assertEqual(self.driver(OTHER), "vfio-pci")

    def test_uio_needs_no_iommu(self):
        self.machine.nic(OTHER, "i40e", group=None)
        self.machine.loadable.add("uio_pci_generic")
        self.succeed(OTHER, "--driver", "uio_pci_generic")
        self.assertEqual(self.driver(OTHER), "uio_pci_generic")


class List(BindNic):
    def rows(self):
        return {line.split()[0]: line for line in self.succeed().splitlines()[1:]}

    def test_lists_network_devices_with_their_use(self):
        self.machine.addresses["eth1"] = ["192.0.2.7/24"]
        self.machine.nic(OTHER, "i40e", "eth2", node=-1, bound="vfio-pci", group="8")
        self.machine.nic("0000:5e:00.0", "mlx5_core", "eth3", group="9")
        self.machine.nic("0000:5e:00.1", "i40e", "eth4", group="10")
        self.machine.nic("0000:00:1f.2", "ahci", device_class="0x010601")
        rows = self.rows()
        self.assertEqual(sorted(rows), [NIC, OTHER, "0000:5e:00.0", "0000:5e:00.1"])
        self.assertRegex(rows[NIC], r" 1 i40e +7 eth1 +up +eth1 has the address 192.0.2.7/24$")
        self.assertRegex(rows[OTHER], r" - vfio-pci +8 - +- +bound: -a %s$" % OTHER)
        self.assertRegex(rows["0000:5e:00.0"], "DPDK takes it as it is$")
        self.assertRegex(rows["0000:5e:00.1"], "free$")
        self.assertEqual(self.machine.writes, [])

    def test_lists_also_when_nobody_can_tell_the_use(self):
        self.machine.has_ip = False
        self.assertIn("cannot tell", self.rows()[NIC])


if __name__ == "__main__":
    unittest.main()
