#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "flow/expiry.hpp"
#include "options.hpp"

namespace pollflow::app {

// What may change while a live run goes on.
struct LiveSettings {
  flow::ExpiryRules rules;
  int64_t export_delay_ms;
  uint64_t export_rate;

  bool operator==(const LiveSettings&) const = default;
};

LiveSettings settings_of(const Options& options);

// Names of options that `wanted` has otherwise than `running`, and that only a restart can change.
std::vector<std::string> needs_restart(const Options& running, const Options& wanted);

}  // namespace pollflow::app
