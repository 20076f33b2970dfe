#include "run_end.hpp"

#include <fmt/format.h>

#include <cstring>
#include <string>

#include "report.hpp"
#include "streams.hpp"

namespace pollflow::app {
namespace {

pipeline::Outputs open_records(const Options& options) {
  pipeline::Outputs outputs;
  outputs.collectors.reserve(options.collectors.size());
  for (const auto& address : options.collectors)
    outputs.collectors.emplace_back(address);
  if (!options.flows_out.empty()) outputs.csv.emplace(options.flows_out);
  if (options.collectors.empty() && options.flows_out.empty()) outputs.top.emplace();
  return outputs;
}

// What went wrong with outputs and ledger, said once each.
ExitCode judge(const Options& options, const flow::Ledger& ledger,
               const pipeline::Outputs& outputs) {
  ExitCode code = ExitCode::done;
  const auto complain = [&](const std::string& sentence) {
    say(sentence);
    code = ExitCode::failed;
  };
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

}  // namespace

OpenOutputs::OpenOutputs(const Options& options) : records(open_records(options)) {
  if (!options.ledger.empty()) ledger.emplace(options.ledger, "--ledger");
  check_together(options);
}

FILE* for_people(const Options& options) {
  return options.flows_out == "-" || options.ledger == "-" ? stderr : stdout;
}

ExitCode end_run(const Options& options, const flow::Ledger& ledger, OpenOutputs& outputs) {
  ExitCode code = judge(options, ledger, outputs.records);
  if (outputs.ledger) {
    const int error = outputs.ledger->write(ledger_json(ledger, outputs.records)).error;
    if (error != 0) {
      say(fmt::format("--ledger {}: writing failed ({})", options.ledger, std::strerror(error)));
      code = ExitCode::failed;
    }
  }
  const std::string top = outputs.records.top ? outputs.records.top->text() : "";
  print_to_people(for_people(options), top + ledger_text(ledger, outputs.records));
  return code;
}

}  // namespace pollflow::app
