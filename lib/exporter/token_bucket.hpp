#pragma once

#include <algorithm>
#include <cstdint>

namespace pollflow::exporter {

// At most `rate` tokens a second, in bursts of at most `depth`. Rate 0: no limit.
class TokenBucket {
 public:
  TokenBucket(uint64_t rate, uint64_t depth) noexcept
      : rate_(rate), depth_ns_(rate == 0 ? 0 : depth * ns_per_s / rate) {}

  // Takes `tokens`, at most `depth` of them, at the monotonic time `now_ns`; false, and none taken,
  // when they are not there yet.
  bool take(uint64_t tokens, uint64_t now_ns) noexcept {
    if (rate_ == 0) return true;
    // The bucket is kept as the moment from which its level was earned.
    const uint64_t earned_from_ns = std::max(earned_from_ns_, now_ns - std::min(now_ns, depth_ns_));
    const uint64_t cost_ns = tokens * ns_per_s / rate_;
    if (now_ns - std::min(now_ns, earned_from_ns) < cost_ns) return false;
    earned_from_ns_ = earned_from_ns + cost_ns;
    return true;
  }

 private:
  static constexpr uint64_t ns_per_s = 1'000'000'000;

  uint64_t rate_;
  uint64_t depth_ns_;
  uint64_t earned_from_ns_ = 0;
};

}  // namespace pollflow::exporter
