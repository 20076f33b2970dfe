#pragma once

#include <atomic>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "port/nic_port.hpp"

namespace pollflow::port {

// What the worker that polls a receive queue tells about it while it runs; it alone writes.
struct alignas(64) QueueProgress {
  std::atomic<uint64_t> packets = 0;
  std::atomic<uint64_t> accounted = 0;
  std::atomic<uint64_t> nic_hashed = 0;  // of the accounted, those with the NIC's RSS hash
};

// Looks after one live port while packets come in: its link, whether it is still there, whether it
// loses packets, and whether its RSS does what the device granted. Each trouble is told once.
class PortWatch {
 public:
  PortWatch(NicPort& port, std::vector<const QueueProgress*> queues);

  // Sentences about what is new, "port 0 (net_igb, 0000:00:05.0): ..." each. Call it some times a
  // second; `monotonic_ns` tells how long a link has been waited for.
  std::vector<std::string> look(uint64_t monotonic_ns);

 private:
  // Sentences that are told once each.
  enum Once : unsigned { unplugged, no_link, missing, no_buffers, no_hash, one_queue };

  void look_at_link(uint64_t monotonic_ns);
  void look_for_loss();
  void look_at_rss(uint64_t monotonic_ns);
  void tell(const std::string& sentence);
  void tell_once(Once what, const std::string& sentence);

  NicPort& port_;
  std::vector<const QueueProgress*> queues_;
  std::vector<std::string> news_;
  uint64_t began_ns_ = 0;
  std::optional<bool> link_up_;
  uint32_t link_events_ = 0;
  uint64_t first_packets_ns_ = 0;
  unsigned told_ = 0;
};

}  // namespace pollflow::port
