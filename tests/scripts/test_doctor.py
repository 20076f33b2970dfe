"""scripts/doctor on made-up machines: one on which nothing is wrong, and what it says when one thing is."""

import os
import pathlib
import pwd
import shutil
import subprocess
import unittest
from unittest import mock

from made_up_machine import PCI, SCRIPTS, MadeUpTest

NIC, OTHER = "0000:3b:00.0", "0000:3b:00.1"
CPUS = "/sys/devices/system/cpu/"
USER = "daemon"                 # a user that every machine has, and that is not the one who tests
DRY_RUN = """#!/bin/sh
echo "called with $*"
"""


class Doctor(MadeUpTest):
    script = "doctor"

    def setUp(self):
        super().setUp()
        self.machine.root.chmod(0o755)
        self.machine.nic(NIC, "i40e", "eth1", node=1, bound="vfio-pci")
        self.machine.file("/dev/vfio/7", "").chmod(0o666)
        self.machine.pages(1, 200)
        self.machine.file(CPUS + "isolated", "5-6")
        self.machine.file(CPUS + "nohz_full", "5-6")
        self.pollflow(DRY_RUN)
        self.eal = ["--in-memory", "-l", "4-7", "-a", NIC]

    def pollflow(self, text):
        program = self.machine.file("/pollflow", text.strip())
        program.chmod(0o755)
        environment = mock.patch.dict(os.environ, POLLFLOW=str(program))
        environment.start()
        self.addCleanup(environment.stop)

    def findings(self, *arguments, user="root"):
        """The lines of one examination, and its exit code with them."""
        outcome = self.run_script("--user", user, *arguments, "--", *self.eal)
        self.assertEqual(outcome.stderr, "")
        self.assertEqual(self.machine.writes, [])
        self.code = outcome.code
        return outcome.stdout.splitlines()

    def assert_finding(self, lines, level, words, mend=None):
        """Exactly one finding of this level holds the words; the line below it is the command that mends it."""
        found = [index for index, line in enumerate(lines) if line.startswith(level + ": ") and words in line]
        self.assertEqual(len(found), 1, "%s: ...%s... in\n%s" % (level, words, "\n".join(lines)))
        if mend is not None:
            self.assertEqual(lines[found[0] + 1], "      " + mend)
        self.assertEqual(self.code, 69 if any(line.startswith("fail") for line in lines) else 0)


class Everything(Doctor):
    def test_nothing_is_wrong(self):
        lines = self.findings("--max-flows", "2000000")
        self.assertEqual(self.code, 0)
        self.assertEqual([line for line in lines if not line.startswith(("ok: ", "    "))], [])
        for words in ("2000000 flows take 163 MB", "node 1: 400 MB of huge pages free, about 228 MB needed",
                      "IOMMU: on", "lcores: main 4 controls, 7 exports, 5-6 work",
                      "CPUs 5-6 of the workers: isolated", NIC + ": on NUMA node 1, and so are workers",
                      "clock: tsc", "wall clock: synchronised"):
            self.assert_finding(lines, "ok", words)

    def test_everything_is_wrong_and_it_still_ends(self):
        with mock.patch.object(self.machine, "root", pathlib.Path(self.machine.root) / "nothing"):
            self.assertTrue(any(line.startswith("fail") for line in self.findings()))
        self.assertEqual(self.code, 69)

    def test_usage(self):
        for arguments, word in ((["--max-flows", "0"], "--max-flows"), (["--nonsense"], "--nonsense"),
                                (["--", "-l"], "-l")):
            with self.subTest(arguments=arguments):
                self.assert_refused(self.run_script(*arguments), 64, word)


