#pragma once

#include <array>
#include <cstdint>

#include "flow/flow_table.hpp"
#include "flow/ledger.hpp"
#include "flow/record_batch.hpp"
#include "packet/decode.hpp"
#include "pipeline/errand.hpp"
#include "pipeline/expiry_ring.hpp"
#include "port/burst.hpp"

namespace pollflow::pipeline {

// One worker lcore's part of the data path: decode, update, expire. Owns its table and its
// counters; after start it allocates nothing, locks nothing and makes no system call.
class Worker {
 public:
  Worker(flow::FlowTable& table, ExpiryRing& ring) noexcept : table_(table), ring_(ring) {}

  // True when the ring could take all that one turn can give. A source that can wait waits for it,
  // and then what leaves the table depends on the packets alone, never on how quick the export is.
  // One that cannot wait goes on, and flows stay in the table.
  [[nodiscard]] bool has_room() const noexcept {
    return ring_.room() >= flow::RecordBatch::records_max;
  }

  // Accounts for every packet of the burst, frees them, and lets flows leave that are over.
  void process(const port::Burst& burst) noexcept;

  // Does a bounded step of what a control thread asked, if it asked anything.
  void serve(Errand& errand, int64_t now_ms) noexcept;

  // Lets every flow leave; to be called until it answers true.
  bool flush(int64_t now_ms) noexcept;

  [[nodiscard]] const flow::WorkerCounters& counters() const noexcept { return counters_; }

 private:
  // An accounted packet between decoding and the table.
  struct Pending {
    packet::Packet packet;
    uint64_t hash;
    int64_t arrival_ms;
  };

  unsigned decode(const port::Burst& burst) noexcept;
  void decode_one(const port::Burst& burst, size_t at, unsigned& accounted) noexcept;
  [[nodiscard]] uint64_t hash(const rte_mbuf& mbuf, const packet::FlowKey& key) noexcept;
  void update(unsigned accounted) noexcept;
  void push_batch() noexcept;

  flow::FlowTable& table_;
  ExpiryRing& ring_;
  flow::WorkerCounters counters_;
  flow::RecordBatch batch_;
  std::array<Pending, port::burst_packets_max> pending_;
};

}  // namespace pollflow::pipeline
