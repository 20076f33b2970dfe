"""What a soak takes place on: a network namespace with two links, a pollflow on their near ends, traffic into the far
ones; and which CPU does what."""

import contextlib
import json
import os
import pathlib
import subprocess

import frames
from live_runner import Controlled, Namespace, veth_pair, wait_until

SECOND_FRAME = frames.udp_frame(src="192.0.2.1", data=bytes(18))
SECOND_IPV4_OCTETS = len(SECOND_FRAME) - 14


def cpus():
    """(worker's, everybody else's): with two CPUs the worker has one for itself."""
    mine = sorted(os.sched_getaffinity(0))
    return mine[-1], mine[0]


PREFERRED = -10


class Stand:
    """The namespace. `ring_frames`: how many frames the kernel holds for pollflow while its worker is kept from the
    CPU; 2 KiB each, and net_af_packet takes as much again for sending."""

    def __init__(self, traffic_program, ring_frames):
        self.traffic_program, self.ring_frames = traffic_program, ring_frames

    def __enter__(self):
        with contextlib.ExitStack() as stack:
            self.namespace = stack.enter_context(Namespace())
            self.tap, self.far = stack.enter_context(veth_pair(self.namespace, self.namespace))
            self.second, self.second_far = stack.enter_context(veth_pair(self.namespace, self.namespace, "second"))
            self.second_wire = stack.enter_context(contextlib.closing(self.namespace.frames_on(self.second_far)))
            self.stack = stack.pop_all()
        self.second_sent = 0
        return self

    def __exit__(self, *_):
        self.stack.close()

    def pollflow(self, options, **named):
        worker, others = cpus()
        ring = "qpairs=1,framesz=2048"
        return Controlled(["--lcores", "0@%d,1@%d" % (others, worker),
                           "--vdev", "net_af_packet0,iface=%s,%s,blocksz=1048576,framecnt=%d"
                           % (self.tap, ring, self.ring_frames),
                           "--vdev", "net_af_packet1,iface=%s,%s,framecnt=512" % (self.second, ring)],
                          options, prefix=self.namespace.prefix, **named)

    def prefer_worker(self, live):
        """A tap's worker has a CPU that nobody else may use; here the scheduler is asked for it. As much as for the
        generator and no more: where it shares out by groups, one's weight on a CPU is taken from the other's."""
        worker, others = cpus()
        for task in pathlib.Path("/proc/%d/task" % live.process.pid).iterdir():
            if worker != others and os.sched_getaffinity(int(task.name)) == {worker}:
                os.setpriority(os.PRIO_PROCESS, int(task.name), PREFERRED)

    def traffic(self, seed, rate, seconds, burst=0, burst_every=0):
        """A generator under way; ended() has its account."""
        options = {"interface": self.far, "rate": rate, "seconds": seconds, "seed": seed, "burst": burst,
                   "burst-every": burst_every}
        words = [word for name, value in options.items() for word in ("--" + name, str(value))]
        # Before the exporter, which takes what is left of the CPU that they share.
        return subprocess.Popen([*self.namespace.prefix, "nice", "-n", str(PREFERRED), self.traffic_program, *words],
                                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)

    def send_by_second(self, count):
        for _ in range(count):
            self.second_wire.send(SECOND_FRAME)
        self.second_sent += count

    def kernel_drops(self):
        """Frames that the kernel says it dropped between generator and pollflow, by place. (The near end's rx_dropped
        is none of them: it counts what nobody but the tap wanted.)"""
        sent_away = self.namespace.run("cat", "/sys/class/net/%s/statistics/tx_dropped" % self.far)
        of_cpus = pathlib.Path("/proc/net/softnet_stat").read_text().splitlines()
        return {"veth": int(sent_away),
                "CPU backlogs, all interfaces": sum(int(line.split()[1], 16) for line in of_cpus)}


def ended(traffic, seconds=60):
    """What a generator says when it is done."""
    try:
        output, _ = traffic.communicate(timeout=seconds)
    finally:
        traffic.kill()      # where it has not ended
    if traffic.returncode != 0:
        raise AssertionError("the generator ended with %d" % traffic.returncode)
    return json.loads(output)


def received(live):
    return live.ask("/pollflow/port,0")["received"]


def settled(live, packets, seconds=3):
    """What the first port has received in all: `packets`, or fewer once no more come for a while."""
    before = -1
    while (now := received(live)) != before and now != packets:
        before = now
        with contextlib.suppress(AssertionError):
            wait_until(lambda: received(live) == packets, "all are received", seconds)
    return now


def stolen_s():
    """Seconds that the hypervisor gave to others, all CPUs together."""
    return int(pathlib.Path("/proc/stat").read_text().split()[8]) / os.sysconf("SC_CLK_TCK")
