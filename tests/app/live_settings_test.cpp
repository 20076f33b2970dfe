#include "live_settings.hpp"

#include <string>
#include <vector>

#include "support/catch.hpp"

using namespace pollflow::app;
using Names = std::vector<std::string>;

namespace {

Options options_of(const std::vector<std::string>& arguments) {
  return parse_command_line(arguments).options;
}

}  // namespace

TEST_CASE("timeouts, hold-idle and export pace can change while a run goes on") {
  const Options running = options_of({});
  const Options wanted = options_of({"--inactive-timeout", "3", "--active-timeout", "4",
                                     "--hold-idle", "--export-rate", "5", "--export-delay", "6"});
  CHECK(needs_restart(running, wanted).empty());
  const LiveSettings settings = settings_of(wanted);
  CHECK(settings.rules.inactive_timeout_ms == 3000);
  CHECK(settings.rules.active_timeout_ms == 4000);
  CHECK(settings.rules.hold_idle);
  CHECK(settings.export_rate == 5);
  CHECK(settings.export_delay_ms == 6);
  CHECK(settings != settings_of(running));
  CHECK(settings == settings_of(wanted));
}

TEST_CASE("routes can change while a run goes on") {
  CHECK(needs_restart(options_of({}), options_of({"--routes", "kernel"})).empty());
  CHECK(needs_restart(options_of({"--routes", "a"}), options_of({"--routes", "b"})).empty());
}

TEST_CASE("every other option is named as one that needs a restart") {
  const Options running = options_of({});
  const std::pair<Names, const char*> changes[] = {
      {{"--collector", "192.0.2.1:2055"}, "--collector"},
      {{"--flows-out", "a.csv"}, "--flows-out"},
      {{"--ledger", "a.json"}, "--ledger"},
      {{"--metrics", "127.0.0.1:7"}, "--metrics"},
      {{"--max-flows", "7"}, "--max-flows"},
      {{"--engine-type", "7"}, "--engine-type"},
      {{"--engine-id", "7"}, "--engine-id"},
      {{"--max-records", "7"}, "--max-records"},
      {{"--ifindex", "1=7"}, "--ifindex"},
      {{"--pair", "0=1"}, "--pair"},
      {{"--export-lcore", "7"}, "--export-lcore"},
      {{"--rss-key", "000102030405060708090a0b0c0d0e0f"}, "--rss-key"},
      {{"--driver-config", "folder"}, "--driver-config"},
      {{"--hash-seed", "7"}, "--hash-seed"},
      {{"--skip-own-export=false"}, "--skip-own-export"},
      {{"--user", "nobody"}, "--user"},
      {{"--seccomp=false"}, "--seccomp"},
  };
  for (const auto& [arguments, name] : changes) {
    CAPTURE(name);
    CHECK(needs_restart(running, options_of(arguments)) == Names{name});
  }
}
