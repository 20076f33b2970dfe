#pragma once

#include <cstdint>
#include <functional>
#include <string>

namespace pollflow::control {

struct RulesInForce {
  int64_t inactive_s;
  int64_t active_s;
  bool hold_idle;
};

// What a control thread can have done to a live run. Each may be called by any thread, and throws
// std::exception with a sentence when it cannot be done.
struct Actions {
  std::function<RulesInForce()> rules;
  std::function<void(uint64_t inactive_s, uint64_t active_s)> set_timeouts;
  std::function<void()> reload_routes;             // returns when they are in force
  std::function<void(std::string sentence)> tell;  // to the operator's log
};

}  // namespace pollflow::control
