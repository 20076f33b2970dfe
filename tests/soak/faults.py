"""What happens to a pollflow while it is soaked, one thing after another in an order drawn from a seed."""

import contextlib
import random
import signal
import subprocess
import threading

import client_runner
from live_runner import wait_until

METRICS_PORT = 9477         # in a namespace of its own
WARM_UPS = 4                # until tables of routes of both sizes have had each place in memory that they take in turn
RELOADED = "pollflow: reloaded: "
ROUTES = "0.0.0.0/0 192.0.2.1 3 64500\n172.16.0.0/16 192.0.2.7 4 65001\n"
MORE_ROUTES = "".join("10.%d.%d.0/24 192.0.2.%d 5 65002\n" % (number // 200, number % 200, number % 200)
                      for number in range(2000))


class Faults(threading.Thread):
    """Each kind some times by warm_up(); then, as a thread, on and on until finish(). `pauses`: least and most
    seconds."""

    def __init__(self, stand, live, folder, collector, seed, pauses):
        super().__init__(daemon=True)
        self.stand, self.live, self.folder, self.collector = stand, live, folder, collector
        self.pauses = pauses
        self.chance = random.Random(seed)
        self.kinds = [self.reload, self.collector_goes, self.walk, self.scrape, self.flap, self.expire]
        self.done = {kind.__name__: 0 for kind in self.kinds}
        self.failures, self.more_routes = [], False
        self.ending = threading.Event()
        self.visiting = threading.Lock()    # held while pollflow is asked: it then has a connection and a thread more

    def warm_up(self):
        for _ in range(WARM_UPS):
            for kind in self.kinds:
                self.happen(kind)

    def run(self):
        while True:
            for kind in self.chance.sample(self.kinds, len(self.kinds)):
                if self.ending.wait(self.chance.uniform(*self.pauses)):
                    return
                self.happen(kind)

    def finish(self):
        self.ending.set()
        self.join()

    def happen(self, kind):
        try:
            kind()
            self.done[kind.__name__] += 1
        except (AssertionError, OSError, subprocess.SubprocessError) as error:
            self.failures.append("%s: %s" % (kind.__name__, error))

    # --- the kinds ---

    def reload(self):
        """Timeouts, pace and routes change."""
        before = self.told(RELOADED)
        self.more_routes = not self.more_routes
        (self.folder / "routes").write_text(ROUTES + (MORE_ROUTES if self.more_routes else ""))
        (self.folder / "pollflow.conf").write_text(
            "inactive-timeout = %d\nactive-timeout = %d\nexport-rate = %d\nexport-delay = %d\n"
            % (self.chance.randint(2, 15), self.chance.randint(5, 60), self.chance.choice((0, 100000, 400000)),
               self.chance.choice((100, 1000))))
        self.live.send(signal.SIGHUP)
        wait_until(lambda: self.told(RELOADED) > before, "reloaded")

    def collector_goes(self):
        """And comes back, on the same port."""
        self.collector.leave()
        try:
            self.ending.wait(self.chance.uniform(*self.pauses))
        finally:
            self.collector.come()

    def walk(self):
        """Everything that can be asked for, all live flows among it."""
        for command in (["show", "--csv"], ["show", "--top", "20"], ["info"], ["ledger"], ["routes"], ["timeouts"]):
            with self.visiting:
                done = subprocess.run([client_runner.binary(), "--socket", self.live.telemetry, *command],
                                      stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                                      text=True, timeout=120, check=False)
            if done.returncode != 0:
                raise AssertionError("pollflowctl %s: %d %s" % (" ".join(command), done.returncode, done.stderr))

    def scrape(self):
        with self.visiting, contextlib.closing(self.stand.namespace.socket()) as http:
            http.settimeout(60)
            http.connect(("127.0.0.1", METRICS_PORT))
            http.sendall(b"GET /metrics HTTP/1.1\r\nHost: soak\r\nConnection: close\r\n\r\n")
            page = b"".join(iter(lambda: http.recv(65536), b"")).decode()
        if "\npollflow_ledger_broken_equations 0\n" not in page or not page.rstrip().endswith("# EOF"):
            raise AssertionError("the metrics page is not whole, or tells of a broken equation: %r" % page[:200])

    def flap(self):
        """The second port's link; frames before and after must all arrive."""
        self.stand.send_by_second(self.chance.randint(1, 20))
        for state in ("down", "up"):
            before = self.told("link is " + state)
            self.stand.namespace.ip("link", "set", self.stand.second_far, state)
            wait_until(lambda: self.told("link is " + state) > before, "the link is told to be " + state)  # noqa: B023
        self.stand.send_by_second(self.chance.randint(1, 20))

    def expire(self):
        """Flows of one network leave early."""
        with self.visiting:
            answer = self.live.ask("/pollflow/expire,src net 10.1.%d.0/24" % self.chance.randrange(4))
        if not isinstance(answer, dict):
            raise AssertionError(answer)

    def told(self, words):
        return sum(words in line for line in self.live.stderr)


def config_options(folder):
    """Options of a pollflow that these faults can reload."""
    (folder / "routes").write_text(ROUTES)
    (folder / "pollflow.conf").write_text("inactive-timeout = 5\n")
    return ["--config", folder / "pollflow.conf", "--routes", folder / "routes",
            "--metrics", "127.0.0.1:%d" % METRICS_PORT]

