#include "packet/decode.hpp"

#include <array>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include "packet/cursor.hpp"
#include "packet/decode_checks.hpp"
#include "support/header_stacks.hpp"

using namespace pollflow::packet;
using namespace pollflow::test;

namespace {

struct Accounted {
  const char* what;
  Frame frame;
  Verdict verdict;
};

Accounted row(const char* what, Frame around, const Ip& ip, size_t from, size_t to,
              uint8_t flags = 0) {
  return {what, around.ipv4(ip.bytes()), ip.with(from, to, flags)};
}

std::vector<Accounted> accounted_frames() {
  const Ip plain_udp = {.payload = udp};
  const Ip plain_tcp = {.protocol = 6, .payload = tcp(0x18)};
  const auto with = [](Ip ip, auto change) {
    change(ip);
    return ip;
  };
  const Bytes later = tcp(0x01);
  return {
      row("UDP on Ethernet", ethernet(), plain_udp, src_port, dst_port),
      row("TCP on Ethernet", ethernet(), plain_tcp, src_port, dst_port, 0x18),
      row("1 tag", ethernet().vlan(), plain_udp, src_port, dst_port),
      row("2 tags", ethernet().vlan().vlan(), plain_udp, src_port, dst_port),
      row("3 tags", ethernet().vlan().vlan().vlan(), plain_udp, src_port, dst_port),
      row("4 tags", ethernet().vlan().vlan().vlan().vlan(), plain_udp, src_port, dst_port),
      row("QinQ", ethernet().vlan(0x88a8).vlan(), plain_udp, src_port, dst_port),
      row("QinQ before its standard", ethernet().vlan(0x9100).vlan(), plain_udp, src_port,
          dst_port),
      row("1 label", ethernet().mpls(1), plain_udp, src_port, dst_port),
      row("2 labels, upstream", ethernet().mpls(2, 0x8848), plain_udp, src_port, dst_port),
      row("16 labels", ethernet().mpls(16), plain_udp, src_port, dst_port),
      row("labels behind tags", ethernet().vlan().vlan().mpls(3), plain_tcp, src_port, dst_port,
          0x18),
      row("PPPoE session", ethernet().pppoe(0x0021), plain_tcp, src_port, dst_port, 0x18),
      row("PPPoE behind a tag", ethernet().vlan().pppoe(0x0021), plain_udp, src_port, dst_port),
      row("raw IP", Frame(LinkType::raw_ip), plain_udp, src_port, dst_port),
      row("cooked v1", Frame(LinkType::linux_cooked_v1), plain_udp, src_port, dst_port),
      row("cooked v2", Frame(LinkType::linux_cooked_v2), plain_udp, src_port, dst_port),
      row("cooked v1 with a tag", Frame(LinkType::linux_cooked_v1).vlan(), plain_udp, src_port,
          dst_port),
      row("cooked v2 with tags and labels", Frame(LinkType::linux_cooked_v2).vlan().vlan().mpls(2),
          plain_udp, src_port, dst_port),
      row("cooked v2 with PPPoE", Frame(LinkType::linux_cooked_v2).pppoe(0x0021), plain_udp,
          src_port, dst_port),
      row("ICMP: type and code", ethernet(), {.protocol = 1, .payload = icmp}, 0, 3 * 256 + 13),
      row("ICMP echo reply is port 0", ethernet(), {.protocol = 1, .payload = {0, 0, 1, 2}}, 0, 0),
      row("ICMP 255/255", ethernet(), {.protocol = 1, .payload = {255, 255}}, 0, 65535),
      row("SCTP has no ports", ethernet(), {.protocol = 132, .payload = udp}, 0, 0),
      row("GRE has no ports", ethernet(), {.protocol = 47, .payload = udp}, 0, 0),
      row("UDP-Lite has no ports", ethernet(), {.protocol = 136, .payload = udp}, 0, 0),
      row("first fragment", ethernet(), with(plain_tcp, [](Ip& ip) { ip.fragment = 0x2000; }),
          src_port, dst_port, 0x18),
      row("second fragment", ethernet(), with(plain_tcp, [](Ip& ip) { ip.fragment = 0x2001; }), 0,
          0),
      row("last fragment", ethernet(), with(plain_udp, [](Ip& ip) { ip.fragment = 0x0100; }), 0, 0),
      row("a later fragment of ICMP", ethernet(),
          {.protocol = 1, .payload = icmp, .fragment = 0x1fff}, 0, 0),
      row("reserved bit set", ethernet(), with(plain_udp, [](Ip& ip) { ip.fragment = 0x8000; }),
          src_port, dst_port),
      row("4 bytes of options", ethernet(), with(plain_tcp, [](Ip& ip) { ip.words = 6; }), src_port,
          dst_port, 0x18),
      row("40 bytes of options", ethernet(), with(plain_udp, [](Ip& ip) { ip.words = 15; }),
          src_port, dst_port),
      row("options and nothing behind", ethernet(), {.protocol = 6, .words = 15}, 0, 0),
      row("the whole TOS byte", ethernet(), with(plain_udp, [](Ip& ip) { ip.tos = 0xb9; }),
          src_port, dst_port),
      row("addresses of all ones", ethernet(), {.payload = udp, .src = ~0U, .dst = ~0U}, src_port,
          dst_port),
      row("header only", ethernet(), {.protocol = 17}, 0, 0),
      row("the frame's padding is no port", ethernet(), {.payload = later, .total_length = 20}, 0,
          0),
      row("3 bytes of UDP are no port", ethernet(), {.payload = later, .total_length = 23}, 0, 0),
      row("4 bytes of UDP are", ethernet(), {.payload = later, .total_length = 24}, src_port,
          dst_port),
      row("13 bytes of TCP have no flags", ethernet(),
          {.protocol = 6, .payload = later, .total_length = 33}, src_port, dst_port),
      row("14 bytes of TCP have", ethernet(), {.protocol = 6, .payload = later, .total_length = 34},
          src_port, dst_port, 0x01),
      row("1 byte of ICMP has no type", ethernet(),
          {.protocol = 1, .payload = icmp, .total_length = 21}, 0, 0),
      row("2 bytes of ICMP have", ethernet(), {.protocol = 1, .payload = icmp, .total_length = 22},
          0, 3 * 256 + 13),
      row("longer than captured", ethernet(), {.payload = udp, .total_length = 65535}, src_port,
          dst_port),
      row("longer than captured by all of TCP", ethernet(), {.protocol = 6, .total_length = 1500},
          0, 0),
  };
}

struct Skipped {
  const char* what;
  Frame frame;
  Fate fate;
  size_t decided_at;  // bytes that show it; with fewer the frame is too short
};

std::vector<Skipped> skipped_frames() {
  const Bytes v4 = Ip{.payload = udp}.bytes();
  const Bytes v6(60, 0x60);
  const Bytes data(60, 0x45);
  const auto ip = [](const Ip& wrong) { return ethernet().ipv4(wrong.bytes()); };
  return {
      {"ARP", ethernet().holds(0x0806, data), Fate::arp, 14},
      {"ARP behind a tag", ethernet().vlan().holds(0x0806, data), Fate::arp, 18},
      {"ARP, cooked v1", Frame(LinkType::linux_cooked_v1).holds(0x0806, data), Fate::arp, 16},
      {"ARP, cooked v2", Frame(LinkType::linux_cooked_v2).holds(0x0806, data), Fate::arp, 20},
      {"IPv6", ethernet().holds(0x86dd, v6), Fate::ipv6, 14},
      {"IPv6 behind 4 tags", tagged(4).holds(0x86dd, v6), Fate::ipv6, 14 + 16},
      {"IPv6, raw", Frame(LinkType::raw_ip).holds(0, v6), Fate::ipv6, 1},
      {"IPv6 below 2 labels", ethernet().mpls(2).holds(0, v6), Fate::ipv6, 14 + 8 + 1},
      {"IPv6 in PPPoE", ethernet().pppoe(0x0057).holds(0, v6), Fate::ipv6, 14 + 8},
      {"802.3 length", ethernet().holds(46, data), Fate::llc, 14},
      {"802.3 length behind a tag", ethernet().vlan().holds(46, data), Fate::llc, 18},
      {"cooked v1, type 4: 802.2", Frame(LinkType::linux_cooked_v1).holds(4, data), Fate::llc, 16},
      {"the longest 802.3 length", ethernet().holds(0x05ff, data), Fate::llc, 14},
      {"the smallest type", ethernet().holds(0x0600, data), Fate::other_ethertype, 14},
      {"LLDP", ethernet().holds(0x88cc, data), Fate::other_ethertype, 14},
      {"MACsec behind 2 tags", tagged(2).holds(0x88e5, data), Fate::other_ethertype, 22},
      {"5 tags", tagged(5).ipv4(v4), Fate::vlan_depth, 14 + 16},
      {"5 tags, cooked v2", tagged(5, LinkType::linux_cooked_v2).ipv4(v4), Fate::vlan_depth,
       20 + 16},
      {"40 tags", tagged(40).ipv4(v4), Fate::vlan_depth, 14 + 16},
      {"17 labels", ethernet().mpls(17).ipv4(v4), Fate::mpls_depth, 14 + 64},
      {"40 labels", ethernet().mpls(40).ipv4(v4), Fate::mpls_depth, 14 + 64},
      {"labels without a bottom", ethernet().mpls(20, 0x8847, false), Fate::mpls_depth, 14 + 64},
      {"Ethernet below a label", ethernet().mpls(1).holds(0, Bytes(60, 0)), Fate::mpls_payload,
       14 + 4 + 1},
      {"version 5 below a label", ethernet().mpls(1).holds(0, Bytes(60, 0x55)), Fate::mpls_payload,
       14 + 4 + 1},
      {"PPPoE discovery", ethernet().holds(0x8863, data), Fate::pppoe_control, 14},
      {"PPPoE LCP", ethernet().pppoe(0xc021).holds(0, data), Fate::pppoe_control, 14 + 8},
      {"PPPoE of another version", ethernet().pppoe(0x0021, 0x21).ipv4(v4), Fate::pppoe_control,
       14 + 8},
      {"PPPoE of another type", ethernet().pppoe(0x0057, 0x12).holds(0, v6), Fate::pppoe_control,
       14 + 8},
      {"PPPoE with a code", ethernet().pppoe(0x0021, 0x11, 0xa7).ipv4(v4), Fate::pppoe_control,
       14 + 8},
      {"raw, version 5", Frame(LinkType::raw_ip).ipv4(Ip{.version = 5}.bytes()), Fate::ip_version,
       1},
      {"announced as IPv4, version 6", ip({.version = 6}), Fate::ip_version, 34},
      {"header of 16 bytes", ip({.words = 4}), Fate::ip_header_length, 34},
      {"total length 19", ip({.total_length = 19}), Fate::ip_total_length, 34},
      {"total length below the options", ip({.words = 15, .total_length = 59}),
       Fate::ip_total_length, 34},
      {"version is tested before header length", ip({.words = 4, .version = 6}), Fate::ip_version,
       34},
      {"header length is tested before total length", ip({.words = 4, .total_length = 1}),
       Fate::ip_header_length, 34},
  };
}

Bytes from_hex(std::string_view text) {
  Bytes bytes;
  for (size_t at = 0; at < text.size(); at += 2)
    bytes.push_back(static_cast<uint8_t>(std::stoul(std::string(text.substr(at, 2)), nullptr, 16)));
  return bytes;
}

}  // namespace

