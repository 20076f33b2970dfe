#pragma once

#include <cstdint>

namespace pollflow::test {

// The clocks of a machine that does not exist: its TSC, what clock_gettime(2) answers for
// CLOCK_MONOTONIC and CLOCK_REALTIME in programs that link virtual_clock.cpp. They stand still but
// for pass(). Until begin() the real ones are asked.
class VirtualClock {
 public:
  // The TSC runs fast by so many millionths (or slow), which nobody knows.
  void begin(int64_t unix_ms, int64_t tsc_fast_ppm) noexcept;

  void pass_ms(uint64_t ms) noexcept;
  // The machine moved to another host: only its TSC is elsewhere.
  void step_tsc_ms(int64_t ms) noexcept;
  // Somebody sets the wall clock.
  void set_wall_ms(int64_t ms_on) noexcept;

  // How often, since begin().
  [[nodiscard]] uint64_t tsc_steps() const noexcept { return tsc_steps_; }
  [[nodiscard]] uint64_t times_set() const noexcept { return times_set_; }

  [[nodiscard]] bool begun() const noexcept { return begun_; }
  [[nodiscard]] int64_t tsc_fast_ppm() const noexcept { return fast_ppm_; }
  [[nodiscard]] uint64_t tsc() const noexcept { return tsc_; }  // a tick is a nanosecond
  [[nodiscard]] uint64_t monotonic_ns() const noexcept { return monotonic_ns_; }
  [[nodiscard]] int64_t monotonic_ms() const noexcept {
    return static_cast<int64_t>(monotonic_ns_ / 1'000'000);
  }
  [[nodiscard]] int64_t wall_ns() const noexcept { return wall_ns_; }

 private:
  bool begun_ = false;
  int64_t fast_ppm_ = 0;
  uint64_t tsc_ = 0;
  uint64_t monotonic_ns_ = 0;
  int64_t wall_ns_ = 0;
  uint64_t tsc_steps_ = 0;
  uint64_t times_set_ = 0;
};

inline VirtualClock virtual_clock;

}  // namespace pollflow::test
