#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "exporter/collector.hpp"
#include "flow/lateness.hpp"
#include "flow/ledger.hpp"
#include "port/queue_report.hpp"

namespace pollflow::pipeline {

// The most receive queues that one worker polls: more would leave each unread for too long.
inline constexpr size_t queues_per_worker_max = 16;

// What a worker tells about itself, between two bursts: so within one report each equation of the
// ledger that is about workers holds.
struct WorkerReport {
  flow::WorkerCounters counters;
  flow::RecordTally held;  // flows in the table, and what they carry
  uint64_t flows_high_water = 0;
  uint64_t second_looks = 0;  // packets whose flow was looked for in its second bucket too
  flow::Lateness lateness;
  uint64_t ring_pushed = 0;   // records, as the ring counts them, modulo 2^32
  uint64_t ring_records = 0;  // that the ring holds, about
  uint64_t cycles_busy = 0;   // TSC cycles in turns with packets
  uint64_t cycles = 0;        // in all turns
  std::array<port::QueueReport, queues_per_worker_max> queues{};
};

// Likewise the export lcore. Published only when each worker has told something later, so that who
// reads this first and the workers' reports then sees no record come out of a ring that was not
// seen to go in.
struct ExportReport {
  flow::ExportCounters counters;
  uint64_t rings_popped = 0;  // records from all rings, as these count them, modulo 2^32
  uint64_t waiting = 0;       // of them, those not looked at yet
};

struct CollectorReport {
  exporter::Collector::Counters counters;
  uint64_t last_errno = 0;   // of the latest datagram that could not be sent
  uint64_t last_answer = 0;  // of ICMP to the latest that did not arrive
};

struct CsvReport {
  flow::RecordTally written;
  flow::RecordTally failed;
  uint64_t last_errno = 0;
};

// What a port's device counts, and how it is; told by the control lcore.
struct PortReport {
  uint64_t missed = 0;
  uint64_t errored = 0;
  uint64_t rx_nombuf = 0;
  enum class Link : uint64_t { unknown, down, up, gone } link = Link::unknown;
};

}  // namespace pollflow::pipeline
