#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <mutex>
#include <string>

#include "control/actions.hpp"
#include "live_settings.hpp"
#include "options.hpp"
#include "route/live_table.hpp"

namespace pollflow::app {

// Changes what may change while a live run goes on. For control threads only: lcores read what is
// in force through the pointer, whose earlier values stay good.
class SettingsKeeper {
 public:
  SettingsKeeper(const CommandLine& line, route::LiveTable& routes,
                 std::atomic<const LiveSettings*>& in_force);

  // Reads command line, configuration file and routes anew; what is wrong there leaves everything
  // as it is. Returns a sentence about what came of it.
  std::string reload() noexcept;

  [[nodiscard]] control::RulesInForce rules() const;
  // Throws std::invalid_argument with a sentence.
  void set_timeouts(uint64_t inactive_s, uint64_t active_s);
  // Throws Failure.
  void reload_routes();

 private:
  std::string try_reload();
  bool put_in_force(const LiveSettings& settings);  // mutex_ must be held

  const CommandLine& line_;
  route::LiveTable& routes_;
  std::atomic<const LiveSettings*>& in_force_;
  std::mutex reloading_;               // one at a time; it may take seconds
  std::string route_source_;           // under reloading_
  mutable std::mutex mutex_;           // of settings_; held for moments
  std::deque<LiveSettings> settings_;  // all that were in force: somebody may look at one
};

}  // namespace pollflow::app
