#include <fmt/format.h>
#include <rte_ethdev.h>

#include <algorithm>
#include <array>
#include <string_view>

#include "capture_run.hpp"
#include "commands.hpp"
#include "eal.hpp"
#include "eal_arguments.hpp"
#include "eal_lcores.hpp"
#include "memory.hpp"
#include "privileges.hpp"
#include "route/load.hpp"
#include "run_end.hpp"
#include "streams.hpp"

namespace pollflow::app {
namespace {

void check_names_no_device(const std::vector<std::string>& eal_arguments) {
  constexpr std::array<std::string_view, 3> options = {"-a", "--allow", "--vdev"};
  for (const std::string& argument : eal_arguments) {
    const auto begins = [&](std::string_view option) { return argument.starts_with(option); };
    if (std::ranges::none_of(options, begins)) continue;
    throw Failure(
        ExitCode::usage,
        fmt::format("--read takes its packets from the capture alone; leave out {}", argument));
  }
}

void check_only_port(const Eal& eal) {
  const unsigned ports = rte_eth_dev_count_avail();
  if (ports == 1) return;
  throw Failure(
      ExitCode::usage,
      fmt::format("--read takes its packets from the capture alone, but EAL found {} ports", ports),
      eal.log());
}

LcorePlan plan_for_capture(const Options& options) {
  const port::PortFacts capture{.port = 0, .node = -1, .queues_min = 1, .queues_max = 1};
  return plan_lcores({.lcores = eal_lcores(),
                      .main = rte_get_main_lcore(),
                      .export_lcore = options.export_lcore,
                      .ports = {capture}});
}

// What went wrong with the capture, said once each.
ExitCode judge(const Options& options, const port::CaptureFile& file, const CaptureRun& run,
               const flow::Ledger& ledger) {
  ExitCode code = ExitCode::done;
  if (run.capture_damaged()) {
    const uint64_t whole = ledger.workers.received.packets;
    say(fmt::format(
        "--read {}: damaged or cut behind packet {} ({}); what came before was exported",
        options.read, whole, file.damage_behind(whole)));
    code = ExitCode::failed;
  }
  if (ledger.ports.front().rx_nombuf > 0) {
    say(fmt::format("--read {}: {} packets of the capture were lost for want of packet buffers",
                    options.read, ledger.ports.front().rx_nombuf));
    code = ExitCode::failed;
  }
  return code;
}

}  // namespace

ExitCode read_capture(const CommandLine& line) {
  const Options& options = line.options;
  check_names_no_device(line.eal);
  const StepDown privileges(options.user, options.seccomp);
  const port::CaptureFile file(options.read);
  const std::vector<route::Route> routes = route::load_routes(options.routes);
  const size_t memory_bytes = CaptureRun::bytes_needed(options, routes);
  check_memory_available(memory_bytes);
  OpenOutputs outputs(options);
  const Eal eal(eal_arguments({.vdev = file.vdev(),
                               .memory_bytes = memory_bytes,
                               .cpus = allowed_cpus(),
                               .operator_arguments = line.eal}),
                line.eal);
  check_only_port(eal);
  CaptureRun run(options, file, routes, outputs.records);
  const LcorePlan plan = plan_for_capture(options);
  privileges.step_down(false);
  run.run(plan);

  const flow::Ledger ledger = run.ledger();
  const ExitCode of_capture = judge(options, file, run, ledger);
  const ExitCode of_outputs = end_run(options, ledger, outputs);
  return of_outputs == ExitCode::done ? of_capture : of_outputs;
}

}  // namespace pollflow::app
