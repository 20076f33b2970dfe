#include "lcore_plan.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <tuple>

#include "failure.hpp"

namespace pollflow::app {
namespace {

using port::PortFacts;

const Lcore& lcore_of(const LcoreNeeds& needs, unsigned id) {
  const auto found = std::ranges::find(needs.lcores, id, &Lcore::id);
  if (found != needs.lcores.end()) return *found;
  std::string there;
  for (const Lcore& lcore : needs.lcores)
    there += (there.empty() ? "" : ", ") + std::to_string(lcore.id);
  throw Failure(ExitCode::usage,
                fmt::format("--export-lcore {}: EAL has lcores {} only; give it more by -l or "
                            "--lcores, or name one of these",
                            id, there));
}

unsigned exporter_id(const LcoreNeeds& needs) {
  if (needs.export_lcore) return *needs.export_lcore;
  if (needs.lcores.size() <= 2) return needs.main;
  const Lcore& last = needs.lcores.back();
  return last.id == needs.main ? needs.lcores.end()[-2].id : last.id;
}

std::vector<WorkerPlan> workers_of(const LcoreNeeds& needs, unsigned exporter) {
  std::vector<WorkerPlan> workers;
  for (const Lcore& lcore : needs.lcores) {
    if (lcore.id != needs.main && lcore.id != exporter) workers.push_back({lcore, {}});
  }
  // Nobody else is left: the main lcore takes turns.
  if (workers.empty()) workers.push_back({lcore_of(needs, needs.main), {}});
  return workers;
}

bool is_on(const PortFacts& port, int node) {
  return port.node < 0 || port.node == node;
}

// The workers that are near to the port, or near to no port at all; all when there is none.
std::vector<WorkerPlan*> servers_of(const PortFacts& port, const std::vector<PortFacts>& ports,
                                    std::vector<WorkerPlan>& workers) {
  std::vector<WorkerPlan*> near;
  std::vector<WorkerPlan*> all;
  for (WorkerPlan& worker : workers) {
    const auto near_to = [&](const PortFacts& any) { return is_on(any, worker.lcore.node); };
    all.push_back(&worker);
    if (near_to(port) || std::ranges::none_of(ports, near_to)) near.push_back(&worker);
  }
  return near.empty() ? all : near;
}

// One with the fewest queues of this port, then one of its own node, then one with the fewest
// queues in all.
WorkerPlan& owner_of_next_queue(const PortFacts& port, const std::vector<WorkerPlan*>& servers) {
  const auto order = [&](const WorkerPlan* worker) {
    const auto of_port = std::ranges::count(worker->queues, port.port, &QueueRef::port);
    return std::tuple(of_port, !is_on(port, worker->lcore.node), worker->queues.size());
  };
  return **std::ranges::min_element(servers, {}, order);
}

void check_enough_workers(const LcoreNeeds& needs, const std::vector<WorkerPlan>& workers) {
  size_t queues = 0;
  for (const PortFacts& port : needs.ports)
    queues += port.queues_min;
  const size_t wanted = (queues + queues_per_worker_max - 1) / queues_per_worker_max;
  if (wanted <= workers.size()) return;
  throw Failure(
      ExitCode::usage,
      fmt::format(
          "{} lcores are too few: the ports have {} receive queues that must all be polled, "
          "a worker lcore polls {} at most, so {} lcores are needed: {} workers, one to "
          "control, one to export; give EAL more by -l or --lcores",
          needs.lcores.size(), queues, queues_per_worker_max, wanted + 2, wanted));
}

// There may be workers enough, but on another node.
void check_can_poll(const WorkerPlan& worker) {
  if (worker.queues.size() <= queues_per_worker_max) return;
  throw Failure(
      ExitCode::usage,
      fmt::format("lcore {} would have to poll {} receive queues, {} is the most; give EAL "
                  "more lcores on NUMA node {} by -l or --lcores",
                  worker.lcore.id, worker.queues.size(), queues_per_worker_max, worker.lcore.node));
}

}  // namespace

uint16_t LcorePlan::queues_of(uint16_t port) const {
  size_t count = 0;
  for (const WorkerPlan& worker : workers)
    count += static_cast<size_t>(std::ranges::count(worker.queues, port, &QueueRef::port));
  return static_cast<uint16_t>(count);
}

LcorePlan plan_lcores(const LcoreNeeds& needs) {
  const unsigned exporter = exporter_id(needs);
  LcorePlan plan{.control = lcore_of(needs, needs.main),
                 .exporter = lcore_of(needs, exporter),
                 .workers = workers_of(needs, exporter)};
  check_enough_workers(needs, plan.workers);
  for (const PortFacts& port : needs.ports) {
    const auto servers = servers_of(port, needs.ports, plan.workers);
    size_t queues = std::clamp<size_t>(servers.size(), port.queues_min, port.queues_max);
    if (port.power_of_two) queues = std::bit_floor(queues);
    for (size_t queue = 0; queue < queues; ++queue)
      owner_of_next_queue(port, servers)
          .queues.push_back({port.port, static_cast<uint16_t>(queue)});
  }
  for (const WorkerPlan& worker : plan.workers) {
    check_can_poll(worker);
    if (worker.queues.empty()) plan.idle.push_back(worker.lcore);
  }
  std::erase_if(plan.workers, [](const WorkerPlan& worker) { return worker.queues.empty(); });
  return plan;
}

}  // namespace pollflow::app
