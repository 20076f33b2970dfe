#pragma once

#include <atomic>
#include <cstdint>

namespace pollflow::port {

// What time it is on live ports: Unix milliseconds of one epoch, told by the processor's time-stamp
// counter (TSC), which costs a worker no system call. Any lcore may ask.
//
// EAL's estimate of the TSC's rate may be off by more than a thousandth (DPDK 22.11 rounds it to 10
// MHz). So one lcore compares it with CLOCK_MONOTONIC now and then, and the clock follows by half
// of what it is off: it stays within some milliseconds. When somebody sets the wall clock, this
// clock does not follow (flows would seem idle, or from the future); wall_offset_ms() then says how
// far it is from the wall.
class LiveClock {
 public:
  // EAL must be up: it knows the TSC's rate.
  LiveClock();

  [[nodiscard]] int64_t now_ms() const noexcept {
    return ticked_ms() + correction_ms_.load(std::memory_order_relaxed);
  }

  // One lcore, about once a second.
  void follow() noexcept;

  // Wall clock minus this clock, as of the latest follow(); 0 unless somebody set the wall clock.
  [[nodiscard]] int64_t wall_offset_ms() const noexcept {
    return wall_offset_ms_.load(std::memory_order_relaxed);
  }

 private:
  [[nodiscard]] int64_t ticked_ms() const noexcept;

  uint64_t ticks_at_start_;
  uint64_t ms_per_tick_;  // as a fraction of 2^64
  int64_t unix_at_start_ms_;
  int64_t monotonic_at_start_ms_;
  std::atomic<int64_t> correction_ms_ = 0;
  std::atomic<int64_t> wall_offset_ms_ = 0;
};

}  // namespace pollflow::port
