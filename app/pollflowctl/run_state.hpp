#pragma once

#include <cstdint>
#include <vector>

#include "reply.hpp"
#include "telemetry_client.hpp"

namespace pollflow::ctl {

// What a run tells of itself, each part in an answer of its own: docs/reference/telemetry.md. The
// parts are a moment apart.
struct RunState {
  Reply run;
  std::vector<Reply> workers;
  std::vector<Reply> ports;
  std::vector<Reply> collectors;
};

// All of it; without collectors when nobody wants them.
RunState ask_run_state(TelemetryClient& client, bool with_collectors);

std::vector<Reply> ask_ports(TelemetryClient& client, const Reply& run);

// The sum of a member over all of them.
uint64_t sum(const std::vector<Reply>& replies, std::string_view member);

// Records lost, for whatever reason.
uint64_t lost(const Reply& run);

}  // namespace pollflow::ctl
