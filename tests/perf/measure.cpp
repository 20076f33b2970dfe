#include "measure.hpp"

#include <rte_cycles.h>

#include <ctime>

namespace pollflow::perf {

double cycles_now() {
  timespec time{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  const double seconds = static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) / 1e9;
  return seconds * static_cast<double>(rte_get_tsc_hz());
}

}  // namespace pollflow::perf
