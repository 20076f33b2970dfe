#include <fmt/format.h>
#include <rte_ethdev.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "commands.hpp"
#include "control/metrics_page.hpp"
#include "control/metrics_server.hpp"
#include "control/telemetry.hpp"
#include "eal.hpp"
#include "eal_arguments.hpp"
#include "eal_lcores.hpp"
#include "eal_trouble.hpp"
#include "layout_table.hpp"
#include "live_ports.hpp"
#include "live_run.hpp"
#include "memory.hpp"
#include "privileges.hpp"
#include "route/load.hpp"
#include "route/route_memory.hpp"
#include "run_end.hpp"
#include "signals.hpp"
#include "streams.hpp"

namespace pollflow::app {
namespace {

// Room for packet buffers and rings beside the tables, where EAL has to be told before it can say
// how many queues there are. Memory without huge pages is taken only as it is touched.
constexpr size_t buffers_guess_bytes = size_t{512} << 20;

// EAL starts without a device that it cannot have; why so stands in its log only.
void check_ports_found(const Eal& eal) {
  if (rte_eth_dev_count_avail() > 0) return;
  if (const auto known = explain_missing_port(eal.raw_log()))
    throw Failure(known->code, "EAL found no port: " + known->sentence, eal.log());
  throw Failure(ExitCode::no_device,
                "EAL found no port; bind a NIC to a DPDK driver (scripts/bind-nic lists them) and "
                "name it by -a ADDRESS, or name a virtual one, such as "
                "--vdev net_af_packet0,iface=eth1",
                eal.log());
}

void say_all(const std::vector<std::string>& sentences) {
  for (const std::string& sentence : sentences)
    say(sentence);
}

// A reload would find out as late as when it is needed.
void warn_of_unreadable(const Options& options) {
  const auto warn = [](std::string_view option, const std::string& path) {
    if (path.empty() || access(path.c_str(), R_OK) == 0) return;
    say(fmt::format("{} {}: {} (as what pollflow is now); SIGHUP will not be able to read it again",
                    option, path, std::strerror(errno)));
  };
  warn("--config", options.config);
  if (options.routes != "kernel") warn("--routes", options.routes);
}

void step_down(const StepDown& privileges, const LivePorts& ports, const Options& options,
               FILE* people) {
  const std::string now = privileges.step_down(ports.any_of_the_kernel());
  print_to_people(people, fmt::format("  privileges: {}\n", now));
  warn_of_unreadable(options);
}

ExitCode run_on(const CommandLine& line, std::span<const route::Route> routes, Eal& eal,
                OpenOutputs& outputs, control::MetricsPage& metrics, const StepDown& privileges) {
  const Options& options = line.options;
  FILE* people = for_people(options);
  LivePorts ports(options);
  const LcorePlan plan = plan_lcores({.lcores = eal_lcores(),
                                      .main = rte_get_main_lcore(),
                                      .export_lcore = options.export_lcore,
                                      .ports = ports.facts()});
  print_to_people(people,
                  layout_table(plan, ports.facts(), LiveRun::bytes_needed(options, ports, plan)));
  LiveRun run(line, routes, ports, plan, outputs.records);
  ports.start(plan);
  print_to_people(people, fmt::format("\n{}", ports.description()));
  if (options.dry_run) {
    say_all(ports.warnings());
    return ExitCode::done;
  }
  if (!options.routes.empty())
    print_to_people(people, fmt::format("  {} routes of {}\n", routes.size(), options.routes));
  ports.listen();
  say_all(ports.warnings());
  eal.log_aloud();
  run.open_desk();
  const control::MetricsPage::Shown shown(metrics, run.sources());
  step_down(privileges, ports, options, people);
  print_to_people(people, "\nReceiving; SIGINT or SIGTERM stops.\n");
  run.run();
  return end_run(options, run.ledger(), outputs);
}

}  // namespace

ExitCode run_live(const CommandLine& line) {
  reload_on_hangup();
  const StepDown privileges(line.options.user, line.options.seccomp);
  // A dry run leaves no files behind, nor the files of an earlier run empty.
  OpenOutputs outputs(line.options.dry_run ? Options{} : line.options);
  const std::vector<route::Route> routes = route::load_routes(line.options.routes);
  const size_t bytes = flow::FlowTable::bytes_needed(line.options.flows) + buffers_guess_bytes;
  const size_t route_bytes =
      line.options.routes.empty() ? 0 : route::RouteMemory::bytes_needed(routes);
  if (std::ranges::find(line.eal, "--no-huge") != line.eal.end())
    check_memory_available(bytes + route_bytes);
  control::Telemetry::register_commands();
  control::MetricsPage metrics;
  std::optional<control::MetricsServer> server;
  if (line.options.metrics && !line.options.dry_run)
    server.emplace(*line.options.metrics, [&metrics] { return metrics.text(); });
  Eal eal(live_eal_arguments(line.eal, bytes), line.eal);
  check_ports_found(eal);
  keep_out_of_core_files();  // keys are drawn from here on
  try {
    return run_on(line, routes, eal, outputs, metrics, privileges);
  } catch (Failure& failure) {
    if (failure.details.empty()) failure.details = eal.log();
    throw;
  }
}

}  // namespace pollflow::app
