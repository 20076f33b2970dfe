#pragma once

#include <vector>

namespace pollflow::app {

// Which lcore does what. Roles that share an lcore take turns on it.
struct LcorePlan {
  unsigned control;   // signals and progress: EAL's main lcore
  unsigned worker;    // receive, decode, update, expire
  unsigned exporter;  // assemble, send
};

// For a capture, which has one queue: one lcore does everything; of two the last exports; with more
// the main lcore is left to control. `others` are EAL's lcores beside the main one, in ascending
// order.
LcorePlan plan_lcores(unsigned main, const std::vector<unsigned>& others);

}  // namespace pollflow::app
