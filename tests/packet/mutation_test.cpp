#include <algorithm>
#include <array>

#include "packet/decode_checks.hpp"
#include "support/mutated_frames.hpp"

using namespace pollflow::packet;
using namespace pollflow::test;

TEST_CASE("a million mutated frames are decoded as the slow decoder does") {
  const MutationRange range = mutation_range(1'000'000);
  std::array<size_t, fate_count> met{};
  const auto try_frame = [&](uint64_t number) {
    const auto [frame, link] = mutated_frame(number);
    const Verdict slow = slow_decode(frame, link, in_if);
    ++met.at(index_of(slow.fate));
    if (agree(decoded(frame, link), slow)) return;
    INFO(how_to_replay(number));
    require_verdict(slow, frame, link);
  };
  constexpr uint64_t block = 1000;
  for (uint64_t done = 0; done < range.count; done += block) {
    const uint64_t count = std::min(block, range.count - done);
    INFO(how_to_replay(range.first + done, count));  // should it crash
    for (uint64_t i = 0; i < count; ++i)
      try_frame(range.first + done + i);
  }
  if (range.count < 100'000) return;
  for (size_t fate = 0; fate < index_of(Fate::own_export); ++fate) {  // which no decoder knows
    INFO(fate_names.at(fate));
    CHECK(met.at(fate) >= 100);
  }
}
