#include "mix.hpp"

#include <algorithm>

namespace pollflow::soak {
namespace {

using packet::Fate;

constexpr uint16_t type_ipv4 = 0x0800;
constexpr uint16_t type_vlan = 0x8100;
constexpr uint16_t type_qinq = 0x88a8;
constexpr uint16_t type_mpls = 0x8847;
constexpr uint16_t type_pppoe = 0x8864;

constexpr uint8_t protocol_icmp = 1;
constexpr uint8_t protocol_tcp = 6;
constexpr uint8_t protocol_udp = 17;
constexpr uint8_t protocol_gre = 47;

constexpr uint8_t fin_ack = 0x11;
constexpr uint8_t syn = 0x02;
constexpr uint8_t rst = 0x04;
constexpr uint8_t ack = 0x10;

constexpr uint32_t ipv4_header = 20;
constexpr uint32_t shortest = 40;
constexpr uint32_t long_flows = 1000;
constexpr uint32_t wrapped_flows = 100;
constexpr uint16_t first_part = 400;  // of a fragmented datagram
constexpr uint16_t second_part = 200;
constexpr uint16_t more_fragments = 0x2000;
constexpr uint32_t wrapped_length = 500;  // so that tags and labels fit beside it

// Networks, so that a flow's address says what kind it is of.
constexpr uint32_t net_long = 0x0a010000;
constexpr uint32_t net_connections = 0x0a400000;
constexpr uint32_t net_scan = 0x0b000000;
constexpr uint32_t net_wrapped = 0x0a020000;
constexpr uint32_t net_servers = 0xac100000;

void put_macs(Frame& frame) noexcept {
  frame.put16(0x0200);
  frame.put32(2);
  frame.put16(0x0200);
  frame.put32(1);
}

struct Ipv4 {
  uint32_t src;
  uint32_t dst;
  uint8_t protocol;
  uint32_t length;
  uint16_t id = 1;
  uint16_t fragment = 0;
  uint8_t version_and_words = 0x45;
};

void put_ipv4(Frame& frame, const Ipv4& header) noexcept {
  frame.put8(header.version_and_words);
  frame.put8(0);
  frame.put16(static_cast<uint16_t>(header.length));
  frame.put16(header.id);
  frame.put16(header.fragment);
  frame.put8(64);
  frame.put8(header.protocol);
  frame.put16(0);
  frame.put32(header.src);
  frame.put32(header.dst);
  frame.ipv4_octets = static_cast<uint16_t>(header.length);
}

void put_ports(Frame& frame, uint16_t src) noexcept {
  frame.put16(src);
  frame.put16(443);
}

void put_udp(Frame& frame, uint32_t src, uint32_t dst, uint16_t port, uint32_t length) noexcept {
  put_ipv4(frame, {.src = src, .dst = dst, .protocol = protocol_udp, .length = length});
  put_ports(frame, port);
  frame.put16(static_cast<uint16_t>(length - ipv4_header));
  frame.put16(0);
  frame.put_zeros(length - ipv4_header - 8);
}

void put_tcp(Frame& frame, uint32_t src, uint16_t port, uint8_t flags, uint32_t length) noexcept {
  put_ipv4(frame, {.src = src, .dst = net_servers, .protocol = protocol_tcp, .length = length});
  put_ports(frame, port);
  frame.put32(1);
  frame.put32(1);
  frame.put8(5 << 4);
  frame.put8(flags);
  frame.put_zeros(length - ipv4_header - 14);
}

void begin(Frame& frame, Fate fate, uint16_t type) noexcept {
  frame.begin(fate);
  put_macs(frame);
  frame.put16(type);
}

// What cannot be put to a flow, below a header of its own.
void put_body(Frame& frame) noexcept {
  frame.put_zeros(46);
}

void put_wrapped(Frame& frame, uint32_t flow) noexcept {
  put_udp(frame, net_wrapped + flow, net_servers, 4000, wrapped_length);
}

}  // namespace

const std::array<Mix::Kind, 22> Mix::kinds = {{
    {&Mix::long_flow, 590},
    {&Mix::connection, 220},
    {&Mix::one_packet_flow, 60},
    {&Mix::icmp, 10},
    {&Mix::first_fragment, 10},
    {&Mix::other_protocol, 5},
    {&Mix::one_tag, 40},
    {&Mix::two_tags, 10},
    {&Mix::labels, 10},
    {&Mix::pppoe, 10},
    {&Mix::arp, 5},
    {&Mix::ipv6, 15},
    {&Mix::llc, 3},
    {&Mix::other_ethertype, 2},
    {&Mix::pppoe_control, 2},
    {&Mix::too_many_tags, 1},
    {&Mix::too_many_labels, 1},
    {&Mix::no_ip_below_labels, 1},
    {&Mix::too_short, 2},
    {&Mix::wrong_version, 1},
    {&Mix::wrong_header_length, 1},
    {&Mix::wrong_total_length, 1},
}};

Mix::Mix(uint64_t seed) : random_(seed) {
  auto to = kind_of_draw_.begin();
  for (size_t kind = 0; kind < kinds.size(); ++kind)
    to = std::fill_n(to, kinds[kind].per_mille, static_cast<uint8_t>(kind));
}

void Mix::next(Frame& frame) noexcept {
  if (half_sent_) return second_fragment(frame);
  const Kind& kind = kinds[kind_of_draw_[below(static_cast<uint32_t>(kind_of_draw_.size()))]];
  (this->*kind.make)(frame);
}

uint32_t Mix::below(uint32_t limit) noexcept {
  return static_cast<uint32_t>((random_() >> 32) * limit >> 32);
}

// Short, middling and full ones, as on most links.
uint32_t Mix::draw_length() noexcept {
  const uint32_t draw = below(10);
  if (draw < 5) return shortest + below(60);
  if (draw < 8) return 400 + below(300);
  return 1400 + below(101);
}

void Mix::long_flow(Frame& frame) noexcept {
  const uint32_t flow = below(long_flows);
  begin(frame, Fate::accounted, type_ipv4);
  if (flow % 2 == 0)
    put_udp(frame, net_long + flow, net_servers, 5000, draw_length());
  else
    put_tcp(frame, net_long + flow, 5000, ack, draw_length());
  frame.pad();
}

void Mix::connection(Frame& frame) noexcept {
  Connection& of = connections_[below(static_cast<uint32_t>(connections_.size()))];
  if (of.sent == of.packets)
    of = {.number = connections_begun_++, .sent = 0, .packets = 3 + below(12)};
  ++of.sent;
  const uint8_t last = of.number % 4 == 0 ? rst : fin_ack;
  const uint8_t flags = of.sent == 1 ? syn : of.sent == of.packets ? last : ack;
  begin(frame, Fate::accounted, type_ipv4);
  put_tcp(frame, net_connections + (of.number >> 15),
          static_cast<uint16_t>(1024 + of.number % 32768), flags,
          flags == ack ? draw_length() : shortest);
  frame.pad();
}

void Mix::one_packet_flow(Frame& frame) noexcept {
  begin(frame, Fate::accounted, type_ipv4);
  put_udp(frame, net_scan + scanned_++ % (1U << 24), net_servers, 6000, shortest);
  frame.pad();
}

void Mix::icmp(Frame& frame) noexcept {
  begin(frame, Fate::accounted, type_ipv4);
  put_ipv4(frame, {.src = net_long + below(long_flows),
                   .dst = net_servers,
                   .protocol = protocol_icmp,
                   .length = 84});
  frame.put16(0x0800);
  frame.put_zeros(62);
}

// Before AF_PACKET sees fragments the kernel makes one packet of them, which has the ports. So a
// datagram is sent whole: the first part, and the next frame is the other.
void Mix::first_fragment(Frame& frame) noexcept {
  begin(frame, Fate::accounted, type_ipv4);
  put_ipv4(frame, {.src = net_long + fragmented_ % long_flows,
                   .dst = net_servers,
                   .protocol = protocol_udp,
                   .length = ipv4_header + first_part,
                   .id = static_cast<uint16_t>(fragmented_),
                   .fragment = more_fragments});
  put_ports(frame, 7000);
  frame.put16(first_part + second_part);
  frame.put16(0);
  frame.put_zeros(first_part - 8);
  frame.gathered = true;
  half_sent_ = true;
}

void Mix::second_fragment(Frame& frame) noexcept {
  begin(frame, Fate::accounted, type_ipv4);
  put_ipv4(frame, {.src = net_long + fragmented_ % long_flows,
                   .dst = net_servers,
                   .protocol = protocol_udp,
                   .length = ipv4_header + second_part,
                   .id = static_cast<uint16_t>(fragmented_),
                   .fragment = first_part / 8});
  frame.put_zeros(second_part);
  frame.gathered_octets = first_part;
  frame.ipv4_octets = ipv4_header + first_part + second_part;
  half_sent_ = false;
  ++fragmented_;
}

void Mix::other_protocol(Frame& frame) noexcept {
  begin(frame, Fate::accounted, type_ipv4);
  put_ipv4(frame, {.src = net_long + below(long_flows),
                   .dst = net_servers,
                   .protocol = protocol_gre,
                   .length = 120});
  frame.put_zeros(100);
}

void Mix::one_tag(Frame& frame) noexcept {
  begin(frame, Fate::accounted, type_vlan);
  frame.put16(static_cast<uint16_t>(1 + below(100)));
  frame.put16(type_ipv4);
  put_wrapped(frame, below(wrapped_flows));
}

void Mix::two_tags(Frame& frame) noexcept {
  begin(frame, Fate::accounted, type_qinq);
  frame.put16(7);
  frame.put16(type_vlan);
  frame.put16(8);
  frame.put16(type_ipv4);
  put_wrapped(frame, below(wrapped_flows));
}

void Mix::labels(Frame& frame) noexcept {
  begin(frame, Fate::accounted, type_mpls);
  frame.put32(100U << 12 | 64);
  frame.put32(200U << 12 | 1U << 8 | 64);
  put_wrapped(frame, below(wrapped_flows));
}

void Mix::pppoe(Frame& frame) noexcept {
  begin(frame, Fate::accounted, type_pppoe);
  frame.put16(0x1100);
  frame.put16(1);
  frame.put16(static_cast<uint16_t>(wrapped_length + 2));
  frame.put16(0x0021);
  put_wrapped(frame, below(wrapped_flows));
}

void Mix::arp(Frame& frame) noexcept {
  begin(frame, Fate::arp, 0x0806);
  put_body(frame);
}

void Mix::ipv6(Frame& frame) noexcept {
  begin(frame, Fate::ipv6, 0x86dd);
  frame.put32(6U << 28);
  frame.put_zeros(36 + below(1000));
}

void Mix::llc(Frame& frame) noexcept {
  begin(frame, Fate::llc, 46);
  put_body(frame);
}

void Mix::other_ethertype(Frame& frame) noexcept {
  begin(frame, Fate::other_ethertype, 0x88cc);
  put_body(frame);
}

void Mix::pppoe_control(Frame& frame) noexcept {
  begin(frame, Fate::pppoe_control, 0x8863);
  put_body(frame);
}

void Mix::too_many_tags(Frame& frame) noexcept {
  begin(frame, Fate::vlan_depth, type_vlan);
  for (uint16_t tag = 0; tag < 4; ++tag) {
    frame.put16(tag);
    frame.put16(type_vlan);
  }
  put_body(frame);
}

void Mix::too_many_labels(Frame& frame) noexcept {
  begin(frame, Fate::mpls_depth, type_mpls);
  for (uint32_t label = 0; label < 17; ++label)
    frame.put32(label << 12 | 64);
  put_body(frame);
}

void Mix::no_ip_below_labels(Frame& frame) noexcept {
  begin(frame, Fate::mpls_payload, type_mpls);
  frame.put32(1U << 12 | 1U << 8 | 64);
  put_body(frame);
}

void Mix::too_short(Frame& frame) noexcept {
  begin(frame, Fate::frame_too_short, type_ipv4);
  frame.put8(0x45);
  frame.put_zeros(below(ipv4_header - 1));
}

void Mix::wrong_version(Frame& frame) noexcept {
  begin(frame, Fate::ip_version, type_ipv4);
  frame.put8(0x55);
  put_body(frame);
}

void Mix::wrong_header_length(Frame& frame) noexcept {
  begin(frame, Fate::ip_header_length, type_ipv4);
  frame.put8(0x44);
  put_body(frame);
}

void Mix::wrong_total_length(Frame& frame) noexcept {
  begin(frame, Fate::ip_total_length, type_ipv4);
  frame.put8(0x45);
  frame.put8(0);
  frame.put16(ipv4_header - 1);
  put_body(frame);
}

}  // namespace pollflow::soak
