#pragma once

#include <algorithm>
#include <cstdint>

namespace pollflow::exporter {

// At most `rate` tokens a second, in bursts of at most `depth`. Rate 0: no limit. Begins full.
// Counts in billionths of a token, so that a rate that does not divide a second is kept exactly.
class TokenBucket {
 public:
  // `rate` and `depth` at most a thousand million.
  TokenBucket(uint64_t rate, uint64_t depth) noexcept
      : rate_(rate),
        full_(depth * billion),
        filling_ns_(rate == 0 ? 0 : full_ / rate + 1),
        level_(full_) {}

  // Takes `tokens`, at most `depth` of them, at the monotonic time `now_ns`; false, and none taken,
  // when they are not there yet.
  bool take(uint64_t tokens, uint64_t now_ns) noexcept {
    if (rate_ == 0) return true;
    const uint64_t elapsed_ns = now_ns - std::min(now_ns, filled_at_ns_);
    level_ = std::min(full_, level_ + std::min(elapsed_ns, filling_ns_) * rate_);
    filled_at_ns_ = std::max(filled_at_ns_, now_ns);
    if (level_ < tokens * billion) return false;
    level_ -= tokens * billion;
    return true;
  }

 private:
  static constexpr uint64_t billion = 1'000'000'000;

  uint64_t rate_;
  uint64_t full_;
  uint64_t filling_ns_;  // from empty
  uint64_t level_;
  uint64_t filled_at_ns_ = 0;
};

}  // namespace pollflow::exporter
