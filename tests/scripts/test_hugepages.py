"""scripts/hugepages: on made-up machines, and on this one where the kernel lets it."""

import os
import pathlib
import subprocess
import sys
import unittest
import unittest.mock

from made_up_machine import SCRIPTS, MadeUpTest

sys.path.insert(0, str(SCRIPTS.parent / "tests/e2e"))
import huge_pages  # noqa: E402

NODE = "/sys/devices/system/node/node%d/hugepages/hugepages-%dkB/nr_hugepages"


class Hugepages(MadeUpTest):
    script = "hugepages"

    def reserve(self, *arguments):
        outcome = self.run_script(*arguments)
        self.assertEqual((outcome.code, outcome.stderr), (0, ""))
        return outcome.stdout

    def test_shows_pages_of_each_node_and_size_and_mounts(self):
        self.machine.pages(1, 512, free=500)
        self.machine.pages(0, 2, size=1048576)
        self.machine.hugetlbfs("/mnt/huge", "1024M")
        lines = self.reserve().splitlines()
        self.assertEqual([line.split() for line in lines[1:5]],
                         [["0", "2M", "0", "0", "0"], ["0", "1G", "2", "2", "2048"],
                          ["1", "2M", "512", "500", "1000"], ["1", "1G", "0", "0", "0"]])
        self.assertEqual(lines[5:], ["hugetlbfs of 1G pages on /mnt/huge"])
        self.assertEqual(self.machine.writes, [])

    def test_says_that_hugetlbfs_is_not_mounted(self):
        self.assertIn("hugetlbfs is not mounted", self.reserve())

    def test_spreads_evenly_over_the_nodes(self):
        self.reserve("1024")
        self.assertEqual(self.machine.writes, [(NODE % (0, 2048), "256"), (NODE % (1, 2048), "256")])

    def test_rounds_up_to_whole_pages_on_each_node(self):
        self.reserve("5")
        self.assertEqual(self.machine.writes, [(NODE % (0, 2048), "2"), (NODE % (1, 2048), "2")])

    def test_takes_one_node_and_leaves_the_other(self):
        self.machine.pages(0, 10)
        self.reserve("1000", "--node", "1")
        self.assertEqual(self.machine.writes, [(NODE % (1, 2048), "500")])

    def test_takes_pages_of_1G(self):
        self.reserve("1500", "--node", "0", "--page", "1G")
        self.assertEqual(self.machine.writes, [(NODE % (0, 1048576), "2")])

    def test_a_node_without_memory_gets_none(self):
        self.machine.file("/sys/devices/system/node/has_memory", "1")
        self.reserve("8")
        self.assertEqual(self.machine.writes, [(NODE % (1, 2048), "4")])

    def test_zero_gives_back_and_mounts_nothing(self):
        self.machine.pages(0, 10)
        self.assertIn("node 0: 0 pages", self.reserve("0"))
        self.assertEqual(self.machine.commands, [])

    def test_says_what_is_in_use_and_stays(self):
        self.machine.pages_in_use = {0: 3}
        output = self.reserve("0")
        self.assertIn("node 0: 3 pages of 2M, 6 MB\nnode 0: asked for 0; the others are in use", output)
        self.assertIn("node 1: 0 pages of 2M, 0 MB\n", output)

    def test_mounts_hugetlbfs_when_there_is_none_of_that_size(self):
        self.machine.hugetlbfs("/mnt/huge", "1024M")
        self.assertIn("mounted now", self.reserve("8"))
        folder = self.machine.path("/dev/hugepages")
        self.assertEqual(self.machine.commands, ["mount -t hugetlbfs -o pagesize=2M hugetlbfs %s" % folder])
        self.assertTrue(folder.is_dir())

    def test_mounts_another_size_elsewhere(self):
        self.reserve("1024", "--page", "1G")
        self.assertTrue(self.machine.commands[0].endswith("pagesize=1G hugetlbfs %s"
                                                          % self.machine.path("/dev/hugepages-1G")))

    def test_leaves_a_mount_that_is_there(self):
        self.machine.hugetlbfs("/dev/hugepages", "2M")
        self.assertIn("hugetlbfs of 2M pages on /dev/hugepages\n", self.reserve("8"))
        self.assertEqual(self.machine.commands, [])

    def test_says_when_the_kernel_gave_less_and_how_to_do_it_at_boot(self):
        self.machine.pages_to_give = {1: 100}
        outcome = self.run_script("1024")
        self.assertEqual(outcome.code, 69)
        self.assertIn("node 1: 100 pages of 2M, 200 MB", outcome.stdout)
        self.assertRegex(outcome.stderr, r"\Ahugepages: node 1 gave 100 of 256 pages of 2M: .*fragmented")
        self.assertIn('"hugepagesz=2M hugepages=0:256,1:256"', outcome.stderr)

    def test_says_how_to_keep_it_with_what_other_nodes_hold(self):
        self.machine.pages(0, 64)
        self.assertIn("kernel command line: hugepagesz=2M hugepages=0:64,1:4\n", self.reserve("8", "--node", "1"))

    def test_a_single_node_is_not_named_on_the_kernel_command_line(self):
        self.machine.file("/sys/devices/system/node/has_memory", "0")
        self.assertIn("hugepagesz=2M hugepages=4\n", self.reserve("8"))

    def test_dry_run_says_what_it_would_write_and_writes_nothing(self):
        output = self.reserve("8", "--node", "1", "--dry-run")
        self.assertIn("write 4 to %s\n" % self.machine.path(NODE % (1, 2048)), output)
        self.assertIn("mount -t hugetlbfs -o pagesize=2M", output)
        self.assertEqual((self.machine.writes, self.machine.commands), ([], []))
        self.assertFalse(self.machine.exists("/dev/hugepages"))

    def test_refuses_what_makes_no_sense(self):
        for arguments, code, word in ((["-5"], 64, "-5"), (["much"], 64, "much"), (["8", "--node", "2"], 64, "0, 1"),
                                      (["8", "--page", "3"], 64, "--page 3"), (["8", "--page", "16M"], 69, "2M, 1G"),
                                      (["8", "--pages", "2"], 64, "--pages"), (["40000"], 69, "16384 MB of memory")):
            with self.subTest(arguments=arguments):
                self.assert_refused(self.run_script(*arguments), code, word)

    def test_names_the_file_that_it_may_not_write(self):
        with unittest.mock.patch.object(self.machine, "write", side_effect=PermissionError(13, "no", "/sys/x")):
            self.assert_refused(self.run_script("8"), 77, "/sys/x", "root")


