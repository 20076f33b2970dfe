#include "settings_keeper.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <stdexcept>
#include <system_error>

#include "failure.hpp"

namespace pollflow::app {
namespace {

// A pipe, which was good for the start, would be waited for in vain.
void check_regular(const std::string& file) {
  std::error_code error;
  if (file.empty() || std::filesystem::is_regular_file(file, error)) return;
  throw Failure(ExitCode::configuration,
                fmt::format("--config {}: {}", file,
                            error ? error.message() : "is no regular file (any more)"));
}

}  // namespace

SettingsKeeper::SettingsKeeper(const CommandLine& line, route::LiveTable& routes,
                               std::atomic<const LiveSettings*>& in_force)
    : line_(line),
      routes_(routes),
      in_force_(in_force),
      route_source_(line.options.routes),
      settings_{settings_of(line.options)} {
  in_force_ = &settings_.front();
}

bool SettingsKeeper::put_in_force(const LiveSettings& settings) {
  if (settings == *in_force_.load(std::memory_order_relaxed)) return false;
  const auto again =
      std::ranges::find(settings_, settings);  // else each change would stay for good
  in_force_.store(again != settings_.end() ? &*again : &settings_.emplace_back(settings),
                  std::memory_order_release);
  return true;
}

std::string SettingsKeeper::reload() noexcept {
  try {
    return try_reload();
  } catch (const std::exception& failure) {
    return fmt::format("not reloaded, everything stays as it was: {}", failure.what());
  }
}

std::string SettingsKeeper::try_reload() {
  const std::scoped_lock one_at_a_time(reloading_);
  check_regular(line_.options.config);
  const Options wanted = parse_command_line(line_.arguments).options;
  std::string routes;
  if (!wanted.routes.empty() || !route_source_.empty()) {
    routes_.load(wanted.routes);
    route_source_ = wanted.routes;
    routes = fmt::format("; {} routes are in force", routes_.about().routes);
  }
  const std::scoped_lock lock(mutex_);
  const bool changed = put_in_force(settings_of(wanted));
  std::string restart;
  for (const std::string& name : needs_restart(line_.options, wanted))
    restart += (restart.empty() ? "; a restart is needed for " : ", ") + name;
  return fmt::format("reloaded: {}{}{}",
                     changed ? "timeouts and export pace are in force"
                             : "timeouts and export pace are as they were",
                     routes, restart);
}

control::RulesInForce SettingsKeeper::rules() const {
  const std::scoped_lock lock(mutex_);
  const flow::ExpiryRules& rules = in_force_.load(std::memory_order_relaxed)->rules;
  return {.inactive_s = rules.inactive_timeout_ms / 1000,
          .active_s = rules.active_timeout_ms / 1000,
          .hold_idle = rules.hold_idle};
}

void SettingsKeeper::set_timeouts(uint64_t inactive_s, uint64_t active_s) {
  for (const uint64_t seconds : {inactive_s, active_s}) {
    if (seconds >= 1 && seconds <= uint64_t{timeout_s_max}) continue;
    throw std::invalid_argument(
        fmt::format("{} is no timeout; give whole seconds from 1 to {}", seconds, timeout_s_max));
  }
  const std::scoped_lock lock(mutex_);
  LiveSettings settings = *in_force_.load(std::memory_order_relaxed);
  settings.rules.inactive_timeout_ms = static_cast<int64_t>(inactive_s) * 1000;
  settings.rules.active_timeout_ms = static_cast<int64_t>(active_s) * 1000;
  put_in_force(settings);
}

void SettingsKeeper::reload_routes() {
  const std::scoped_lock one_at_a_time(reloading_);
  if (route_source_.empty()) {
    throw Failure(ExitCode::usage,
                  "there are no routes to reload; start pollflow with --routes FILE or kernel");
  }
  routes_.load(route_source_);
}

}  // namespace pollflow::app
