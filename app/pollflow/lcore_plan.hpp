#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "pipeline/report.hpp"
#include "port/port_facts.hpp"

namespace pollflow::app {

using port::QueueRef;

// An lcore that EAL gives.
struct Lcore {
  unsigned id;
  int node;  // NUMA node
};

// A worker lcore and the receive queues that it alone polls.
struct WorkerPlan {
  Lcore lcore;
  std::vector<QueueRef> queues;
};

// Which lcore does what. Roles that share an lcore take turns on it.
struct LcorePlan {
  Lcore control;                    // signals, links, progress: EAL's main lcore
  Lcore exporter;                   // assemble, send
  std::vector<WorkerPlan> workers;  // receive, decode, update, expire
  std::vector<Lcore> idle;          // lcores for which there is no queue

  // Receive queues that a port has in this plan.
  [[nodiscard]] uint16_t queues_of(uint16_t port) const;
};

// What there is to lay out.
struct LcoreNeeds {
  std::vector<Lcore> lcores;             // all that EAL gives, in ascending order
  unsigned main;                         // EAL's main lcore
  std::optional<unsigned> export_lcore;  // as the operator wishes; absent: the last
  std::vector<port::PortFacts> ports;
};

using pipeline::queues_per_worker_max;

// With one lcore it does everything; of two the main one controls and exports, so that the other
// never waits; of more the main one controls, the last (or --export-lcore) exports, the rest work.
//
// A port gets a queue for each worker on its NUMA node, and for each worker on a node that has no
// port; a port that no worker is near to gets one for each. Each queue goes to the worker with the
// fewest so far, its own node first. Throws Failure when that cannot be done.
LcorePlan plan_lcores(const LcoreNeeds& needs);

}  // namespace pollflow::app