TEST_CASE("frames typed out by hand are decoded") {
  // 192.0.2.17:443 > 198.51.100.34:51000, TCP with SYN and ACK
  CHECK(describe(decoded(from_hex("0200000000020200000000010800"
                                  "4548003c123440003f060000c0000211c6336422"
                                  "01bbc738000000010000000250121000aaaa0000"
                                  "0204000000000000000000000000000000000000"),
                         LinkType::ethernet)) ==
        "accounted: c0000211:443 > c6336422:51000 protocol 6 tos 72 in 7, 60 octets, flags 12");
  // S-tag 100, C-tag 200, UDP 10.1.2.3:4660 > 10.4.5.6:53
  CHECK(describe(decoded(from_hex("02000000000202000000000188a8"
                                  "0064810000c80800"
                                  "450000200001000040110000"
                                  "0a0102030a040506"
                                  "12340035000c0000deadbeef"),
                         LinkType::ethernet)) ==
        "accounted: 0a010203:4660 > 0a040506:53 protocol 17 tos 0 in 7, 32 octets, flags 00");
}

TEST_CASE("an IPv4 packet is accounted under the key that the rules give it") {
  for (const Accounted& a : accounted_frames()) {
    INFO(a.what);
    CHECK(describe(decoded(a.frame.bytes(), a.frame.link())) == describe(a.verdict));
  }
}

