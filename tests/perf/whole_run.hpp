#pragma once

#include "measure.hpp"

namespace pollflow::perf {

// The sweep over 4 million flows whose ages are spread over the idle timeout, second by second of a
// made-up clock: "share" of a second's cycles, "flows" that it let go, "late_ms" of the latest.
Samples sweep_case(const Options& options);

// A worker on the first CPU, "alone", then "first" beside "second", one on each CPU.
Samples two_workers_case(const Options& options);

// Sets of flows chosen by somebody who knows all but the secrets, beside as many random ones, by
// the set's name: cycles a packet in proportion to those of random flows before and behind.
// "random": their cycles. With what memory the tables had (Memory::pages()).
struct ChosenCase {
  Samples samples;
  const char* pages;
};
ChosenCase chosen_case(const Options& options);

}  // namespace pollflow::perf
