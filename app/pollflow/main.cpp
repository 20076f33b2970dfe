#include <fmt/format.h>

#include <cstdio>
#include <string>
#include <vector>

#include "commands.hpp"
#include "failure.hpp"
#include "options.hpp"
#include "privileges.hpp"
#include "signals.hpp"
#include "streams.hpp"

namespace pollflow::app {
namespace {

ExitCode run_command(const std::vector<std::string>& arguments) {
  const CommandLine line = parse_command_line(arguments);
  if (line.options.help) {
    print_to_people(stdout, help_text());
  } else if (line.options.version) {
    print_to_people(stdout, "pollflow " POLLFLOW_VERSION "\n");
  } else if (line.options.check_config) {
    print_to_people(stdout, "The options are right.\n");
  } else if (!line.options.read.empty()) {
    return read_capture(line);
  } else if (line.has_eal) {
    return run_live(line);
  } else {
    throw Failure(
        ExitCode::usage,
        "no source of packets: give a capture by --read FILE, or live ports by EAL options "
        "before -- (see pollflow --help)");
  }
  return ExitCode::done;
}

}  // namespace
}  // namespace pollflow::app

int main(int argc, char** argv) {
  using pollflow::ExitCode;
  pollflow::app::refuse_new_privileges();
  pollflow::app::fill_closed_streams();
  pollflow::app::install_signal_handlers();
  ExitCode code = ExitCode::failed;
  try {
    code = pollflow::app::run_command({argv + 1, argv + argc});
  } catch (const pollflow::Failure& failure) {
    pollflow::app::say(failure.what());
    pollflow::app::print_if_taken(failure.details);
    code = failure.code;
  } catch (const std::exception& unforeseen) {
    pollflow::app::say(
        fmt::format("{}; this is a fault of pollflow, please report it", unforeseen.what()));
  }
  return static_cast<int>(code);
}