class Memory(Doctor):
    def test_too_few_huge_pages_on_the_node_of_the_workers(self):
        self.machine.pages(1, 100, free=40)     # 120 MB are another's, 80 MB are free
        self.machine.pages(0, 1000)
        self.assert_finding(self.findings(), "fail", "node 1: 80 MB of huge pages free, about 150 MB needed",
                            "scripts/hugepages 270 --page 2M --node 1")

    def test_each_node_with_workers_wants_its_share(self):
        self.eal = ["--in-memory", "-l", "0-5", "-a", NIC]
        lines = self.findings()
        self.assert_finding(lines, "fail", "node 0: 0 MB of huge pages free, about 146 MB needed")   # workers 1 2 3
        self.assert_finding(lines, "ok", "node 1: 400 MB of huge pages free, about 70 MB needed")    # worker 4

    def test_pages_of_1G_count_too(self):
        self.machine.pages(1, 0)
        self.machine.pages(1, 1, size=1048576)
        self.assert_finding(self.findings(), "ok", "node 1: 1024 MB of huge pages free")

    def test_pages_of_a_size_that_is_not_mounted_do_not_count(self):
        self.eal.remove("--in-memory")
        self.machine.hugetlbfs("/dev/hugepages-1G", "1024M")
        self.assert_finding(self.findings(), "fail", "node 1: 0 MB of huge pages free")

    def test_no_hugetlbfs(self):
        self.eal.remove("--in-memory")
        self.assert_finding(self.findings(), "fail", "hugetlbfs is not mounted")

    def test_a_hugetlbfs_that_the_user_may_not_write(self):
        self.eal.remove("--in-memory")
        self.machine.hugetlbfs("/dev/hugepages", "2M")
        self.machine.path("/dev/hugepages").chmod(0o755)
        self.assert_finding(self.findings(user=USER), "fail", "on /dev/hugepages: %s may not write" % USER)
        self.machine.path("/dev/hugepages").chmod(0o777)
        self.assert_finding(self.findings(user=USER), "ok", "on /dev/hugepages: %s may write" % USER)

    def test_no_huge_asks_for_none(self):
        self.machine.pages(1, 0)
        self.eal = ["--no-huge", "-l", "4-7", "-a", NIC]
        self.assert_finding(self.findings(), "ok", "--no-huge: no huge pages are needed")

    def test_locked_memory(self):
        self.assert_finding(self.findings(user=USER), "warn", "locked memory: the limit (RLIMIT_MEMLOCK) that")
        with mock.patch("os.geteuid", return_value=pwd.getpwnam(USER).pw_uid):
            for limit, level in (("8388608", "fail"), ("1073741824", "ok"), ("unlimited", "ok")):
                with self.subTest(limit=limit):
                    self.machine.file("/proc/self/limits", "Max locked memory  %s  %s  bytes" % (limit, limit))
                    self.assert_finding(self.findings(user=USER), level, "locked memory: limit")


