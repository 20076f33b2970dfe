"""What a capture holds, by the rules of docs/reference/flows.md as tests/e2e/reference.py restates them."""

import collections
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))
import reference    # noqa: E402

Contents = collections.namedtuple("Contents", "frames frame_octets packets octets skipped")


def read(path):
    """Frames and their octets as captured; IPv4 packets and their octets (total length); name of flows.md ->
    frames that are none. Raises reference.NotACapture, Damage and UnsupportedLinkType."""
    contents = pathlib.Path(path).read_bytes()
    pcapng = contents[:4] == b"\x0a\x0d\x0d\x0a"
    link_type, frames = (reference.parse_pcapng if pcapng else reference.parse_pcap)(contents)
    if link_type not in reference.SUPPORTED_LINK_TYPES:
        raise reference.UnsupportedLinkType(link_type)
    frame_count = frame_octets = packets = octets = 0
    skipped = collections.Counter()
    for frame in frames:
        frame_count += 1
        frame_octets += len(frame.data)
        try:
            octets += reference.decode(link_type, frame.data).octets
            packets += 1
        except reference.Skipped as skip:
            skipped[skip.args[0]] += 1
    return Contents(frame_count, frame_octets, packets, octets, dict(skipped))
