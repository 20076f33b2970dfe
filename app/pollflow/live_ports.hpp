#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "lcore_plan.hpp"
#include "options.hpp"
#include "port/nic_port.hpp"

struct rte_mempool;

namespace pollflow::app {

// The live ports that EAL probed, and the packet buffers of the workers that poll them.
class LivePorts {
 public:
  // Looks at each port, with the preset of its driver. Throws Failure.
  explicit LivePorts(const Options& options);
  LivePorts(const LivePorts&) = delete;
  LivePorts& operator=(const LivePorts&) = delete;

  [[nodiscard]] std::vector<port::PortFacts> facts() const;
  [[nodiscard]] const std::vector<std::unique_ptr<port::NicPort>>& all() const { return ports_; }
  [[nodiscard]] port::NicPort& at(uint16_t port) const;

  // True when some are interfaces of the kernel's, which CAP_NET_ADMIN is needed to set back.
  [[nodiscard]] bool any_of_the_kernel() const;

  // Bytes of EAL memory for the packet buffers of a worker.
  [[nodiscard]] size_t buffer_bytes(const WorkerPlan& worker) const;

  // Makes the buffers, sets the ports up as planned and starts them; they do not listen yet.
  void start(const LcorePlan& plan);
  void listen();
  void deafen();
  void stop();

  // A line or two about each port: driver, preset, RSS. After start().
  [[nodiscard]] std::string description() const;
  // What the operator should know, "port 0 (net_igb): ..." each. After start().
  [[nodiscard]] std::vector<std::string> warnings() const;

 private:
  // Packet buffers for all queues of one worker, on its node.
  struct BufferNeeds {
    unsigned mbufs;
    uint16_t mbuf_bytes;
  };

  void check_exists(uint16_t id, const std::string& option) const;
  [[nodiscard]] BufferNeeds buffer_needs(const WorkerPlan& worker) const;
  rte_mempool* make_pool(const WorkerPlan& worker);
  [[nodiscard]] port::RssKey key_for(const port::NicPort& port) const;

  port::RssKey rss_key_;  // the operator's; empty: random
  std::vector<std::unique_ptr<port::NicPort>> ports_;
  std::vector<std::string> start_warnings_;
};

}  // namespace pollflow::app
