#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "support/frame_builder.hpp"

namespace pollflow::test {

struct MutatedFrame {
  Bytes bytes;
  packet::LinkType link;
};

// Frame number n: a valid one with one to four things done to it: a bit flipped, a byte
// overwritten, bytes inserted or deleted, the end cut off, or the end of another frame spliced on.
// The same for the same number, always.
MutatedFrame mutated_frame(uint64_t number);

// The numbers that a test takes: `count` from 0 on, unless POLLFLOW_MUTATIONS=FIRST[:COUNT] says
// otherwise.
struct MutationRange {
  uint64_t first;
  uint64_t count;
};
MutationRange mutation_range(uint64_t count);

// What to say when one of `count` frames from `first` fails.
std::string how_to_replay(uint64_t first, uint64_t count = 1);

}  // namespace pollflow::test
