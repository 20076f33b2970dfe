#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace pollflow::packet {

// Reads forward through the captured bytes of one frame. Whoever wants bytes asks for them and gets
// either all of them or nullptr: no other code of the decoder touches the frame.
class Cursor {
 public:
  explicit Cursor(std::span<const uint8_t> bytes) noexcept : rest_(bytes) {}

  // The next `count` bytes, stepping over them; nullptr, and no step, when fewer are left.
  const uint8_t* take(size_t count) noexcept {
    const uint8_t* at = peek(count);
    if (at != nullptr) rest_ = rest_.subspan(count);
    return at;
  }

  // The same without the step.
  [[nodiscard]] const uint8_t* peek(size_t count) const noexcept {
    return rest_.size() < count ? nullptr : rest_.data();
  }

  [[nodiscard]] size_t left() const noexcept { return rest_.size(); }

 private:
  std::span<const uint8_t> rest_;
};

// Network byte order to a number.
inline uint16_t be16(const uint8_t* at) noexcept {
  return static_cast<uint16_t>(at[0] << 8 | at[1]);
}

inline uint32_t be32(const uint8_t* at) noexcept {
  return uint32_t{at[0]} << 24 | uint32_t{at[1]} << 16 | uint32_t{at[2]} << 8 | uint32_t{at[3]};
}

}  // namespace pollflow::packet
