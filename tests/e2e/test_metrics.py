#!/usr/bin/env python3
"""What stands around the page for Prometheus: alerts, dashboard and docs name what is on it, and the alerts,
judged by a real Prometheus, fire when one term of the page is wrong and only then.

POLLFLOW_METRICS_PAGE   the program that prints a page
"""

import contextlib
import http.server
import json
import os
import pathlib
import re
import subprocess
import tempfile
import threading
import unittest

import openmetrics
import prometheus

OPERATING = prometheus.REPOSITORY / "docs/operating"
DASHBOARD = OPERATING / "grafana/pollflow.json"
METRIC = re.compile(r"\bpollflow_[a-z0-9_]+\b")
NO_METRICS = {"pollflow_port_link"}         # the label of the state set is called as the metric is


def page():
    program = os.environ.get("POLLFLOW_METRICS_PAGE", "")
    if not program:
        raise unittest.SkipTest("POLLFLOW_METRICS_PAGE is not set: the program that the build makes of metrics_page.cpp")
    return subprocess.run([program], check=True, capture_output=True, text=True).stdout


def with_term(text, sample, value):
    """The page with one sample's value changed."""
    changed, count = re.subn(r"(?m)^%s \S+$" % re.escape(sample), lambda _: "%s %s" % (sample, value), text)
    assert count == 1, "%d times on the page: %s" % (count, sample)
    return changed


def value_of(text, sample):
    return int(re.search(r"(?m)^%s (\d+)$" % re.escape(sample), text)[1])


class PageTest(unittest.TestCase):

    def test_the_page_is_openmetrics(self):
        families = openmetrics.parse(page())
        self.assertGreater(len(families), 50)
        for family in families.values():
            self.assertTrue(family.samples, family.name)

    def test_a_strict_reader_notices(self):
        good = page()
        for wrong in (good[:-1], good + "\n", good.replace("# EOF\n", ""), good.replace("_total ", " ", 1),
                      good.replace('le="1.0"', 'le="1"'), good.replace('le="5.0"', 'le="0.5"'),
                      good.replace("# HELP", "# HLEP", 1), good.replace(" octets\n", " bytes\n", 1),
                      good.replace('reason="arp"', 'reason="ipv6"', 1), good.replace('reason="arp"', "reason=arp", 1),
                      good.replace('driver="net_ice"', 'driver="net"ice"', 1), with_term(good, "pollflow_tsc_hertz", "")):
            self.assertNotEqual(wrong, good)
            with self.assertRaises(openmetrics.Malformed):
                openmetrics.parse(wrong)

    def test_the_docs_name_each_metric_and_no_other(self):
        named = set(METRIC.findall((OPERATING / "metrics.md").read_text()))
        families = openmetrics.parse(page())
        on_page = openmetrics.sample_names(families) - {"pollflow_expiry_lateness_seconds_sum",
                                                        "pollflow_expiry_lateness_seconds_count"}
        self.assertEqual(sorted(named - on_page), [], "in metrics.md, not on the page")
        self.assertEqual(sorted(on_page - named), [], "on the page, not in metrics.md")

    def test_alerts_and_dashboard_name_what_is_on_the_page(self):
        on_page = openmetrics.sample_names(openmetrics.parse(page()))
        for path in (prometheus.RULES, DASHBOARD):
            text = path.read_text()
            if path.suffix == ".json":
                text = "\n".join(expressions(json.loads(text)))
            named = set(METRIC.findall(text))
            self.assertGreater(len(named), 20)
            self.assertEqual(sorted(named - on_page), [], path.name)

    def test_the_docs_explain_each_alert(self):
        alerts = set(re.findall(r"- alert: (\w+)", prometheus.RULES.read_text()))
        self.assertEqual(alerts - set(re.findall(r"`(Pollflow\w+)`", (OPERATING / "metrics.md").read_text())), set())


