"""The programs that scripts/bench-peers times: how each is run over a capture, and what it says it counted.

Each has name, program (None when it is not there), version() and run(capture, folder) -> Run. A run has a
folder of its own, empty. Failed: the program ended badly, or does not say what it counted.
"""

import collections
import csv
import json
import pathlib
import re
import shutil
import subprocess
import sys

import cpu_time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))
import pollflow_runner      # noqa: E402
import reference            # noqa: E402
import v5                   # noqa: E402

FLOWS_MAX = 1048576         # pollflow's default, and so everybody's

Run = collections.namedtuple("Run", "cpu_s packets octets records")


class Failed(Exception):
    """One sentence."""


def first_number(command, pattern):
    """What a program says of its version."""
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=30, check=False)
    found = re.search(pattern, done.stdout + done.stderr)
    return found.group(1) if found else "unknown"


def timed(name, command, codes=(0,)):
    done = cpu_time.run(command)
    if done.code not in codes:
        said = (done.stderr.strip() or done.stdout.strip() or "nothing").splitlines()[-1]
        raise Failed("%s ended with %d and said: %s" % (name, done.code, said))
    return done


def with_collector(name, command_for):
    """Runs command_for(HOST:PORT) and adds up the v5 records that came."""
    with pollflow_runner.Collector() as collector:
        done = timed(name, command_for(collector.address))
        try:
            datagrams = collector.finish()
        except AssertionError as dropped:
            raise Failed("%s: %s" % (name, dropped)) from dropped
    problems = [problem for each in datagrams for problem in v5.lint_length(each, 30)]
    if problems:
        raise Failed("%s sent a datagram that is not NetFlow v5: %s" % (name, problems[0]))
    packets = octets = records = 0
    for datagram in datagrams:
        for record in v5.records(datagram):
            packets += record.packets
            octets += record.octets
            records += 1
    return Run(done.cpu_s, packets, octets, records)


class Pollflow:
    name = "pollflow --read"

    def __init__(self, program):
        self.program = program

    def version(self):
        return first_number([self.program, "--version"], r"pollflow (\S+)")

    def run(self, capture, folder):
        ledger_file = folder / "ledger.json"
        run = with_collector(self.name, lambda collector: [
            self.program, "--read", capture, "--collector", collector, "--ledger", ledger_file])
        ledger = json.loads(ledger_file.read_text())
        sent, accounted = ledger["records"]["sent"], ledger["accounted"]
        said = (accounted["packets"], accounted["octets"], sent["records"])
        if ledger["balanced"] is not True or said != run[1:]:
            raise Failed("pollflow's ledger has %d packets, %d octets, %d records; the collector has %d, %d, %d"
                         % (*said, *run[1:]))
        return run


class PcapFloor:
    """libpcap alone; packets and octets are of frames."""

    name = "libpcap alone"

    def __init__(self, program):
        self.program = program

    def version(self):
        return ".".join(map(str, reference.libpcap_version()))

    def run(self, capture, _):
        done = timed(self.name, [self.program, capture])
        found = re.match(r"packets (\d+) octets (\d+) ", done.stdout)
        if not found:
            raise Failed("%s printed %r" % (self.name, done.stdout))
        return Run(done.cpu_s, int(found.group(1)), int(found.group(2)), 0)


class Softflowd:
    """Exports v5, as pollflow does."""

    name = "softflowd"
    package = "softflowd"
    note = "v5 to the same kind of collector"

    def __init__(self):
        self.program = shutil.which("softflowd")

    def version(self):
        return first_number([self.program, "-h"], r"version ([\w.]+\w)")

    def run(self, capture, folder):
        return with_collector(self.name, lambda collector: [
            self.program, "-r", capture, "-n", collector, "-v", "5", "-m", FLOWS_MAX, "-d",
            "-p", folder / "pid", "-c", "none"])


class Nfpcapd:
    """Writes nfdump's files, which nfdump adds up."""

    name = "nfpcapd"
    package = "nfdump"
    note = "files of its own, no export; IPv4 of them counted"

    def __init__(self):
        self.program = shutil.which("nfpcapd") if shutil.which("nfdump") else None

    def version(self):
        return first_number([self.program, "-V"], r"Version: (?:\S*?)(\d[\w.]*)")

    def run(self, capture, folder):
        done = timed(self.name, [self.program, "-r", capture, "-w", folder, "-B", FLOWS_MAX])
        listed = subprocess.run(["nfdump", "-R", folder, "-N", "-o", "null", "ipv4"], capture_output=True,
                                text=True, timeout=cpu_time.TIMEOUT_S, check=False).stdout
        found = re.search(r"total flows: (\d+), total bytes: (\d+), total packets: (\d+)", listed)
        if not found:
            raise Failed("nfdump does not say what nfpcapd wrote: %r" % listed[-200:])
        records, octets, packets = map(int, found.groups())
        return Run(done.cpu_s, packets, octets, records)


class Pmacctd:
    """Aggregates by 5-tuple and prints CSV. Its core hands packets to the plugin through a ring that may overrun."""

    name = "pmacctd"
    package = "pmacct"
    note = "print plugin, CSV, no export; IPv4 of it counted"
    configuration = """daemonize: false
pcap_savefile: {capture}
plugins: print[five]
aggregate[five]: src_host, dst_host, src_port, dst_port, proto
print_output[five]: csv
print_output_file[five]: {folder}/flows.csv
print_output_file_append[five]: true
print_refresh_time[five]: 86400
print_cache_entries[five]: 65537
print_max_writers[five]: 99
plugin_buffer_size: 1024000
plugin_pipe_size: 256000000
"""

    def __init__(self):
        self.program = shutil.which("pmacctd")

    def version(self):
        return first_number([self.program, "-V"], r"pmacctd (\S+)")

    def run(self, capture, folder):
        (folder / "pmacctd.conf").write_text(self.configuration.format(capture=capture, folder=folder))
        done = timed(self.name, [self.program, "-f", folder / "pmacctd.conf"])
        packets = octets = records = 0
        try:
            with open(folder / "flows.csv", newline="", encoding="ascii") as file:
                for row in csv.DictReader(file):
                    if row["SRC_IP"] != "SRC_IP" and ":" not in row["SRC_IP"]:
                        packets += int(row["PACKETS"])
                        octets += int(row["BYTES"])
                        records += 1
        except (FileNotFoundError, KeyError, ValueError, TypeError) as error:
            raise Failed("pmacctd's CSV cannot be read: %r" % error) from error
        return Run(done.cpu_s, packets, octets, records)


OTHERS = (Softflowd, Nfpcapd, Pmacctd)