class Devices(Doctor):
    def test_no_iommu(self):
        self.machine.without_iommu()
        self.assert_finding(self.findings(), "fail", "IOMMU: off",
                            "turn VT-d or AMD-Vi on in the firmware and boot with intel_iommu=on iommu=pt")

    def test_noiommu_mode_wants_root(self):
        self.machine.without_iommu()
        self.machine.file("/sys/module/vfio/parameters/enable_unsafe_noiommu_mode", "Y")
        self.machine.file("/sys/kernel/iommu_groups/7/name", "vfio-noiommu")
        self.machine.link_to(PCI + NIC + "/iommu_group", "../../../../kernel/iommu_groups/7")
        self.assert_finding(self.findings(), "warn", "unsafe noiommu mode: a device can write to any memory")
        self.assert_finding(self.findings(user=USER), "fail", "vfio-pci without an IOMMU, which only root can use")

    def test_vfio_is_not_loaded(self):
        shutil.rmtree(self.machine.path("/sys/bus/pci/drivers/vfio-pci"))
        self.assert_finding(self.findings(), "fail", "vfio-pci is not loaded")

    def test_vfio_without_its_iommu_driver(self):
        shutil.rmtree(self.machine.path("/sys/module/vfio_iommu_type1"))
        self.assert_finding(self.findings(), "fail", "vfio_iommu_type1 is not loaded", "modprobe vfio_iommu_type1")

    def test_no_vfio_container(self):
        self.machine.path("/dev/vfio/vfio").unlink()
        self.assert_finding(self.findings(), "fail", "there is no /dev/vfio/vfio")

    def test_a_group_that_the_user_may_not_open(self):
        self.machine.path("/dev/vfio/7").chmod(0o600)
        self.assert_finding(self.findings(user=USER), "fail", "/dev/vfio/7: %s may not read and write" % USER,
                            "chgrp %s /dev/vfio/7; chmod 0660 /dev/vfio/7" % USER)
        self.assert_finding(self.findings(), "ok", "/dev/vfio/7: root may open it")

    @unittest.skipUnless(os.geteuid() == 0, "not root: a file cannot be given to another group")
    def test_a_group_that_the_users_group_may_open(self):
        self.machine.path("/dev/vfio/7").chmod(0o660)
        os.chown(self.machine.path("/dev/vfio/7"), 0, pwd.getpwnam(USER).pw_gid)
        self.assert_finding(self.findings(user=USER), "ok", "/dev/vfio/7: %s may open it" % USER)

    def test_another_device_of_the_group_with_a_kernel_driver(self):
        self.machine.nic(OTHER, "i40e", "eth2")
        self.assert_finding(self.findings(), "fail", "%s of the same IOMMU group 7 is with i40e" % OTHER,
                            "scripts/bind-nic " + OTHER)

    def test_a_device_that_is_not_bound(self):
        self.machine.nic(OTHER, "i40e", "eth2", group="8")
        self.eal += ["-a", OTHER + ",queues=4"]
        self.assert_finding(self.findings(), "fail", OTHER + ": is with i40e, not with vfio-pci",
                            "scripts/bind-nic " + OTHER)

    def test_a_device_that_is_not_there(self):
        self.eal += ["-a", "99:00.0"]
        self.assert_finding(self.findings(), "fail", "0000:99:00.0: there is no such PCI device")

    def test_a_bifurcated_device_needs_neither_vfio_nor_iommu(self):
        self.machine.without_iommu()
        self.machine.nic(NIC, "mlx5_core", "eth1", node=1)
        lines = self.findings()
        self.assert_finding(lines, "ok", NIC + ": DPDK takes it beside mlx5_core")
        self.assertNotIn("IOMMU", "\n".join(lines))
        self.assertEqual(self.code, 0)

    def test_uio_wants_root(self):
        self.machine.nic(NIC, "i40e", "eth1", node=1, bound="uio_pci_generic")
        self.assert_finding(self.findings(user=USER), "fail", "uio_pci_generic, which only root can use")
        self.assert_finding(self.findings(), "ok", "uio_pci_generic, which only root can use")

    def test_a_device_that_someone_has_open(self):
        self.machine.file("/proc/4321/comm", "testpmd")
        self.machine.link_to("/proc/4321/fd/9", "/dev/vfio/7")
        self.assert_finding(self.findings(), "warn", "testpmd (process 4321) has it open", "kill 4321")

    def test_a_device_far_from_every_worker(self):
        self.eal[2] = "0-2"
        self.machine.pages(0, 200)
        self.assert_finding(self.findings(), "warn", NIC + ": on NUMA node 1, all workers on node 0",
                            "choose lcores among CPUs 4-7")

    def test_without_allow_all_bound_devices_count_but_the_blocked(self):
        self.machine.nic(OTHER, "i40e", "eth2", node=1, group="8", bound="vfio-pci")
        self.machine.file("/dev/vfio/8", "")
        self.eal = ["--in-memory", "-l", "4-7"]
        self.assertIn(OTHER, "\n".join(self.findings()))
        self.eal += ["-b", OTHER]
        self.assertNotIn(OTHER + ":", "\n".join(self.findings()))

    def test_vdevs_need_no_vfio_but_capabilities(self):
        self.machine.without_iommu()
        self.eal = ["--in-memory", "-l", "4-7", "--no-pci", "--vdev", "net_af_packet0,iface=eth5"]
        lines = self.findings(user=USER)
        self.assert_finding(lines, "ok", "no IOMMU and no VFIO needed")
        self.assert_finding(lines, "warn", "net_af_packet wants CAP_NET_RAW CAP_NET_ADMIN")
        self.assertNotIn("CAP_NET_RAW", "\n".join(self.findings()), "root has it")

    def test_a_user_that_is_not_there(self):
        self.assert_finding(self.findings(user="no-such-user"), "fail", "there is no user no-such-user",
                            "useradd --system --no-create-home --shell /usr/sbin/nologin no-such-user")


