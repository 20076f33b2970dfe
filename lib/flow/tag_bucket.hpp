#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace pollflow::flow {

// Sixteen tags that are compared at once. Tag 0 is a free slot.
struct alignas(32) TagBucket {
  static constexpr size_t slots = 16;

  std::array<uint16_t, slots> tags;

  // Bit i is set when slot i carries `tag`.
  [[nodiscard]] uint32_t matches(uint16_t tag) const noexcept {
#if defined(__SSE2__)
    const auto* half = reinterpret_cast<const __m128i*>(tags.data());
    const __m128i wanted = _mm_set1_epi16(static_cast<int16_t>(tag));
    const __m128i low = _mm_cmpeq_epi16(_mm_load_si128(half), wanted);
    const __m128i high = _mm_cmpeq_epi16(_mm_load_si128(half + 1), wanted);
    return static_cast<uint32_t>(_mm_movemask_epi8(_mm_packs_epi16(low, high)));
#else
    uint32_t found = 0;
    for (size_t slot = 0; slot < slots; ++slot)
      found |= uint32_t{tags[slot] == tag} << slot;
    return found;
#endif
  }

  [[nodiscard]] uint32_t free_slots() const noexcept {
    return matches(0);
  }
};
static_assert(sizeof(TagBucket) == 32, "two buckets share a cache line");

}  // namespace pollflow::flow
