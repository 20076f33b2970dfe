"""Reads options and examples out of --help, man pages (mdoc) and the tables of docs/reference."""

import collections
import pathlib
import re

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
MAN = REPOSITORY / "docs/man"
REFERENCE = REPOSITORY / "docs/reference"
OPERATING = REPOSITORY / "docs/operating"
COMMON = ""                     # stands for a command where options go with all commands

# value: how the page calls what the option takes, "" for a switch; default: "" when none is told
Option = collections.namedtuple("Option", "value default")


def help_options(text):
    """{name: Option} of what --help lists; a default is what the sentence ends with in brackets."""
    options = {}
    for name, value, sentence in re.findall(r"^  --([a-z-]+)(?: (\S+))? +(\S.*)$", text, re.MULTILINE):
        default = re.search(r" \(([^()]*)\)$", sentence)
        options[name] = Option(value, default[1] if default else "")
    return options


def help_commands(ask):
    """{command: {name: Option}}, COMMON the first; ask(*arguments) answers as pollflowctl does."""
    main = ask("--help")
    commands = {COMMON: help_options(main)}
    for command in re.findall(r"^  ([a-z-]+) ", main.partition("\nCommands\n")[2].partition("\n\n")[0], re.MULTILINE):
        own = ask(command, "--help").partition("\nOptions of every command:")[0]
        commands[command] = help_options(own)
    return commands


def plain(text):
    """mdoc's text without its escapes."""
    return text.replace("\\-", "-").replace("\\(aq", "'").replace("\\e", "\\").replace("\\(ha", "^")


def man_options(page):
    """{command: {name: Option}} of the items of a page; a page without commands has all under COMMON."""
    commands = {COMMON: {}}
    command = COMMON
    for line in plain(page.read_text()).partition(".Ss FILTERS")[0].splitlines():
        if item := re.match(r"\.It Cm ([a-z-]+)", line):
            command = item[1]
            commands[command] = {}
        elif item := re.match(r"\.It Fl -([a-z-]+)(?: Ar (\S+))?$", line):
            name = item[1]
            commands[command][name] = Option(item[2] or "", "")
        elif default := re.match(r"Default: (.*)\.$", line):
            commands[command][name] = commands[command][name]._replace(default=default[1])
    return commands


def man_keys(page):
    """{key: Option} of the columns key, value, default."""
    rows = re.findall(r"^\.It Ic (\S+) Ta (?:Ar|Cm) (\S+) Ta ?(.*)$", plain(page.read_text()), re.MULTILINE)
    return {key: Option(value, default) for key, value, default in rows}


def table_rows(text):
    """The cells of each row of Markdown's tables, without their backticks."""
    for line in text.splitlines():
        if line.startswith("| "):
            cells = re.split(r"(?<!\\)\|", line)[1:-1]
            yield [cell.strip().replace("`", "").replace("\\|", "|") for cell in cells]


def table_options(page):
    """{name: Option} of the rows that begin with an option; the last column is the default."""
    options = {}
    for first, *_, last in table_rows(page.read_text()):
        named = re.findall(r"--([a-z][a-z-]*)(?: ([^\s,]+))?", first) if first.startswith("--") else []
        # A row of two options has two defaults.
        defaults = last.split(", ") if len(named) > 1 and last else [last] * len(named)
        options.update((name, Option(value, default)) for (name, value), default in zip(named, defaults, strict=True))
    return options


def table_commands(page):
    """{command: {names of its options}} of the page's table of commands."""
    table = page.read_text().partition("\n| command |")[2].partition("\n\n")[0]
    return {first.split()[0]: set(re.findall(r"--([a-z-]+)", first))
            for first, *_ in table_rows(table) if not first.startswith("---")}


def mentioned(page):
    """Every name that the page writes as a long option."""
    return set(re.findall(r"(?:(?<![\w-])-|\bFl )-([a-z][a-z-]*)", plain(page.read_text())))


def examples(page):
    """The EXAMPLES of a page, each as it would be typed."""
    section = plain(page.read_text()).partition("\n.Sh EXAMPLES\n")[2].partition("\n.Sh ")[0]
    blocks = re.findall(r"^\.Dl (.*)$|^\.Bd -literal.*\n((?:.*\n)*?)\.Ed$", section, re.MULTILINE)
    return [(line or block).replace("\\\n", " ").strip() for line, block in blocks]


def names_in_tables(page):
    """What stands in backquotes in the first two columns of a page's tables."""
    rows = [line.split("|")[1:3] for line in page.read_text().splitlines() if line.startswith("|")]
    return {name for cells in rows for cell in cells for name in re.findall(r"`(\w+)`", cell)}


UNITS = ("_frame_octets", "_packets", "_octets", "_records", "_flows")


def without_unit(name):
    for unit in UNITS:
        if name.endswith(unit):
            return name[:-len(unit)]
    return name


def counters_of(ledger):
    """Names of what a ledger's JSON counts, as telemetry has them: records.lost.ring_full is lost_ring_full, and
    received.octets is received."""
    found = set()
    for name, value in ledger.items():
        if name in ("lost", "skipped", "expired"):
            found |= {"%s_%s" % (name, reason) for reason in value}
        elif isinstance(value, list):
            found |= set().union(*(counters_of(each) for each in value))
        elif name in ("records", "flows_out"):
            found |= counters_of(value)
        else:
            found.add(name)
    return found
