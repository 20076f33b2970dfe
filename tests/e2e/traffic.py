"""Packets that several tests use, and the test case that feeds packets to pollflow."""

import capture_writer as writer
import frames
import pollflow_runner as runner
import reference
from frames import ACK, FIN, PSH, RST, SYN

START_MS = 1700000000000
SECOND = 1000000


def at(ms, frame):
    """A packet so many milliseconds after the start."""
    return (START_MS + ms) * 1000, frame


def numbered(number):
    """An address of its own for each number, so that each packet is a flow to be seen in the CSV."""
    return 0x0a000000 + number


class GeneratedTest(runner.PollflowTest):

    def write(self, packets, name="capture.pcap", **how):
        path = self.folder / name
        writer.write_pcap(path, packets, **how)
        return path

    def read(self, packets, *options, collect=False, **how):
        """The run of pollflow over these packets."""
        run = runner.read_capture(self.write(packets, **how), *options, collect=collect)
        self.assert_success(run.outcome)
        return run

    def check(self, packets, *options, model=reference.Options(), **how):
        """pollflow's flows and ledger for these packets are those of the model. Returns the rows."""
        run = self.read(packets, *options, **how)
        expected = reference.run(self.folder / "capture.pcap", model)
        self.assertEqual(expected.undetermined, 0)
        self.assert_model(run, expected)
        return run.rows

    def check_reasons(self, packets, reasons, *options, **how):
        rows = self.check(packets, *options, **how)
        self.assertEqual(sorted(row.end_reason for row in rows), sorted(reasons))


EVERYDAY = [at(0, frames.tcp_frame(flags=SYN)), at(1, frames.udp_frame(data=b"query")),
            at(2, frames.tcp_frame(flags=ACK | PSH, data=b"GET")), at(3, frames.ethernet(frames.arp())),
            at(4, frames.tcp_frame(flags=FIN | ACK)), at(5, frames.ethernet(frames.vlan(5, frames.ipv4()))),
            at(30000, frames.udp_frame(data=b"again"))]


def random_traffic(chance, count):
    """Packets of a few dozen keys with pauses around one second, in order of time."""
    packets, ms = [], 0
    for _ in range(count):
        ms += chance.choice((0, 0, 1, 2, 5, 20, 60, 999, 1000, 1001) if chance.random() < 0.2 else (0, 1, 3))
        packets.append(((START_MS + ms) * 1000 + chance.randrange(1000), random_frame(chance)))
    return sorted(packets, key=lambda packet: packet[0])


def random_frame(chance):
    protocol = chance.choice((frames.TCP, frames.TCP, frames.TCP, frames.UDP, frames.ICMP, 47))
    ports = chance.choice((80, 443, 0)), chance.choice((1, 65535))
    payload = {frames.TCP: frames.tcp(*ports, chance.choice((SYN, ACK, ACK, ACK, PSH | ACK, FIN | ACK, RST))),
               frames.UDP: frames.udp(*ports), frames.ICMP: frames.icmp(chance.choice((0, 8)))}
    inner = frames.ipv4(numbered(chance.randrange(6)), numbered(chance.randrange(100, 103)), protocol,
                        payload.get(protocol, b"") + bytes(chance.randrange(20)), tos=chance.choice((0, 0, 0, 255)),
                        options=bytes(chance.choice((0, 0, 0, 4, 40))), offset=chance.choice((0,) * 9 + (100,)))
    tags = chance.choice((0, 0, 0, 0, 1, 2, 4, 5))
    for _ in range(tags):
        inner = frames.vlan(1, inner, chance.choice((frames.VLAN, frames.QINQ)))
    if chance.random() < 0.05:
        inner = chance.choice((frames.arp(), frames.ipv6(), frames.mpls([1, 2], inner[1]), frames.pppoe(inner[1])))
    frame = frames.ethernet(inner)
    if tags > 4:        # one too many: not cut, as the end of the frame would be a second reason to skip it
        return frame
    return frame[:chance.randrange(len(frame))] if chance.random() < 0.05 else frame
