#include "packet/decode.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <iterator>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "packet/cursor.hpp"
#include "support/catch.hpp"

using namespace pollflow::packet;

namespace {

using Bytes = std::vector<uint8_t>;

constexpr uint16_t in_if = 7;

// ---------------------------------------------------------------------------------------------
// Verdicts: what the decoder says of a frame, and what it should say.

struct Verdict {
  Fate fate;
  Packet packet{};  // of an accounted frame
};

bool agree(const Verdict& got, const Verdict& expected) {
  if (got.fate != expected.fate) return false;
  if (got.fate != Fate::accounted) return true;
  return got.packet.key == expected.packet.key && got.packet.octets == expected.packet.octets &&
         got.packet.tcp_flags == expected.packet.tcp_flags;
}

std::string describe(const Verdict& verdict) {
  const std::string name{fate_names.at(index_of(verdict.fate))};
  if (verdict.fate != Fate::accounted) return name;
  const FlowKey& key = verdict.packet.key;
  return fmt::format("{}: {:08x}:{} > {:08x}:{} protocol {} tos {} in {}, {} octets, flags {:02x}",
                     name, key.src, key.src_port, key.dst, key.dst_port, key.protocol, key.tos,
                     key.in_if, verdict.packet.octets, verdict.packet.tcp_flags);
}

std::string hex(const Bytes& bytes) {
  std::string text;
  for (const uint8_t byte : bytes)
    fmt::format_to(std::back_inserter(text), "{:02x}", byte);
  return text;
}

// Decodes from a buffer that ends where the frame ends, so that a sanitizer sees a read beyond it,
// into a packet full of `litter`, so that a field left out shows.
Verdict decoded(const Bytes& frame, LinkType link, uint8_t litter = 0xa5) {
  const size_t lead = frame.empty() ? 1 : 0;  // of nothing there is no end
  Bytes buffer(lead + frame.size());
  std::ranges::copy(frame, buffer.begin() + static_cast<std::ptrdiff_t>(lead));
  Verdict verdict{.fate = Fate::accounted};
  std::memset(&verdict.packet, litter, sizeof(Packet));
  verdict.fate = decode({buffer.data() + lead, frame.size()}, link, in_if, verdict.packet);
  return verdict;
}

void require_verdict(const Verdict& expected, const Bytes& frame, LinkType link) {
  const Verdict got = decoded(frame, link);
  if (agree(got, expected)) return;
  INFO("link type " << static_cast<int>(link) << ", frame " << hex(frame));
  REQUIRE(describe(got) == describe(expected));
}

// ---------------------------------------------------------------------------------------------
// Frames

uint8_t low_byte(size_t number) {
  return static_cast<uint8_t>(number & 0xff);
}

void append(Bytes& to, const Bytes& more) {
  to.insert(to.end(), more.begin(), more.end());
}

void append16(Bytes& to, size_t number) {
  append(to, {low_byte(number >> 8), low_byte(number)});
}

void append32(Bytes& to, size_t number) {
  append16(to, number >> 16);
  append16(to, number);
}

Bytes first(size_t count, const Bytes& bytes) {
  return {bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(count)};
}

// A frame from the outermost layer inwards. Each layer enters its type in the type field of the
// layer around it, when that has one.
class Frame {
 public:
  explicit Frame(LinkType link) : link_(link) {
    switch (link) {
      case LinkType::ethernet:
        layer(14, 12);
        break;
      case LinkType::linux_cooked_v1:
        layer(16, 14);
        break;
      case LinkType::linux_cooked_v2:
        layer(20, 0);
        break;
      case LinkType::raw_ip:
        break;
    }
  }

  Frame& vlan(uint16_t type = 0x8100) {
    announce(type);
    layer(4, 2);
    return *this;
  }
  // The last label has the bottom-of-stack bit, unless there is no bottom.
  Frame& mpls(size_t labels, uint16_t type = 0x8847, bool bottom = true) {
    announce(type);
    for (size_t label = 1; label <= labels; ++label)
      append(bytes_, {0xff, 0xff, low_byte(bottom && label == labels ? 0xff : 0xfe), 64});
    type_at_ = nowhere;
    return *this;
  }
  Frame& pppoe(size_t protocol, uint8_t version_and_type = 0x11, uint8_t code = 0) {
    announce(0x8864);
    append(bytes_, {version_and_type, code, 0x12, 0x34, 0x56, 0x78});
    append16(bytes_, protocol);
    type_at_ = nowhere;
    return *this;
  }
  Frame& holds(size_t type, const Bytes& payload) {
    announce(type);
    append(bytes_, payload);
    return *this;
  }
  Frame& ipv4(const Bytes& packet) { return holds(0x0800, packet); }

