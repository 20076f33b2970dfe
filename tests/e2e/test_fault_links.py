#!/usr/bin/env python3
"""A link that flaps a hundred times under traffic: polling goes on, and every frame that came is counted."""

import contextlib
import fcntl
import socket
import struct
import unittest

from fault_runner import SANITIZED, FaultTest, Tapped, Traffic, flow_frames
from live_runner import wait_until

FLAPS = 100
SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP = 0x8913, 0x8914, 1


class FlapTest(FaultTest):

    def set_link(self, control, interface, up):
        request = struct.pack("16sH22x", interface.encode(), 0)
        flags = struct.unpack_from("H", fcntl.ioctl(control, SIOCGIFFLAGS, request), 16)[0]
        fcntl.ioctl(control, SIOCSIFFLAGS,
                    struct.pack("16sH22x", interface.encode(), flags | IFF_UP if up else flags & ~IFF_UP))

    def test_a_hundred_flaps_of_the_far_end_under_traffic(self):
        site = self.site()
        options, ledger_of = self.run_of("run")
        with Tapped(site, [*options, "--inactive-timeout", 1]) as live, \
             contextlib.closing(site.there.socket(socket.AF_INET, socket.SOCK_DGRAM)) as control:
            with Traffic(site.wire, flow_frames(2000), 500 if SANITIZED else 2000):
                for _ in range(FLAPS):
                    self.set_link(control, site.far, up=False)
                    self.set_link(control, site.far, up=True)
                    came = site.arrived
                    wait_until(lambda came=came: site.arrived > came, "frames come again")
                self.set_link(control, site.far, up=False)
                live.wait_for("link is down")
                self.set_link(control, site.far, up=True)
                live.wait_for("link is up")
                wait_until(lambda: live.received >= came, "all so far are received")
                came = live.received
                wait_until(lambda: live.received > came, "more is received")
            self.catch_up(site, live)
            outcome = live.stop()
        self.assertEqual(outcome.code, 0, outcome.stderr)
        ledger = ledger_of()
        self.assert_received_all(site, ledger)
        self.assert_no_record_lost(ledger)
        self.assertEqual(ledger["flows_out"]["records_written"], ledger["flow_sequence"])


if __name__ == "__main__":
    unittest.main()
