#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "control/statistics.hpp"
#include "pipeline/errand.hpp"
#include "pipeline/published.hpp"
#include "pipeline/report.hpp"
#include "port/live_clock.hpp"

namespace pollflow::control {

// What control threads may look at, and whom they may ask, while a live run goes on. What is
// pointed at outlives it.
struct Sources {
  struct Worker {
    unsigned lcore;
    size_t flows_max;
    std::vector<port::QueueRef> queues;  // in the order of the report's
    const pipeline::Published<pipeline::WorkerReport>* report;
    pipeline::Errand* errand;
  };
  struct Port {
    uint16_t port;
    std::string driver;
    std::string name;
    uint16_t ifindex;
    const pipeline::Published<pipeline::PortReport>* report;
  };
  struct Collector {
    std::string name;
    const pipeline::Published<pipeline::CollectorReport>* report;
  };

  std::string version;
  const std::atomic<bool>* over = nullptr;  // workers answer no more
  const port::LiveClock* clock = nullptr;
  int64_t boot_ms = 0;
  std::vector<Worker> workers;
  std::vector<Port> ports;
  unsigned export_lcore = 0;
  const pipeline::Published<pipeline::ExportReport>* exporter = nullptr;
  std::vector<Collector> collectors;
  const pipeline::Published<pipeline::CsvReport>* csv = nullptr;  // without --flows-out: none
  const route::LiveTable* routes = nullptr;
};

// One consistent account of the run, from what its lcores have told, some milliseconds old. Waits
// for nobody and disturbs nobody.
Statistics collect(const Sources& sources);

// What each worker told last.
std::vector<WorkerStatistics> read_workers(const Sources& sources);
// The queues of a port, in their order, as `told` has them.
std::vector<flow::QueueCounters> queues_of(uint16_t port, const Sources& sources,
                                           std::span<const WorkerStatistics> told);

}  // namespace pollflow::control
