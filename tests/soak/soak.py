"""A pollflow under mixed traffic and faults for a long time: the search for a rate, the run, what came of it."""

import contextlib
import dataclasses
import json
import pathlib
import subprocess
import tempfile
import time

import client_runner
import pollflow_runner as runner
import samples
import stand as stands
from collector import Collector
from faults import Faults, config_options
from live_runner import wait_until
from rate_search import Trial, highest_loss_free

SHARE = 0.8             # of the highest rate without loss, to be held
FOR_EVER_S = 10 ** 6
LEDGER_EVERY = 5        # samples
TOLD_EVERY_S = 60


@dataclasses.dataclass
class Plan:
    """How long and how hard."""
    seconds: float
    seed: int
    rate: float = 0             # frames a second that are asked for; 0: by a search
    trial_s: float = 5
    sample_s: float = 1         # from one sample to the next
    pauses: tuple = (1, 4)      # between faults, least and most
    burst: int = 2000
    burst_every_s: int = 10
    ring_frames: int = 262144
    flows: int = 1048576
    rate_held: float = 0.95     # at least so much of the rate must have been offered


def rate_for(plan, highest):
    """What to ask for, so that SHARE of `highest` is held when the generator keeps to no more than it must."""
    return SHARE * highest / plan.rate_held


def find_rate(plan, stand, tell):
    """(the highest loss-free rate, its trials)."""
    with Collector(stand.namespace) as collector, \
         stand.pollflow(["--collector", collector.address, "--inactive-timeout", 5]) as live:
        def trial(rate, seconds):
            before = stands.received(live)
            sent = stands.ended(stand.traffic(plan.seed, round(rate), round(seconds)), seconds + 60)
            lost = sent["packets"] - (stands.settled(live, before + sent["packets"]) - before)
            made = Trial(sent["seconds"], sent["packets"], lost, sent["frames"] / sent["seconds"])
            tell("%10.0f frames a second for %3.0f s: %d of %d lost" % (made.rate, made.seconds, lost, made.offered))
            return made
        stand.prefer_worker(live)
        highest, trials = highest_loss_free(trial, plan.trial_s)
        live.stop()
    return highest, trials


def run(plan, stand, rate, tell):
    """The soak itself; everything that verdict.judge() looks at."""
    with contextlib.ExitStack() as stack:
        folder = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory()))
        steady, restless = (stack.enter_context(Collector(stand.namespace)) for _ in range(2))
        live = stack.enter_context(stand.pollflow(
            ["--collector", steady.address, "--collector", restless.address, "--ledger", folder / "ledger.json",
             "--max-flows", plan.flows, *config_options(folder)]))
        stand.prefer_worker(live)
        stolen_s, dropped = stands.stolen_s(), stand.kernel_drops()
        traffic = stand.traffic(plan.seed, round(rate), FOR_EVER_S, plan.burst, plan.burst_every_s)
        stack.callback(traffic.kill)
        faults = Faults(stand, live, folder, restless, plan.seed, plan.pauses)
        faults.warm_up()
        must_run(live)
        wait_until(lambda: every_place_was_used(live), "the expiry ring's every place was used", 120)
        faults.start()
        samples.forget_peak(live.process.pid)
        watched = watch(plan, live, traffic, faults, tell)
        faults.finish()
        must_run(live)
        sanitized = samples.sanitized(live.process.pid)
        traffic.terminate()
        sent = stands.ended(traffic)
        stands.settled(live, sent["packets"])
        ended = live.stop()
        ledger = runner.parse_ledger((folder / "ledger.json").read_text())
    return {**watched, "sanitized": sanitized, "rate": rate, "rate_held": plan.rate_held, "sent": sent, "ledger": ledger,
            "code": ended.code, "said": ended.stderr,
            "collectors": [seen_by(steady), seen_by(restless)], "faults": faults.done,
            "fault_failures": faults.failures, "second_sent": stand.second_sent,
            "second_octets": stands.SECOND_IPV4_OCTETS, "second_frame_octets": len(stands.SECOND_FRAME),
            "kernel_drops": {place: now - dropped[place] for place, now in stand.kernel_drops().items()},
            "stolen_s": stands.stolen_s() - stolen_s}


def must_run(live):
    if live.process.poll() is not None:
        ended = live.finish()
        raise AssertionError("pollflow ended by itself, with %d: %s" % (ended.code, ended.stderr[-1000:].strip()))


def every_place_was_used(live):
    """Memory is resident once it is touched, and the ring takes its places in turn."""
    lcore, = live.ask("/pollflow/info")["workers"]
    worker = live.ask("/pollflow/worker,%d" % lcore)
    return worker["records_created"] > worker["ring_records_max"]


def watch(plan, live, traffic, faults, tell):
    """A sample each second and the ledger each few, until the time is up, or somebody ends too early."""
    taken, asked, broken, told_s = [], 0, [], 0
    began = time.monotonic()
    while live.process.poll() is None and traffic.poll() is None:
        at_s = time.monotonic() - began
        if at_s >= plan.seconds and len(taken) >= samples.FEWEST:
            break
        try:
            with faults.visiting:       # never meanwhile
                taken.append(samples.take_settled(live.process.pid, at_s))
        except (OSError, KeyError):     # it is just ending
            break
        if len(taken) % LEDGER_EVERY == 1:
            asked += 1
            broken += broken_ledger(live)
        if at_s - told_s >= TOLD_EVERY_S:
            told_s = at_s
            tell("%5.0f min: %d KiB resident, %d descriptors, %d threads; ledger asked %d times, broken %d times"
                 % (at_s / 60, taken[-1].rss_kib, taken[-1].descriptors, taken[-1].threads, asked, len(broken)))
        time.sleep(plan.sample_s)
    return {"samples": taken, "ledgers_asked": asked, "ledgers_broken": broken}


def broken_ledger(live):
    """[what pollflowctl says] when it finds that the live ledger does not add up."""
    done = subprocess.run([client_runner.binary(), "--socket", live.telemetry, "ledger"], stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60, check=False)
    return [done.stdout] if done.returncode != 0 else []


def seen_by(collector):
    return {name: getattr(collector, name)
            for name in ("datagrams", "records", "packets", "octets", "missed", "damaged", "dropped")}
