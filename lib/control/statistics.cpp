#include "control/statistics.hpp"

namespace pollflow::control {

size_t Statistics::flows_max() const noexcept {
  size_t sum = 0;
  for (const WorkerStatistics& worker : workers)
    sum += worker.flows_max;
  return sum;
}

flow::Lateness Statistics::lateness() const noexcept {
  flow::Lateness sum;
  for (const WorkerStatistics& worker : workers)
    sum += worker.report.lateness;
  return sum;
}

}  // namespace pollflow::control
