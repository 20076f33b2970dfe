// Command line and configuration file: options, or a refusal of one sentence; and what was taken
// is taken the same again when it is written out, as arguments and as a file.
//
//   input: arguments, a line each, to an empty line; the configuration file, which @ in an
//   argument names

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <string>
#include <vector>

#include "failure.hpp"
#include "fuzz/expect.hpp"
#include "fuzz/input.hpp"
#include "fuzz/memory_file.hpp"
#include "fuzz/sentence.hpp"
#include "options.hpp"

using namespace pollflow;
using namespace pollflow::test;
using app::Options;

namespace {

using Strings = std::vector<std::string>;

// The only file to read is the one in memory: of what might name another one the slashes go, for
// /dev/zero has no end.
Strings draw_arguments(Input& input, const std::string& config_path) {
  Strings arguments;
  bool names_config = false;
  for (std::string line = input.line(); !line.empty(); line = input.line()) {
    const bool is_config = line.starts_with("--config");
    if (is_config || names_config) std::ranges::replace(line, '/', '_');
    names_config = is_config;
    const size_t at = line.find('@');
    if (at != std::string::npos) line.replace(at, 1, config_path);
    arguments.push_back(line);
  }
  return arguments;
}

void add(Strings& lines, const char* name, const std::string& value) {
  if (!value.empty()) lines.push_back(fmt::format("{}={}", name, value));
}

// Options as lines NAME=VALUE, each of them unless it is empty.
Strings lines_of(const Options& options) {
  Strings lines;
  add(lines, "read", options.read);
  for (const auto& collector : options.collectors)
    add(lines, "collector", collector.name());
  add(lines, "flows-out", options.flows_out);
  add(lines, "ledger", options.ledger);
  if (options.metrics) add(lines, "metrics", options.metrics->name());
  add(lines, "inactive-timeout", fmt::to_string(options.expiry.inactive_timeout_ms / 1000));
  add(lines, "active-timeout", fmt::to_string(options.expiry.active_timeout_ms / 1000));
  add(lines, "max-flows", fmt::to_string(options.flows));
  add(lines, "engine-type", fmt::to_string(options.assembler.engine_type));
  add(lines, "engine-id", fmt::to_string(options.assembler.engine_id));
  add(lines, "max-records", fmt::to_string(options.assembler.records_max));
  for (const auto& [port, index] : options.ifindex)
    add(lines, "ifindex", fmt::format("{}={}", port, index));
  add(lines, "routes", options.routes);
  for (const auto& [port, partner] : options.pairs)
    if (port < partner) add(lines, "pair", fmt::format("{}={}", port, partner));
  if (options.export_lcore) add(lines, "export-lcore", fmt::to_string(*options.export_lcore));
  std::string key;
  for (const uint8_t byte : options.rss_key)
    key += fmt::format("{:02x}", byte);
  add(lines, "rss-key", key);
  add(lines, "driver-config", options.driver_config);
  add(lines, "export-delay", fmt::to_string(options.export_delay_ms));
  add(lines, "export-rate", fmt::to_string(options.export_rate));
  if (options.hash_secret) add(lines, "hash-seed", fmt::to_string(*options.hash_secret));
  if (options.hash_random) add(lines, "hash-seed", "random");
  if (!options.skip_own_export) add(lines, "skip-own-export", "false");
  add(lines, "user", options.user);
  if (!options.seccomp) add(lines, "seccomp", "false");
  return lines;
}

Strings as_arguments(const Options& options) {
  Strings arguments;
  for (const std::string& line : lines_of(options))
    arguments.push_back("--" + line);
  if (options.expiry.hold_idle) arguments.emplace_back("--hold-idle");
  if (options.dry_run) arguments.emplace_back("--dry-run");
  return arguments;
}

// Nothing when a value is one that a file cannot say, since blanks around it are dropped and #
// begins a comment; or names the file itself, which must not be written over.
std::string as_file(const Options& options) {
  std::string text;
  for (const std::string& line : lines_of(options)) {
    const std::string value = line.substr(line.find('=') + 1);
    if (value.find_first_of("#\r\n\t\v\f ") != std::string::npos) return {};
    if (value.find("/fd/") != std::string::npos) return {};
    text += line + '\n';
  }
  return text + (options.expiry.hold_idle ? "hold-idle = true\n" : "");
}

Options taken(const Strings& arguments, const char* as) {
  try {
    return app::parse_command_line(arguments).options;
  } catch (const Failure& failure) {
    std::fprintf(stderr, "%s\n", failure.what());
    expect(false, as);
    throw;
  }
}

void check_round_trip(const Options& options, const MemoryFile& file) {
  const Options by_arguments = taken(as_arguments(options), "what was taken is taken as arguments");
  expect(as_arguments(by_arguments) == as_arguments(options), "arguments mean what they meant");
  const std::string text = as_file(options);
  if (text.empty()) return;
  file.fill(text);
  Strings arguments = {"--config", file.path()};
  if (options.dry_run) arguments.emplace_back("--dry-run");
  const Options by_file = taken(arguments, "what was taken is taken in a file");
  expect(as_arguments(by_file) == as_arguments(options), "a file means what arguments mean");
}

void check_limits(const Options& options) {
  const auto& [idle_ms, active_ms, hold] = options.expiry;
  expect(idle_ms >= 1000 && idle_ms <= app::timeout_s_max * 1000, "inactive timeout");
  expect(active_ms >= 1000 && active_ms <= app::timeout_s_max * 1000, "active timeout");
  expect(options.flows >= app::flows_min && options.flows <= app::flows_max, "max flows");
  const unsigned records = options.assembler.records_max;
  expect(records >= 1 && records <= netflow::v5_records_max, "records in a datagram");
  expect(options.rss_key.empty() || options.rss_key.size() >= 16, "an RSS key is long enough");
  for (const auto& [port, partner] : options.pairs)
    expect(port != partner && options.pairs.at(partner) == port, "pairs are pairs");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const MemoryFile given;
  static const MemoryFile written;
  Input input(data, size);
  const Strings arguments = draw_arguments(input, given.path());
  given.fill(input.text());
  try {
    const app::CommandLine line = app::parse_command_line(arguments);
    expect(line.arguments == arguments, "all arguments are kept, to be read again");
    check_limits(line.options);
    check_round_trip(line.options, written);
  } catch (const Failure& failure) {
    const bool codes = failure.code == ExitCode::usage || failure.code == ExitCode::configuration ||
                       failure.code == ExitCode::no_permission;
    expect(codes, "a refusal is of usage, configuration or permission");
    expect_sentence(failure.what());
  }
  return 0;
}
