#pragma once

#include <array>
#include <cstdint>
#include <utility>

#include "flow/flow_table.hpp"
#include "flow/ledger.hpp"
#include "flow/record_batch.hpp"
#include "packet/decode.hpp"
#include "pipeline/errand.hpp"
#include "pipeline/expiry_ring.hpp"
#include "pipeline/own_export.hpp"
#include "port/burst.hpp"

namespace pollflow::pipeline {

// One worker lcore's part of the data path: decode, update, expire. Owns its table and its
// counters; after start it allocates nothing, locks nothing and makes no system call.
//
// Packets are under way to the table for a while, so that memory has time to answer:
//
//     decode, locate          look                      update
//   -------->|  ask for tags   |->|  ask for the entry   |->  flow
//            newest            looks_behind              updates_behind packets behind the newest
//
// The window reaches over bursts. It is drained when there is nothing else to do (settle), and
// before anything that must see each packet in its flow: once a millisecond, the sweep.
class Worker {
 public:
  // `own`: what is not metered.
  Worker(flow::FlowTable& table, ExpiryRing& ring, OwnExport own = {})
      : table_(table), ring_(ring), own_(std::move(own)) {}

  // True when the ring could take all that one turn can give. A source that can wait waits for it,
  // and then what leaves the table depends on the packets alone, never on how quick the export is.
  // One that cannot wait goes on, and flows stay in the table.
  [[nodiscard]] bool has_room() const noexcept {
    return ring_.room() >= flow::RecordBatch::records_max;
  }

  // Accounts for every packet of the burst, frees them, and lets flows leave that are over. The
  // last packets may still be on their way to their flows.
  void process(const port::Burst& burst) noexcept;

  // Leads every packet to its flow: then what was accounted is in the table or in records.
  void settle() noexcept;

  // Does a bounded step of what a control thread asked, if it asked anything.
  void serve(Errand& errand, int64_t now_ms) noexcept;

  // Lets every flow leave; to be called until it answers true.
  bool flush(int64_t now_ms) noexcept;

  [[nodiscard]] const flow::WorkerCounters& counters() const noexcept { return counters_; }

 private:
  // Packets between two steps, and packets that a step takes at once: found by measurement
  // (docs/internals/flow-table.md).
  static constexpr uint32_t looks_behind = 12;
  static constexpr uint32_t updates_behind = 32;
  static constexpr uint32_t window = 64;  // a power of two
  static constexpr size_t step_packets = 8;

  void decode(const port::Burst& burst, size_t begin, size_t end) noexcept;
  bool decode_slowly(const rte_mbuf& mbuf, const port::Burst& burst,
                     packet::Packet& packet) noexcept;
  void hash_instead(flow::Arrival& arrival) noexcept;
  bool skip_own(const rte_mbuf& mbuf, const packet::Packet& packet) noexcept;
  template <typename Step>
  void advance(uint32_t& at, uint32_t end, Step step) noexcept;
  void drain() noexcept;
  void push_batch() noexcept;

  flow::FlowTable& table_;
  ExpiryRing& ring_;
  flow::WorkerCounters counters_;
  flow::RecordBatch batch_;

  OwnExport own_;
  int64_t swept_ms_ = INT64_MIN;
  uint32_t decoded_ = 0;  // packets that have come so far, modulo 2^32
  uint32_t located_ = 0;
  uint32_t looked_ = 0;
  uint32_t updated_ = 0;
  bool swept_ = false;                          // all that was due at swept_ms_
  std::array<flow::Arrival, window> arrivals_;  // packet number n in arrivals_[n % window]
};

}  // namespace pollflow::pipeline
