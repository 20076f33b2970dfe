#pragma once

#include <cstdint>

namespace pollflow::packet {

// What makes two packets one flow: ng_netflow's key. Numbers are in host byte order; addresses as
// 32-bit numbers, 10.0.0.1 being 0x0a000001.
struct FlowKey {
  uint32_t src;
  uint32_t dst;
  uint16_t src_port;
  uint16_t dst_port;
  uint16_t in_if;  // ifindex of the port that received it
  uint8_t protocol;
  uint8_t tos;

  bool operator==(const FlowKey&) const = default;
};
static_assert(sizeof(FlowKey) == 16, "a key is compared and hashed as two 64-bit words");

}  // namespace pollflow::packet
