#include "control/telemetry.hpp"

#include <fmt/format.h>
#include <rte_telemetry.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <exception>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <stdexcept>
#include <string>
#include <utility>

#include "control/flow_replies.hpp"
#include "control/log_level.hpp"
#include "control/reply.hpp"
#include "control/statistics_replies.hpp"
#include "whole_number.hpp"

namespace pollflow::control {
namespace {

// The library's callbacks carry no context, and cannot be taken back.
struct Desk {
  const Sources& sources;
  Actions actions;
  FlowDesk flows{sources};
  std::mutex flows_mutex{};  // who asks workers
};
std::shared_mutex desk_mutex;  // shared: somebody is at the desk
std::unique_ptr<Desk> desk;    // while a run goes on
// Whoever waits to close the desk must not wait for all who are still coming in.
std::atomic<bool> closing = false;

// What stands before the next comma; `parameters` keeps what is behind it.
std::string take_word(std::string& parameters) {
  const size_t comma = std::min(parameters.find(','), parameters.size());
  std::string word = parameters.substr(0, comma);
  parameters.erase(0, comma + 1);
  return word;
}

uint64_t number(const std::string& word, std::string_view what) {
  if (const auto value = whole_number<uint64_t>(word, 0, UINT64_MAX)) return *value;
  throw std::invalid_argument(fmt::format("'{}' is no {}; give a number", word, what));
}

void reply_timeouts(const RulesInForce& rules, rte_tel_data* data) {
  Reply reply(data);
  reply.add("inactive_s", static_cast<uint64_t>(rules.inactive_s));
  reply.add("active_s", static_cast<uint64_t>(rules.active_s));
}

void timeouts(Desk& at, std::string& parameters, rte_tel_data* data) {
  if (!parameters.empty()) {
    const uint64_t inactive_s = number(take_word(parameters), "inactive timeout");
    const uint64_t active_s = number(take_word(parameters), "active timeout");
    if (!parameters.empty())
      throw std::invalid_argument(fmt::format("what is '{}' behind two timeouts?", parameters));
    at.actions.set_timeouts(inactive_s, active_s);
    at.actions.tell(fmt::format("timeouts are {} and {} s by command", inactive_s, active_s));
  }
  reply_timeouts(at.actions.rules(), data);
}

void reply_routes(const route::LiveTable::About& routes, rte_tel_data* data) {
  Reply reply(data);
  reply.add("source", routes.source);
  reply.add("routes", routes.routes);
  reply.add("loaded_ms", static_cast<uint64_t>(routes.loaded_ms));
}

// A command, and what answers it: takes its words off the parameters, throws std::exception with
// the sentence of a refusal.
struct Command {
  const char* path;
  const char* help;
  void (*answer)(Desk& at, std::string& parameters, rte_tel_data* data);
};

constexpr std::array commands = {
    Command{"/pollflow/info", "The run as a whole. Takes no parameters",
            [](Desk& at, std::string&, rte_tel_data* data) {
              reply_info(collect(at.sources), at.sources, at.actions.rules(), data);
            }},
    Command{"/pollflow/worker", "One worker. Parameters: int lcore",
            [](Desk& at, std::string& parameters, rte_tel_data* data) {
              reply_worker(collect(at.sources), at.sources, number(parameters, "lcore"), data);
            }},
    Command{"/pollflow/port", "One port and its queues. Parameters: int port",
            [](Desk& at, std::string& parameters, rte_tel_data* data) {
              reply_port(collect(at.sources), number(parameters, "port"), data);
            }},
    Command{"/pollflow/collector", "One collector. Parameters: int number, from 0",
            [](Desk& at, std::string& parameters, rte_tel_data* data) {
              reply_collector(collect(at.sources), number(parameters, "collector"), data);
            }},
    Command{"/pollflow/ledger", "The ledger, live. Takes no parameters",
            [](Desk& at, std::string&, rte_tel_data* data) {
              reply_ledger(collect(at.sources), data);
            }},
    Command{"/pollflow/flows", "Live flows, paged. Parameters: cursor (0 to begin), filter",
            [](Desk& at, std::string& parameters, rte_tel_data* data) {
              const std::scoped_lock lock(at.flows_mutex);
              const std::string cursor = take_word(parameters);
              reply_flows(at.flows, at.sources, cursor, parameters, data);
            }},
    Command{"/pollflow/top", "First live flows. Parameters: int N, octets|packets|age, filter",
            [](Desk& at, std::string& parameters, rte_tel_data* data) {
              const uint64_t count = number(take_word(parameters), "number of flows");
              const std::string order = take_word(parameters);
              const std::scoped_lock lock(at.flows_mutex);
              reply_top(at.flows, at.sources, count, order, parameters, data);
            }},
    Command{"/pollflow/expire", "Exports live flows now. Parameters: filter (none: all)",
            [](Desk& at, std::string& parameters, rte_tel_data* data) {
              const std::scoped_lock lock(at.flows_mutex);
              const uint64_t expired = at.flows.expire(flow::FlowFilter::parse(parameters));
              at.actions.tell(fmt::format("{} flows exported by command", expired));
              Reply(data).add("expired", expired);
            }},
    Command{"/pollflow/timeouts", "Reads or sets. Parameters: int inactive s, int active s",
            timeouts},
    Command{"/pollflow/routes", "The prefix table in force. Takes no parameters",
            [](Desk& at, std::string&, rte_tel_data* data) {
              reply_routes(at.sources.routes->about(), data);
            }},
    Command{"/pollflow/routes/reload", "Reads the prefix table anew. Takes no parameters",
            [](Desk& at, std::string&, rte_tel_data* data) {
              at.actions.reload_routes();
              const auto routes = at.sources.routes->about();
              at.actions.tell(fmt::format("{} routes are in force by command", routes.routes));
              reply_routes(routes, data);
            }},
    Command{"/pollflow/log_level", "Reads or sets EAL's. Parameters: type pattern, level",
            [](Desk&, std::string& parameters, rte_tel_data* data) {
              const std::string first = take_word(parameters);
              if (parameters.empty() && !first.empty()) set_log_level("*", first);
              if (!parameters.empty()) set_log_level(first, parameters);
              const LogLevels levels = log_levels();
              Reply reply(data);
              reply.add("level", levels.level);
              reply.add("types", levels.others);
              reply.add("types_left_out", levels.left_out);
            }},
    // DPDK's own answer, from 23.03 on, has the RSS key in it; of two commands the later one
    // counts.
    Command{"/ethdev/rss_info", "Not told, as the RSS key is a secret",
            [](Desk&, std::string&, rte_tel_data*) {
              throw std::runtime_error("the RSS key is a secret and is not told");
            }},
};

int answer(const char* path, const char* parameters, rte_tel_data* data) noexcept {
  const auto* command = std::ranges::find(commands, std::string_view(path), &Command::path);
  try {
    if (closing) throw std::runtime_error("pollflow is stopping");
    const std::shared_lock lock(desk_mutex);
    if (!desk || command == commands.end())
      throw std::runtime_error("pollflow is not receiving, now; ask again when it is");
    std::string given = parameters == nullptr ? "" : parameters;
    command->answer(*desk, given, data);
  } catch (const std::exception& refusal) {
    reply_sentence(data, refusal.what());
  }
  return 0;
}

}  // namespace

void Telemetry::register_commands() {
  for (const Command& command : commands)
    rte_telemetry_register_cmd(command.path, answer, command.help);
}

Telemetry::Telemetry(const Sources& sources, Actions actions) {
  const std::scoped_lock lock(desk_mutex);
  closing = false;
  desk.reset(new Desk{.sources = sources, .actions = std::move(actions)});
}

Telemetry::~Telemetry() {
  closing = true;
  const std::scoped_lock lock(desk_mutex);
  desk.reset();
}

}  // namespace pollflow::control
