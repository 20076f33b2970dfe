#include <fmt/format.h>

#include <csignal>
#include <exception>
#include <string>
#include <vector>

#include "arguments.hpp"
#include "commands.hpp"
#include "failure.hpp"
#include "output.hpp"
#include "socket_path.hpp"
#include "streams.hpp"
#include "telemetry_client.hpp"

namespace pollflow::ctl {
namespace {

void say(std::string_view sentence) {
  app::print_if_taken(fmt::format("pollflowctl: {}\n", app::one_line(sentence)));
}

ExitCode run_command(const Arguments& arguments, Output& output) {
  check_words(arguments);
  TelemetryClient client(arguments.socket.empty() ? find_socket(arguments.file_prefix)
                                                  : arguments.socket);
  const std::string& command = arguments.command;
  if (command == "ledger") return ledger(client, arguments, output);
  if (command == "show") show(client, arguments, output);
  if (command == "top") top(client, arguments, output);
  if (command == "info") info(client, arguments, output);
  if (command == "timeouts") timeouts(client, arguments, output);
  if (command == "expire") expire(client, arguments, output);
  if (command == "log-level") log_level(client, arguments, output);
  if (command == "routes") routes(client, arguments, output);
  return ExitCode::done;
}

ExitCode run(const std::vector<std::string>& list) {
  const Arguments arguments = parse_arguments(list);
  Output output;
  ExitCode code = ExitCode::done;
  if (arguments.help) {
    output.write(help_text(arguments.command));
  } else if (arguments.version) {
    output.write("pollflowctl " POLLFLOW_VERSION "\n");
  } else {
    code = run_command(arguments, output);
  }
  output.flush();
  return code;
}

}  // namespace
}  // namespace pollflow::ctl

int main(int argc, char** argv) {
  using pollflow::ExitCode;
  pollflow::app::fill_closed_streams();
  std::signal(SIGPIPE, SIG_IGN);  // write() tells of it
  ExitCode code = ExitCode::failed;
  try {
    code = pollflow::ctl::run({argv + 1, argv + argc});
  } catch (const pollflow::ctl::ReaderGone&) {
    code = ExitCode::done;
  } catch (const pollflow::Failure& failure) {
    pollflow::ctl::say(failure.what());
    code = failure.code;
  } catch (const std::exception& unforeseen) {
    pollflow::ctl::say(
        fmt::format("{}; this is a fault of pollflowctl, please report it", unforeseen.what()));
  }
  return static_cast<int>(code);
}
