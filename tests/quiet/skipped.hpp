#pragma once

#include <fmt/format.h>

#include "quiet/stepper.hpp"

namespace pollflow::test {

// True, and says so, where this process may not trace another.
inline bool skipped(const char* name) {
  if (can_trace()) return false;
  fmt::print("skipped: {}: tracing (ptrace) is forbidden here\n", name);
  return true;
}

}  // namespace pollflow::test
