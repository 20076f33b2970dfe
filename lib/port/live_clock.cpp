#include "port/live_clock.hpp"

#include <rte_cycles.h>

#include <chrono>
#include <cmath>

namespace pollflow::port {
namespace {

// Beyond this the machine was suspended, or moved to another host: that is no drift.
constexpr int64_t jump_ms = 1000;
// A wall clock that is off by less is slewed by those who keep it (ntpd sets it from 128 ms on).
constexpr int64_t wall_set_ms = 100;

template <typename Clock>
int64_t ms_of() {
  return std::chrono::floor<std::chrono::milliseconds>(Clock::now()).time_since_epoch().count();
}

}  // namespace

LiveClock::LiveClock()
    : ticks_at_start_(rte_rdtsc()),
      ms_per_tick_(static_cast<uint64_t>(
          std::ldexp(1000.0L / static_cast<long double>(rte_get_tsc_hz()), 64))),
      unix_at_start_ms_(ms_of<std::chrono::system_clock>()),
      monotonic_at_start_ms_(ms_of<std::chrono::steady_clock>()) {}

int64_t LiveClock::ticked_ms() const noexcept {
  __extension__ using Wide = __int128;
  // Signed: on another host the TSC may be behind where it was at the start.
  const auto ticks = static_cast<int64_t>(rte_rdtsc() - ticks_at_start_);
  return unix_at_start_ms_ + static_cast<int64_t>(static_cast<Wide>(ticks) * ms_per_tick_ >> 64);
}

void LiveClock::follow() noexcept {
  const int64_t elapsed_ms = ms_of<std::chrono::steady_clock>() - monotonic_at_start_ms_;
  const int64_t behind_ms = unix_at_start_ms_ + elapsed_ms - now_ms();
  // A single millisecond is no more than the two clocks' ticks falling between each other.
  const bool jumped = std::abs(behind_ms) > jump_ms;
  const int64_t step_ms = jumped ? behind_ms : behind_ms / 2;
  correction_ms_.fetch_add(step_ms, std::memory_order_relaxed);
  // By the clock that is followed, not by this one, which may still be on its way to it.
  const int64_t wall_ms = ms_of<std::chrono::system_clock>() - unix_at_start_ms_ - elapsed_ms;
  const bool moved = std::abs(wall_ms - wall_offset_ms()) > wall_set_ms;
  if (moved) wall_offset_ms_.store(wall_ms, std::memory_order_relaxed);
}

}  // namespace pollflow::port