class PromtoolTest(unittest.TestCase):

    def check(self, *arguments):
        content, said = prometheus.promtool(*arguments)
        self.assertTrue(content, said)

    def test_rules_and_configuration_are_right(self):
        self.check("check", "rules", prometheus.RULES)
        self.check("check", "config", prometheus.SHIPPED / "prometheus.yml")

    def test_each_alert_is_silent_in_health_and_fires_on_its_fault(self):
        tests = prometheus.SHIPPED / "pollflow.rules.test.yml"
        self.check("test", "rules", tests)
        fired = set(re.findall(r'labels: .\{alertname="(\w+)"', tests.read_text()))
        self.assertEqual(set(re.findall(r"- alert: (\w+)", prometheus.RULES.read_text())) - fired, set())

    def test_the_dashboard_asks_what_prometheus_understands(self):
        asked = sorted({re.sub(r"\$__rate_interval|\$__range", "5m", one) for one in
                        expressions(json.loads(DASHBOARD.read_text()))})
        rules = [{"record": "panel_%d" % i, "expr": one} for i, one in enumerate(asked)]
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder, "asked.yml")
            # JSON is YAML, too.
            path.write_text(json.dumps({"groups": [{"name": "dashboard", "rules": rules}]}))
            self.check("check", "rules", path)


class DashboardTest(unittest.TestCase):

    def setUp(self):
        self.dashboard = json.loads(DASHBOARD.read_text())
        self.panels = self.dashboard["panels"]

    def test_what_grafana_needs_is_there(self):
        for key in ("title", "uid", "schemaVersion", "panels", "templating", "time", "tags"):
            self.assertIn(key, self.dashboard)
        self.assertIsNone(self.dashboard["id"])         # Grafana gives one
        self.assertIn("datasource", [one["name"] for one in self.dashboard["templating"]["list"]])
        ids = [panel["id"] for panel in self.panels]
        self.assertEqual(len(ids), len(set(ids)))
        for panel in self.panels:
            self.assertTrue(panel["title"])
            if panel["type"] == "row":
                continue
            self.assertEqual(panel["datasource"], {"type": "prometheus", "uid": "${datasource}"})
            self.assertTrue(panel["targets"], panel["title"])
            self.assertEqual(len({target["refId"] for target in panel["targets"]}), len(panel["targets"]))
            self.assertIn("unit", panel["fieldConfig"]["defaults"], panel["title"])

    def test_no_panel_lies_on_another(self):
        taken = set()
        for panel in self.panels:
            at = panel["gridPos"]
            self.assertLessEqual(at["x"] + at["w"], 24, panel["title"])
            cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
            self.assertEqual(taken & cells, set(), panel["title"])
            taken |= cells


def expressions(dashboard):
    return [target["expr"] for panel in dashboard["panels"] for target in panel.get("targets", [])]


@contextlib.contextmanager
def served(pages):
    """Serves pages[0] as pollflow does; yields HOST:PORT."""
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            body = pages[0].encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/openmetrics-text; version=1.0.0; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield "127.0.0.1:%d" % server.server_address[1]
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


# A term that is off by one (or two: octets may be off by their rounding only) and the equations it breaks.
ONE_TERM_WRONG = (
    ('pollflow_port_offered_packets_total{port="0",driver="net_ice"}', {"offered packets"}),
    ('pollflow_queue_packets_total{port="0",queue="1",lcore="2"}', {"queue packets"}),
    ("pollflow_accounted_frame_octets_total", {"received octets"}),
    ('pollflow_skipped_packets_total{reason="arp"}', {"received packets"}),
    ("pollflow_in_tables_packets", {"accounted packets"}),
    ("pollflow_accounted_octets_total", {"accounted octets"}),
    ("pollflow_in_rings_records", {"created records"}),
    ('pollflow_lost_packets_total{reason="ring_full"}', {"created packets"}),
    ("pollflow_sent_octets_total", {"created octets"}),
    ("pollflow_received_packets_total", {"port packets", "received packets"}),
    ("pollflow_ledger_broken_equations", {"any"}),
)


class RealPrometheusTest(unittest.TestCase):

    def test_an_equation_that_does_not_hold_fires_its_alert_and_no_other(self):
        healthy = page()
        pages = [healthy]
        with served(pages) as target, prometheus.Prometheus(target) as server:
            server.settle()
            self.assertEqual(server.rule_errors(), [])
            self.assertEqual(server.alerts(), set())
            for sample, equations in ONE_TERM_WRONG:
                pages[0] = with_term(healthy, sample, value_of(healthy, sample) + 1)
                with self.subTest(sample):
                    server.expect_broken(equations)
            pages[0] = healthy
            server.expect_broken(set())

    def test_every_metric_and_each_type_arrives(self):
        with served([page()]) as target, prometheus.Prometheus(target) as server:
            server.settle()
            arrived = {labels["__name__"] for labels, _ in server.query('{__name__=~"pollflow_.*"}')}
            self.assertEqual(arrived, openmetrics.sample_names(openmetrics.parse(page())))


if __name__ == "__main__":
    unittest.main()