class Cpus(Doctor):
    def test_each_way_to_say_lcores(self):
        for eal, words in (("-l 4,5", "main 4 controls, 4 exports, 5 work"),
                           ("-l 6", "main 6 controls, 6 exports, 6 work"),
                           ("-c 0x70", "main 4 controls, 6 exports, 5 work"), ("-c70", "main 4 controls, 6 exports"),
                           ("--lcores 0@4,(1-2)@(5-6),3@7", "main 0 controls, 3 exports, 1-2 work"),
                           ("-l4-7 --main-lcore 7", "main 7 controls, 6 exports, 4-5 work")):
            with self.subTest(eal=eal):
                self.eal = ["--in-memory", "-a", NIC, *eal.split()]
                self.assert_finding(self.findings(), "ok", "lcores: " + words)

    def test_no_lcores_said(self):
        self.eal = ["--in-memory", "-a", NIC]
        self.assert_finding(self.findings(), "warn", "EAL takes every CPU")

    def test_a_cpu_that_is_not_there(self):
        self.eal[2] = "4-9"
        self.assert_finding(self.findings(), "fail", "there is no CPU 8-9", "choose among CPUs 0-7")

    def test_what_the_workers_cpus_lack(self):
        for name, contents in (("isolated", "5"), ("nohz_full", "6")):
            self.machine.file(CPUS + name, contents)
        lines = self.findings()
        self.assert_finding(lines, "warn", "CPUs 5-6 of the workers: not all in isolcpus, nohz_full, rcu_nocbs",
                            "boot with isolcpus=5-6 nohz_full=5-6 rcu_nocbs=5-6")

    def test_rcu_nocbs_of_its_own(self):
        self.machine.file(CPUS + "nohz_full", "(null)")
        for value in ("5-6", "all"):
            self.machine.file("/proc/cmdline", "quiet rcu_nocbs=%s isolcpus=5-6" % value)
            self.assert_finding(self.findings(), "warn", "not all in nohz_full, so")

    def test_hyper_threads_of_one_core(self):
        for cpu in (5, 6):
            self.machine.file(CPUS + "cpu%d/topology/thread_siblings_list" % cpu, "5-6")
        self.assert_finding(self.findings(), "warn", "lcores 5 and 6 share a core")

    def test_two_lcores_on_a_cpu(self):
        self.eal[1:3] = ["--lcores", "4,5,6@7,7"]
        self.assert_finding(self.findings(), "warn", "lcores 6 and 7 share a core")

    def test_main_and_exporter_may_share_a_core(self):
        for cpu in (4, 7):
            self.machine.file(CPUS + "cpu%d/topology/thread_siblings_list" % cpu, "4,7")
        self.assert_finding(self.findings(), "ok", "every worker lcore has a core for itself")

    def test_governor(self):
        self.machine.file(CPUS + "cpu4/cpufreq/scaling_governor", "powersave")      # the main lcore's
        self.machine.file(CPUS + "cpu5/cpufreq/scaling_governor", "performance")
        self.assert_finding(self.findings(), "ok", "governor performance")
        self.machine.file(CPUS + "cpu6/cpufreq/scaling_governor", "powersave")
        self.assert_finding(self.findings(), "warn", "governor powersave on CPUs 6")

    def test_clocks(self):
        self.machine.synchronised = False
        self.assert_finding(self.findings(), "warn", "wall clock: nothing synchronises it")
        self.machine.file("/sys/devices/system/clocksource/clocksource0/current_clocksource", "hpet")
        self.assert_finding(self.findings(), "warn", "source is hpet")
        self.machine.file("/proc/cpuinfo", "flags : fpu tsc constant_tsc")
        self.assert_finding(self.findings(), "warn", "does not promise nonstop_tsc")


