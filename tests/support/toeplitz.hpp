#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "packet/flow_key.hpp"

namespace pollflow::test {

// The NIC's Toeplitz hash of IPv4: of addresses and ports for TCP and UDP, of the addresses
// otherwise. By a table for each byte of the input, as a thousand keys want to be tried.
class Toeplitz {
 public:
  explicit Toeplitz(std::span<const uint8_t> key) {
    for (size_t byte = 0; byte < input_bytes; ++byte) {
      for (size_t value = 1; value < 256; ++value) {
        const size_t rest = value & (value - 1);  // without its lowest bit, which adds a window
        size_t bit = 7;
        while ((value >> (7 - bit) & 1) == 0)
          --bit;
        table_[byte][value] = table_[byte][rest] ^ window(key, byte * 8 + bit);
      }
    }
  }

  uint32_t operator()(const packet::FlowKey& flow) const noexcept {
    uint32_t hash = of_word(0, flow.src) ^ of_word(4, flow.dst);
    if (flow.protocol == 6 || flow.protocol == 17)
      hash ^= of_word(8, uint32_t{flow.src_port} << 16 | flow.dst_port);
    return hash;
  }

 private:
  static constexpr size_t input_bytes = 12;

  // The 32 bits of the key from `bit` on.
  static uint32_t window(std::span<const uint8_t> key, size_t bit) {
    uint64_t bits = 0;
    for (size_t byte = 0; byte < 5; ++byte)
      bits = bits << 8 | key[bit / 8 + byte];
    return static_cast<uint32_t>(bits >> (8 - bit % 8));
  }
  uint32_t of_word(size_t at, uint32_t word) const noexcept {
    return table_[at][word >> 24] ^ table_[at + 1][word >> 16 & 255] ^
           table_[at + 2][word >> 8 & 255] ^ table_[at + 3][word & 255];
  }

  std::array<std::array<uint32_t, 256>, input_bytes> table_{};
};

}  // namespace pollflow::test
