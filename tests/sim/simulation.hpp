#pragma once

#include <cstdint>
#include <deque>
#include <string>

#include "sim/virtual_port.hpp"

namespace pollflow::test {

// What came of one seed.
struct SeedResult {
  std::string failure;            // empty: everything held
  std::deque<std::string> trace;  // its last steps
  uint64_t hash = 0;              // of all that happened, each datagram included

  // How much there was of what is to be survived.
  struct Survived {
    uint64_t steps = 0;
    uint64_t packets = 0;
    uint64_t missed = 0;
    uint64_t without_buffer = 0;
    uint64_t records_sent = 0;
    uint64_t lost_ring_full = 0;
    uint64_t lost_send_failed = 0;
    uint64_t lost_write_failed = 0;
    uint64_t lost_on_the_way = 0;
    uint64_t sends_refused = 0;
    uint64_t evicted = 0;
    uint64_t overflowed = 0;
    uint64_t worker_turns_kept = 0;
    uint64_t exporter_turns_kept = 0;
    uint64_t tsc_steps = 0;
    uint64_t wall_clock_set = 0;
    uint64_t settings_taken = 0;
    uint64_t errands_done = 0;
    uint64_t routes_seen = 0;  // collectors to whom the last record came with a next hop
  } survived;
};

// The whole of a run, from a world that the seed draws to the collectors' last word.
// `miscounts`: with a mistake in the account that the program's is compared with, which must be
// found.
SeedResult run_seed(uint64_t seed, VirtualPort& port, bool miscounts = false);

}  // namespace pollflow::test
