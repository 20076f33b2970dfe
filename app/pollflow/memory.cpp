#include "memory.hpp"

#include <fmt/format.h>

#include <fstream>
#include <string>

#include "failure.hpp"

namespace pollflow::app {
namespace {

// The kernel's estimate of what can be had without swapping; 0 when it does not tell.
size_t available_bytes() {
  std::ifstream meminfo("/proc/meminfo");
  size_t kib = 0;
  for (std::string name, line; meminfo >> name; std::getline(meminfo, line)) {
    if (name == "MemAvailable:" && meminfo >> kib) return kib * 1024;
  }
  return 0;
}

}  // namespace

void check_memory_available(size_t bytes) {
  const size_t available = available_bytes();
  // EAL keeps books on its memory, about a sixty-fourth of it.
  if (available == 0 || bytes + bytes / 64 <= available) return;
  throw Failure(
      ExitCode::no_device,
      fmt::format("flow table, routes and buffers take {} MiB, but the machine has {} MiB to "
                  "give; lower --max-flows (a flow takes about 85 bytes) or "
                  "give fewer --routes (64 MiB and about 280 bytes each)",
                  bytes >> 20, available >> 20));
}

}  // namespace pollflow::app
