#pragma once

#include <atomic>
#include <cstdint>

namespace pollflow::app {

// What the lcores tell about themselves while they run, for people only: the ledger is made of the
// counters they keep to themselves. Each line has one writer.
struct Progress {
  alignas(64) std::atomic<uint64_t> packets = 0;
  std::atomic<uint64_t> octets = 0;
  std::atomic<uint64_t> flows = 0;
  std::atomic<uint64_t> records_created = 0;
  alignas(64) std::atomic<uint64_t> records_settled = 0;
};

// The line that a terminal shows while a capture is read. Silent when standard error is no
// terminal.
class ProgressLine {
 public:
  // `file_bytes` and what each packet adds to its own octets there give the share of the file.
  ProgressLine(uint64_t file_bytes, uint32_t overhead_bytes) noexcept;

  // Draws the line, at most five times a second.
  void update(const Progress& progress, uint64_t monotonic_ns);
  // Wipes it.
  void clear();

 private:
  bool terminal_;
  bool drawn_ = false;
  uint64_t file_bytes_;
  uint32_t overhead_bytes_;
  uint64_t began_ns_ = 0;
  uint64_t drawn_ns_ = 0;
};

}  // namespace pollflow::app
