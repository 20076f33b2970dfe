"""A strict reader of OpenMetrics 1.0's text format: whatever the specification forbids raises Malformed."""

import collections
import re

SUFFIXES = {"gauge": {""}, "counter": {"_total", "_created"}, "stateset": {""}, "info": {"_info"},
            "histogram": {"_bucket", "_count", "_sum", "_created"}, "unknown": {""}}
METADATA = re.compile(r"# (TYPE|UNIT|HELP) ([a-zA-Z_:][a-zA-Z0-9_:]*) (.+)")
SAMPLE = re.compile(r"([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)")
LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\[\\"n])*)"(?:,(?=[a-zA-Z_])|$)')
NUMBER = re.compile(r"\d+(\.\d+)?")

Family = collections.namedtuple("Family", "name metadata samples")
Sample = collections.namedtuple("Sample", "name labels value")


class Malformed(Exception):
    pass


def need(condition, what, line):
    if not condition:
        raise Malformed("%s: %r" % (what, line))


def parse(page):
    """The families of a page by name."""
    need(page.endswith("\n# EOF\n"), "does not end with its end", page[-20:])
    families, family = {}, None
    for line in page[:-len("# EOF\n")].splitlines():
        if line.startswith("#"):
            family = read_metadata(line, families, family)
        else:
            need(family is not None, "a sample before any family", line)
            family.samples.append(read_sample(line, family))
    for family in families.values():
        check(family)
    samples = collections.Counter(name for family in families.values() for name in
                                  {sample.name for sample in family.samples})
    need(not samples or max(samples.values()) == 1, "one name in two families", samples.most_common(1))
    return families


def read_metadata(line, families, family):
    match = METADATA.fullmatch(line)
    need(match, "no metadata", line)
    kind, name, text = match.groups()
    if family is None or family.name != name:
        need(name not in families, "a family in two places", line)
        family = families[name] = Family(name, {}, [])
    need(not family.samples, "metadata behind samples", line)
    need(kind not in family.metadata, "metadata given twice", line)
    family.metadata[kind] = text
    return family


def read_sample(line, family):
    match = SAMPLE.fullmatch(line)
    need(match, "no sample", line)
    name, labels, value = match.groups()
    need(name.startswith(family.name), "a sample in another family", line)
    need(NUMBER.fullmatch(value), "a value that pollflow would not write", line)
    return Sample(name, read_labels(labels or "", line), float(value))


def read_labels(text, line):
    labels, at = {}, 0
    while at < len(text):
        match = LABEL.match(text, at)
        need(match, "no label", line)
        need(match[1] not in labels, "a label twice", line)
        labels[match[1]] = re.sub(r"\\(.)", lambda m: "\n" if m[1] == "n" else m[1], match[2])
        at = match.end()
    return labels


def check(family):
    kind = family.metadata.get("TYPE")
    need(kind in SUFFIXES, "a type that is none", family)
    need(family.metadata.get("HELP"), "no help", family.name)
    unit = family.metadata.get("UNIT")
    need(unit is None or family.name.endswith("_" + unit), "a unit that the name does not end with", family.name)
    need(unit is None or kind not in ("info", "stateset"), "a unit of what has none", family.name)
    seen = set()
    for sample in family.samples:
        need(sample.name[len(family.name):] in SUFFIXES[kind], "a suffix that the type does not have", sample)
        series = (sample.name, frozenset(sample.labels.items()))
        need(series not in seen, "a sample twice", sample)
        seen.add(series)
        if kind == "stateset":
            need(family.name in sample.labels and sample.value in (0, 1), "no state", sample)
        if kind == "info":
            need(sample.value == 1, "an info that is not 1", sample)
    if kind == "histogram":
        check_histogram(family)


def check_histogram(family):
    """Of one histogram without labels of its own."""
    buckets = [(sample.labels["le"], sample.value) for sample in family.samples if "le" in sample.labels]
    bounds = [float(bound) for bound, _ in buckets]
    counts = [count for _, count in buckets]
    need(bounds == sorted(bounds) and bounds[-1] == float("inf"), "bounds out of order", bounds)
    need(all("." in bound or bound == "+Inf" for bound, _ in buckets), "bounds that are not floats", buckets)
    need(counts == sorted(counts), "buckets that count down", counts)
    total = [sample.value for sample in family.samples if sample.name == family.name + "_count"]
    need(total == counts[-1:], "a count that is not the last bucket's", family.samples)


def sample_names(families):
    return {sample.name for family in families.values() for sample in family.samples}
