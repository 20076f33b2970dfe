#pragma once

#include <algorithm>
#include <cstring>
#include <memory>
#include <string>

#include "support/catch.hpp"
#include "support/frame_builder.hpp"
#include "support/guarded_bytes.hpp"
#include "support/slow_decoder.hpp"

namespace pollflow::test {

// Decodes into a packet full of `litter`, so that a field left out shows.
inline Verdict decoded_in_place(std::span<const uint8_t> frame, packet::LinkType link,
                                uint8_t litter) {
  Verdict verdict{.fate = packet::Fate::accounted};
  std::memset(static_cast<void*>(&verdict.packet), litter, sizeof(packet::Packet));
  verdict.fate = packet::decode(frame, link, in_if, verdict.packet);
  return verdict;
}

// The same from memory of exactly the frame's size, so that a sanitizer sees a read outside of it.
inline Verdict decoded_on_heap(const Bytes& frame, packet::LinkType link) {
  const size_t lead = frame.empty() ? 1 : 0;  // of nothing there is no end
  const auto memory = std::make_unique<uint8_t[]>(lead + frame.size());
  std::ranges::copy(frame, memory.get() + lead);
  return decoded_in_place({memory.get() + lead, frame.size()}, link, 0xa5);
}

// Twice, once where the next byte cannot be read.
inline Verdict decoded(const Bytes& frame, packet::LinkType link) {
  static GuardedBytes guarded;
  const Verdict verdict = decoded_on_heap(frame, link);
  if (!agree(verdict, decoded_in_place(guarded.at_end(frame), link, 0x5a)))
    FAIL("twice, twice differently");
  return verdict;
}

inline std::string hex(const Bytes& bytes) {
  constexpr const char* digits = "0123456789abcdef";
  std::string text;
  for (const uint8_t byte : bytes)
    (text += digits[byte / 16]) += digits[byte % 16];
  return text;
}

inline void require_verdict(const Verdict& expected, const Bytes& frame, packet::LinkType link) {
  const Verdict got = decoded(frame, link);
  if (agree(got, expected)) return;
  INFO("link type " << static_cast<int>(link) << ", frame " << hex(frame));
  REQUIRE(describe(got) == describe(expected));
}

inline void require_as_slowly(const Bytes& frame, packet::LinkType link) {
  require_verdict(slow_decode(frame, link, in_if), frame, link);
}

}  // namespace pollflow::test