class DryRun(Doctor):
    def test_shows_its_lines(self):
        lines = self.findings("--max-flows", "77")
        self.assertEqual(lines[-1], "    called with --in-memory -l 4-7 -a %s -- --max-flows 77 --dry-run" % NIC)

    def test_its_failure_is_one(self):
        self.pollflow("#!/bin/sh\necho 'pollflow: no device' >&2; exit 69")
        lines = self.findings()
        self.assert_finding(lines, "fail", "dry run: ends with exit code 69")
        self.assertIn("    pollflow: no device", lines)

    def test_a_pollflow_that_has_no_dry_run(self):
        self.pollflow("#!/bin/sh\necho \"pollflow: unrecognised option '--dry-run'\" >&2; exit 64")
        self.assert_finding(self.findings(), "warn", "does not know --dry-run")

    def test_a_pollflow_that_does_not_end(self):
        self.pollflow("#!/bin/sh\nexec tail -f /dev/null")
        with mock.patch("host.check_start.TIMEOUT_S", 0.2):
            self.assert_finding(self.findings(), "fail", "dry run: no end after")

    def test_no_pollflow_at_all(self):
        with mock.patch.dict(os.environ, POLLFLOW="/no/such/program"):
            self.assert_finding(self.findings(), "warn", "no pollflow to ask")

    @unittest.skipUnless(os.geteuid() == 0, "not root: nothing can be run as another user")
    def test_runs_as_the_user_with_a_runtime_folder_of_its_own(self):
        self.pollflow("#!/bin/sh\nid -un; id -G; mkdir \"$RUNTIME_DIRECTORY/dpdk\" && echo writable")
        groups = [pwd.getpwnam(USER).pw_gid, 54321]
        with mock.patch("os.getgrouplist", return_value=groups):
            lines = self.findings(user=USER)
        self.assertEqual([lines[-3], lines[-1]], ["    " + USER, "    writable"])
        self.assertEqual(set(map(int, lines[-2].split())), set(groups))

    def test_without_eal_options_it_is_not_run(self):
        outcome = self.run_script("--user", "root")
        self.assertNotIn("called with", outcome.stdout)
        self.assertIn("no EAL options given", outcome.stdout)
        self.assertIn("warn: hugetlbfs is not mounted", outcome.stdout, "--in-memory may still be chosen")


class ThisMachine(unittest.TestCase):
    """Whatever it is like here: the doctor ends with a verdict, and every finding that is not ok has its mend."""

    def test_ends_with_a_verdict(self):
        with mock.patch.dict(os.environ, POLLFLOW="/no/such/program"):
            done = subprocess.run([SCRIPTS / "doctor"], capture_output=True, text=True, timeout=60)
        self.assertEqual(done.stderr, "")
        lines = done.stdout.splitlines()
        self.assertEqual(done.returncode, 69 if any(line.startswith("fail: ") for line in lines) else 0)
        for line, following in zip(lines, lines[1:] + [""]):
            self.assertRegex(line, r"\A(ok: |warn: |fail: |      \S)")
            self.assertEqual(line.startswith(("warn", "fail")), following.startswith("      "), line)

    @unittest.skipUnless(os.environ.get("POLLFLOW"), "POLLFLOW is not set: no pollflow to run dry")
    def test_the_real_dry_run(self):
        eal = ["--no-huge", "-m", "128", "--no-pci", "--vdev", "net_null0", "--lcores",
               "0@%d" % min(os.sched_getaffinity(0))]
        done = subprocess.run([SCRIPTS / "doctor", "--max-flows", "1000", "--", *eal], capture_output=True, text=True,
                              timeout=60)
        self.assertEqual((done.returncode, done.stderr), (0, ""), done.stdout)
        self.assertRegex(done.stdout, r"ok: dry run: .*\n(    .*\n)*    .* net_null0 ")


if __name__ == "__main__":
    unittest.main()
