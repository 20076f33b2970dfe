#pragma once

#include <rte_mempool.h>

#include "flow_worker.hpp"
#include "quiet/fixed_traffic.hpp"

namespace pollflow::test {

// Starts EAL without huge pages, devices or files, once in a process. Throws std::runtime_error.
void start_eal(const char* program);

// The packet buffers of one worker, as live_ports.cpp makes them. Throws std::runtime_error.
rte_mempool& packet_pool();

// Takes what the export lcore would take; returns how many records.
size_t collect(pipeline::ExpiryRing& ring);

// A worker on fixed traffic, all but the worker's turn itself.
class WorkerRig {
 public:
  // EAL must be up.
  explicit WorkerRig(Traffic kind)
      : traffic_(kind, packet_pool()),
        flows_({.name = "rig",
                .flows = FixedTraffic::flows_max,
                .rules = traffic_.rules(),
                .hash_secret = 1,
                .node = SOCKET_ID_ANY}) {}

  // Turns until the table is as full as it is going to be.
  void settle() {
    for (size_t burst = 0; burst < FixedTraffic::settled_bursts; ++burst) {
      flows_.worker().process(traffic_.next());
      collect(flows_.ring());
    }
  }

  [[nodiscard]] FixedTraffic& traffic() noexcept { return traffic_; }
  [[nodiscard]] app::FlowWorker& flows() noexcept { return flows_; }

 private:
  FixedTraffic traffic_;
  app::FlowWorker flows_;
};

}  // namespace pollflow::test