TEST_CASE("a frame that carries no IPv4 is skipped under the name that the rules give it") {
  for (const Skipped& s : skipped_frames()) {
    INFO(s.what);
    CHECK(describe(decoded(s.frame.bytes(), s.frame.link())) == describe({s.fate}));
  }
}

TEST_CASE("the input ifindex of the key is the one given") {
  const Bytes frame = ethernet().ipv4(Ip{.payload = udp}.bytes()).bytes();
  for (const uint16_t index : std::array<uint16_t, 4>{0, 1, 256, 65535}) {
    Packet packet{};
    REQUIRE(decode(frame, LinkType::ethernet, index, packet) == Fate::accounted);
    CHECK(packet.key.in_if == index);
  }
}

TEST_CASE("a skipped frame cut anywhere is too short until its name is decided") {
  for (const Skipped& s : skipped_frames()) {
    INFO(s.what);
    REQUIRE(s.frame.bytes().size() >= s.decided_at);
    for (size_t cut = 0; cut <= s.frame.bytes().size(); ++cut) {
      const Verdict expected{cut < s.decided_at ? Fate::frame_too_short : s.fate};
      require_verdict(expected, first(cut, s.frame.bytes()), s.frame.link());
    }
  }
}

TEST_CASE("what a skipped frame is called is decided within header_bytes_max") {
  for (const Skipped& s : skipped_frames()) {
    INFO(s.what);
    REQUIRE(s.decided_at <= header_bytes_max);
    Bytes frame = s.frame.bytes();
    frame.resize(header_bytes_max);
    require_verdict({s.fate}, frame, s.frame.link());
  }
}

