#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

namespace pollflow::test {

// Reads NetFlow v5 byte by byte, with the offsets of Cisco's "NetFlow Export Datagram Format",
// tables B-3 and B-4. Shares nothing with lib/netflow.

struct V5Flow {
  uint32_t src_addr;
  uint32_t dst_addr;
  uint32_t next_hop;
  uint16_t input;
  uint16_t output;
  uint32_t packets;
  uint32_t octets;
  uint32_t first;
  uint32_t last;
  uint16_t src_port;
  uint16_t dst_port;
  uint8_t pad1;
  uint8_t tcp_flags;
  uint8_t protocol;
  uint8_t tos;
  uint16_t src_as;
  uint16_t dst_as;
  uint8_t src_mask;
  uint8_t dst_mask;
  uint16_t pad2;

  bool operator==(const V5Flow&) const = default;
};

struct V5Datagram {
  uint16_t version;
  uint16_t count;
  uint32_t sys_uptime;
  uint32_t unix_secs;
  uint32_t unix_nsecs;
  uint32_t flow_sequence;
  uint8_t engine_type;
  uint8_t engine_id;
  uint16_t sampling;
  std::vector<V5Flow> flows;
};

// Big-endian numbers at offsets from a place in a datagram.
class V5Bytes {
 public:
  V5Bytes(std::span<const uint8_t> datagram, size_t at) : bytes_(datagram.subspan(at)) {}

  [[nodiscard]] uint8_t u8(size_t offset) const { return bytes_[offset]; }
  [[nodiscard]] uint16_t u16(size_t offset) const {
    return static_cast<uint16_t>(bytes_[offset] * 256 + bytes_[offset + 1]);
  }
  [[nodiscard]] uint32_t u32(size_t offset) const {
    return uint32_t{u16(offset)} * 65536 + u16(offset + 2);
  }

 private:
  std::span<const uint8_t> bytes_;
};

inline V5Flow read_v5_flow(const V5Bytes& at) {
  return {.src_addr = at.u32(0),
          .dst_addr = at.u32(4),
          .next_hop = at.u32(8),
          .input = at.u16(12),
          .output = at.u16(14),
          .packets = at.u32(16),
          .octets = at.u32(20),
          .first = at.u32(24),
          .last = at.u32(28),
          .src_port = at.u16(32),
          .dst_port = at.u16(34),
          .pad1 = at.u8(36),
          .tcp_flags = at.u8(37),
          .protocol = at.u8(38),
          .tos = at.u8(39),
          .src_as = at.u16(40),
          .dst_as = at.u16(42),
          .src_mask = at.u8(44),
          .dst_mask = at.u8(45),
          .pad2 = at.u16(46)};
}

// Throws std::runtime_error, saying what is wrong, for anything but version 5 with 1 to 30 records
// and not a byte more or less.
inline V5Datagram read_v5(std::span<const uint8_t> datagram) {
  if (datagram.size() < 24) {
    throw std::runtime_error("no v5 header in " + std::to_string(datagram.size()) + " bytes");
  }
  const V5Bytes at(datagram, 0);
  V5Datagram read = {.version = at.u16(0),
                     .count = at.u16(2),
                     .sys_uptime = at.u32(4),
                     .unix_secs = at.u32(8),
                     .unix_nsecs = at.u32(12),
                     .flow_sequence = at.u32(16),
                     .engine_type = at.u8(20),
                     .engine_id = at.u8(21),
                     .sampling = at.u16(22),
                     .flows = {}};
  if (read.version != 5) throw std::runtime_error("version " + std::to_string(read.version));
  if (read.count < 1 || read.count > 30 || datagram.size() != 24 + size_t{48} * read.count) {
    throw std::runtime_error(std::to_string(read.count) + " records in " +
                             std::to_string(datagram.size()) + " bytes");
  }
  for (size_t flow = 0; flow < read.count; ++flow)
    read.flows.push_back(read_v5_flow({datagram, 24 + 48 * flow}));
  return read;
}

}  // namespace pollflow::test