  [[nodiscard]] LinkType link() const { return link_; }
  [[nodiscard]] const Bytes& bytes() const { return bytes_; }

 private:
  static constexpr size_t nowhere = std::numeric_limits<size_t>::max();

  void layer(size_t length, size_t type_offset) {
    type_at_ = bytes_.size() + type_offset;
    bytes_.resize(bytes_.size() + length, 0xee);
  }
  void announce(size_t type) {
    if (type_at_ == nowhere) return;
    bytes_[type_at_] = low_byte(type >> 8);
    bytes_[type_at_ + 1] = low_byte(type);
  }

  LinkType link_;
  Bytes bytes_;
  size_t type_at_ = nowhere;
};

Frame ethernet() {
  return Frame(LinkType::ethernet);
}

// An IPv4 packet: what its header says, right or wrong.
struct Ip {
  uint8_t protocol = 17;
  Bytes payload = {};
  size_t words = 5;            // of the header; options fill up what goes beyond 5
  size_t total_length = 0;     // 0: the true one
  uint16_t fragment = 0x4000;  // flags (here: don't fragment) and offset
  uint8_t tos = 0;
  uint8_t version = 4;
  uint32_t src = 0x0a000001;
  uint32_t dst = 0xc0a8fe02;

  [[nodiscard]] size_t header() const { return 4 * words; }
  [[nodiscard]] size_t total() const {
    return total_length == 0 ? header() + payload.size() : total_length;
  }
  [[nodiscard]] Bytes bytes() const {
    Bytes all = {low_byte(size_t{version} << 4 | words), tos};
    append16(all, total());
    append16(all, 0xbeef);
    append16(all, fragment);
    append(all, {64, protocol, 0xca, 0xfe});
    append32(all, src);
    append32(all, dst);
    if (words > 5) all.resize(header(), 1);
    append(all, payload);
    return all;
  }
  // The verdict on it.
  [[nodiscard]] Verdict with(size_t src_port, size_t dst_port, uint8_t tcp_flags = 0) const {
    return {.fate = Fate::accounted,
            .packet = {.key = {.src = src,
                               .dst = dst,
                               .src_port = static_cast<uint16_t>(src_port),
                               .dst_port = static_cast<uint16_t>(dst_port),
                               .in_if = in_if,
                               .protocol = protocol,
                               .tos = tos},
                       .octets = static_cast<uint16_t>(total()),
                       .tcp_flags = tcp_flags}};
  }
};

Bytes tcp(uint8_t flags) {
  return {0x12, 0x34, 0xab, 0xcd, 1, 2, 3, 4, 5, 6, 7, 8, 0x50, flags, 9, 10, 11, 12, 13, 14};
}
const Bytes udp = {0x12, 0x34, 0xab, 0xcd, 0x01, 0x02, 0x03, 0x04};
const Bytes icmp = {3, 13, 0x77, 0x88, 0x99, 0xaa, 0xbb, 0xcc};
constexpr size_t src_port = 0x1234;
constexpr size_t dst_port = 0xabcd;

constexpr std::array vlan_types = {uint16_t{0x8100}, uint16_t{0x88a8}, uint16_t{0x9100}};

Frame tagged(size_t tags, LinkType link = LinkType::ethernet) {
  Frame frame(link);
  for (size_t tag = 0; tag < tags; ++tag)
    frame.vlan(vlan_types.at(tag % vlan_types.size()));
  return frame;
}

// Everything that may lie in front of an IPv4 header.
struct Stack {
  std::string what;
  Frame frame;
  size_t length;  // counted from the layout
};

void add_stacks(LinkType link, size_t link_length, size_t tags, std::vector<Stack>& stacks) {
  const size_t length = link_length + 4 * tags;
  const auto add = [&](const std::string& inner, const Frame& frame, size_t more) {
    stacks.push_back({fmt::format("link {}, {} tags, {}", static_cast<int>(link), tags, inner),
                      frame, length + more});
  };
  add("no more", tagged(tags, link), 0);
  for (const size_t labels : std::array<size_t, 4>{1, 2, 15, 16})
    add(fmt::format("{} labels", labels), tagged(tags, link).mpls(labels), 4 * labels);
  add("an upstream label", tagged(tags, link).mpls(1, 0x8848), 4);
  add("PPPoE", tagged(tags, link).pppoe(0x0021), 8);
}

std::vector<Stack> all_stacks() {
  std::vector<Stack> stacks;
  stacks.push_back({"raw IP", Frame(LinkType::raw_ip), 0});
  for (size_t tags = 0; tags <= 4; ++tags) {
    add_stacks(LinkType::ethernet, 14, tags, stacks);
    add_stacks(LinkType::linux_cooked_v1, 16, tags, stacks);
    add_stacks(LinkType::linux_cooked_v2, 20, tags, stacks);
  }
  return stacks;
}

// Ports, and how much of the transport header they need.
struct Ports {
  size_t need = 0;
  size_t src = 0;
  size_t dst = 0;
};
constexpr Ports of_four_bytes = {4, src_port, dst_port};
constexpr Ports of_two_bytes = {2, 0, 3 * 256 + 13};

// What an IPv4 header may be followed by.
struct Content {
  const char* what;
  Ip ip;
  Ports ports = {};
  uint8_t tcp_flags = 0;

