#include "top_screen.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "clock_text.hpp"
#include "flow_printer.hpp"
#include "number_text.hpp"
#include "streams.hpp"
#include "text_table.hpp"

namespace pollflow::ctl {
namespace {

// How much a counter grew. Less than before is another pollflow, started meanwhile: from 0.
uint64_t grown(uint64_t before, uint64_t now) {
  return now >= before ? now - before : now;
}

uint64_t grown(const Reply& before, const Reply& now, std::string_view member) {
  return grown(before.number(member), now.number(member));
}

// Seconds between two answers, by pollflow's clock; when that was set back, as if one.
double seconds_between(const Reply& before, const Reply& now) {
  const int64_t ms = now.unix_ms("now_ms") - before.unix_ms("now_ms");
  return ms > 0 ? static_cast<double>(ms) / 1000 : 1;
}

std::string rate(uint64_t count, double seconds) {
  return scaled_text(static_cast<double>(count) / seconds);
}

std::string head(const RunState& before, const RunState& now, double seconds) {
  const Reply& run = now.run;
  const auto per_second = [&](const char* member, uint64_t times) {
    return rate(times * grown(before.run, run, member), seconds);
  };
  return fmt::format(
      "pollflow {}, up {}, {} UTC\n"
      "packets/s {:<10} bits/s {:<10} records/s {}\n"
      "flows {} of {} ({})\n",
      app::one_line(run.text("version")),
      duration_text(run.unix_ms("now_ms") - run.unix_ms("boot_ms")),
      clock_text(run.unix_ms("now_ms")), per_second("received_packets", 1), per_second("octets", 8),
      per_second("records_created", 1), run.number("flows"), run.number("flows_max"),
      percent_text(run.number("flows"), run.number("flows_max")));
}

std::string drops(const RunState& before, const RunState& now) {
  TextTable table({{"drops", TextTable::Align::left}, {"this interval"}, {"in all"}});
  const auto add = [&](const char* name, uint64_t was, uint64_t is) {
    table.row({name, fmt::to_string(grown(was, is)), fmt::to_string(is)});
  };
  add("packets missed", sum(before.ports, "missed"), sum(now.ports, "missed"));
  add("packets errored", sum(before.ports, "errored"), sum(now.ports, "errored"));
  add("records lost", lost(before.run), lost(now.run));
  return table.text();
}

std::string bar(uint64_t part, uint64_t whole) {
  constexpr size_t width = 20;
  const double share = whole == 0 ? 0 : static_cast<double>(part) / static_cast<double>(whole);
  const auto filled = static_cast<size_t>(std::lround(std::min(share, 1.0) * width));
  return fmt::format("[{}{}]", std::string(filled, '|'), std::string(width - filled, ' '));
}

// The same worker's answer before; without one it is as if nothing had happened since.
const Reply& same_worker(const std::vector<Reply>& before, const Reply& now) {
  for (const Reply& worker : before) {
    if (worker.number("lcore") == now.number("lcore")) return worker;
  }
  return now;
}

std::string workers(const RunState& before, const RunState& now, double seconds) {
  TextTable table(
      {{"lcore"}, {"load", TextTable::Align::left}, {"busy"}, {"packets/s"}, {"flows"}, {"ring"}});
  for (const Reply& is : now.workers) {
    const Reply& was = same_worker(before.workers, is);
    const uint64_t busy = grown(was, is, "cycles_busy");
    const uint64_t all = grown(was, is, "cycles");
    table.row({fmt::to_string(is.number("lcore")), bar(busy, all), percent_text(busy, all),
               rate(grown(was, is, "received_packets"), seconds),
               fmt::format("{}/{}", is.number("flows"), is.number("flows_max")),
               fmt::format("{}/{}", is.number("ring_records"), is.number("ring_records_max"))});
  }
  return table.text();
}

}  // namespace

std::string top_screen(const RunState& before, const RunState& now, const TopFlows& flows) {
  const double seconds = seconds_between(before.run, now.run);
  std::string text = fmt::format("{}\n{}\n{}\n", head(before, now, seconds), drops(before, now),
                                 workers(before, now, seconds));
  if (flows.flows.empty()) return text;
  text += flow_heading();
  for (const Flow& flow : flows.flows)
    text += flow_text(flow);
  return text;
}

size_t top_screen_lines(const RunState& state) {
  constexpr size_t others = 3 + 1 + 4 + 1 + 1 + 1 + 1;  // head, drops, headings, empty lines
  return others + state.workers.size();
}

}  // namespace pollflow::ctl
