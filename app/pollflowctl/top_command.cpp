#include <unistd.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "commands.hpp"
#include "flow_pages.hpp"
#include "run_state.hpp"
#include "terminal.hpp"
#include "top_screen.hpp"

namespace pollflow::ctl {
namespace {

constexpr size_t flows_on_paper = 20;
constexpr size_t top_max = 64;  // of /pollflow/top

TopFlows busiest(TelemetryClient& client, size_t lines) {
  if (lines == 0) return {};
  return top_flows(client, std::min(lines, top_max), Order::octets, "");
}

void print_once(TelemetryClient& client, const Arguments& arguments, Output& output) {
  const RunState before = ask_run_state(client, false);
  usleep(static_cast<useconds_t>(arguments.interval_s * 1e6));
  const RunState now = ask_run_state(client, false);
  output.write(top_screen(before, now, busiest(client, flows_on_paper)));
}

}  // namespace

void top(TelemetryClient& client, const Arguments& arguments, Output& output) {
  if (arguments.once || isatty(STDOUT_FILENO) == 0) return print_once(client, arguments, output);
  // Asked before the screen is taken, so that trouble at the start looks as with any command.
  RunState before = ask_run_state(client, false);
  const FullScreen screen;
  output.write(FullScreen::paint("..."));
  output.flush();
  while (FullScreen::wait(arguments.interval_s)) {
    RunState now = ask_run_state(client, false);
    const size_t used = top_screen_lines(now);
    const size_t rows = FullScreen::size().rows;
    output.write(
        FullScreen::paint(top_screen(before, now, busiest(client, rows > used ? rows - used : 0))));
    output.flush();
    before = std::move(now);
  }
}

}  // namespace pollflow::ctl
