#pragma once

#include <rte_lcore.h>

#include <vector>

#include "lcore_plan.hpp"

namespace pollflow::app {

// The lcores that EAL was given, in ascending order.
inline std::vector<Lcore> eal_lcores() {
  std::vector<Lcore> lcores;
  unsigned id = 0;
  RTE_LCORE_FOREACH(id) {
    lcores.push_back({.id = id, .node = static_cast<int>(rte_lcore_to_socket_id(id))});
  }
  return lcores;
}

}  // namespace pollflow::app
