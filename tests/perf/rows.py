"""What the benchmarks' samples say about each goal: ratios within one run, medians of its rounds."""

import statistics

SOURCE_TIMES = 3        # a worker that is not as many times slower than its source measures the source


class Row:
    """One goal: name, samples of the figure (one a round), and what it must reach and aims at."""

    def __init__(self, number, name, values, must, aim, at_most, unit="x", note="", decides=False):
        self.number, self.name, self.values = number, name, values
        self.must, self.aim, self.at_most, self.unit, self.note = must, aim, at_most, unit, note
        self.decides = decides      # the command's end

    @property
    def median(self):
        return statistics.median(self.values)

    def reaches(self, goal):
        return self.median <= goal if self.at_most else self.median >= goal

    @property
    def verdict(self):
        return "aim" if self.reaches(self.aim) else "must" if self.reaches(self.must) else "SHORT"

    def as_json(self):
        return {"row": self.number, "case": self.name, "median": self.median, "min": min(self.values),
                "max": max(self.values), "must": self.must, "aim": self.aim, "verdict": self.verdict}


def net(samples):
    """A worker's cycles a packet without its source's, by round."""
    return [worker - null for worker, null in zip(samples["worker"], samples["null"])]


def source_is_fast_enough(samples):
    return statistics.median(samples["worker"]) >= SOURCE_TIMES * statistics.median(samples["null"])


def over(above, below):
    return [a / b for a, b in zip(above, below)]


def worker_rows(cases):
    """`cases`: samples by the case's name, as worker_bench prints them."""
    nets = {name: net(samples) for name, samples in cases.items() if "worker" in samples}
    rows = []

    def beside_raw(number, name, must, aim):
        rows.append(Row(number, "%s beside RAW" % name, over(nets[name], cases[name]["raw"]), must, aim, True,
                        note="%.0f cycles, RAW %.0f" % (statistics.median(nets[name]),
                                                        statistics.median(cases[name]["raw"]))))

    def rate(number, what, fast, slow, must, aim):
        rows.append(Row(number, what, over(nets[fast], nets[slow]), must, aim, False,
                        note="%.0f and %.0f cycles" % (statistics.median(nets[slow]), statistics.median(nets[fast]))))

    beside_raw("1", "uniform 1 M", 2.5, 1.6)
    beside_raw("1", "uniform 4 M", 2.5, 1.6)
    beside_raw("2", "uniform 16 M", 3, 2)
    beside_raw("3", "zipf", 2.5, 1.8)
    beside_raw("3", "campus", 2.5, 1.8)
    for name in ("uniform 1 K", "uniform 64 K"):
        rows.append(Row("4", name, nets[name], 20, 12, True, "cycles"))
    million = cases["uniform 1 M"]
    library = [a - b for a, b in zip(million["library"], million["null"])]
    rows.append(Row("5", "rte_hash in our place, 1 M", over(library, nets["uniform 1 M"]), 2, 3, False,
                    note="%.0f cycles" % statistics.median(library)))
    rows.append(Row("6", "one-packet flows beside hits", over(nets["one-packet flows"], nets["uniform 1 M"]), 2.5, 2,
                    True, note="%.0f cycles" % statistics.median(nets["one-packet flows"])))
    rate("7", "rate with 4 M beside 100 K flows", "uniform 100 K", "uniform 4 M", 0.5, 0.65)
    rate("8", "rate when offered twice what fits", "uniform 1 M", "twice the flows", 0.6, 0.8)
    rate("9", "rate with all RSS hashes equal", "uniform 1 M", "hashes equal", 0.25, 0.5)
    rate("9", "rate with one queue's hashes", "uniform 1 M", "hashes of one queue", 0.95, 1)
    sweep = cases["sweep"]
    rows.append(Row("10", "sweep, 4 M live flows", [100 * share for share in sweep["share"]], 3, 1, True, "% of cycles",
                    note="lets %.0f flows a second go" % statistics.median(sweep["flows"])))
    two = cases["two workers"]
    rows.append(Row("13", "two workers beside one", [a + b for a, b in zip(over(two["alone"], two["first"]),
                                                                           over(two["alone"], two["second"]))],
                    1.8, 1.95, False))
    return rows


def chosen_row(samples, pages):
    """The set of flows that costs most, beside random ones: `samples` by the set's name, and what memory tables had."""
    chosen = dict(samples)
    random = chosen.pop("random")
    worst = max(chosen, key=lambda name: statistics.median(chosen[name]))
    return Row("14", "chosen flows beside random, the worst", chosen[worst], 1.1, 1.05, True,
               note="%s, of %d; random %.0f cycles; %s" % (worst, len(chosen), statistics.median(random), pages),
               decides=pages == "reserved huge pages")


def export_rows(cycles):
    """`cycles` a record by subject, as export_bench prints them."""
    return [Row("11", "export, a send each", over(cycles["bare_send"], cycles["export_send"]), 0.8, 0.95, False,
                note="%.0f cycles a record" % statistics.median(cycles["export_send"])),
            Row("11", "export, in rows (GSO)", over(cycles["bare_gso"], cycles["export_gso"]), 0.8, 0.95, False,
                note="%.0f cycles a record" % statistics.median(cycles["export_gso"]))]


def capture_rows(flows):
    """As captures.measure() gives them."""
    return [Row("12", "--read beside bare net_pcap, %s flows" % count, of_flows["ratio"], 0.6, 0.8, False,
                note="%.0f and %.0f ns" % (statistics.median(of_flows["ns_per_packet"]["pollflow"]),
                                           statistics.median(of_flows["ns_per_packet"]["floor"])))
            for count, of_flows in flows.items()]


def table(rows):
    lines = ["%3s  %-38s %8s  %-17s %6s %6s  %-5s %s" % ("row", "case", "median", "min .. max", "must", "aim", "", "")]
    for row in sorted(rows, key=lambda row: int(row.number)):
        bound = "<=" if row.at_most else ">="
        lines.append("%3s  %-38s %8.2f  %-17s %6s %6s  %-5s %s" % (
            row.number, row.name, row.median, "%.2f .. %.2f" % (min(row.values), max(row.values)),
            bound + "%g" % row.must, bound + "%g" % row.aim, row.verdict,
            ", ".join(part for part in (row.unit if row.unit != "x" else "", row.note) if part)))
    return "\n".join(line.rstrip() for line in lines)
