"""What a soak must hold to, and whether it did."""

import pollflow_runner as runner
import samples

LOSS_MAX = 1e-7             # of the frames offered
RSS_SPREAD_KIB_MAX = 1024   # also for a moment
RSS_SPREAD_SANITIZED_KIB_MAX = 4096     # a thread has 2 MiB of AddressSanitizer's while it lives
RSS_TREND_KIB_MAX = 512     # over the whole soak


class Row:
    """One bound: its name, the figure, what it must be, and whether it is."""

    def __init__(self, name, figure, bound, holds):
        self.name, self.figure, self.bound, self.holds = name, str(figure), bound, bool(holds)

    def as_json(self):
        return {"bound": self.name, "figure": self.figure, "must be": self.bound, "holds": self.holds}


def judge(outcome):
    """`outcome`: what soak.run() returns."""
    return [*memory_rows(outcome["samples"], outcome["sanitized"]), *traffic_rows(outcome), *ledger_rows(outcome), *collector_rows(outcome),
            *fault_rows(outcome)]


def memory_rows(all_samples, sanitized):
    kept = samples.after_warm_up(all_samples)
    spread = max(sample.peak_kib for sample in kept) - min(sample.rss_kib for sample in kept)
    spread_max = RSS_SPREAD_SANITIZED_KIB_MAX if sanitized else RSS_SPREAD_KIB_MAX
    looks = [sample.rss_kib for sample in kept]
    trend = samples.trend(kept)
    rows = [Row("resident memory, most seen less least", "%d KiB" % (max(looks) - min(looks)),
                "<= %d KiB" % RSS_SPREAD_KIB_MAX, max(looks) - min(looks) <= RSS_SPREAD_KIB_MAX),
            Row("resident memory, most at any moment less least", "%d KiB of %d" % (spread, kept[-1].rss_kib),
                "<= %d KiB" % spread_max, spread <= spread_max),
            Row("resident memory, trend from begin to end", "%+.0f KiB" % trend, "<= %d KiB" % RSS_TREND_KIB_MAX,
                trend <= RSS_TREND_KIB_MAX)]
    for name in ("descriptors", "threads"):
        floors = samples.floors([getattr(sample, name) for sample in kept])
        rows.append(Row("%s, least of each %d samples" % (name, samples.WINDOW),
                        "%d .. %d" % (min(floors), max(floors)), "constant", min(floors) == max(floors)))
    return rows


def traffic_rows(outcome):
    sent, ledger = outcome["sent"], outcome["ledger"]
    port, second = ledger["ports"]
    lost, less = sent["packets"] - port["received"], missing(outcome)
    rate, rate_min = sent["frames"] / sent["seconds"], outcome["rate_held"] * outcome["rate"]
    return [Row("frames a second", "%.0f" % rate, ">= %.0f" % rate_min, rate >= rate_min),
            Row("lost, of %d offered" % sent["packets"], "%d" % lost, "0 .. %d" % int(LOSS_MAX * sent["packets"]),
                0 <= lost <= LOSS_MAX * sent["packets"]),
            Row("less of any kind than was sent", "more, or other octets" if less is None else less,
                "%d, as lost" % lost, less == lost),
            Row("second port, whose link flaps", "%d frames" % second["received"], "%d" % outcome["second_sent"],
                second["received"] == outcome["second_sent"])]


def missing(outcome):
    """Packets that are not in the ledger under the name that they were sent as; None when it has more of a kind than
    were sent, or octets that differ where packets do not."""
    sent, ledger = outcome["sent"], outcome["ledger"]
    second = ledger["ports"][1]["received"]
    accounted = {"packets": ledger["accounted"]["packets"] - second,
                 "octets": ledger["accounted"]["octets"] - second * outcome["second_octets"],
                 "frame_octets": ledger["accounted"]["frame_octets"] - second * outcome["second_frame_octets"]}
    total = 0
    for here, there in [(sent["accounted"], accounted),
                        *((sent["skipped"][name], ledger["skipped"][name]) for name in ledger["skipped"])]:
        less = {unit: here[unit] - there[unit] for unit in here}
        if any(number < 0 or (number == 0) != (less["packets"] == 0) for number in less.values()):
            return None
        total += less["packets"]
    return total


def ledger_rows(outcome):
    asked, broken = outcome["ledgers_asked"], outcome["ledgers_broken"]
    return [Row("ledger while it runs", "%d of %d broken" % (len(broken), asked), "0", asked > 0 and not broken),
            Row("ledger at the end", trouble(outcome["ledger"]) or "exact", "exact", not trouble(outcome["ledger"])),
            Row("exit code", outcome["code"], "0", outcome["code"] == 0)]


def trouble(ledger):
    """What does not add up, worked out here."""
    try:
        runner.PollflowTest().assert_adds_up(ledger)
    except AssertionError as error:
        return str(error).splitlines()[0]
    return ""


def collector_rows(outcome):
    rows, sent = [], outcome["ledger"]["records"]["sent"]
    steady, restless = outcome["collectors"]
    there = outcome["ledger"]["collectors"][1]
    for name in ("records", "packets", "octets"):
        rows.append(Row("steady collector: " + name, steady[name], "%d sent" % sent[name], steady[name] == sent[name]))
    lost = sum(of["records"] for of in outcome["ledger"]["records"]["lost"].values())
    rows.append(Row("steady collector: sequence gaps", steady["missed"], "%d lost" % lost, steady["missed"] == lost))
    unseen = lost + there["records_failed"] + there["records_refused"]
    rows.append(Row("collector that goes: sequence gaps", restless["missed"], "%d lost or refused" % unseen,
                    restless["missed"] == unseen))
    bad = sum(each["damaged"] + each["dropped"] for each in (steady, restless))
    return [*rows, Row("datagrams damaged, or dropped for want of room", bad, "0", bad == 0)]


def fault_rows(outcome):
    done, failures = outcome["faults"], outcome["fault_failures"]
    return [Row("faults, each answered as it should be", "%d of %d kinds" % (sum(done.values()), len(done)),
                "no failure", not failures and all(done.values()))]


def table(rows):
    width = max(len(row.name) for row in rows)
    lines = ["%-*s  %-30s %-24s" % (width, "bound", "figure", "must be")]
    lines += ["%-*s  %-30s %-24s %s" % (width, row.name, row.figure, row.bound, "" if row.holds else "DOES NOT HOLD")
              for row in rows]
    return "\n".join(line.rstrip() for line in lines)


def sentence(rows):
    failed = [row.name for row in rows if not row.holds]
    if not failed:
        return "soak: all %d bounds hold" % len(rows)
    return "soak: %d of %d bounds do not hold: %s" % (len(failed), len(rows), "; ".join(failed))
