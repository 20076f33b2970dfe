#include "control/sources.hpp"

#include <rte_cycles.h>

#include <algorithm>

namespace pollflow::control {
namespace {

using pipeline::ExportReport;

flow::PortCounters counters_of(const Sources::Port& port, const Statistics& statistics,
                               const Sources& sources) {
  const pipeline::PortReport report = port.report->read();
  flow::PortCounters counters{.port = port.port,
                              .driver = port.driver,
                              .missed = report.missed,
                              .errored = report.errored,
                              .rx_nombuf = report.rx_nombuf};
  for (size_t w = 0; w < sources.workers.size(); ++w) {
    const Sources::Worker& worker = sources.workers[w];
    for (size_t q = 0; q < worker.queues.size(); ++q) {
      if (worker.queues[q].port != port.port) continue;
      const port::QueueReport& queue = statistics.workers[w].report.queues[q];
      counters.received += queue.packets;
      counters.queues.push_back({.queue = worker.queues[q].queue,
                                 .lcore = worker.lcore,
                                 .packets = queue.packets,
                                 .accounted = queue.accounted,
                                 .nic_hashed = queue.nic_hashed});
    }
  }
  std::ranges::sort(counters.queues, {}, &flow::QueueCounters::queue);
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

Statistics collect(const Sources& sources) {
  const ExportReport exporter = sources.exporter->read();  // before any worker's
  const int64_t wall_offset_ms = sources.clock->wall_offset_ms();
  Statistics statistics{.version = sources.version,
                        .now_ms = sources.clock->now_ms() + wall_offset_ms,
                        .boot_ms = sources.boot_ms + wall_offset_ms,
                        .tsc_hz = rte_get_tsc_hz(),
                        .export_lcore = sources.export_lcore,
                        .routes = sources.routes->about()};
  for (const Sources::Worker& worker : sources.workers)
    statistics.workers.push_back({worker.lcore, worker.flows_max, worker.report->read()});
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
    ledger.ports.push_back(counters_of(port, statistics, sources));
    statistics.ports.push_back(
        {.name = port.name, .ifindex = port.ifindex, .link = port.report->read().link});
  }
  add_outputs(sources, statistics);
  return statistics;
}

}  // namespace pollflow::control
