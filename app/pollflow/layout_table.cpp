#include "layout_table.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

namespace pollflow::app {
namespace {

std::string node_name(int node) {
  return node < 0 ? "any" : std::to_string(node);
}

// "8 MiB"; the same memory serves all queues of a worker, so it stands at the first.
std::string memory(const WorkerPlan& worker, const QueueRef& queue, size_t bytes) {
  constexpr size_t mib = size_t{1} << 20;
  return queue == worker.queues.front() ? fmt::format("{} MiB", (bytes + mib - 1) / mib) : "(same)";
}

}  // namespace

std::string layout_table(const LcorePlan& plan, const std::vector<port::PortFacts>& ports,
                         const std::vector<size_t>& worker_bytes) {
  std::string text = fmt::format("\n{:>4}  {:<16}{:<20}{:>5}{:>7}{:>6}{:>12}\n", "port", "driver",
                                 "device", "queue", "lcore", "node", "memory");
  const auto line = [&](const port::PortFacts& port, const QueueRef& queue,
                        const WorkerPlan& worker, size_t bytes) {
    fmt::format_to(std::back_inserter(text), "{:>4}  {:<16}{:<20}{:>5}{:>7}{:>6}{:>12}\n",
                   port.port, port.driver, port.device, queue.queue, worker.lcore.id,
                   node_name(worker.lcore.node), memory(worker, queue, bytes));
  };
  for (const port::PortFacts& port : ports) {
    for (uint16_t queue = 0; queue < plan.queues_of(port.port); ++queue) {
      const QueueRef wanted{port.port, queue};
      for (size_t i = 0; i < plan.workers.size(); ++i) {
        const WorkerPlan& worker = plan.workers[i];
        if (std::ranges::find(worker.queues, wanted) != worker.queues.end())
          line(port, wanted, worker, worker_bytes[i]);
      }
    }
  }
  fmt::format_to(std::back_inserter(text), "lcore {} controls, lcore {} exports", plan.control.id,
                 plan.exporter.id);
  for (const Lcore& lcore : plan.idle)
    fmt::format_to(std::back_inserter(text), ", lcore {} has no queue to poll", lcore.id);
  return text + "\n";
}

}  // namespace pollflow::app
