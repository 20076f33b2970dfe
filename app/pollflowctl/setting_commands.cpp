#include <fmt/format.h>

#include <cstdint>
#include <string>
#include <tuple>
#include <vector>

#include "clock_text.hpp"
#include "commands.hpp"
#include "joined.hpp"
#include "number_text.hpp"
#include "streams.hpp"

namespace pollflow::ctl {
namespace {

// What a worker needs to walk its whole table, or a file of all routes to be read, may be long.
constexpr int long_timeout_s = 60;
constexpr int64_t timeout_s_max = INT32_MAX / 1000;  // docs/reference/options.md

int64_t checked(const char* name, const std::string& word, int64_t min, int64_t max) {
  try {
    return checked_number<int64_t>(word, min, max);
  } catch (const BadValue& bad) {
    throw Failure(ExitCode::usage, fmt::format("{}: {}", name, bad.what()));
  }
}

void check_log_words(const std::vector<std::string>& words) {
  for (const std::string& word : words) {
    if (word.empty() || word.find(',') != std::string::npos)
      throw Failure(ExitCode::usage,
                    fmt::format("log-level: '{}' is neither a type nor a level", word));
  }
  const bool number =
      !words.empty() && words.back().find_first_not_of("0123456789") == std::string::npos;
  if (number) checked("log-level LEVEL", words.back(), 1, 8);
}

void print_json(const Reply& reply, Output& output) {
  output.print("{}\n", json_text(reply.json(), 2));
}

}  // namespace

void check_words(const Arguments& arguments) {
  const auto& [command, words] = std::tie(arguments.command, arguments.words);
  if (command == "timeouts" && !words.empty()) {
    if (words.size() == 1)
      throw Failure(ExitCode::usage,
                    "timeouts: give both, INACTIVE and ACTIVE, or neither to read them");
    checked("timeouts INACTIVE", words[0], 1, timeout_s_max);
    checked("timeouts ACTIVE", words[1], 1, timeout_s_max);
  }
  if (command == "expire" && arguments.all == !arguments.filter.empty())
    throw Failure(ExitCode::usage,
                  "expire: give --filter EXPR, or --all to export every live flow");
  if (command == "log-level") check_log_words(words);
  if (command == "routes" && !words.empty() && words[0] != "reload")
    throw Failure(ExitCode::usage, fmt::format("routes: '{}' is not reload", words[0]));
}

void timeouts(TelemetryClient& client, const Arguments& arguments, Output& output) {
  const Reply reply = client.ask({.command = "/pollflow/timeouts",
                                  .parameters = joined(arguments.words, ","),
                                  .users_words = !arguments.words.empty()});
  const uint64_t inactive_s = reply.number("inactive_s");
  const uint64_t active_s = reply.number("active_s");
  if (arguments.format == Format::json) return print_json(reply, output);
  output.print("inactive {} s, active {} s\n", inactive_s, active_s);
}

void expire(TelemetryClient& client, const Arguments& arguments, Output& output) {
  const Reply reply = client.ask({.command = "/pollflow/expire",
                                  .parameters = arguments.filter,
                                  .users_words = !arguments.filter.empty(),
                                  .timeout_s = long_timeout_s});
  const uint64_t expired = reply.number("expired");
  if (arguments.format == Format::json) return print_json(reply, output);
  output.print("{} flows exported\n", expired);
}

void log_level(TelemetryClient& client, const Arguments& arguments, Output& output) {
  const Reply reply = client.ask({.command = "/pollflow/log_level",
                                  .parameters = joined(arguments.words, ","),
                                  .users_words = !arguments.words.empty()});
  const std::string& level = reply.text("level");
  const auto types = reply.texts("types");
  if (arguments.format == Format::json) return print_json(reply, output);
  output.print("{}\n", app::one_line(level));
  for (const std::string& type : types)
    output.print("  {}\n", app::one_line(type));
  if (const uint64_t more = reply.number("types_left_out"); more > 0)
    output.print("  ... and {} more\n", more);
}

void routes(TelemetryClient& client, const Arguments& arguments, Output& output) {
  const bool reload = !arguments.words.empty();
  const Reply reply =
      client.ask({.command = reload ? "/pollflow/routes/reload" : "/pollflow/routes",
                  .timeout_s = long_timeout_s});
  const std::string& source = reply.text("source");
  const uint64_t count = reply.number("routes");
  const int64_t loaded_ms = reply.unix_ms("loaded_ms");
  if (arguments.format == Format::json) return print_json(reply, output);
  if (source.empty()) {
    output.write("no routes: next hops, masks and AS numbers are 0\n");
  } else {
    output.print("{}: {} routes, in force since {} UTC\n", app::one_line(source), count,
                 clock_text(loaded_ms));
  }
}

}  // namespace pollflow::ctl
