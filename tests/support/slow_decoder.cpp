#include "support/slow_decoder.hpp"

#include <stdexcept>

namespace pollflow::test {
namespace {

using packet::Fate;
using packet::LinkType;

class SlowDecoder {
 public:
  SlowDecoder(std::span<const uint8_t> frame, uint16_t in_if) : frame_(frame), in_if_(in_if) {}

  [[nodiscard]] Verdict ethernet() const {
    return has(0, 14) ? announced(number(12, 2), 14) : too_short;
  }
  [[nodiscard]] Verdict linux_cooked_v1() const {
    return has(0, 16) ? announced(number(14, 2), 16) : too_short;
  }
  [[nodiscard]] Verdict linux_cooked_v2() const {
    return has(0, 20) ? announced(number(0, 2), 20) : too_short;
  }
  [[nodiscard]] Verdict raw_ip() const { return only_the_version_tells(0, Fate::ip_version); }

 private:
  static constexpr Verdict too_short{Fate::frame_too_short};

  [[nodiscard]] bool has(size_t at, size_t count) const { return at + count <= frame_.size(); }

  // Whoever asks for a byte has made sure of it: else the oracle itself is wrong.
  [[nodiscard]] uint8_t byte(size_t at) const {
    if (at >= frame_.size()) throw std::logic_error("the slow decoder reads beyond the frame");
    return frame_[at];
  }
  // Bytes in network order.
  [[nodiscard]] uint32_t number(size_t at, size_t count) const {
    uint32_t value = 0;
    for (size_t i = 0; i < count; ++i)
      value = value * 256 + byte(at + i);
    return value;
  }

  // A type field said `type` of what begins at `at`, below so many VLAN tags.
  [[nodiscard]] Verdict announced(uint32_t type, size_t at, int tags = 0) const {
    switch (type) {
      case 0x8100:
      case 0x88a8:
      case 0x9100:
        return vlan_tag(at, tags + 1);
      case 0x8847:
      case 0x8848:
        return mpls_label(at, 1);
      case 0x8863:
        return {Fate::pppoe_control};
      case 0x8864:
        return pppoe_session(at);
      case 0x0800:
        return ipv4(at);
      case 0x86dd:
        return {Fate::ipv6};
      case 0x0806:
        return {Fate::arp};
      default:
        return {type < 0x0600 ? Fate::llc : Fate::other_ethertype};
    }
  }

  [[nodiscard]] Verdict vlan_tag(size_t at, int tags) const {
    if (tags == 5) return {Fate::vlan_depth};
    if (!has(at, 4)) return too_short;
    return announced(number(at + 2, 2), at + 4, tags);
  }

  // RFC 3032: 20 bits of label, 3 of traffic class, then the bottom of the stack, then 8 of TTL.
  [[nodiscard]] Verdict mpls_label(size_t at, int labels) const {
    if (labels == 17) return {Fate::mpls_depth};
    if (!has(at, 4)) return too_short;
    const bool bottom = number(at, 4) / 256 % 2 == 1;
    if (!bottom) return mpls_label(at + 4, labels + 1);
    return only_the_version_tells(at + 4, Fate::mpls_payload);
  }

  // RFC 2516: version and type of 4 bits each, code, session, length; then PPP's protocol.
  [[nodiscard]] Verdict pppoe_session(size_t at) const {
    if (!has(at, 8)) return too_short;
    const bool session_data = byte(at) / 16 == 1 && byte(at) % 16 == 1 && byte(at + 1) == 0;
    const uint32_t ppp_protocol = number(at + 6, 2);
    if (session_data && ppp_protocol == 0x0021) return ipv4(at + 8);
    if (session_data && ppp_protocol == 0x0057) return {Fate::ipv6};
    return {Fate::pppoe_control};
  }

  [[nodiscard]] Verdict only_the_version_tells(size_t at, Fate neither) const {
    if (!has(at, 1)) return too_short;
    if (byte(at) / 16 == 4) return ipv4(at);
    return {byte(at) / 16 == 6 ? Fate::ipv6 : neither};
  }

  // RFC 791.
  [[nodiscard]] Verdict ipv4(size_t at) const {
    if (!has(at, 20)) return too_short;
    const size_t header_length = size_t{4} * (byte(at) % 16);
    const size_t total_length = number(at + 2, 2);
    if (byte(at) / 16 != 4) return {Fate::ip_version};
    if (header_length < 20) return {Fate::ip_header_length};
    if (total_length < header_length) return {Fate::ip_total_length};
    if (!has(at, header_length)) return too_short;

    Verdict verdict{Fate::accounted};
    verdict.packet.key.src = number(at + 12, 4);
    verdict.packet.key.dst = number(at + 16, 4);
    verdict.packet.key.in_if = in_if_;
    verdict.packet.key.protocol = byte(at + 9);
    verdict.packet.key.tos = byte(at + 1);
    verdict.packet.octets = static_cast<uint16_t>(total_length);
    const uint32_t fragment_offset = number(at + 6, 2) % 8192;
    if (fragment_offset == 0) transport(at + header_length, at + total_length, verdict.packet);
    return verdict;
  }

  // The packet's bytes from `at` end at `end`, or with the frame.
  void transport(size_t at, size_t end, packet::Packet& packet) const {
    const auto there = [&](size_t count) { return at + count <= end && has(at, count); };
    const bool icmp = packet.key.protocol == 1;
    const bool tcp = packet.key.protocol == 6;
    const bool udp = packet.key.protocol == 17;
    if ((tcp || udp) && there(4)) {
      packet.key.src_port = static_cast<uint16_t>(number(at, 2));
      packet.key.dst_port = static_cast<uint16_t>(number(at + 2, 2));
    }
    if (tcp && there(14)) packet.tcp_flags = byte(at + 13);
    if (icmp && there(2))
      packet.key.dst_port = static_cast<uint16_t>(byte(at) * 256 + byte(at + 1));
  }

  std::span<const uint8_t> frame_;
  uint16_t in_if_;
};

}  // namespace

Verdict slow_decode(std::span<const uint8_t> frame, LinkType link, uint16_t in_if) {
  const SlowDecoder decoder{frame, in_if};
  switch (link) {
    case LinkType::ethernet:
      return decoder.ethernet();
    case LinkType::raw_ip:
      return decoder.raw_ip();
    case LinkType::linux_cooked_v1:
      return decoder.linux_cooked_v1();
    case LinkType::linux_cooked_v2:
      return decoder.linux_cooked_v2();
  }
  throw std::logic_error("no such link type");
}

}  // namespace pollflow::test
