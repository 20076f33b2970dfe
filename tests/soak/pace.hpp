#pragma once

#include <algorithm>
#include <cstdint>

namespace pollflow::soak {

// How many frames are due by a clock in nanoseconds. Whoever comes late gets a few at once and is
// forgiven the rest: after a stall nobody floods the receiver.
class Pace {
 public:
  // rate: frames a second, 0 as many as can be sent.
  Pace(uint64_t rate, uint64_t now_ns) noexcept : rate_(rate), began_ns_(now_ns) {}

  uint64_t due(uint64_t now_ns) noexcept {
    if (rate_ == 0) return at_once_max;
    __extension__ using Wide = unsigned __int128;
    const auto by_now =
        static_cast<uint64_t>(static_cast<Wide>(now_ns - began_ns_) * rate_ / 1'000'000'000);
    const uint64_t behind = by_now > taken_ ? by_now - taken_ : 0;
    const uint64_t now = std::min(behind, at_once_max);
    forgiven_ += behind - now;
    taken_ += behind;
    return now;
  }

  uint64_t forgiven() const noexcept { return forgiven_; }

 private:
  static constexpr uint64_t at_once_max = 256;

  uint64_t rate_;
  uint64_t began_ns_;
  uint64_t taken_ = 0;
  uint64_t forgiven_ = 0;
};

}  // namespace pollflow::soak
