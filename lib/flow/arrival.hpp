#pragma once

#include <cstdint>

#include "packet/decode.hpp"

namespace pollflow::flow {

// A packet on its way to its flow: what FlowTable finds out about it in three steps, between which
// memory has time to answer.
struct alignas(64) Arrival {
  packet::Packet packet;
  uint32_t first;  // its first bucket
  int64_t at_ms;   // when it arrived
  uint32_t rest;   // before locate() the RSS hash; then half of the table's: tag, second bucket
  uint32_t slot;   // where its flow lives, or may be put: a guess, which update() checks
};
static_assert(sizeof(Arrival) == 64);

}  // namespace pollflow::flow
