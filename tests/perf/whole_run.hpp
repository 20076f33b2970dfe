#pragma once

#include "measure.hpp"

namespace pollflow::perf {

// The sweep over 4 million flows whose ages are spread over the idle timeout, second by second of a
// made-up clock: "share" of a second's cycles, "flows" that it let go, "late_ms" of the latest.
Samples sweep_case(const Options& options);

// A worker on the first CPU, "alone", then "first" beside "second", one on each CPU.
Samples two_workers_case(const Options& options);

}  // namespace pollflow::perf
