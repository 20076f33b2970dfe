#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace pollflow::netflow {

// Numbers in network byte order, which do not turn into host numbers by accident.
struct Be16 {
  Be16() = default;
  explicit constexpr Be16(uint16_t value) noexcept
      : bytes{static_cast<uint8_t>(value >> 8), static_cast<uint8_t>(value)} {}

  std::array<uint8_t, 2> bytes;
};

struct Be32 {
  Be32() = default;
  explicit constexpr Be32(uint32_t value) noexcept
      : bytes{static_cast<uint8_t>(value >> 24), static_cast<uint8_t>(value >> 16),
              static_cast<uint8_t>(value >> 8), static_cast<uint8_t>(value)} {}

  std::array<uint8_t, 4> bytes;
};

// NetFlow export datagram version 5, as Cisco documents it ("NetFlow Export Datagram Format",
// tables B-3 and B-4).
struct V5Header {
  Be16 version;
  Be16 count;          // records in this datagram, 1 to 30
  Be32 sys_uptime;     // ms since boot, when the datagram is sent
  Be32 unix_secs;      // the same moment since 1970
  Be32 unix_nsecs;     // nanoseconds, not microseconds
  Be32 flow_sequence;  // flows before this datagram
  uint8_t engine_type;
  uint8_t engine_id;
  Be16 sampling;  // 2 bits of mode, 14 of interval; 0: every packet was counted
};
static_assert(sizeof(V5Header) == 24 && alignof(V5Header) == 1);
static_assert(offsetof(V5Header, flow_sequence) == 16 && offsetof(V5Header, sampling) == 22);

struct V5Record {
  Be32 src_addr;
  Be32 dst_addr;
  Be32 next_hop;
  Be16 input;
  Be16 output;
  Be32 packets;
  Be32 octets;
  Be32 first;  // ms since boot
  Be32 last;
  Be16 src_port;
  Be16 dst_port;
  uint8_t pad1;
  uint8_t tcp_flags;
  uint8_t protocol;
  uint8_t tos;
  Be16 src_as;
  Be16 dst_as;
  uint8_t src_mask;
  uint8_t dst_mask;
  Be16 pad2;
};
static_assert(sizeof(V5Record) == 48 && alignof(V5Record) == 1);
static_assert(offsetof(V5Record, packets) == 16 && offsetof(V5Record, src_port) == 32);
static_assert(offsetof(V5Record, tcp_flags) == 37 && offsetof(V5Record, src_as) == 40);

inline constexpr uint16_t v5_version = 5;
inline constexpr unsigned v5_records_max = 30;

}  // namespace pollflow::netflow
