#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

#include "support/verdict.hpp"

// Frames layer by layer, right or wrong, and what the decoder should say of them.
namespace pollflow::test {

using Bytes = std::vector<uint8_t>;

// The input ifindex that tests of the decoder give.
inline constexpr uint16_t in_if = 7;

inline uint8_t low_byte(size_t number) {
  return static_cast<uint8_t>(number & 0xff);
}

inline void append(Bytes& to, const Bytes& more) {
  to.insert(to.end(), more.begin(), more.end());
}

inline void append16(Bytes& to, size_t number) {
  append(to, {low_byte(number >> 8), low_byte(number)});
}

inline void append32(Bytes& to, size_t number) {
  append16(to, number >> 16);
  append16(to, number);
}

inline Bytes first(size_t count, const Bytes& bytes) {
  return {bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(count)};
}

// A frame from the outermost layer inwards. Each layer enters its type in the type field of the
// layer around it, when that has one.
class Frame {
 public:
  explicit Frame(packet::LinkType link) : link_(link) {
    switch (link) {
      case packet::LinkType::ethernet:
        layer(14, 12);
        break;
      case packet::LinkType::linux_cooked_v1:
        layer(16, 14);
        break;
      case packet::LinkType::linux_cooked_v2:
        layer(20, 0);
        break;
      case packet::LinkType::raw_ip:
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

  [[nodiscard]] packet::LinkType link() const { return link_; }
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

  packet::LinkType link_;
  Bytes bytes_;
  size_t type_at_ = nowhere;
};

inline Frame ethernet() {
  return Frame(packet::LinkType::ethernet);
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
    return {.fate = packet::Fate::accounted,
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

inline Bytes tcp(uint8_t flags) {
  return {0x12, 0x34, 0xab, 0xcd, 1, 2, 3, 4, 5, 6, 7, 8, 0x50, flags, 9, 10, 11, 12, 13, 14};
}
inline const Bytes udp = {0x12, 0x34, 0xab, 0xcd, 0x01, 0x02, 0x03, 0x04};
inline const Bytes icmp = {3, 13, 0x77, 0x88, 0x99, 0xaa, 0xbb, 0xcc};
inline constexpr size_t src_port = 0x1234;
inline constexpr size_t dst_port = 0xabcd;

}  // namespace pollflow::test
