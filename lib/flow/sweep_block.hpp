#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

#include "flow/tag_bucket.hpp"
#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace pollflow::flow {

// How long the sweep need not look at each slot of a bucket, in units of unit_ms; 0: look.
//
//        +----+----+----+----+- ... -+----+
//        | 17 |  0 | 233| 12 |       |  4 |   one byte for each slot
//        +----+----+----+----+- ... -+----+
//
// A flow's packets only put off its end, and a new flow lives for the shorter timeout at least. So
// neither tells its slot anything: a wait is the time to the end as it was when the sweep last
// looked, and at its end the sweep looks again. It reads an entry once in a timeout instead of each
// time it comes by.
struct alignas(32) SlotWaits {
  static constexpr int64_t unit_ms = 64;
  static constexpr int64_t units_max = UINT8_MAX;
  static constexpr int64_t longest_ms = units_max * unit_ms;

  std::array<uint8_t, 32> units;  // the last few belong to no slot

  void pass(uint8_t gone) noexcept {
    for (uint8_t& left : units)
      left = static_cast<uint8_t>(left > gone ? left - gone : 0);
  }

  // Bit i is set when slot i has waited for long enough.
  [[nodiscard]] uint32_t over() const noexcept {
    constexpr uint32_t slots = (1U << TagBucket::slots) - 1;
#if defined(__SSE2__)
    const auto* half = reinterpret_cast<const __m128i*>(units.data());
    const auto zeros = [](__m128i bytes) {
      return static_cast<uint32_t>(_mm_movemask_epi8(_mm_cmpeq_epi8(bytes, _mm_setzero_si128())));
    };
    return (zeros(_mm_load_si128(half)) | zeros(_mm_load_si128(half + 1)) << 16) & slots;
#else
    uint32_t found = 0;
    for (uint32_t slot = 0; slot < TagBucket::slots; ++slot)
      found |= uint32_t{units[slot] == 0} << slot;
    return found & slots;
#endif
  }

  // Not longer than `ms`.
  void wait(uint32_t slot, int64_t ms) noexcept {
    units[slot] = static_cast<uint8_t>(std::clamp<int64_t>(ms / unit_ms, 0, units_max));
  }

  [[nodiscard]] uint8_t least() const noexcept {
    return *std::min_element(units.begin(), units.begin() + TagBucket::slots);
  }
};

// What the sweep opens at once: some buckets.
struct SweepBlock {
  static constexpr size_t buckets = 32;

  int64_t waits_from_ms;  // when the waits in it began
  int64_t quiet_ms;       // nothing in it has waited for long enough before this time

  // How many units have gone since; they begin anew.
  uint8_t pass(int64_t now_ms) noexcept {
    const int64_t gone =
        std::clamp<int64_t>((now_ms - waits_from_ms) / SlotWaits::unit_ms, 0, SlotWaits::units_max);
    waits_from_ms =
        gone == SlotWaits::units_max ? now_ms : waits_from_ms + gone * SlotWaits::unit_ms;
    return static_cast<uint8_t>(gone);
  }
};

}  // namespace pollflow::flow
