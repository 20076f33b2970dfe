"""What EAL options say about lcores, devices and memory. EAL judges them; options not known here are passed over."""

import argparse
import re

from host.command_line import USAGE, Failure
from host.machine import parse_list
from host.nics import full_address


class Layout:
    """Which lcore does what, as pollflow lays them out."""

    def __init__(self, cpus, main=None):
        self.cpus = cpus                                    # lcore -> set of CPUs
        self.main = min(cpus) if main is None else main     # controls
        others = sorted(set(cpus) - {self.main})
        self.exporter = others[-1] if len(others) > 1 else self.main
        self.workers = [lcore for lcore in others if lcore != self.exporter] or [self.main]

    @property
    def worker_cpus(self):
        return set().union(*(self.cpus[lcore] for lcore in self.workers))


class EalOptions:
    def __init__(self, arguments):
        parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False, exit_on_error=False)
        parser.add_argument("-l", dest="core_list")
        parser.add_argument("-c", dest="core_mask")
        parser.add_argument("--lcores")
        parser.add_argument("--main-lcore", type=int)
        parser.add_argument("-a", "--allow", action="append", default=[])
        parser.add_argument("-b", "--block", action="append", default=[])
        parser.add_argument("--vdev", action="append", default=[])
        for flag in ("--no-huge", "--no-pci", "--in-memory"):
            parser.add_argument(flag, action="store_true")
        self.arguments = arguments
        try:
            self.options, _ = parser.parse_known_args(arguments)
        except argparse.ArgumentError as error:
            raise Failure(USAGE, "EAL options: %s" % error) from None
        self.no_huge, self.no_pci = self.options.no_huge, self.options.no_pci
        self.in_memory = self.options.in_memory
        # A vdev is named by the driver that makes it, and a number.
        self.vdev_drivers = {re.sub(r"\d*(,.*)?$", "", vdev) for vdev in self.options.vdev}
        self.allowed = addresses(self.options.allow)
        self.blocked = addresses(self.options.block)

    def layout(self):
        """None when the options name no lcore, or none that can be made out."""
        cpus = self.lcores()
        if not cpus or self.options.main_lcore not in (None, *cpus):
            return None
        return Layout(cpus, self.options.main_lcore)

    def lcores(self):
        """lcore -> set of CPUs it may run on."""
        if self.options.lcores:
            return parse_lcores(self.options.lcores)
        if self.options.core_list:
            return {lcore: {lcore} for lcore in parse_list(self.options.core_list)}
        try:
            mask = int(self.options.core_mask or "0", 16)
        except ValueError:
            return {}
        return {lcore: {lcore} for lcore in range(mask.bit_length()) if mask >> lcore & 1}


def addresses(devices):
    """PCI addresses among the values of -a or -b: "3b:00.0,queues=4" -> "0000:3b:00.0"."""
    found = (full_address(device.split(",")[0].removeprefix("pci:")) for device in devices)
    return [address for address in found if address]


def parse_lcores(text):
    """--lcores: sets with or without the CPUs they run on, "0@0,(1-3)@(4-6),7". Several lcores on a set of CPUs
    may each run on all of it."""
    cpus = {}
    for lcores, at in re.findall(r"(\([^)]*\)|[\d-]+)(?:@(\([^)]*\)|[\d-]+))?", text):
        numbers = parse_list(lcores.strip("()"))
        for number in numbers:
            if at:
                cpus[number] = parse_list(at.strip("()"))
            else:
                cpus[number] = set(numbers) if lcores.startswith("(") else {number}
    return cpus
