#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace pollflow::flow {

// One cache line about 26 slots: which are used, the tag of the flow in each, and who else belongs
// here.
//
//   byte  0                                              52     56    60     62     63
//        +----+----+----+----+----+----+----+- ... -+----+------+-----+------+------+---+
//        | a7 | 00 | 3c | .. |                      | 91 | used | big | away | turn |   |
//        +----+----+----+----+----+----+----+- ... -+----+------+-----+------+------+---+
//          tag of slot 0, 1, 2 ...                    25
//
// All tags are compared at once. Cost: one line to read; it is written when a flow comes or leaves,
// not by each packet.
struct alignas(64) TagBucket {
  static constexpr uint32_t slots = 26;
  static constexpr uint16_t away_max = UINT16_MAX;

  std::array<uint16_t, slots> tags;
  uint32_t used;  // bit i: slot i has a flow
  uint32_t big;   // bit i: that flow is known to have outgrown small_packets_max
  uint16_t away;  // flows that have their first bucket here and live in their second
  uint8_t turn;   // the slot where the search for a flow to evict goes on
  uint8_t unused;

  // Bit i is set when slot i has a flow with `tag`.
  [[nodiscard]] uint32_t matches(uint16_t tag) const noexcept {
#if defined(__SSE2__)
    const auto* tags_of_8 = reinterpret_cast<const __m128i*>(this);
    const __m128i wanted = _mm_set1_epi16(static_cast<int16_t>(tag));
    const auto half = [&](size_t at) {
      const __m128i low = _mm_cmpeq_epi16(_mm_load_si128(tags_of_8 + at), wanted);
      const __m128i high = _mm_cmpeq_epi16(_mm_load_si128(tags_of_8 + at + 1), wanted);
      return static_cast<uint32_t>(_mm_movemask_epi8(_mm_packs_epi16(low, high)));
    };
    return (half(0) | half(2) << 16) & used;
#else
    uint32_t found = 0;
    for (uint32_t slot = 0; slot < slots; ++slot)
      found |= uint32_t{tags[slot] == tag} << slot;
    return found & used;
#endif
  }

  [[nodiscard]] uint32_t free() const noexcept {
    return ~used & ((1U << slots) - 1);
  }
  [[nodiscard]] int room() const noexcept {
    return static_cast<int>(slots) - std::popcount(used);
  }

  void put(uint32_t slot, uint16_t tag) noexcept {
    tags[slot] = tag;
    used |= 1U << slot;
  }
  void take(uint32_t slot) noexcept {
    used &= ~(1U << slot);
    big &= ~(1U << slot);
  }
};
static_assert(sizeof(TagBucket) == 64, "one bucket, one cache line");

}  // namespace pollflow::flow
