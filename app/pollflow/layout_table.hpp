#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "lcore_plan.hpp"

namespace pollflow::app {

// The plan for people, a line for each queue. `worker_bytes`: EAL memory of each worker, for its
// table, ring and packet buffers, on its node.
std::string layout_table(const LcorePlan& plan, const std::vector<port::PortFacts>& ports,
                         const std::vector<size_t>& worker_bytes);

}  // namespace pollflow::app
