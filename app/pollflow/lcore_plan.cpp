#include "lcore_plan.hpp"

namespace pollflow::app {

LcorePlan plan_lcores(unsigned main, const std::vector<unsigned>& others) {
  switch (others.size()) {
    case 0:
      return {.control = main, .worker = main, .exporter = main};
    case 1:
      return {.control = main, .worker = main, .exporter = others.back()};
    default:
      return {.control = main, .worker = others.front(), .exporter = others.back()};
  }
}

}  // namespace pollflow::app
