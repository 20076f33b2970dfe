"""A stand-in for a running pollflow: DPDK's telemetry protocol, with answers that a test gives.

A message is a command, then its parameters behind a comma; a reply is {COMMAND: ANSWER}, and null for a
command that there is none of. As DPDK does it takes 1023 bytes of a request and sends at most 16384.
"""

import json
import socket
import threading

INPUT_BYTES = 1023
OUTPUT_BYTES = 16384

HANG_UP = object()      # an answer: close the connection
SILENCE = object()      # an answer: say nothing


class Raw(bytes):
    """An answer sent as it is."""


class FakeTelemetry:
    """Listens at `path`. answers: command -> answer, or a function from parameters to one.

    requests: every (command, parameters) so far. A greeting of None is none at all.
    """

    def __init__(self, path, answers, greeting=True):
        self.path, self.answers, self.greeting = path, answers, greeting
        self.requests = []
        path.parent.mkdir(parents=True, exist_ok=True)
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.listener.bind(str(path))
        self.listener.listen()
        self.clients = []
        self.thread = threading.Thread(target=self.accept, daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.end()

    def end(self):
        """As a process that ends: nobody listens, nobody answers; the socket's name remains."""
        if self.listener.fileno() < 0:
            return                      # it has ended before
        self.listener.shutdown(socket.SHUT_RDWR)
        self.thread.join()
        self.listener.close()
        for client, thread in self.clients:
            try:
                client.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass                    # it has hung up itself
            thread.join()
            client.close()

    def accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            thread = threading.Thread(target=self.serve, args=(client,), daemon=True)
            self.clients.append((client, thread))
            thread.start()

    def serve(self, client):
        try:
            self.converse(client)
        except OSError:
            pass                        # the client, or the test, is over

    def converse(self, client):
        if self.greeting is True:
            self.say(client, {"version": "DPDK 22.11.0", "pid": 4242, "max_output_len": OUTPUT_BYTES})
        elif self.greeting is HANG_UP:
            return client.shutdown(socket.SHUT_RDWR)
        elif self.greeting is not SILENCE:
            self.say(client, self.greeting)
        while request := client.recv(INPUT_BYTES):
            command, _, parameters = request.decode().partition(",")
            self.requests.append((command, parameters))
            answer = self.answers.get(command)
            if callable(answer):
                answer = answer(parameters)
            if answer is HANG_UP:
                return client.shutdown(socket.SHUT_RDWR)
            if answer is not SILENCE:
                self.say(client, answer if isinstance(answer, Raw) else {command: answer})

    @staticmethod
    def say(client, what):
        client.send(what if isinstance(what, bytes) else json.dumps(what).encode())


# --- what a pollflow with two workers, one port and one collector would answer ---

NOW_MS = 1790000004321

INFO = {
    "version": "0.1.0", "now_ms": NOW_MS, "boot_ms": NOW_MS - 90061000, "workers": [1, 2], "ports": [0],
    "export_lcore": 3, "collectors": 1, "received_packets": 2000, "packets": 1500, "octets": 900000, "flows": 3,
    "flows_max": 1048576, "flows_high_water": 120, "records_created": 100, "records_sent": 93, "in_rings": 1,
    "in_datagram": 2, "expired_idle": 90, "expired_active": 6, "expired_end": 4, "expired_forced": 0,
    "expired_overflow": 0, "expired_evicted": 0, "lost_ring_full": 1, "lost_send_failed": 3,
    "lost_write_failed": 0, "flow_sequence": 97, "second_looks": 15, "tsc_hz": 2000000000, "cycles_busy": 500000,
    "cycles": 2000000, "lateness_ms": [10, 100, 1000, 2000], "lateness_counts": [50, 40, 5, 1, 0],
    "lateness_sum_ms": 960, "inactive_s": 15, "active_s": 1800, "hold_idle": 0,
}


def worker(lcore):
    return {"lcore": lcore, "received_packets": 1000, "packets": 750, "octets": 450000, "nic_hashed": 0, "flows": 1,
            "flows_max": 524288, "flows_high_water": 60, "records_created": 50, "lost_ring_full": 0,
            "second_looks": 75, "ring_records": 1, "ring_records_max": 4095, "cycles_busy": 250000,
            "cycles": 1000000, "queue_ports": [0], "queue_ids": [lcore - 1], "queue_packets": [1000]}


PORT = {"port": 0, "driver": "net_e1000_igb", "name": "0000:00:05.0", "ifindex": 1, "link": "up", "offered": 2010,
        "received": 2000, "missed": 7, "errored": 3, "rx_nombuf": 0, "queue_ids": [0, 1], "queue_lcores": [1, 2],
        "queue_packets": [1000, 1000], "queue_accounted": [750, 750], "queue_nic_hashed": [0, 0]}

COLLECTOR = {"name": "192.0.2.1:2055", "datagrams_sent": 31, "datagrams_failed": 1, "records_sent": 93,
             "records_failed": 3, "refused": 0, "records_refused": 0}


def ledger(**changed):
    """One that adds up, unless `changed` breaks it."""
    terms = {"balanced": 1, "broken": [], "offered": 2010, "missed": 7, "errored": 3, "rx_nombuf": 0}
    for name, packets, octets in (("received", 2000, 2600000), ("accounted", 1500, 900000),
                                  ("skipped_arp", 100, 6000), ("skipped_ipv6", 400, 400000),
                                  ("skipped_llc", 0, 0)):
        terms.update({name + "_packets": packets, name + "_octets": octets})
    terms["accounted_frame_octets"] = 2194000
    terms.update(in_tables_flows=3, in_tables_packets=500, in_tables_octets=300000)
    for name, records, packets, octets in (
            ("created", 100, 1000, 600000), ("in_rings", 1, 10, 6000), ("in_datagram", 2, 20, 12000),
            ("sent", 93, 930, 558000), ("lost_ring_full", 1, 10, 6000), ("lost_send_failed", 3, 30, 18000),
            ("lost_write_failed", 0, 0, 0)):
        terms.update({name + "_records": records, name + "_packets": packets, name + "_octets": octets})
    return {**terms, **changed}


# Three flows; the second is the oldest, the third has most packets, the first most octets.
FLOWS = ["10.0.0.1,10.0.0.2,4242,443,6,0,24,12,34567,%d,%d,1" % (NOW_MS - 3210, NOW_MS - 321),
         "10.0.0.3,192.168.100.200,65535,53,17,8,0,2,150,%d,%d,2" % (NOW_MS - 60000, NOW_MS - 14000),
         "10.9.0.4,10.0.0.2,0,2048,1,0,0,200,16800,%d,%d,1" % (NOW_MS - 20000, NOW_MS + 5)]
PATHS = ["2,10.0.0.254,8,24,64512,4200000000", "0,0.0.0.0,0,0,0,0", "0,0.0.0.0,0,0,0,0"]


def page(flows, paths, following="", matched=None):
    return {"next": following, "now_ms": NOW_MS, "matched": len(flows) if matched is None else matched,
            "flows": list(flows), "paths": list(paths)}


def three_pages(parameters):
    """The three flows on three pages, of which the middle one is empty."""
    cursor = parameters.split(",")[0]
    return {"0": page(FLOWS[:2], PATHS[:2], "0:1024:7"), "0:1024:7": page([], [], "1:0:7"),
            "1:0:7": page(FLOWS[2:], PATHS[2:])}[cursor]


def pollflow_answers(**changed):
    """Of a pollflow that is well. changed: command without /pollflow/ -> its answer."""
    answers = {"info": INFO, "worker": lambda lcore: worker(int(lcore)), "port": PORT, "collector": COLLECTOR,
               "ledger": ledger(), "flows": three_pages,
               "top": lambda parameters: page(FLOWS[:int(parameters.split(",")[0])], PATHS[:int(parameters.split(",")[0])],
                                              matched=90),
               "expire": {"expired": 12}, "timeouts": {"inactive_s": 15, "active_s": 1800},
               "routes": {"source": "/etc/routes", "routes": 920113, "loaded_ms": 1790000000000},
               "routes/reload": {"source": "/etc/routes", "routes": 920114, "loaded_ms": 1790000004000},
               "log_level": {"level": "notice", "types": ["lib.eal debug", "pmd.net.ring info"], "types_left_out": 3}}
    return {"/pollflow/" + command: answer for command, answer in {**answers, **changed}.items()}
