#pragma once

#include <atomic>
#include <cstdint>
#include <span>
#include <vector>

namespace pollflow::app {

// What a worker lcore tells people about itself while it runs; it alone writes. The ledger is made
// of the counters that the lcores keep to themselves.
struct alignas(64) WorkerProgress {
  std::atomic<uint64_t> packets = 0;
  std::atomic<uint64_t> octets = 0;
  std::atomic<uint64_t> flows = 0;
  std::atomic<uint64_t> records_created = 0;
};

// What it tells the export lcore, which looks at every turn: so on a cache line of its own.
struct alignas(64) WorkerLoss {
  std::atomic<uint64_t> records = 0;  // lost before they reached a ring
};

// All lcores of a run.
struct RunProgress {
  alignas(64) std::atomic<uint64_t> records_settled = 0;  // the export lcore's
  alignas(64) std::vector<const WorkerProgress*> workers;

  [[nodiscard]] uint64_t sum(std::atomic<uint64_t> WorkerProgress::*count) const noexcept;
};

// From now on a second stop signal ends the process at once and says what was lost, as this tells.
// nullptr: no longer.
void abandon_on_second_stop(const RunProgress* progress);

// The line that a terminal shows while packets come in. Silent when standard error is no terminal.
class ProgressLine {
 public:
  ProgressLine() noexcept;
  // For a capture: `file_bytes` and what each packet adds to its own octets there give the share of
  // the file.
  ProgressLine(uint64_t file_bytes, uint32_t overhead_bytes) noexcept;

  // Draws the line, at most five times a second.
  void update(const RunProgress& progress, uint64_t monotonic_ns);
  // Wipes it.
  void clear();

 private:
  bool terminal_;
  bool drawn_ = false;
  uint64_t file_bytes_ = 0;
  uint32_t overhead_bytes_ = 0;
  uint64_t began_ns_ = 0;
  uint64_t drawn_ns_ = 0;
};

}  // namespace pollflow::app
