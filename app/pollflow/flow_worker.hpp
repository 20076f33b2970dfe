#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "flow/flow_table.hpp"
#include "pipeline/worker.hpp"
#include "progress.hpp"

namespace pollflow::app {

// What one worker lcore owns, on its NUMA node: its flow table, its expiry ring, its part of the
// data path, and what it tells the other lcores while it runs.
class FlowWorker {
 public:
  struct Options {
    std::string name;
    size_t flows;
    flow::ExpiryRules rules;
    uint64_t hash_secret;
    int node;  // -1: any
    pipeline::OwnExport own_export{};
    // For who has no huge pages and many packets: the table is quicker there, but slower to set up.
    bool table_in_private_memory = false;
  };

  // Bytes of EAL memory that a worker for so many flows takes.
  static size_t bytes_needed(size_t flows);

  // Throws Failure when there is no memory. EAL must be up.
  explicit FlowWorker(const Options& options);

  [[nodiscard]] pipeline::Worker& worker() noexcept { return worker_; }
  [[nodiscard]] flow::FlowTable& table() noexcept { return table_; }
  [[nodiscard]] pipeline::ExpiryRing& ring() noexcept { return ring_; }
  [[nodiscard]] const flow::FlowTable& table() const noexcept { return table_; }
  [[nodiscard]] const pipeline::ExpiryRing& ring() const noexcept { return ring_; }
  [[nodiscard]] const pipeline::Worker& worker() const noexcept { return worker_; }
  [[nodiscard]] const WorkerProgress& progress() const noexcept { return progress_; }
  // Any lcore: records lost so far, before they reached the ring.
  [[nodiscard]] uint64_t records_lost() const noexcept {
    return loss_.records.load(std::memory_order_relaxed);
  }

  // The worker's own lcore, after each turn.
  void tell_progress() noexcept;

 private:
  WorkerProgress progress_;
  WorkerLoss loss_;
  flow::FlowTable table_;
  pipeline::ExpiryRing ring_;
  pipeline::Worker worker_;
};

// 64 random bits from the kernel.
uint64_t draw_secret();

}  // namespace pollflow::app
