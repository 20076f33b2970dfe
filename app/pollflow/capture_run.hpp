#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <optional>
#include <span>

#include "flow_worker.hpp"
#include "lcore_plan.hpp"
#include "options.hpp"
#include "pipeline/export_loop.hpp"
#include "port/capture_file.hpp"
#include "port/capture_port.hpp"
#include "progress.hpp"
#include "route/route_table.hpp"

namespace pollflow::app {

// One run over a capture, from its first packet to its last record: the lcores and what they share.
class CaptureRun {
 public:
  // Bytes of EAL memory that a run with these routes takes.
  static size_t bytes_needed(const Options& options, std::span<const route::Route> routes);

  // Allocates everything; throws Failure. EAL must be up, with the capture's port as its only one.
  CaptureRun(const Options& options, const port::CaptureFile& file,
             std::span<const route::Route> routes, pipeline::Outputs& outputs);

  // Runs the lcores until the last record has been sent, or a second stop signal ends the process.
  void run(const LcorePlan& plan);

  [[nodiscard]] bool capture_damaged() const noexcept { return port_.damaged(); }
  // After run().
  [[nodiscard]] flow::Ledger ledger() const;

  // The turns of the lcores: roles.hpp.
  bool over() const noexcept { return export_done_.load(std::memory_order_acquire); }
  bool work_turn(size_t worker);
  bool export_turn();
  void control_turn(bool alone);

 private:
  FlowWorker worker_;
  port::CapturePort port_;
  std::array<pipeline::ExpiryRing*, 1> rings_;
  std::optional<route::RouteTable> routes_;  // absent: none were asked for
  pipeline::ExportLoop exporter_;

  RunProgress progress_;
  ProgressLine progress_line_;
  int64_t now_ms_ = 0;  // the worker's
  std::atomic<bool> stop_requested_ = false;
  std::atomic<bool> worker_done_ = false;
  std::atomic<bool> export_done_ = false;
  bool lost_noted_ = false;
};

}  // namespace pollflow::app
