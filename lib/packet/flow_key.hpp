#pragma once

#include <array>
#include <bit>
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

  // As two 64-bit words, which compares and hashes in few instructions.
  [[nodiscard]] std::array<uint64_t, 2> words() const noexcept {
    return std::bit_cast<std::array<uint64_t, 2>>(*this);
  }
  bool operator==(const FlowKey& other) const noexcept {
    const auto a = words();
    const auto b = other.words();
    return ((a[0] ^ b[0]) | (a[1] ^ b[1])) == 0;
  }
};
static_assert(sizeof(FlowKey) == 16, "no padding that would be compared");

}  // namespace pollflow::packet
