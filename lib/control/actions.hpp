#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>

#include "flow/routing.hpp"
#include "packet/flow_key.hpp"

namespace pollflow::control {

struct RulesInForce {
  int64_t inactive_s;
  int64_t active_s;
  bool hold_idle;
};

struct RoutesInForce {
  std::string source;  // empty: none
  uint64_t routes = 0;
  int64_t loaded_ms = 0;  // Unix
};

// What a control thread can have done to a live run. Each may be called by any thread, and throws
// std::exception with a sentence when it cannot be done.
struct Actions {
  std::function<RulesInForce()> rules;
  std::function<void(uint64_t inactive_s, uint64_t active_s)> set_timeouts;
  std::function<RoutesInForce()> routes;
  std::function<void()> reload_routes;  // returns when they are in force
  std::function<void(std::span<const packet::FlowKey>, std::span<flow::Routing>)> resolve;
  std::function<void(std::string sentence)> tell;  // to the operator's log
};

}  // namespace pollflow::control
