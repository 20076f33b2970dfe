#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "exporter/collector.hpp"
#include "flow/ledger.hpp"
#include "pipeline/report.hpp"
#include "route/live_table.hpp"

namespace pollflow::control {

struct WorkerStatistics {
  unsigned lcore = 0;
  size_t flows_max = 0;
  pipeline::WorkerReport report;
};

struct PortStatistics {
  std::string name;  // of the device
  uint16_t ifindex = 0;
  pipeline::PortReport::Link link = pipeline::PortReport::Link::unknown;
};

struct CollectorStatistics {
  std::string name;
  exporter::Collector::Counters counters;
};

struct CsvStatistics {
  flow::RecordTally written;
  flow::RecordTally failed;
};

// A live run at one moment, from what its lcores have told: nothing here was asked of a worker.
struct Statistics {
  std::string version;
  int64_t now_ms = 0;   // Unix
  int64_t boot_ms = 0;  // when SysUptime was 0
  uint64_t tsc_hz = 0;
  // Its equations hold at any moment when nothing is lost uncounted. `in_tables` is what the tables
  // counted, `ring_records` what the rings' own indexes say.
  flow::Ledger ledger;
  std::vector<WorkerStatistics> workers;
  std::vector<PortStatistics> ports;  // in the order of ledger.ports
  unsigned export_lcore = 0;
  std::vector<CollectorStatistics> collectors;
  std::optional<CsvStatistics> csv;  // with --flows-out
  route::LiveTable::About routes;

  [[nodiscard]] size_t flows_max() const noexcept;
  [[nodiscard]] flow::Lateness lateness() const noexcept;  // of all workers
};

}  // namespace pollflow::control
