#pragma once

#include <string>

#include "control/statistics.hpp"

namespace pollflow::control {

// The page for Prometheus: every counter of the run in the text format of OpenMetrics 1.0
// (prometheus.io/docs/specs/om), each named pollflow_..., octets and packets as whole numbers,
// times in seconds. docs/operating/metrics.md tells what each metric means.
//
// Each term of the ledger is a metric, also when it is 0: so an alert can check every equation
// within one page. `ports` and `ledger.ports` of the statistics must go together.
std::string openmetrics(const Statistics& statistics);

}  // namespace pollflow::control