@unittest.skipUnless(os.geteuid() == 0, "not root: huge pages cannot be reserved")
class ThisMachine(unittest.TestCase):
    """The kernel's own huge pages, put back as they were. The mount is seen by the script alone."""

    counter = pathlib.Path(NODE % (0, 2048))
    pages = 4

    def setUp(self):
        if not os.access(self.counter, os.W_OK):
            self.skipTest("%s cannot be written here" % self.counter)
        if subprocess.run(["unshare", "--mount", "true"], capture_output=True).returncode != 0:
            self.skipTest("there are no mount namespaces here, as in a chroot")
        self.enterContext(huge_pages.left_alone())
        self.before = int(self.counter.read_text())
        self.addCleanup(self.counter.write_text, str(self.before))
        try:
            self.counter.write_text(str(self.before + self.pages))
        except OSError as error:
            self.skipTest("the kernel refuses huge pages: %s" % error)
        given = int(self.counter.read_text())
        self.counter.write_text(str(self.before))
        if given != self.before + self.pages:
            self.skipTest("the kernel has no %d huge pages to give" % self.pages)

    def run_script(self, *arguments):
        """In a mount namespace of its own, where /dev can be written and nothing is mounted over it."""
        made = not os.path.exists("/dev/hugepages")
        try:
            return subprocess.run(["unshare", "--mount", SCRIPTS / "hugepages", *map(str, arguments)],
                                  capture_output=True, text=True, timeout=60)
        finally:
            if made and os.path.exists("/dev/hugepages"):
                os.rmdir("/dev/hugepages")

    def test_reserves_reads_back_mounts_and_gives_back(self):
        megabytes = 2 * (self.before + self.pages)
        done = self.run_script(megabytes, "--node", 0)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertEqual(int(self.counter.read_text()), self.before + self.pages)
        self.assertIn("node 0: %d pages of 2M, %d MB\n" % (self.before + self.pages, megabytes), done.stdout)
        self.assertIn("hugetlbfs of 2M pages on /", done.stdout)
        done = self.run_script(2 * self.before, "--node", 0)
        self.assertEqual((done.returncode, int(self.counter.read_text())), (0, self.before))


if __name__ == "__main__":
    unittest.main()
