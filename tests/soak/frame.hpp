#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "packet/fate.hpp"

namespace pollflow::soak {

// One Ethernet frame, written from the front, and what pollflow must make of it.
class Frame {
 public:
  packet::Fate fate = packet::Fate::accounted;
  uint16_t ipv4_octets = 0;      // of an accounted one: its IPv4 total length
  uint16_t gathered_octets = 0;  // of frames before that the kernel hands over as one with this
  bool gathered = false;         // the kernel hands it over with the next

  void begin(packet::Fate expected) noexcept {
    size_ = 0;
    fate = expected;
    ipv4_octets = 0;
    gathered_octets = 0;
    gathered = false;
  }

  void put8(uint8_t value) noexcept { bytes_[size_++] = value; }
  void put16(uint16_t value) noexcept {
    put8(static_cast<uint8_t>(value >> 8));
    put8(static_cast<uint8_t>(value));
  }
  void put32(uint32_t value) noexcept {
    put16(static_cast<uint16_t>(value >> 16));
    put16(static_cast<uint16_t>(value));
  }
  void put_zeros(size_t count) noexcept {
    std::memset(bytes_.data() + size_, 0, count);
    size_ += count;
  }

  // As on a wire, where no frame is shorter (its check sequence not counted).
  void pad() noexcept {
    if (size_ < size_min) put_zeros(size_min - size_);
  }

  uint8_t* data() noexcept { return bytes_.data(); }
  size_t size() const noexcept { return size_; }

 private:
  static constexpr size_t size_min = 60;

  std::array<uint8_t, 2048> bytes_{};
  size_t size_ = 0;
};

}  // namespace pollflow::soak
