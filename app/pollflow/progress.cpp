#include "progress.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <string>

#include "failure.hpp"
#include "signals.hpp"
#include "streams.hpp"

namespace pollflow::app {
namespace {

constexpr uint64_t redraw_ns = 200'000'000;

std::atomic<const RunProgress*> progress_at_stop = nullptr;

// Runs within a signal handler: formats into a buffer of its own, writes, and is gone.
void abandon() {
  const RunProgress* progress = progress_at_stop.load();
  const uint64_t settled = progress->records_settled.load(std::memory_order_relaxed);
  const uint64_t created = progress->sum(&WorkerProgress::records_created);
  std::array<char, 256> text;
  const auto end = fmt::format_to_n(
      text.data(), text.size(),
      "\npollflow: stopped at once by a second signal; lost: about {} flows in the tables "
      "and {} records on their way to the outputs\n",
      progress->sum(&WorkerProgress::flows), created > settled ? created - settled : 0);
  [[maybe_unused]] const ssize_t written =
      write(STDERR_FILENO, text.data(), std::min(end.size, text.size()));
  _exit(static_cast<int>(ExitCode::failed));
}

}  // namespace

uint64_t RunProgress::sum(std::atomic<uint64_t> WorkerProgress::*count) const noexcept {
  uint64_t all = 0;
  for (const WorkerProgress* worker : workers)
    all += (worker->*count).load(std::memory_order_relaxed);
  return all;
}

void abandon_on_second_stop(const RunProgress* progress) {
  if (progress == nullptr) return on_second_stop(nullptr);
  progress_at_stop = progress;
  on_second_stop(abandon);
}

ProgressLine::ProgressLine() noexcept : terminal_(isatty(STDERR_FILENO) == 1) {}

ProgressLine::ProgressLine(uint64_t file_bytes, uint32_t overhead_bytes) noexcept : ProgressLine() {
  file_bytes_ = file_bytes;
  overhead_bytes_ = overhead_bytes;
}

void ProgressLine::update(const RunProgress& progress, uint64_t monotonic_ns) {
  if (!terminal_) return;
  if (began_ns_ == 0) began_ns_ = drawn_ns_ = monotonic_ns;
  if (monotonic_ns - drawn_ns_ < redraw_ns) return;
  drawn_ns_ = monotonic_ns;
  drawn_ = true;
  const uint64_t packets = progress.sum(&WorkerProgress::packets);
  const double seconds = static_cast<double>(monotonic_ns - began_ns_) / 1e9;
  std::string line = fmt::format("\r\033[K{} packets, {:.2f} million a second, {} flows", packets,
                                 static_cast<double>(packets) / seconds / 1e6,
                                 progress.sum(&WorkerProgress::flows));
  if (file_bytes_ > 0) {
    const uint64_t read_bytes = progress.sum(&WorkerProgress::octets) + packets * overhead_bytes_;
    const double share = 100.0 * static_cast<double>(read_bytes) / static_cast<double>(file_bytes_);
    line += fmt::format(", {:.0f} % of the file", std::min(share, 100.0));
  }
  print_if_taken(line);
}

void ProgressLine::clear() {
  if (drawn_) print_if_taken("\r\033[K");
  drawn_ = false;
}

}  // namespace pollflow::app