  // The verdict when `there` bytes of the transport header are there.
  [[nodiscard]] Verdict with(size_t there) const {
    const Ports seen = there >= ports.need ? ports : Ports{};
    return ip.with(seen.src, seen.dst, there >= 14 ? tcp_flags : uint8_t{0});
  }
};

const std::vector<Content>& all_contents() {
  static const Bytes syn = tcp(0x02);
  static const std::vector<Content> contents = {
      {"TCP", {.protocol = 6, .payload = tcp(0x1b)}, of_four_bytes, 0x1b},
      {"TCP behind options",
       {.protocol = 6, .payload = tcp(0xff), .words = 15},
       of_four_bytes,
       0xff},
      {"14 bytes of TCP, padded",
       {.protocol = 6, .payload = syn, .total_length = 34},
       of_four_bytes,
       0x02},
      {"13 bytes of TCP behind options, padded",
       {.protocol = 6, .payload = syn, .words = 6, .total_length = 37},
       of_four_bytes},
      {"longer than captured",
       {.protocol = 6, .payload = syn, .total_length = 1500},
       of_four_bytes,
       0x02},
      {"UDP", {.payload = udp}, of_four_bytes},
      {"4 bytes of UDP, padded", {.payload = udp, .total_length = 24}, of_four_bytes},
      {"3 bytes of UDP, padded", {.payload = udp, .total_length = 23}},
      {"ICMP", {.protocol = 1, .payload = icmp}, of_two_bytes},
      {"1 byte of ICMP, padded", {.protocol = 1, .payload = icmp, .total_length = 21}},
      {"SCTP", {.protocol = 132, .payload = udp}},
      {"a later fragment", {.protocol = 6, .payload = syn, .fragment = 0x2001}},
  };
  return contents;
}

// ---------------------------------------------------------------------------------------------
// docs/reference/flows.md once more, slowly, by index into the frame.

class Rules {
 public:
  static Verdict verdict(const Bytes& frame, LinkType link) {
    const Rules rules{frame};
    switch (link) {
      case LinkType::ethernet:
        return rules.link_header(14, 12);
      case LinkType::linux_cooked_v1:
        return rules.link_header(16, 14);
      case LinkType::linux_cooked_v2:
        return rules.link_header(20, 0);
      case LinkType::raw_ip:
        break;
    }
    return rules.only_the_version_tells(0, Fate::ip_version);
  }

 private:
  explicit Rules(const Bytes& frame) : frame_(frame) {}

  [[nodiscard]] bool has(size_t at, size_t count) const { return frame_.size() >= at + count; }
  [[nodiscard]] size_t number(size_t at, size_t count) const {
    size_t value = 0;
    for (size_t i = at; i < at + count; ++i)
      value = value * 256 + frame_.at(i);
    return value;
  }

  [[nodiscard]] Verdict link_header(size_t length, size_t type_at) const {
    if (!has(0, length)) return {Fate::frame_too_short};
    return announced(number(type_at, 2), length, 0);
  }

