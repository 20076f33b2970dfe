#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace pollflow::flow {

// How long after their deadline flows left the table: a histogram in milliseconds. A second is what
// is promised (expiry_lateness_ms_max).
struct Lateness {
  static constexpr std::array<int64_t, 8> bounds_ms = {10, 50, 100, 250, 500, 1000, 2000, 5000};

  std::array<uint64_t, bounds_ms.size() + 1> counts{};  // within each bound; the last: beyond all
  uint64_t sum_ms = 0;

  void add(int64_t late_ms) noexcept {
    size_t bucket = 0;
    while (bucket < bounds_ms.size() && late_ms > bounds_ms[bucket])
      ++bucket;
    ++counts[bucket];
    sum_ms += static_cast<uint64_t>(late_ms);
  }
  Lateness& operator+=(const Lateness& other) noexcept {
    for (size_t i = 0; i < counts.size(); ++i)
      counts[i] += other.counts[i];
    sum_ms += other.sum_ms;
    return *this;
  }
};

}  // namespace pollflow::flow
