#pragma once

#include <sys/resource.h>

#include <cstdint>

namespace pollflow::perf {

inline uint64_t in_us(const timeval& time) {
  return static_cast<uint64_t>(time.tv_sec) * 1'000'000 + static_cast<uint64_t>(time.tv_usec);
}

// Processor time of this process so far, user and system, of all its threads: microseconds.
inline uint64_t cpu_us() {
  rusage used{};
  getrusage(RUSAGE_SELF, &used);
  return in_us(used.ru_utime) + in_us(used.ru_stime);
}

}  // namespace pollflow::perf
