#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace pollflow::test {

// The fuzzer's bytes, taken from the front as numbers. Past the end everything is zero, so that
// each input, however short, means something.
class Input {
 public:
  Input(const uint8_t* data, size_t size) : rest_(data, size) {}

  [[nodiscard]] bool empty() const { return rest_.empty(); }

  uint8_t byte() {
    if (rest_.empty()) return 0;
    const uint8_t value = rest_.front();
    rest_ = rest_.subspan(1);
    return value;
  }
  uint16_t u16() {
    const uint8_t high = byte();
    return static_cast<uint16_t>(high << 8 | byte());
  }
  uint32_t u32() {
    const uint32_t high = u16();
    return high << 16 | u16();
  }
  // 0 to `count` - 1, `count` at most 256.
  uint32_t below(uint32_t count) { return byte() % count; }
  bool flag() { return (byte() & 1) != 0; }

  // The next bytes, fewer where they end.
  std::span<const uint8_t> bytes(size_t count) {
    const auto taken = rest_.first(std::min(count, rest_.size()));
    rest_ = rest_.subspan(taken.size());
    return taken;
  }
  std::span<const uint8_t> all() { return bytes(rest_.size()); }
  // The rest of the line, without its end.
  std::string line() {
    const auto end = std::ranges::find(rest_, '\n');
    const auto taken = bytes(static_cast<size_t>(end - rest_.begin()));
    byte();
    return {taken.begin(), taken.end()};
  }
  std::string text() {
    const auto taken = all();
    return {taken.begin(), taken.end()};
  }

 private:
  std::span<const uint8_t> rest_;
};

}  // namespace pollflow::test
