#include "sim/traffic.hpp"

#include <array>

namespace pollflow::test {
namespace {

using packet::Fate;

constexpr uint8_t icmp = 1;
constexpr uint8_t tcp = 6;
constexpr uint8_t udp = 17;
constexpr uint8_t gre = 47;
constexpr std::array<uint8_t, 8> protocols = {tcp, udp, tcp, udp, tcp, udp, icmp, gre};

void add16(std::vector<uint8_t>& to, uint32_t value) {
  to.push_back(static_cast<uint8_t>(value >> 8));
  to.push_back(static_cast<uint8_t>(value));
}

void add32(std::vector<uint8_t>& to, uint32_t value) {
  add16(to, value >> 16);
  add16(to, value);
}

packet::FlowKey key_of(uint32_t flow) {
  const uint8_t protocol = protocols[flow % protocols.size()];
  const bool has_ports = protocol == tcp || protocol == udp;
  return {.src = 0x0a000000 + flow / 4,
          .dst = 0xc0a80000 + flow % 4,
          .src_port = static_cast<uint16_t>(has_ports ? 1024 + flow % 50'000 : 0),
          .dst_port = static_cast<uint16_t>(has_ports          ? 443
                                            : protocol == icmp ? 0x0800
                                                               : 0),
          .in_if = Traffic::in_if,
          .protocol = protocol,
          .tos = static_cast<uint8_t>(flow % 3 == 0 ? 0xb8 : 0)};
}

std::vector<uint8_t> link_header(uint32_t ethertype, unsigned tags) {
  std::vector<uint8_t> bytes(12, 0x02);
  for (; tags > 0; --tags) {
    add16(bytes, 0x8100);
    add16(bytes, tags);
  }
  add16(bytes, ethertype);
  return bytes;
}

// Zeros but for what a flow is known by.
void add_transport(std::vector<uint8_t>& bytes, const packet::FlowKey& key, uint8_t tcp_flags) {
  const size_t begin = bytes.size();
  if (key.protocol == icmp) {
    add16(bytes, key.dst_port);
  } else {
    add16(bytes, key.src_port);
    add16(bytes, key.dst_port);
  }
  bytes.resize(begin + 20, 0);
  if (key.protocol == tcp) bytes[begin + 13] = tcp_flags;
}

}  // namespace

Frame Traffic::next(uint32_t flows) {
  if (dice_.once_in(25)) return of_no_flow();
  const auto flow = static_cast<uint32_t>(dice_.draw(flows));
  return of_flow(flow, static_cast<uint8_t>(dice_.once_in(15) ? dice_.draw(64) : 0x10));
}

Frame Traffic::of_flow(uint32_t flow, uint8_t tcp_flags, uint16_t octets) {
  const auto option_words = static_cast<uint8_t>(dice_.once_in(20) ? dice_.between(1, 10) : 0);
  const auto least = static_cast<uint16_t>(20 + 4 * option_words + 20);
  if (octets == 0) octets = static_cast<uint16_t>(least + dice_.draw(1400));
  Frame frame{.bytes = link_header(0x0800, dice_.once_in(20) ? 1 + flow % 3 : 0),
              .key = key_of(flow),
              .octets = octets,
              .flow = flow};
  std::vector<uint8_t>& bytes = frame.bytes;
  bytes.push_back(static_cast<uint8_t>(0x45 + option_words));
  bytes.push_back(frame.key.tos);
  add16(bytes, octets);
  add32(bytes, 0);
  bytes.push_back(64);
  bytes.push_back(frame.key.protocol);
  add16(bytes, 0);
  add32(bytes, frame.key.src);
  add32(bytes, frame.key.dst);
  bytes.resize(bytes.size() + size_t{4} * option_words, 0);
  add_transport(bytes, frame.key, tcp_flags);
  return frame;
}

Frame Traffic::of_no_flow() {
  struct Kind {
    Fate fate;
    uint32_t ethertype;
    unsigned tags;
    uint8_t first;  // byte behind the link header, the rest is zeros
    size_t bytes;
  };
  static constexpr std::array<Kind, 7> kinds = {{{Fate::arp, 0x0806, 0, 0, 28},
                                                 {Fate::ipv6, 0x86dd, 1, 0x60, 40},
                                                 {Fate::frame_too_short, 0x0800, 0, 0x45, 12},
                                                 {Fate::ip_version, 0x0800, 0, 0x55, 40},
                                                 {Fate::ip_header_length, 0x0800, 0, 0x44, 40},
                                                 {Fate::ip_total_length, 0x0800, 2, 0x45, 40},
                                                 {Fate::vlan_depth, 0x0800, 5, 0x45, 40}}};
  const Kind& kind = dice_.pick(kinds);
  Frame frame{.bytes = link_header(kind.ethertype, kind.tags), .fate = kind.fate};
  const size_t begin = frame.bytes.size();
  frame.bytes.resize(begin + kind.bytes, 0);
  frame.bytes[begin] = kind.first;
  return frame;
}

}  // namespace pollflow::test
