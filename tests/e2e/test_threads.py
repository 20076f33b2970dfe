#!/usr/bin/env python3
"""Everything at once: workers, exporter, control and metrics readers, reloads. Meant for a build with
ThreadSanitizer (scripts/test-threads), which then has to have nothing to say."""

import contextlib
import itertools
import os
import signal
import threading
import unittest
import urllib.request

import frames
import capture_writer as writer
import pollflow_runner as runner
from live_runner import Controlled

SECONDS = float(os.environ.get("POLLFLOW_THREADS_SECONDS", "10"))
LCORES = ["--lcores", "0@0,1@0,2@1,3@1"] if (os.cpu_count() or 1) > 1 else ["--lcores", "(0-3)@0"]
START_US = 1700000000 * 1000000


class ThreadsTest(runner.PollflowTest):

    def traffic(self):
        """Two queues of one port, each delivering flows that begin and end for ever."""
        packets = []
        for number in range(100):
            source = "10.%d.0.1" % (number % 50)
            packets.append((START_US, frames.udp_frame(src=source, src_port=2000 + number)))
            packets.append((START_US, frames.tcp_frame(src=source, src_port=2000 + number % 100, flags=frames.SYN)))
            packets.append((START_US, frames.tcp_frame(src=source, src_port=2000 + number % 100,
                                                       flags=frames.FIN | frames.ACK)))
        path = self.folder / "traffic.pcap"
        writer.write_pcap(path, packets)
        return ["--vdev", "net_pcap0,rx_pcap=%s,rx_pcap=%s,infinite_rx=1" % (path, path)]

    def askers(self, live, stop):
        """What each thread does again and again."""
        routes, config = self.folder / "routes", self.folder / "pollflow.conf"
        counter = itertools.count()

        def replace(path, text):
            """At once: another asker may reload meanwhile, and half a file is refused."""
            new = path.with_suffix(".new")
            new.write_text(text)
            new.replace(path)

        def change_files():
            number = next(counter) % 200 + 1
            replace(routes, "0.0.0.0/0 192.0.2.%d %d\n" % (number, number))
            replace(config, "inactive-timeout = %d\nactive-timeout = %d\n" % (number, number % 3 + 1))
            live.send(signal.SIGHUP)
            stop.wait(0.3)

        def commands(*texts):
            def ask():
                for text in texts:
                    self.assertIsInstance(live.ask(text), dict)
            return ask

        def metrics():
            with urllib.request.urlopen("http://%s/metrics" % self.metrics_address, timeout=30) as page:
                self.assertIn(b"# EOF", page.read())

        return [
            commands("/pollflow/info", "/pollflow/worker,2", "/pollflow/port,0", "/pollflow/ledger"),
            commands("/pollflow/collector,0", "/pollflow/routes", "/pollflow/log_level"),
            lambda: [page for page in live.pages("tcp")],
            commands("/pollflow/top,20,octets", "/pollflow/top,20,age,udp", "/pollflow/timeouts,1,1"),
            commands("/pollflow/expire,net 10.7.0.0/16", "/pollflow/routes/reload"),
            change_files,
            metrics,
        ]

    def test_all_threads_at_once(self):
        for name in ("routes", "pollflow.conf"):
            (self.folder / name).write_text("")
        self.metrics_address = "127.0.0.1:%d" % runner.closed_tcp_port()
        stop, failures, rounds = threading.Event(), [], [0] * 7

        def again_and_again(which, what):
            try:
                while not stop.is_set():
                    what()
                    rounds[which] += 1
            except Exception as failure:    # pylint: disable=broad-except
                failures.append(failure)

        options = ["--flows-out", "/dev/null", "--collector", "127.0.0.1:%d" % runner.closed_port(),
                   "--ledger", self.folder / "ledger.json", "--config", self.folder / "pollflow.conf",
                   "--routes", self.folder / "routes", "--metrics", self.metrics_address]
        with Controlled([*LCORES, *self.traffic()], options) as live, contextlib.ExitStack() as threads:
            for number, what in enumerate(self.askers(live, stop)):
                thread = threading.Thread(target=again_and_again, args=(number, what))
                thread.start()
                threads.callback(thread.join)
            stop.wait(SECONDS)
            stop.set()
            threads.close()
            outcome = live.stop()
        self.assertEqual(failures, [])
        self.assertNotIn("ThreadSanitizer", outcome.stderr)
        self.assertNotIn(0, rounds)
        ledger = runner.parse_ledger((self.folder / "ledger.json").read_text())
        self.assert_adds_up(ledger)
        print("%.0f s; rounds of each asker: %s; %d packets, %d records" %
              (SECONDS, rounds, ledger["received"]["packets"], ledger["records"]["created"]["records"]))


if __name__ == "__main__":
    unittest.main()
