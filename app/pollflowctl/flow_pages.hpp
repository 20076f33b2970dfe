#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "flow_line.hpp"
#include "telemetry_client.hpp"

namespace pollflow::ctl {

// Calls `page` with each page of one snapshot of the live flows, and with the Unix time in
// milliseconds of its answer; at least once. An empty filter matches every flow.
void each_page(TelemetryClient& client, const std::string& filter,
               const std::function<void(int64_t now_ms, const std::vector<Flow>& flows)>& page);

struct TopFlows {
  int64_t now_ms = 0;
  uint64_t matched = 0;  // flows, of which these are the first
  std::vector<Flow> flows;
};

// The `count` first flows, 1 to 64.
TopFlows top_flows(TelemetryClient& client, uint64_t count, Order by, const std::string& filter);

}  // namespace pollflow::ctl
