#pragma once

#include "control/statistics.hpp"

namespace pollflow::control {

// A run in which every figure is other than 0, most are other than each other, and whose ledger
// adds up. Two ports, two workers, one collector given twice, a CSV file.
inline flow::Ledger busy_ledger() {
  using flow::EndReason;
  using flow::index_of;
  flow::Ledger ledger;
  ledger.ports = {{.port = 0,
                   .driver = "net_ice",
                   .received = 1000,
                   .missed = 30,
                   .errored = 2,
                   .rx_nombuf = 7,
                   .queues = {{.queue = 0, .lcore = 1, .packets = 600, .accounted = 590},
                              {.queue = 1, .lcore = 2, .packets = 400, .accounted = 332}}},
                  {.port = 1,
                   .driver = "net_e1000_igb",
                   .received = 500,
                   .missed = 9,
                   .errored = 3,
                   .rx_nombuf = 4,
                   .queues = {{.queue = 0, .lcore = 1, .packets = 500, .accounted = 500}}}};
  auto& workers = ledger.workers;
  workers.received = {1500, 150'000};
  uint64_t skipped = 0;
  for (size_t i = 1; i < workers.fates.size(); ++i) {
    workers.fates[i] = {i, 60 * i};
    skipped += i;
  }
  workers.fates[0] = {1500 - skipped, 150'000 - 60 * skipped};
  workers.accounted = {1409, 125'412};
  workers.nic_hashed = 1400;
  workers.expired[index_of(EndReason::idle)] = {10, {100, 8000}};
  workers.expired[index_of(EndReason::active)] = {5, {500, 40'000}};
  workers.expired[index_of(EndReason::end)] = {4, {200, 20'000}};
  workers.expired[index_of(EndReason::forced)] = {3, {30, 3000}};
  workers.expired[index_of(EndReason::overflow)] = {2, {150, 12'000}};
  workers.expired[index_of(EndReason::evicted)] = {1, {20, 1412}};
  workers.lost[index_of(EndReason::idle)] = {1, {22, 1000}};
  ledger.in_tables = {40, {387, 40'000}};
  ledger.flows_high_water = 95;
  ledger.ring_records = 3;
  ledger.exported = {.taken = {22, {970, 83'000}},
                     .in_datagram = {4, {70, 3000}},
                     .sent = {15, {800, 70'000}},
                     .lost_send_failed = {2, {60, 6000}},
                     .lost_write_failed = {1, {40, 4000}},
                     .flow_sequence = 19};
  return ledger;
}

inline WorkerStatistics busy_worker(unsigned lcore, uint64_t share) {
  WorkerStatistics worker{.lcore = lcore, .flows_max = 100};
  auto& report = worker.report;
  report.counters.received = {500 * share, 50'000 * share};
  report.counters.nic_hashed = 11 * share;
  report.held = {12 * share, {100 * share, 9000 * share}};
  report.flows_high_water = 30 * share;
  report.second_looks = 13 * share;
  report.ring_records = share;
  report.cycles_busy = 1000 * share;
  report.cycles = 5000 * share;
  for (const int64_t late_ms : {5, 10, 20, 70, 200, 400, 900, 1000, 1500, 3000, 60'000})
    report.lateness.add(late_ms * static_cast<int64_t>(share));
  return worker;
}

inline Statistics busy_statistics() {
  using Link = pipeline::PortReport::Link;
  const exporter::Collector::Counters counters{.datagrams_sent = 21,
                                               .datagrams_failed = 22,
                                               .records_sent = 23,
                                               .records_failed = 24,
                                               .refused = 25,
                                               .records_refused = 26};
  return {.version = "0.1.0",
          .now_ms = 1'790'000'004'321,
          .boot_ms = 1'790'000'000'007,
          .tsc_hz = 2'400'000'000,
          .ledger = busy_ledger(),
          .workers = {busy_worker(1, 1), busy_worker(2, 2)},
          .ports = {{.name = "0000:3b:00.0", .ifindex = 12, .link = Link::up},
                    {.name = "0000:3b:00.1", .ifindex = 13, .link = Link::unknown}},
          .export_lcore = 3,
          .collectors = {{.name = "192.0.2.1:2055", .counters = counters},
                         {.name = "192.0.2.1:2055", .counters = counters}},
          .csv = CsvStatistics{.written = {31, {}}, .failed = {32, {}}}};
}

}  // namespace pollflow::control
