#pragma once

#include <cstddef>
#include <cstdint>

#include "flow/flow_filter.hpp"

namespace pollflow::flow {

// A walk over the flows of a table in bounded steps, between which the table lives on. A flow never
// changes its slot, so one that lives from the walk's beginning to its end is met exactly once; one
// that began later is not met, also when it took the place of one with the same key.
struct FlowWalk {
  FlowFilter filter;
  int64_t before_ms = 0;  // flows that began before this, the walk's beginning
  size_t slot = 0;        // where it goes on

  // What a step looks at, at most: some microseconds of a worker's time.
  static constexpr size_t slots_a_step = 512;
  static constexpr size_t flows_a_step = 32;
};

// A flow as it is now. Times are Unix milliseconds.
struct LiveFlow {
  packet::FlowKey key;
  uint32_t packets;
  uint32_t octets;
  int64_t first_ms;
  int64_t last_ms;
  uint8_t tcp_flags;
  uint32_t slot;  // a walk that goes on from here meets it again
};

}  // namespace pollflow::flow