TEST_CASE("the version decides as whoever announced the packet asks") {
  struct Place {
    const char* what;
    Frame around;
    Fate six;
    Fate neither;
  };
  const std::vector<Place> places = {
      {"Ethernet", ethernet(), Fate::ip_version, Fate::ip_version},
      {"VLAN", ethernet().vlan(), Fate::ip_version, Fate::ip_version},
      {"PPPoE", ethernet().pppoe(0x0021), Fate::ip_version, Fate::ip_version},
      {"MPLS", ethernet().mpls(2), Fate::ipv6, Fate::mpls_payload},
      {"raw IP", Frame(LinkType::raw_ip), Fate::ipv6, Fate::ip_version},
  };
  for (const Place& place : places) {
    for (uint8_t version = 0; version < 16; ++version) {
      INFO(place.what << ", version " << int{version});
      const Ip ip = {.payload = udp, .version = version};
      Verdict expected{version == 6 ? place.six : place.neither};
      if (version == 4) expected = ip.with(src_port, dst_port);
      require_verdict(expected, Frame(place.around).ipv4(ip.bytes()).bytes(), place.around.link());
    }
  }
  SUCCEED();
}

TEST_CASE("each of the 65536 types of a frame has its name") {
  const Bytes v4 = Ip{.payload = udp}.bytes();
  size_t others = 0;
  for (size_t type = 0; type <= 0xffff; ++type) {
    const Bytes frame = ethernet().holds(type, v4).bytes();
    const Verdict expected = slow_decode(frame, LinkType::ethernet, in_if);
    require_verdict(expected, frame, LinkType::ethernet);
    others += expected.fate == Fate::other_ethertype ? 1 : 0;
  }
  // All but lengths, IPv4, ARP, IPv6, three VLAN types, two each of MPLS and PPPoE.
  CHECK(others == 0x10000 - 0x0600 - 10);
}

