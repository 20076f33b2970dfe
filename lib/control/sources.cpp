#include "control/sources.hpp"

#include <rte_cycles.h>

#include <algorithm>
#include <utility>

namespace pollflow::control {
namespace {

using pipeline::ExportReport;

flow::PortCounters counters_of(const Sources::Port& port, const pipeline::PortReport& report,
                               std::vector<flow::QueueCounters> queues) {
  flow::PortCounters counters{.port = port.port,
                              .driver = port.driver,
                              .missed = report.missed,
                              .errored = report.errored,
                              .rx_nombuf = report.rx_nombuf};
  for (const flow::QueueCounters& queue : queues)
    counters.received += queue.packets;
  counters.queues = std::move(queues);
  return counters;
}

void add_outputs(const Sources& sources, Statistics& statistics) {
  for (const Sources::Collector& collector : sources.collectors)
    statistics.collectors.push_back({collector.name, collector.report->read().counters});
  if (sources.csv == nullptr) return;
  const pipeline::CsvReport csv = sources.csv->read();
  statistics.csv = CsvStatistics{.written = csv.written, .failed = csv.failed};
}

}  // namespace

std::vector<WorkerStatistics> read_workers(const Sources& sources) {
  std::vector<WorkerStatistics> workers;
  for (const Sources::Worker& worker : sources.workers)
    workers.push_back({worker.lcore, worker.flows_max, worker.report->read()});
  return workers;
}

std::vector<flow::QueueCounters> queues_of(uint16_t port, const Sources& sources,
                                           std::span<const WorkerStatistics> told) {
  std::vector<flow::QueueCounters> queues;
  for (size_t w = 0; w < sources.workers.size(); ++w) {
    const auto& polled = sources.workers[w].queues;
    for (size_t q = 0; q < polled.size(); ++q) {
      if (polled[q].port != port) continue;
      const port::QueueReport& report = told[w].report.queues[q];
      queues.push_back({.queue = polled[q].queue,
                        .lcore = told[w].lcore,
                        .packets = report.packets,
                        .accounted = report.accounted,
                        .nic_hashed = report.nic_hashed});
    }
  }
  std::ranges::sort(queues, {}, &flow::QueueCounters::queue);
  return queues;
}

Statistics collect(const Sources& sources) {
  const ExportReport exporter = sources.exporter->read();  // before any worker's
  const int64_t wall_offset_ms = sources.clock->wall_offset_ms();
  Statistics statistics{.version = sources.version,
                        .now_ms = sources.clock->now_ms() + wall_offset_ms,
                        .boot_ms = sources.boot_ms + wall_offset_ms,
                        .tsc_hz = rte_get_tsc_hz(),
                        .export_lcore = sources.export_lcore,
                        .routes = sources.routes->about()};
  statistics.workers = read_workers(sources);
  flow::Ledger& ledger = statistics.ledger;
  ledger.at_rest = false;
  ledger.exported = exporter.counters;
  auto in_rings = static_cast<uint32_t>(0 - exporter.rings_popped);
  for (const WorkerStatistics& worker : statistics.workers) {
    ledger.workers += worker.report.counters;
    ledger.in_tables += worker.report.held;
    ledger.flows_high_water += worker.report.flows_high_water;
    in_rings += static_cast<uint32_t>(worker.report.ring_pushed);
  }
  ledger.ring_records = in_rings + exporter.waiting;
  for (const Sources::Port& port : sources.ports) {
    const pipeline::PortReport report = port.report->read();
    ledger.ports.push_back(
        counters_of(port, report, queues_of(port.port, sources, statistics.workers)));
    statistics.ports.push_back({.name = port.name, .ifindex = port.ifindex, .link = report.link});
  }
  add_outputs(sources, statistics);
  return statistics;
}

}  // namespace pollflow::control
