#include "progress.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>

namespace pollflow::app {
namespace {

constexpr uint64_t redraw_ns = 200'000'000;

}  // namespace

ProgressLine::ProgressLine(uint64_t file_bytes, uint32_t overhead_bytes) noexcept
    : terminal_(isatty(STDERR_FILENO) == 1),
      file_bytes_(file_bytes),
      overhead_bytes_(overhead_bytes) {}

void ProgressLine::update(const Progress& progress, uint64_t monotonic_ns) {
  if (!terminal_) return;
  if (began_ns_ == 0) began_ns_ = drawn_ns_ = monotonic_ns;
  if (monotonic_ns - drawn_ns_ < redraw_ns) return;
  drawn_ns_ = monotonic_ns;
  drawn_ = true;
  const uint64_t packets = progress.packets.load(std::memory_order_relaxed);
  const uint64_t read_bytes =
      progress.octets.load(std::memory_order_relaxed) + packets * overhead_bytes_;
  const double seconds = static_cast<double>(monotonic_ns - began_ns_) / 1e9;
  const double share = 100.0 * static_cast<double>(read_bytes) /
                       static_cast<double>(std::max<uint64_t>(file_bytes_, 1));
  fmt::print(stderr, "\r\033[K{} packets, {:.2f} million a second, {} flows, {:.0f} % of the file",
             packets, static_cast<double>(packets) / seconds / 1e6,
             progress.flows.load(std::memory_order_relaxed), std::min(share, 100.0));
  std::fflush(stderr);
}

void ProgressLine::clear() {
  if (drawn_) fmt::print(stderr, "\r\033[K");
  drawn_ = false;
}

}  // namespace pollflow::app