  [[nodiscard]] Verdict announced(size_t type, size_t at, size_t tags) const {
    if (std::ranges::count(vlan_types, type) > 0) return vlan_tag(at, tags + 1);
    if (type == 0x0800) return ipv4(at);
    if (type == 0x8847 || type == 0x8848) return mpls_label(at, 1);
    if (type == 0x8864) return pppoe_session(at);
    if (type == 0x0806) return {Fate::arp};
    if (type == 0x86dd) return {Fate::ipv6};
    if (type == 0x8863) return {Fate::pppoe_control};
    return {type < 0x0600 ? Fate::llc : Fate::other_ethertype};
  }

  [[nodiscard]] Verdict vlan_tag(size_t at, size_t tags) const {
    if (tags > 4) return {Fate::vlan_depth};
    if (!has(at, 4)) return {Fate::frame_too_short};
    return announced(number(at + 2, 2), at + 4, tags);
  }

  [[nodiscard]] Verdict mpls_label(size_t at, size_t labels) const {
    if (labels > 16) return {Fate::mpls_depth};
    if (!has(at, 4)) return {Fate::frame_too_short};
    const bool last = number(at + 2, 1) % 2 == 1;
    return last ? only_the_version_tells(at + 4, Fate::mpls_payload)
                : mpls_label(at + 4, labels + 1);
  }

  [[nodiscard]] Verdict pppoe_session(size_t at) const {
    if (!has(at, 8)) return {Fate::frame_too_short};
    const bool data = number(at, 2) == 0x1100;
    if (data && number(at + 6, 2) == 0x0021) return ipv4(at + 8);
    return {data && number(at + 6, 2) == 0x0057 ? Fate::ipv6 : Fate::pppoe_control};
  }

  [[nodiscard]] Verdict only_the_version_tells(size_t at, Fate neither) const {
    if (!has(at, 1)) return {Fate::frame_too_short};
    const size_t version = number(at, 1) / 16;
    if (version == 4) return ipv4(at);
    return {version == 6 ? Fate::ipv6 : neither};
  }

  [[nodiscard]] Verdict ipv4(size_t at) const {
    if (!has(at, 20)) return {Fate::frame_too_short};
    const size_t header = number(at, 1) % 16 * 4;
    const size_t total = number(at + 2, 2);
    if (number(at, 1) / 16 != 4) return {Fate::ip_version};
    if (header < 20) return {Fate::ip_header_length};
    if (total < header) return {Fate::ip_total_length};
    if (!has(at, header)) return {Fate::frame_too_short};
    const Ip seen = {.protocol = low_byte(number(at + 9, 1)),
                     .total_length = total,
                     .tos = low_byte(number(at + 1, 1)),
                     .src = static_cast<uint32_t>(number(at + 12, 4)),
                     .dst = static_cast<uint32_t>(number(at + 16, 4))};
    if (number(at + 6, 2) % 8192 != 0) return seen.with(0, 0);
    return transport(seen, at + header, std::min(frame_.size(), at + total));
  }

  [[nodiscard]] Verdict transport(const Ip& seen, size_t at, size_t end) const {
    const size_t there = end - at;
    const bool is_tcp = seen.protocol == 6;
    if (seen.protocol == 1 && there >= 2) return seen.with(0, number(at, 2));
    if ((!is_tcp && seen.protocol != 17) || there < 4) return seen.with(0, 0);
    return seen.with(number(at, 2), number(at + 2, 2),
                     is_tcp && there >= 14 ? frame_.at(at + 13) : uint8_t{0});
  }

