#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "flow/record.hpp"
#include "flow/tally.hpp"
#include "packet/fate.hpp"

namespace pollflow::flow {

// What one worker counted.
struct WorkerCounters {
  Tally received;                               // frames and their octets
  std::array<Tally, packet::fate_count> fates;  // the same frames by what became of them
  Tally accounted;                              // packets and IPv4 octets put to a flow
  uint64_t nic_hashed = 0;  // of the accounted packets, those that came with the NIC's RSS hash
  RecordsByReason expired;  // records pushed on the ring
  RecordsByReason lost;     // records that had no place to go

  [[nodiscard]] RecordTally lost_sum() const noexcept;
  [[nodiscard]] RecordTally created() const noexcept;  // pushed or lost

  WorkerCounters& operator+=(const WorkerCounters& other) noexcept;
};

// What the export lcore counted.
struct ExportCounters {
  RecordTally taken;  // from the rings
  RecordTally in_datagram;
  RecordTally sent;
  RecordTally lost_send_failed;
  RecordTally lost_write_failed;
  uint64_t flow_sequence = 0;  // 32 bits of it on the wire
};

// What one receive queue handed to the worker that owns it, in packets.
struct QueueCounters {
  uint16_t queue = 0;
  unsigned lcore = 0;
  uint64_t packets = 0;
  uint64_t accounted = 0;
  uint64_t nic_hashed = 0;  // accounted ones that came with the NIC's RSS hash
};

// What a port handed over and what its device counted, in packets.
struct PortCounters {
  uint16_t port = 0;
  std::string driver;
  uint64_t received = 0;
  uint64_t missed = 0;         // with the undelivered
  uint64_t undelivered = 0;    // counted as received by the device, yet in no queue's bursts
  uint64_t overdelivered = 0;  // the other way round, which should not be
  uint64_t errored = 0;
  uint64_t rx_nombuf = 0;             // a cause, not added: most devices count these as missed
  std::vector<QueueCounters> queues;  // of a live port

  [[nodiscard]] uint64_t offered() const noexcept { return received + missed + errored; }
};

// The whole account at one quiet moment; docs/reference/ledger.md.
struct Ledger {
  std::vector<PortCounters> ports;
  WorkerCounters workers;  // summed
  RecordTally in_tables;   // by walking them
  uint64_t flows_high_water = 0;
  uint64_t ring_records = 0;  // as the rings count what they hold
  ExportCounters exported;
  bool at_rest = true;  // no lcore is at work: what was lost has reached flow_sequence, too

  [[nodiscard]] Tally skipped() const noexcept;
  [[nodiscard]] RecordTally created() const noexcept { return workers.created(); }
  [[nodiscard]] RecordTally lost_ring_full() const noexcept { return workers.lost_sum(); }
  [[nodiscard]] RecordTally lost() const noexcept;
  [[nodiscard]] RecordTally in_rings() const noexcept;

  // One sentence for each equation that does not hold; empty when all do.
  [[nodiscard]] std::vector<std::string> broken_equations() const;
};

}  // namespace pollflow::flow
