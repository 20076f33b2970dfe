#include "flow_worker.hpp"

#include <fmt/format.h>
#include <rte_malloc.h>

#include <random>
#include <span>

#include "failure.hpp"
#include "large_pages.hpp"

namespace pollflow::app {
namespace {

constexpr size_t cache_line_bytes = 64;

// Never given back: rte_free() would write zeros over all of it, only for EAL to go the moment
// after.
std::span<std::byte> allocate_table(size_t flows, int node, bool in_private_memory) {
  const size_t bytes = flow::FlowTable::bytes_needed(flows);
  void* memory = in_private_memory
                     ? map_large_pages(bytes)
                     : rte_zmalloc_socket("flow table", bytes, cache_line_bytes, node);
  if (memory != nullptr) return {static_cast<std::byte*>(memory), bytes};
  throw Failure(
      ExitCode::no_device,
      fmt::format(
          "no memory for a flow table of {} MiB on NUMA node {}; lower --max-flows, reserve "
          "huge pages there (scripts/hugepages), or give EAL a greater -m",
          bytes >> 20, node));
}

}  // namespace

size_t FlowWorker::bytes_needed(size_t flows) {
  return flow::FlowTable::bytes_needed(flows) + pipeline::ExpiryRing::bytes_needed();
}

FlowWorker::FlowWorker(const Options& options)
    : table_(
          {.flows_max = options.flows, .rules = options.rules, .hash_secret = options.hash_secret},
          allocate_table(options.flows, options.node, options.table_in_private_memory)),
      ring_("expiry_" + options.name, options.node),
      worker_(table_, ring_, options.own_export) {}

void FlowWorker::tell_progress() noexcept {
  const auto tell = [](std::atomic<uint64_t>& to, uint64_t value) {
    to.store(value, std::memory_order_relaxed);
  };
  const flow::WorkerCounters& counters = worker_.counters();
  tell(progress_.packets, counters.received.packets);
  tell(progress_.octets, counters.received.octets);
  tell(progress_.flows, table_.flows());
  tell(progress_.records_created, counters.created().records);
  const uint64_t lost = counters.lost_sum().records;
  if (lost != records_lost()) tell(loss_.records, lost);
}

uint64_t draw_secret() {
  std::random_device device;
  return uint64_t{device()} << 32 | device();
}

}  // namespace pollflow::app
