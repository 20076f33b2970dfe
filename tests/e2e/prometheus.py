"""A real Prometheus with the shipped alerts, from Debian's package: 19 MB to fetch, 96 MB unpacked, not installed.

POLLFLOW_PROMETHEUS_CACHE   the folder; without it ~/.cache/pollflow-prometheus
"""

import datetime
import json
import pathlib
import socket
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.error
import urllib.parse
import urllib.request

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPOSITORY / "tests/support"))

import debian_packages  # noqa: E402

SHIPPED = REPOSITORY / "docs/operating/prometheus"
RULES = SHIPPED / "pollflow.rules.yml"
PATIENCE_S = 60
INTERVAL_S = 1

CONFIGURATION = """\
global: {{scrape_interval: {interval}s, scrape_timeout: {interval}s, evaluation_interval: {interval}s}}
rule_files: [{rules}]
scrape_configs:
  - job_name: pollflow
    static_configs: [{{targets: ['{target}']}}]
"""


def program(name):
    """prometheus or promtool, fetched first when it is not there yet; a skip that says why when it cannot be had."""
    try:
        root = debian_packages.unpacked("POLLFLOW_PROMETHEUS_CACHE", "~/.cache/pollflow-prometheus",
                                        lambda apt: apt.get("download", "prometheus"))
        return debian_packages.one(root, "usr/bin/" + name)
    except debian_packages.Unavailable as error:
        raise unittest.SkipTest("no Prometheus: %s" % error) from error


def promtool(*arguments):
    """What promtool said, and whether it is content."""
    done = subprocess.run([program("promtool"), *map(str, arguments)], stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=PATIENCE_S)
    return done.returncode == 0, done.stdout


def free_address():
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return "127.0.0.1:%d" % probe.getsockname()[1]


class Prometheus:
    """Scrapes target (HOST:PORT) each second and judges the shipped alerts each second.

    with Prometheus("127.0.0.1:9477") as prometheus:
        prometheus.wait_until(prometheus.scraped, "a scrape")
        prometheus.alerts()
    """

    def __init__(self, target):
        self.program = program("prometheus")
        self.target = target

    def __enter__(self):
        self.folder = tempfile.TemporaryDirectory()
        folder = pathlib.Path(self.folder.name)
        self.address = free_address()
        (folder / "prometheus.yml").write_text(CONFIGURATION.format(
            interval=INTERVAL_S, rules=RULES, target=self.target))
        self.log = open(folder / "log", "w+")
        self.process = subprocess.Popen(
            [self.program, "--config.file=%s" % (folder / "prometheus.yml"),
             "--storage.tsdb.path=%s" % (folder / "data"), "--web.listen-address=" + self.address],
            cwd=folder, stdin=subprocess.DEVNULL, stdout=self.log, stderr=subprocess.STDOUT)
        try:
            self.wait_until(self.ready, "Prometheus is ready")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        self.process.terminate()
        try:
            self.process.wait(timeout=PATIENCE_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.log.close()
        self.folder.cleanup()

    def wait_until(self, condition, what, seconds=PATIENCE_S):
        deadline = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > deadline or self.process.poll() is not None:
                self.log.seek(0)
                raise AssertionError("not within %d s: %s; Prometheus said:\n%s" % (seconds, what, self.log.read()))
            time.sleep(0.05)

    def ready(self):
        try:
            with urllib.request.urlopen("http://%s/-/ready" % self.address, timeout=5) as answer:
                return answer.status == 200
        except (urllib.error.URLError, ConnectionError):
            return False

    def get(self, path, **parameters):
        query = "http://%s/api/v1/%s?%s" % (self.address, path, urllib.parse.urlencode(parameters))
        with urllib.request.urlopen(query, timeout=10) as answer:
            return json.load(answer)["data"]

    def query(self, expression):
        """The instant vector now: [(labels, value)]."""
        return [(one["metric"], float(one["value"][1]))
                for one in self.get("query", query=expression)["result"]]

    def scraped(self, since=0.0):
        """Whether a scrape succeeded after that Unix time."""
        return any(value > since for _, value in
                   self.query("timestamp(up{job='pollflow'}) and up{job='pollflow'} == 1"))

    def settle(self):
        """Waits until what is served now was scraped and judged: each rule evaluated after the scrape."""
        begun = time.time()
        self.wait_until(lambda: self.scraped(begun), "a scrape; targets: %r" % self.get("targets"))
        # Rules are evaluated for a moment that may lie an interval before they are.
        enough = time.time() + INTERVAL_S
        self.wait_until(lambda: self.judged(enough), "every rule evaluated")

    def judged(self, since):
        groups = self.get("rules")["groups"]
        return bool(groups) and all(
            datetime.datetime.fromisoformat(group["lastEvaluation"]).timestamp() > since for group in groups)

    def alerts(self):
        """Those that fire: {(name, equation or "")}."""
        return {(alert["labels"]["alertname"], alert["labels"].get("equation", ""))
                for alert in self.get("alerts")["alerts"] if alert["state"] == "firing"}

    def broken_equations(self):
        """Those for which the ledger's alert fires."""
        return {equation for name, equation in self.alerts() if name == "PollflowLedgerBroken"}

    def expect_broken(self, equations, perhaps=frozenset()):
        """Waits until the alert fires for these and no others: on a busy machine a scrape may come too late."""
        self.settle()
        try:
            self.wait_until(lambda: self.broken_equations() - perhaps == equations, "alerts for %s" % equations)
        except AssertionError as late:
            raise AssertionError("alerts fire for %s, not %s" % (self.broken_equations(), equations)) from late

    def rule_errors(self):
        return [(rule["name"], rule["lastError"]) for group in self.get("rules")["groups"]
                for rule in group["rules"] if rule["health"] != "ok"]
