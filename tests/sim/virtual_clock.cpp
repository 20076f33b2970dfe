#include "sim/virtual_clock.hpp"

#include <sys/syscall.h>
#include <unistd.h>

#include <ctime>

#include "sim/virtual_tsc.hpp"

namespace pollflow::test {
namespace {

constexpr int64_t ns_per_ms = 1'000'000;
constexpr int64_t ns_per_s = 1'000'000'000;

// Long before it was looked at first, so that it can be set back.
constexpr uint64_t tsc_at_begin = uint64_t{1} << 60;

}  // namespace

void VirtualClock::begin(int64_t unix_ms, int64_t tsc_fast_ppm) noexcept {
  begun_ = true;
  fast_ppm_ = tsc_fast_ppm;
  tsc_ = tsc_at_begin;
  tsc_steps_ = times_set_ = 0;
  monotonic_ns_ = 1000 * ns_per_s;
  wall_ns_ = unix_ms * ns_per_ms;
}

void VirtualClock::pass_ms(uint64_t ms) noexcept {
  const auto ns = static_cast<int64_t>(ms) * ns_per_ms;
  tsc_ += static_cast<uint64_t>(ns + ns / ns_per_ms * fast_ppm_);
  monotonic_ns_ += static_cast<uint64_t>(ns);
  wall_ns_ += ns;
}

void VirtualClock::step_tsc_ms(int64_t ms) noexcept {
  tsc_ += static_cast<uint64_t>(ms * ns_per_ms);
  ++tsc_steps_;
}

void VirtualClock::set_wall_ms(int64_t ms_on) noexcept {
  wall_ns_ += ms_on * ns_per_ms;
  ++times_set_;
}

uint64_t virtual_tsc() noexcept {
  return virtual_clock.tsc();
}

uint64_t virtual_tsc_hz() noexcept {
  return ns_per_s;
}

}  // namespace pollflow::test

using pollflow::test::virtual_clock;

// Takes the place of the C library's.
extern "C" int clock_gettime(clockid_t clock, timespec* time) noexcept {
  constexpr int64_t ns_per_s = 1'000'000'000;
  const bool wall = clock == CLOCK_REALTIME;
  if (!virtual_clock.begun() || (!wall && clock != CLOCK_MONOTONIC))
    return static_cast<int>(syscall(SYS_clock_gettime, clock, time));
  const int64_t ns =
      wall ? virtual_clock.wall_ns() : static_cast<int64_t>(virtual_clock.monotonic_ns());
  *time = {.tv_sec = ns / ns_per_s, .tv_nsec = ns % ns_per_s};
  return 0;
}
