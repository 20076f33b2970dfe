"""pollflow on network cards that are bound to vfio-pci, in a virtual machine: an igb with RSS on four queues, an
e1000e without RSS, and a vmxnet3 whose RSS is a promise that it does not keep.

    scripts/test-guest          builds pollflow and runs this

Needs no root, no KVM and no huge pages here. What it boots is fetched from Debian once (packages.py); where
that fails the tests are skipped and say why.
"""

import functools
import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))

import guest
import initramfs
import injector
import packages
import pollflow_runner as runner
import rss_traffic

WORKERS = 4
EAL = ("--lcores", "0@0,1@1,2@0,3@1,4@0,5@1", "-a", guest.CARD)     # the first controls, the last exports
OPTIONS = ("--flows-out", "/tmp/flows.csv", "--ledger", "/tmp/ledger.json", "--max-flows", "16384",
           "--inactive-timeout", "600")


@functools.cache
def fetched():
    """The packages, or why there are none: one attempt a run."""
    try:
        return packages.ready()
    except packages.Unavailable as reason:
        return reason


class GuestTest(runner.PollflowTest):

    def setUp(self):
        super().setUp()
        self.packages = fetched()
        if isinstance(self.packages, packages.Unavailable):
            self.skipTest("no guest: %s" % self.packages)
        self.initramfs = self.folder / "initramfs"
        initramfs.make(self.initramfs, runner.binary(), self.packages)

    def boot(self, card):
        machine = self.enterContext(guest.Guest(self.packages, self.initramfs, card))
        self.injector = self.enterContext(injector.Injector(machine))
        return machine

    def start(self, machine, *options):
        """pollflow, when it receives."""
        program = guest.Program(machine, pathlib.Path(runner.binary()).name, *EAL, "--", *OPTIONS, *options)
        program.wait_until_says("Receiving")
        return program

    def stop(self, machine, program):
        """The run that ends now; its ledger adds up."""
        run = runner.Run(runner.Outcome(*program.stop()), self.folder, [])
        run.csv, run.ledger_text = machine.read("/tmp/flows.csv"), machine.read("/tmp/ledger.json")
        self.assertEqual(run.outcome.code, 0, run.outcome)
        self.assert_adds_up(run.ledger)
        return run

    def assert_all_there(self, run, injected):
        """Every packet is in the record of its key, every key in one record: one worker saw all of it."""
        expected = rss_traffic.expected(injected)
        self.assertEqual(packets_and_octets(run.rows), packets_and_octets(expected.rows))
        self.assertEqual(len(run.rows), len(expected.rows))
        self.assert_model_ledger(run.ledger, expected)
        port, = run.ledger["ports"]
        self.assertEqual([port["received"], port["missed"], port["errored"]], [len(injected), 0, 0])
        self.assertEqual(sum(queue["packets"] for queue in port["queues"]), len(injected))
        return port["queues"]


def packets_and_octets(rows):
    return {key: sums[:2] for key, sums in runner.sums_by_key(rows).items()}


class IgbTest(GuestTest):
    """An 82576: RSS with a key, a RETA, and the hash beside each packet."""

    def test_each_queue_gets_what_rss_gives_it(self):
        injected = rss_traffic.shuffled(flows=1200, packets_each=20)
        machine = self.boot("igb")
        program = self.start(machine, "--rss-key", rss_traffic.RSS_KEY.hex())
        self.injector.inject(injected[:len(injected) // 2])
        for up, words in ((False, "link is down"), (True, "link is up")):
            machine.monitor.do("set_link", name="h0", up=up)
            program.wait_until_says(words)
        self.injector.inject(injected[len(injected) // 2:])
        run = self.stop(machine, program)
        queues = self.assert_all_there(run, injected)
        self.assertIn("key of 40 bytes (read back: the same)", run.outcome.stdout)
        self.assertRegex(run.outcome.stderr, r"\A(pollflow: port 0 .*: link is (down|up).*\n){2}\Z")
        self.assertEqual([queue["packets"] for queue in queues], rss_traffic.packets_of_queues(injected, WORKERS))
        self.assertEqual(len({queue["lcore"] for queue in queues}), WORKERS)
        self.assertEqual(sum(queue["nic_hashed"] for queue in queues), run.ledger["accounted"]["packets"])

    # Whatever the card has taken until it was told to stop is received. The key is a random one here.
    def test_stopped_in_full_traffic(self):
        injected = rss_traffic.shuffled(flows=300, packets_each=20)
        machine = self.boot("igb")
        program = self.start(machine)
        self.injector.inject(injected)
        with self.injector.flood(injected):
            run = self.stop(machine, program)
        self.assert_success(run.outcome)
        self.assertIn("key of 40 bytes (read back: the same)", run.outcome.stdout)
        port, = run.ledger["ports"]
        self.assertGreater(port["received"], len(injected))
        self.assertEqual(port["missed"], 0)
        self.assertEqual(sum(row.packets for row in run.rows), run.ledger["accounted"]["packets"])


class E1000eTest(GuestTest):
    """An 82574: no RSS."""

    def test_one_queue_and_a_software_hash(self):
        injected = rss_traffic.shuffled(flows=500, packets_each=10)
        machine = self.boot("e1000e")
        program = self.start(machine)
        self.injector.inject(injected)
        run = self.stop(machine, program)
        queue, = self.assert_all_there(run, injected)
        self.assertEqual(queue["nic_hashed"], 0)
        self.assertRegex(run.outcome.stderr, r"\Apollflow: port 0 .*: the device has no RSS.*\n\Z")


class Vmxnet3Test(GuestTest):
    """Takes all settings of RSS and ignores them. QEMU's drops frames, uncounted, when its ring of 1024 is full,
    and does not show how full it is: so only as many are injected at once as have room."""

    def test_rss_that_does_nothing(self):
        first, second = (rss_traffic.shuffled(flows, packets_each=2) for flows in (500, 400))
        machine = self.boot("vmxnet3")
        program = self.start(machine)
        self.injector.inject(first)
        program.wait_until_says("came on one of 4 queues")      # it has had 1000 then
        self.injector.inject(second)
        run = self.stop(machine, program)
        queues = self.assert_all_there(run, first + second)
        self.assertEqual([queue["packets"] for queue in queues], [len(first + second), 0, 0, 0])
        self.assertEqual([queue["nic_hashed"] for queue in queues], [0, 0, 0, 0])


if __name__ == "__main__":
    unittest.main(verbosity=2)
