#pragma once

#include <atomic>
#include <cstddef>
#include <span>

#include "flow/flow_table.hpp"
#include "lcore_plan.hpp"
#include "options.hpp"
#include "pipeline/export_loop.hpp"
#include "pipeline/worker.hpp"
#include "port/capture_file.hpp"
#include "port/capture_port.hpp"
#include "progress.hpp"

namespace pollflow::app {

// One run over a capture, from its first packet to its last record: the lcores and what they share.
class CaptureRun {
 public:
  // Bytes of EAL memory that a run takes.
  static size_t bytes_needed(const Options& options);

  // Allocates everything; throws Failure. EAL must be up, with the capture's port as its only one.
  CaptureRun(const Options& options, const port::CaptureFile& file, pipeline::Outputs& outputs);

  // Runs the lcores until the last record has been sent, or a second stop signal ends the process.
  void run(const LcorePlan& plan);

  [[nodiscard]] bool capture_damaged() const noexcept { return port_.damaged(); }
  // After run().
  [[nodiscard]] flow::Ledger ledger() const;

 private:
  // What one lcore does until it is done with it.
  struct Roles {
    CaptureRun* run;
    bool control;
    bool work;
    bool export_records;
  };

  static std::span<std::byte> allocate_table(size_t flows);
  static int take_turns(void* roles);
  void take_turns(const Roles& roles);
  void work_turn();
  void export_turn();
  void control_turn();

  port::CapturePort port_;
  flow::FlowTable table_;
  pipeline::ExpiryRing ring_;
  std::array<pipeline::ExpiryRing*, 1> rings_;
  pipeline::Worker worker_;
  pipeline::ExportLoop exporter_;

  Progress progress_;
  ProgressLine progress_line_;
  int64_t now_ms_ = 0;  // the worker's
  std::atomic<bool> stop_requested_ = false;
  std::atomic<bool> worker_done_ = false;
  std::atomic<bool> export_done_ = false;
  bool lost_noted_ = false;
};

}  // namespace pollflow::app
