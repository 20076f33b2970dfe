#include "live_settings.hpp"

#include <array>

namespace pollflow::app {
namespace {

struct Fixed {
  const char* name;
  bool (*same)(const Options&, const Options&);
};

constexpr std::array fixed = {
    Fixed{"--collector",
          [](const Options& a, const Options& b) { return a.collectors == b.collectors; }},
    Fixed{"--flows-out",
          [](const Options& a, const Options& b) { return a.flows_out == b.flows_out; }},
    Fixed{"--ledger", [](const Options& a, const Options& b) { return a.ledger == b.ledger; }},
    Fixed{"--metrics", [](const Options& a, const Options& b) { return a.metrics == b.metrics; }},
    Fixed{"--max-flows", [](const Options& a, const Options& b) { return a.flows == b.flows; }},
    Fixed{"--engine-type",
          [](const Options& a, const Options& b) {
            return a.assembler.engine_type == b.assembler.engine_type;
          }},
    Fixed{"--engine-id",
          [](const Options& a, const Options& b) {
            return a.assembler.engine_id == b.assembler.engine_id;
          }},
    Fixed{"--max-records",
          [](const Options& a, const Options& b) {
            return a.assembler.records_max == b.assembler.records_max;
          }},
    Fixed{"--ifindex", [](const Options& a, const Options& b) { return a.ifindex == b.ifindex; }},
    Fixed{"--pair", [](const Options& a, const Options& b) { return a.pairs == b.pairs; }},
    Fixed{"--export-lcore",
          [](const Options& a, const Options& b) { return a.export_lcore == b.export_lcore; }},
    Fixed{"--rss-key", [](const Options& a, const Options& b) { return a.rss_key == b.rss_key; }},
    Fixed{"--driver-config",
          [](const Options& a, const Options& b) { return a.driver_config == b.driver_config; }},
    Fixed{"--hash-seed",
          [](const Options& a, const Options& b) {
            return a.hash_secret == b.hash_secret && a.hash_random == b.hash_random;
          }},
    Fixed{
        "--skip-own-export",
        [](const Options& a, const Options& b) { return a.skip_own_export == b.skip_own_export; }},
    Fixed{"--user", [](const Options& a, const Options& b) { return a.user == b.user; }},
    Fixed{"--seccomp", [](const Options& a, const Options& b) { return a.seccomp == b.seccomp; }},
    Fixed{"--read", [](const Options& a, const Options& b) { return a.read == b.read; }},
};

}  // namespace

LiveSettings settings_of(const Options& options) {
  return {.rules = options.expiry,
          .export_delay_ms = options.export_delay_ms,
          .export_rate = options.export_rate};
}

std::vector<std::string> needs_restart(const Options& running, const Options& wanted) {
  std::vector<std::string> names;
  for (const Fixed& option : fixed) {
    if (!option.same(running, wanted)) names.emplace_back(option.name);
  }
  return names;
}

}  // namespace pollflow::app