  const Bytes& frame_;
};

// ---------------------------------------------------------------------------------------------
// Tables

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

TEST_CASE("every stack cut at every byte: too short up to the IPv4 options, then as it is") {
  size_t frames = 0;
  for (const Stack& stack : all_stacks()) {
    for (const Content& content : all_contents()) {
      INFO(stack.what << ", " << content.what);
      Frame frame = stack.frame;
      REQUIRE(frame.bytes().size() == stack.length);
      frame.ipv4(content.ip.bytes());
      const size_t transport_at = stack.length + content.ip.header();
      const size_t end = stack.length + content.ip.total();
      for (size_t cut = 0; cut <= frame.bytes().size(); ++cut, ++frames) {
        const Verdict expected = cut < transport_at
                                     ? Verdict{Fate::frame_too_short}
                                     : content.with(std::min(cut, end) - transport_at);
        require_verdict(expected, first(cut, frame.bytes()), frame.link());
      }
    }
  }
  CHECK(frames > 50'000);
}

TEST_CASE("no header lies beyond header_bytes_max: what follows changes nothing") {
  for (const Stack& stack : all_stacks()) {
    for (const Content& content : all_contents()) {
      INFO(stack.what << ", " << content.what);
      Frame frame = stack.frame;
      Ip ip = content.ip;
      ip.words = 15;
      if (content.ip.total_length != 0) ip.total_length += 4 * (15 - content.ip.words);
      ip.payload.resize(header_bytes_max + 100, 0x99);
      frame.ipv4(ip.bytes());
      REQUIRE(frame.bytes().size() > header_bytes_max);
      require_verdict(decoded(frame.bytes(), frame.link()), first(header_bytes_max, frame.bytes()),
                      frame.link());
    }
  }
  for (const Skipped& s : skipped_frames()) {
    INFO(s.what);
    if (s.frame.bytes().size() <= header_bytes_max) continue;
    require_verdict({s.fate}, first(header_bytes_max, s.frame.bytes()), s.frame.link());
  }
}

TEST_CASE("every IPv4 header length with every small total length and every cut") {
  size_t frames = 0;
  const auto grid = [&](uint8_t protocol, size_t words, size_t total) {
    Bytes payload(80);
    std::generate(payload.begin(), payload.end(), [n = uint8_t{1}]() mutable { return n++; });
    Bytes packet = Ip{.protocol = protocol, .payload = payload, .words = words}.bytes();
    packet[2] = low_byte(total >> 8);
    packet[3] = low_byte(total);
    const Bytes whole = ethernet().ipv4(packet).bytes();
    for (size_t cut = 14; cut <= 14 + 100; ++cut, ++frames) {
      const Bytes frame = first(cut, whole);
      require_verdict(Rules::verdict(frame, LinkType::ethernet), frame, LinkType::ethernet);
    }
  };
  for (const uint8_t protocol : std::array<uint8_t, 3>{1, 6, 17}) {
    for (size_t words = 0; words < 16; ++words) {
      for (size_t total = 0; total <= 100; ++total)
        grid(protocol, words, total);
      grid(protocol, words, 65535);
    }
  }
  CHECK(frames == 3 * 16 * 102 * 101);
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
    const Verdict expected = Rules::verdict(frame, LinkType::ethernet);
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

TEST_CASE("mutated frames have the fate and the key of the rules, and have them again") {
  std::vector<Frame> seeds;
  for (const Stack& stack : all_stacks()) {
    for (const Content& content : all_contents())
      seeds.push_back(Frame(stack.frame).ipv4(content.ip.bytes()));
  }
  for (const Skipped& s : skipped_frames())
    seeds.push_back(s.frame);

  std::mt19937 random(20240517);
  const auto mutate = [&](Bytes& bytes) {
    const size_t at = random() % bytes.size();
    switch (random() % 4) {
      case 0:
        bytes[at] ^= low_byte(size_t{1} << random() % 8);
        break;
      case 1:
        bytes[at] = low_byte(random());
        break;
      case 2:  // types and numbers that mean something, where nobody expects them
        bytes[at] =
            std::array<uint8_t, 8>{0x81, 0x00, 0x88, 0x47, 0x64, 0x08, 0x45, 0x21}.at(random() % 8);
        break;
      default:
        bytes.resize(at + 1);
    }
  };
  std::array<size_t, fate_count> met{};
  for (int run = 0; run < 200'000; ++run) {
    const Frame& seed = seeds[random() % seeds.size()];
    Bytes frame = seed.bytes();
    for (auto changes = 1 + random() % 4; changes > 0; --changes)
      mutate(frame);
    const Verdict got = decoded(frame, seed.link());
    REQUIRE(index_of(got.fate) < fate_count);
    ++met.at(index_of(got.fate));
    require_verdict(Rules::verdict(frame, seed.link()), frame, seed.link());
    require_verdict(got, frame, seed.link());
    if (!agree(decoded(frame, seed.link(), 0x5a), got)) FAIL("twice, twice differently");
  }
  for (size_t fate = 0; fate < fate_count; ++fate) {
    INFO(fate_names.at(fate));
    CHECK(met.at(fate) > 0);
  }
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
