#pragma once

#include <chrono>
#include <cstdint>

namespace pollflow::app {

// Nanoseconds of a clock that nobody sets.
inline uint64_t monotonic_ns() {
  return static_cast<uint64_t>(std::chrono::steady_clock::now().time_since_epoch() /
                               std::chrono::nanoseconds{1});
}

}  // namespace pollflow::app
