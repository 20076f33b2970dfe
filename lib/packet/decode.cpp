#include "packet/decode.hpp"

#include <algorithm>

#include "packet/cursor.hpp"
#include "packet/plain.hpp"

namespace pollflow::packet {
namespace {

// EtherTypes (IEEE 802 numbers). Cooked captures carry them in their protocol field.
constexpr uint16_t ethertype_min = 0x0600;  // below: the length of an 802.3 frame
constexpr uint16_t ethertype_ipv4 = 0x0800;
constexpr uint16_t ethertype_arp = 0x0806;
constexpr uint16_t ethertype_vlan = 0x8100;
constexpr uint16_t ethertype_ipv6 = 0x86dd;
constexpr uint16_t ethertype_mpls = 0x8847;
constexpr uint16_t ethertype_mpls_upstream = 0x8848;
constexpr uint16_t ethertype_pppoe_discovery = 0x8863;
constexpr uint16_t ethertype_pppoe_session = 0x8864;
constexpr uint16_t ethertype_qinq = 0x88a8;
constexpr uint16_t ethertype_qinq_old = 0x9100;

constexpr uint16_t ppp_ipv4 = 0x0021;
constexpr uint16_t ppp_ipv6 = 0x0057;

constexpr uint8_t protocol_icmp = 1;
constexpr uint8_t protocol_tcp = 6;
constexpr uint8_t protocol_udp = 17;

// Below, Fate::accounted from a step means: go on, the cursor stands at the next header.

// Where nothing but the version nibble says what follows.
Fate by_version(const Cursor& cursor, Fate neither) noexcept {
  const uint8_t* at = cursor.peek(1);
  if (at == nullptr) return Fate::frame_too_short;
  switch (*at >> 4) {
    case 4:
      return Fate::accounted;
    case 6:
      return Fate::ipv6;
    default:
      return neither;
  }
}

// RFC 3032: labels of 4 bytes, bit 0 of the third byte marks the last. Nothing says what it
// carries.
Fate pop_labels(Cursor& cursor) noexcept {
  for (size_t labels = 0; labels < mpls_labels_max; ++labels) {
    const uint8_t* label = cursor.take(4);
    if (label == nullptr) return Fate::frame_too_short;
    if ((label[2] & 1) != 0) return by_version(cursor, Fate::mpls_payload);
  }
  return Fate::mpls_depth;
}

// RFC 2516: version and type, code, session, length (6 bytes), then the PPP protocol (2).
Fate open_pppoe_session(Cursor& cursor) noexcept {
  const uint8_t* header = cursor.take(8);
  if (header == nullptr) return Fate::frame_too_short;
  if (header[0] != 0x11 || header[1] != 0) return Fate::pppoe_control;
  switch (be16(header + 6)) {
    case ppp_ipv4:
      return Fate::accounted;
    case ppp_ipv6:
      return Fate::ipv6;
    default:
      return Fate::pppoe_control;
  }
}

bool is_vlan(uint16_t ethertype) noexcept {
  return ethertype == ethertype_vlan || ethertype == ethertype_qinq ||
         ethertype == ethertype_qinq_old;
}

Fate by_ethertype(Cursor& cursor, uint16_t ethertype) noexcept {
  for (size_t tags = 0; is_vlan(ethertype); ++tags) {
    if (tags == vlan_tags_max) return Fate::vlan_depth;
    const uint8_t* tag = cursor.take(4);
    if (tag == nullptr) return Fate::frame_too_short;
    ethertype = be16(tag + 2);
  }
  switch (ethertype) {
    case ethertype_ipv4:
      return Fate::accounted;
    case ethertype_ipv6:
      return Fate::ipv6;
    case ethertype_arp:
      return Fate::arp;
    case ethertype_mpls:
    case ethertype_mpls_upstream:
      return pop_labels(cursor);
    case ethertype_pppoe_session:
      return open_pppoe_session(cursor);
    case ethertype_pppoe_discovery:
      return Fate::pppoe_control;
    default:
      return ethertype < ethertype_min ? Fate::llc : Fate::other_ethertype;
  }
}

// How long a link header is, and where in it stands the type of what follows.
struct LinkHeader {
  size_t bytes;
  size_t type_at;
};

constexpr LinkHeader link_header(LinkType link) noexcept {
  if (link == LinkType::ethernet) return {14, 12};
  if (link == LinkType::linux_cooked_v1) return {16, 14};
  return {20, 0};  // Linux cooked v2
}

// Steps over everything in front of the IPv4 header.
Fate find_ipv4(Cursor& cursor, LinkType link) noexcept {
  if (link == LinkType::raw_ip) return by_version(cursor, Fate::ip_version);
  const auto [bytes, type_at] = link_header(link);
  const uint8_t* header = cursor.take(bytes);
  if (header == nullptr) return Fate::frame_too_short;
  return by_ethertype(cursor, be16(header + type_at));
}

// `transport` has what is there of the transport header, perhaps nothing. What is missing is zero.
void read_transport(Cursor transport, Packet& packet) noexcept {
  FlowKey& key = packet.key;
  if (key.protocol == protocol_tcp || key.protocol == protocol_udp) {
    if (const uint8_t* ports = transport.peek(4)) {
      key.src_port = be16(ports);
      key.dst_port = be16(ports + 2);
    }
  } else if (key.protocol == protocol_icmp) {
    // Type and code, side by side: collectors expect type * 256 + code in the destination port.
    if (const uint8_t* type_code = transport.peek(2)) key.dst_port = be16(type_code);
  }
  if (key.protocol == protocol_tcp) {
    if (const uint8_t* tcp = transport.peek(14)) packet.tcp_flags = tcp[13];
  }
}

// RFC 791.
Fate read_ipv4(Cursor& cursor, uint16_t in_if, Packet& packet) noexcept {
  const uint8_t* header = cursor.take(20);
  if (header == nullptr) return Fate::frame_too_short;
  if (header[0] >> 4 != 4) return Fate::ip_version;
  const size_t header_length = size_t{4} * (header[0] & 0x0f);
  if (header_length < 20) return Fate::ip_header_length;
  const size_t total_length = be16(header + 2);
  if (total_length < header_length) return Fate::ip_total_length;
  if (cursor.take(header_length - 20) == nullptr) return Fate::frame_too_short;

  packet = Packet{.key = {.src = be32(header + 12),
                          .dst = be32(header + 16),
                          .src_port = 0,
                          .dst_port = 0,
                          .in_if = in_if,
                          .protocol = header[9],
                          .tos = header[1]},
                  .octets = static_cast<uint16_t>(total_length),
                  .tcp_flags = 0};
  const bool first_fragment = (be16(header + 6) & 0x1fff) == 0;
  if (first_fragment) {
    // Bytes behind the total length pad the frame; they are not the packet's.
    const size_t there = std::min(cursor.left(), total_length - header_length);
    read_transport(Cursor{{cursor.peek(there), there}}, packet);
  }
  return Fate::accounted;
}

}  // namespace

Fate decode(std::span<const uint8_t> frame, LinkType link, uint16_t in_if,
            Packet& packet) noexcept {
  Cursor cursor{frame};
  const Fate fate = find_ipv4(cursor, link);
  if (fate != Fate::accounted) return fate;
  const uint8_t* ip = cursor.peek(plain_bytes);
  if (ip != nullptr && read_plain_ipv4(ip, in_if, packet)) return Fate::accounted;
  return read_ipv4(cursor, in_if, packet);
}

}  // namespace pollflow::packet
