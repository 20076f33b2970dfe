#include "run_state.hpp"

#include <fmt/format.h>

#include <utility>

namespace pollflow::ctl {
namespace {

constexpr uint64_t collectors_max = 1000;  // more is no number of collectors, but a fault

std::vector<Reply> ask_each(TelemetryClient& client, const char* command,
                            const std::vector<uint64_t>& ids) {
  std::vector<Reply> replies;
  replies.reserve(ids.size());
  for (const uint64_t id : ids)
    replies.push_back(client.ask({.command = command, .parameters = fmt::to_string(id)}));
  return replies;
}

}  // namespace

std::vector<Reply> ask_ports(TelemetryClient& client, const Reply& run) {
  return ask_each(client, "/pollflow/port", run.numbers("ports"));
}

RunState ask_run_state(TelemetryClient& client, bool with_collectors) {
  RunState state{.run = client.ask({.command = "/pollflow/info"}),
                 .workers = {},
                 .ports = {},
                 .collectors = {}};
  state.workers = ask_each(client, "/pollflow/worker", state.run.numbers("workers"));
  state.ports = ask_ports(client, state.run);
  if (!with_collectors) return state;
  const uint64_t collectors = state.run.number("collectors");
  if (collectors > collectors_max) state.run.refuse("collectors", "is beyond reason");
  std::vector<uint64_t> ids;
  for (uint64_t id = 0; id < collectors; ++id)
    ids.push_back(id);
  state.collectors = ask_each(client, "/pollflow/collector", ids);
  return state;
}

uint64_t sum(const std::vector<Reply>& replies, std::string_view member) {
  uint64_t total = 0;
  for (const Reply& reply : replies)
    total += reply.number(member);
  return total;
}

uint64_t lost(const Reply& run) {
  return run.number("lost_ring_full") + run.number("lost_send_failed") +
         run.number("lost_write_failed");
}

}  // namespace pollflow::ctl
