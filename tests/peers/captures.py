#!/usr/bin/env -S python3 -B
"""
How much of net_pcap's own rate `pollflow --read` reaches, on captures of few and of many flows.

  tests/peers/captures.py POLLFLOW FLOOR [--packets N] [--flows N,N,...] [--pairs N] [--json FILE]

FLOOR is the built tests/peers/capture_floor. Both read the same made-up capture in turn, pollflow on one lcore
with NetFlow v5 to a socket that takes and drops it. Compared is processor time, user and system, less that of
a run over 64 packets: starting is DPDK's. Exit: 0; 1 when a total is wrong (then no figure is shown); 64 usage.
"""

import argparse
import json
import pathlib
import socket
import sys
import tempfile

import cpu_time

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
FRAME_OCTETS, IPV4_OCTETS = 60, 46      # of each packet of scripts/make-capture
FLOWS_DEFAULT = 1048576                 # pollflow's --max-flows
FEW_PACKETS = 64


class Wrong(Exception):
    """A total is not what the capture holds: nothing that was timed counts."""


def measure(pollflow, floor, packets, flow_counts, pairs):
    """Runs both `pairs` times in turn for each number of flows. Seconds of processor time; ratio: the
    floor's by pollflow's, start-up taken off both. Raises Wrong."""
    results = {}
    with tempfile.TemporaryDirectory() as folder, Sink() as sink:
        folder = pathlib.Path(folder)
        for flows in flow_counts:
            programs = {"pollflow": lambda capture, count, flows=flows:
                        run_pollflow(pollflow, capture, count, flows, sink.address),
                        "floor": lambda capture, count: run_floor(floor, capture, count)}
            results[str(flows)] = compare(programs, folder, packets, flows, pairs)
    return {"packets": packets, "pairs": pairs, "flows": results}


def compare(programs, folder, packets, flows, pairs):
    few, many = folder / "few.pcap", folder / "many.pcap"
    make_capture(few, FEW_PACKETS, flows)
    make_capture(many, packets, flows)
    start_s, run_s = ({name: [] for name in programs} for _ in range(2))
    for _ in range(pairs):
        for name, run in programs.items():
            start_s[name].append(run(few, FEW_PACKETS))
            run_s[name].append(run(many, packets))
    start = {name: cpu_time.summary(seconds)["median"] for name, seconds in start_s.items()}
    ns = {name: [(whole - start[name]) / (packets - FEW_PACKETS) * 1e9 for whole in seconds]
          for name, seconds in run_s.items()}
    ratio = [of_floor / of_pollflow for of_floor, of_pollflow in zip(ns["floor"], ns["pollflow"])]
    return {"start_s": start_s, "run_s": run_s, "ns_per_packet": ns, "ratio": ratio,
            "ratio_summary": cpu_time.summary(ratio)}


def make_capture(path, packets, flows):
    """Within a second for a million packets a second, so that no flow is idle long enough to end."""
    made = cpu_time.run([REPOSITORY / "scripts" / "make-capture", path, "--packets", packets,
                         "--flows", flows, "--packets-per-second", 1000000])
    if made.code != 0:
        raise Wrong("scripts/make-capture ended with %d: %s" % (made.code, made.stderr.strip()))


def run_pollflow(pollflow, capture, packets, flows, collector):
    ledger_file = capture.with_suffix(".ledger.json")
    done = cpu_time.run([pollflow, "--read", capture, "--collector", collector, "--ledger", ledger_file,
                         "--max-flows", max(flows, FLOWS_DEFAULT)])
    if done.code != 0:
        raise Wrong("pollflow ended with %d: %s" % (done.code, done.stderr.strip()))
    check_ledger(json.loads(ledger_file.read_text()), packets, min(flows, packets))
    return done.cpu_s


def check_ledger(ledger, packets, flows):
    if ledger["balanced"] is not True:
        raise Wrong("pollflow's ledger does not add up")
    sent = ledger["records"]["sent"]
    expect("packets accounted", ledger["accounted"]["packets"], packets)
    expect("IPv4 octets accounted", ledger["accounted"]["octets"], packets * IPV4_OCTETS)
    expect("octets of frames received", ledger["received"]["octets"], packets * FRAME_OCTETS)
    expect("packets in records sent", sent["packets"], packets)
    expect("octets in records sent", sent["octets"], packets * IPV4_OCTETS)
    expect("flows evicted", ledger["expired"]["evicted"], 0)
    if sent["records"] < flows:
        raise Wrong("pollflow sent %d records of %d flows" % (sent["records"], flows))


def expect(what, found, wanted):
    if found != wanted:
        raise Wrong("%s: %s, but the capture makes %s" % (what, found, wanted))


def run_floor(floor, capture, packets):
    done = cpu_time.run([floor, capture])
    words = done.stdout.split()
    if done.code != 0 or words[0::2][:2] != ["packets", "octets"]:
        raise Wrong("%s ended with %d: %s" % (pathlib.Path(floor).name, done.code, done.stderr.strip()))
    expect("packets that the floor counted", int(words[1]), packets)
    expect("octets that the floor counted", int(words[3]), packets * FRAME_OCTETS)
    return done.cpu_s


class Sink:
    """A UDP socket of the loopback whose few bytes of buffer are soon full: the kernel drops the rest."""

    def __enter__(self):
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self.socket.bind(("127.0.0.1", 0))
        self.address = "127.0.0.1:%d" % self.socket.getsockname()[1]
        return self

    def __exit__(self, *_):
        self.socket.close()


def table(result):
    lines = ["   flows   floor ns/packet   pollflow ns/packet   floor / pollflow"]
    for flows, of_flows in result["flows"].items():
        ns = {name: cpu_time.summary(values)["median"] for name, values in of_flows["ns_per_packet"].items()}
        lines.append("%8s %17.1f %20.1f   %.2f [%.2f..%.2f]" % (
            flows, ns["floor"], ns["pollflow"], *of_flows["ratio_summary"].values()))
    return "\n".join(lines)


def positive(text):
    number = int(text)
    if number < 1:
        raise ValueError(text)
    return number


class Parser(argparse.ArgumentParser):
    def error(self, message):
        print("captures.py: %s; see captures.py --help" % message, file=sys.stderr)
        sys.exit(64)


def main():
    parser = Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pollflow")
    parser.add_argument("floor")
    parser.add_argument("--packets", type=positive, default=4_000_000)
    parser.add_argument("--flows", type=lambda text: [positive(part) for part in text.split(",")],
                        default=[1024, 65536, 1048576])
    parser.add_argument("--pairs", type=positive, default=5)
    parser.add_argument("--json", type=argparse.FileType("w"))
    args = parser.parse_args()
    if args.packets <= FEW_PACKETS:
        parser.error("--packets %d: more than %d are needed" % (args.packets, FEW_PACKETS))
    try:
        result = measure(args.pollflow, args.floor, args.packets, args.flows, args.pairs)
    except Wrong as wrong:
        print("captures.py: %s" % wrong, file=sys.stderr)
        sys.exit(1)
    if args.json:
        json.dump(result, args.json, indent=1)
    print(table(result))


if __name__ == "__main__":
    main()