TEST_CASE("of PPPoE only a session's IPv4 and IPv6 are data") {
  const Ip ip = {.payload = udp};
  const auto verdict_of = [&](size_t protocol, bool session) {
    if (session && protocol == 0x0021) return ip.with(src_port, dst_port);
    return Verdict{session && protocol == 0x0057 ? Fate::ipv6 : Fate::pppoe_control};
  };
  const auto check = [&](size_t protocol, uint8_t version_and_type, uint8_t code) {
    const Frame frame = ethernet().pppoe(protocol, version_and_type, code).ipv4(ip.bytes());
    require_verdict(verdict_of(protocol, version_and_type == 0x11 && code == 0), frame.bytes(),
                    frame.link());
  };
  for (size_t protocol = 0; protocol <= 0xffff; ++protocol)
    check(protocol, 0x11, 0);
  for (size_t byte = 0; byte <= 0xff; ++byte) {
    for (const size_t protocol : std::array<size_t, 2>{0x0021, 0x0057}) {
      check(protocol, low_byte(byte), 0);
      check(protocol, 0x11, low_byte(byte));
    }
  }
  SUCCEED();
}

TEST_CASE("ports are those of TCP, UDP and ICMP at fragment offset 0, whatever the flags") {
  const Bytes payload = tcp(0x3f);
  for (size_t protocol = 0; protocol <= 0xff; ++protocol) {
    const Ip ip = {.protocol = low_byte(protocol), .payload = payload};
    Verdict expected = ip.with(0, 0);
    if (protocol == 1) expected = ip.with(0, src_port);
    if (protocol == 6) expected = ip.with(src_port, dst_port, 0x3f);
    if (protocol == 17) expected = ip.with(src_port, dst_port);
    require_verdict(expected, ethernet().ipv4(ip.bytes()).bytes(), LinkType::ethernet);
  }
  for (size_t fragment = 0; fragment <= 0xffff; ++fragment) {
    const Ip ip = {.protocol = 6, .payload = payload, .fragment = static_cast<uint16_t>(fragment)};
    const bool at_front = fragment % 0x2000 == 0;
    require_verdict(at_front ? ip.with(src_port, dst_port, 0x3f) : ip.with(0, 0),
                    ethernet().ipv4(ip.bytes()).bytes(), LinkType::ethernet);
  }
  SUCCEED();
}

TEST_CASE("each fate has the name that the reference gives it") {
  const auto name = [](Fate fate) { return fate_names.at(index_of(fate)); };
  CHECK(name(Fate::accounted) == "accounted");
  CHECK(name(Fate::frame_too_short) == "frame_too_short");
  CHECK(name(Fate::vlan_depth) == "vlan_depth");
  CHECK(name(Fate::mpls_depth) == "mpls_depth");
  CHECK(name(Fate::arp) == "arp");
  CHECK(name(Fate::ipv6) == "ipv6");
  CHECK(name(Fate::llc) == "llc");
  CHECK(name(Fate::pppoe_control) == "pppoe_control");
  CHECK(name(Fate::mpls_payload) == "mpls_payload");
  CHECK(name(Fate::other_ethertype) == "other_ethertype");
  CHECK(name(Fate::ip_version) == "ip_version");
  CHECK(name(Fate::ip_header_length) == "ip_header_length");
  CHECK(name(Fate::ip_total_length) == "ip_total_length");
}

TEST_CASE("a cursor gives all bytes asked for or none") {
  const Bytes bytes = {1, 2, 3, 4, 5};
  Cursor cursor{bytes};
  CHECK(cursor.left() == 5);
  CHECK(cursor.peek(5) == bytes.data());
  CHECK(cursor.peek(6) == nullptr);
  CHECK(cursor.take(6) == nullptr);
  CHECK(cursor.take(std::numeric_limits<size_t>::max()) == nullptr);
  CHECK(cursor.left() == 5);
  CHECK(cursor.take(3) == bytes.data());
  CHECK(cursor.left() == 2);
  CHECK(cursor.peek(1) == bytes.data() + 3);
  CHECK(cursor.take(2) == bytes.data() + 3);
  CHECK(cursor.left() == 0);
  CHECK(cursor.take(1) == nullptr);
}

TEST_CASE("numbers are read in network byte order") {
  const Bytes bytes = {0xfe, 0xdc, 0xba, 0x98};
  CHECK(be16(bytes.data()) == 0xfedc);
  CHECK(be32(bytes.data()) == 0xfedcba98);
}
