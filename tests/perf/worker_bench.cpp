// What a packet costs a worker lcore, in TSC cycles, beside what the source of packets costs, what
// memory alone costs, and what DPDK's hash table would cost. Prints JSON: for each case one sample
// of each a round. scripts/bench makes a table of it, by tests/perf/rows.py.
//
//   worker_bench [--tiny] [--rounds N] [--only NAME]
//
// The case "chosen" runs only when it is named.

#include <fmt/format.h>
#include <rte_cycles.h>
#include <rte_eal.h>

#include <cstdio>
#include <fstream>
#include <string_view>

#include "cases.hpp"
#include "failure.hpp"
#include "whole_number.hpp"
#include "whole_run.hpp"

namespace pollflow::perf {
namespace {

void print(std::string_view name, std::string_view pages, const Samples& samples) {
  static bool first = true;
  fmt::print("{}  {{\"name\": \"{}\", \"pages\": \"{}\", \"samples\": {{", first ? "" : ",\n", name,
             pages);
  first = false;
  bool comma = false;
  for (const auto& [what, values] : samples) {
    fmt::print("{}\"{}\": [{:.4f}]", comma ? ", " : "", what, fmt::join(values, ", "));
    comma = true;
  }
  fmt::print("}}}}");
  std::fflush(stdout);
}

bool wanted(const Options& options, std::string_view name) {
  return name.find(options.only) != std::string_view::npos;
}

void run_cases(const Options& options) {
  Source source("source");
  for (const NamedCase& named : cases()) {
    if (!wanted(options, named.name)) continue;
    Case setting = named.make(options);
    setting.name = named.name;
    Run run(setting, source, options);
    const Samples samples = run.measure();
    print(named.name, run.pages(), samples);
  }
  if (wanted(options, "sweep")) print("sweep", "", sweep_case(options));
  if (wanted(options, "two workers")) print("two workers", "", two_workers_case(options));
  if (options.only == "chosen") {
    const ChosenCase chosen = chosen_case(options);
    print("chosen", chosen.pages, chosen.samples);
  }
}

Options parse(int argc, char** argv) {
  Options options;
  for (int i = 1; i < argc; ++i) {
    const std::string_view argument = argv[i];
    const bool more = i + 1 < argc;
    if (argument == "--tiny") {
      options.tiny = true;
      options.rounds = 2;
    } else if (argument == "--rounds" && more) {
      options.rounds = checked_number<unsigned>(argv[++i], 1, 1000);
    } else if (argument == "--only" && more) {
      options.only = argv[++i];
    } else {
      throw Failure(ExitCode::usage,
                    fmt::format("{}: worker_bench [--tiny] [--rounds N] [--only NAME]", argument));
    }
  }
  return options;
}

bool huge_pages_free() {
  std::ifstream meminfo("/proc/meminfo");
  for (std::string word; meminfo >> word;) {
    uint64_t pages = 0;
    if (word == "HugePages_Free:" && meminfo >> pages) return pages >= 512;
  }
  return false;
}

void start_eal() {
  std::vector<const char*> eal = {
      "bench", "--no-pci", "--no-telemetry", "--log-level=error", "-m", "600", "-l", "0"};
  eal.push_back(huge_pages_free() ? "--in-memory" : "--no-huge");
  if (rte_eal_init(static_cast<int>(eal.size()), const_cast<char**>(eal.data())) < 0)
    throw Failure(ExitCode::no_device, "EAL does not start; its lines above say why");
}

}  // namespace
}  // namespace pollflow::perf

int main(int argc, char** argv) {
  using namespace pollflow;
  try {
    const perf::Options options = perf::parse(argc, argv);
    perf::start_eal();
    fmt::print("{{\"tsc_hz\": {}, \"cases\": [\n", rte_get_tsc_hz());
    perf::run_cases(options);
    fmt::print("\n]}}\n");
    return 0;
  } catch (const Failure& failure) {
    fmt::print(stderr, "worker_bench: {}\n", failure.what());
    return static_cast<int>(failure.code);
  } catch (const BadValue& bad) {
    fmt::print(stderr, "worker_bench: {}\n", bad.what());
    return static_cast<int>(ExitCode::usage);
  }
}
