#include <fmt/format.h>
#include <rte_ethdev.h>
#include <rte_lcore.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "capture_run.hpp"
#include "eal.hpp"
#include "eal_arguments.hpp"
#include "exporter/output_file.hpp"
#include "failure.hpp"
#include "lcore_plan.hpp"
#include "memory.hpp"
#include "options.hpp"
#include "report.hpp"
#include "signals.hpp"
#include "streams.hpp"

namespace pollflow::app {
namespace {

pipeline::Outputs open_outputs(const Options& options) {
  pipeline::Outputs outputs;
  outputs.collectors.reserve(options.collectors.size());
  for (const auto& address : options.collectors)
    outputs.collectors.emplace_back(address);
  if (!options.flows_out.empty()) outputs.csv.emplace(options.flows_out);
  if (options.collectors.empty() && options.flows_out.empty()) outputs.top.emplace();
  return outputs;
}

LcorePlan plan_eal_lcores() {
  std::vector<unsigned> others;
  unsigned lcore = 0;
  RTE_LCORE_FOREACH_WORKER(lcore) {
    others.push_back(lcore);
  }
  return plan_lcores(rte_get_main_lcore(), others);
}

void say(std::string_view sentence) {
  fmt::print(stderr, "pollflow: {}\n", one_line(sentence));
}

// What went wrong during the run, said once each; the exit code that follows from it.
ExitCode judge(const Options& options, const port::CaptureFile& file, const CaptureRun& run,
               const flow::Ledger& ledger, const pipeline::Outputs& outputs) {
  ExitCode code = ExitCode::done;
  const auto complain = [&](const std::string& sentence) {
    say(sentence);
    code = ExitCode::failed;
  };
  if (run.capture_damaged()) {
    const uint64_t whole = ledger.workers.received.packets;
    complain(fmt::format(
        "--read {}: damaged or cut behind packet {} ({}); what came before was exported",
        options.read, whole, file.damage_behind(whole)));
  }
  if (ledger.ports.front().rx_nombuf > 0) {
    complain(
        fmt::format("--read {}: {} packets of the capture were lost for want of packet buffers",
                    options.read, ledger.ports.front().rx_nombuf));
  }
  if (outputs.csv && outputs.csv->last_errno() != 0) {
    complain(fmt::format("--flows-out {}: writing failed ({}); {} records are missing there",
                         options.flows_out, std::strerror(outputs.csv->last_errno()),
                         outputs.csv->failed().records));
  }
  for (const auto& collector : outputs.collectors) {
    if (collector.counters().datagrams_failed == 0) continue;
    complain(fmt::format("--collector {}: {} datagrams could not be sent ({})", collector.name(),
                         collector.counters().datagrams_failed,
                         std::strerror(collector.last_errno())));
  }
  const auto broken = ledger.broken_equations();
  if (!broken.empty()) complain(fmt::format("the ledger does not add up: {}", broken.front()));
  return code;
}

std::string eal_usage_hint(unsigned ports) {
  return fmt::format(
      "--read takes its packets from the capture alone, but EAL found {} ports; leave out "
      "--vdev and -a",
      ports);
}

ExitCode read_capture(const CommandLine& line) {
  const Options& options = line.options;
  const port::CaptureFile file(options.read);
  check_memory_available(CaptureRun::bytes_needed(options));
  pipeline::Outputs outputs = open_outputs(options);
  std::optional<exporter::OutputFile> ledger_file;  // before the run: no run without its account
  if (!options.ledger.empty()) ledger_file.emplace(options.ledger, "--ledger");
  check_together(options);

  const bool log_asked =
      std::ranges::any_of(line.eal, [](const auto& a) { return a.starts_with("--log-level"); });
  const Eal eal(eal_arguments({.vdev = file.vdev(),
                               .memory_bytes = CaptureRun::bytes_needed(options),
                               .cpus = allowed_cpus(),
                               .operator_arguments = line.eal}),
                log_asked, !line.eal.empty());
  const unsigned ports = rte_eth_dev_count_avail();
  if (ports != 1) throw Failure(ExitCode::usage, eal_usage_hint(ports), eal.log());
  CaptureRun run(options, file, outputs);
  run.run(plan_eal_lcores());

  const flow::Ledger ledger = run.ledger();
  ExitCode code = judge(options, file, run, ledger, outputs);
  const int ledger_error = ledger_file ? ledger_file->write(ledger_json(ledger, outputs)).error : 0;
  if (ledger_error != 0) {
    say(fmt::format("--ledger {}: writing failed ({})", options.ledger,
                    std::strerror(ledger_error)));
    code = ExitCode::failed;
  }
  // People read on standard output, unless records or ledger go there for a program to read.
  FILE* people = options.flows_out == "-" || options.ledger == "-" ? stderr : stdout;
  print_to_people(people, (outputs.top ? outputs.top->text() : "") + ledger_text(ledger, outputs));
  return code;
}

ExitCode run_command(const std::vector<std::string>& arguments) {
  const CommandLine line = parse_command_line(arguments);
  if (line.options.help) {
    print_to_people(stdout, help_text());
  } else if (line.options.version) {
    print_to_people(stdout, "pollflow " POLLFLOW_VERSION "\n");
  } else if (line.options.check_config) {
    print_to_people(stdout, "The options are right.\n");
  } else if (line.options.read.empty()) {
    throw Failure(ExitCode::usage,
                  "no source of packets: give a capture by --read FILE (see pollflow --help)");
  } else {
    return read_capture(line);
  }
  return ExitCode::done;
}

}  // namespace
}  // namespace pollflow::app

int main(int argc, char** argv) {
  using pollflow::ExitCode;
  pollflow::app::fill_closed_streams();
  pollflow::app::install_signal_handlers();
  ExitCode code = ExitCode::failed;
  try {
    code = pollflow::app::run_command({argv + 1, argv + argc});
  } catch (const pollflow::Failure& failure) {
    pollflow::app::say(failure.what());
    fmt::print(stderr, "{}", failure.details);
    code = failure.code;
  } catch (const std::exception& unforeseen) {
    pollflow::app::say(
        fmt::format("{}; this is a fault of pollflow, please report it", unforeseen.what()));
  }
  return static_cast<int>(code);
}
