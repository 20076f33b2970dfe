#include <fcntl.h>
#include <fmt/format.h>
#include <rte_ethdev.h>
#include <rte_lcore.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>

#include "capture_run.hpp"
#include "eal.hpp"
#include "eal_arguments.hpp"
#include "failure.hpp"
#include "lcore_plan.hpp"
#include "options.hpp"
#include "report.hpp"
#include "signals.hpp"

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

// The ledger's file is opened before the run: better no run than a run without its account.
class LedgerFile {
 public:
  explicit LedgerFile(const std::string& path) : path_(path) {
    if (path.empty()) return;
    file_ = path == "-" ? STDOUT_FILENO
                        : open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (file_ >= 0) return;
    const bool denied = errno == EACCES || errno == EPERM;
    throw Failure(
        denied ? ExitCode::no_permission : ExitCode::cannot_create,
        fmt::format(
            "--ledger {}: cannot create it ({}); give a file in a folder that exists and that you "
            "may write to",
            path, std::strerror(errno)));
  }
  LedgerFile(const LedgerFile&) = delete;
  LedgerFile& operator=(const LedgerFile&) = delete;
  ~LedgerFile() {
    if (file_ > STDERR_FILENO) close(file_);
  }

  void write(const std::string& json) const {
    if (file_ < 0) return;
    size_t at = 0;
    while (at < json.size()) {
      const ssize_t taken = ::write(file_, json.data() + at, json.size() - at);
      if (taken < 0 && errno == EINTR) continue;
      if (taken < 0) {
        throw Failure(ExitCode::failed,
                      fmt::format("--ledger {}: writing failed ({})", path_, std::strerror(errno)));
      }
      at += static_cast<size_t>(taken);
    }
  }

 private:
  std::string path_;
  int file_ = -1;
};

// What went wrong during the run, said once each; the exit code that follows from it.
ExitCode judge(const Options& options, const CaptureRun& run, const flow::Ledger& ledger,
               const pipeline::Outputs& outputs) {
  ExitCode code = ExitCode::done;
  const auto complain = [&](const std::string& sentence) {
    fmt::print(stderr, "pollflow: {}\n", sentence);
    code = ExitCode::failed;
  };
  if (run.capture_damaged()) {
    complain(fmt::format(
        "--read {}: damaged or cut behind packet {}; the packets before it were exported",
        options.read, ledger.workers.received.packets));
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

ExitCode read_capture(const CommandLine& line) {
  const Options& options = line.options;
  const port::CaptureFile file(options.read);
  pipeline::Outputs outputs = open_outputs(options);
  const LedgerFile ledger_file(options.ledger);

  const bool log_asked =
      std::ranges::any_of(line.eal, [](const auto& a) { return a.starts_with("--log-level"); });
  const Eal eal(eal_arguments({.vdev = file.vdev(),
                               .memory_bytes = CaptureRun::bytes_needed(options),
                               .cpus = allowed_cpus(),
                               .operator_arguments = line.eal}),
                log_asked);
  if (rte_eth_dev_count_avail() != 1) {
    throw Failure(ExitCode::usage,
                  fmt::format("--read takes its packets from the capture alone, but EAL found {} "
                              "ports; leave out --vdev and -a\n{}",
                              rte_eth_dev_count_avail(), eal.log()));
  }
  CaptureRun run(options, file, outputs);
  run.run(plan_eal_lcores());

  const flow::Ledger ledger = run.ledger();
  // People read on standard output, unless records or ledger go there for a program to read.
  FILE* people = options.flows_out == "-" || options.ledger == "-" ? stderr : stdout;
  if (outputs.top) fmt::print(people, "{}", outputs.top->text());
  fmt::print(people, "{}", ledger_text(ledger, outputs));
  std::fflush(people);
  ledger_file.write(ledger_json(ledger, outputs));
  return judge(options, run, ledger, outputs);
}

ExitCode run_command(const std::vector<std::string>& arguments) {
  const CommandLine line = parse_command_line(arguments);
  if (line.options.help) {
    fmt::print("{}", help_text());
  } else if (line.options.version) {
    fmt::print("pollflow {}\n", POLLFLOW_VERSION);
  } else if (line.options.check_config) {
    fmt::print("The options are right.\n");
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
  pollflow::app::install_signal_handlers();
  ExitCode code = ExitCode::failed;
  try {
    code = pollflow::app::run_command({argv + 1, argv + argc});
  } catch (const pollflow::Failure& failure) {
    fmt::print(stderr, "pollflow: {}\n", failure.what());
    code = failure.code;
  } catch (const std::exception& unforeseen) {
    fmt::print(stderr, "pollflow: {}; this is a fault of pollflow, please report it\n",
               unforeseen.what());
  }
  return static_cast<int>(code);
}
