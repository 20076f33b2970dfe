#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "port/nic_port.hpp"
#include "port/queue_report.hpp"

namespace pollflow::port {

// Looks after one live port while packets come in: its link, whether it is still there, whether it
// loses packets, and whether its RSS does what the device granted. Each trouble is told once.
class PortWatch {
 public:
  explicit PortWatch(NicPort& port) : port_(port) {}

  // Sentences about what is new, "port 0 (net_igb, 0000:00:05.0): ..." each. Call it some times a
  // second, with what each queue of the port has handed over so far; `monotonic_ns` tells how long
  // a link has been waited for.
  std::vector<std::string> look(std::span<const QueueReport> queues, uint64_t monotonic_ns);

  // What the device counted at the latest look. Device and queues are not at rest then, so what is
  // between them is not undelivered.
  [[nodiscard]] const flow::PortCounters& counters() const noexcept { return counters_; }
  // Nothing before the first look that found out; false for a device that is gone.
  [[nodiscard]] std::optional<bool> link_up() const noexcept { return link_up_; }

 private:
  // Sentences that are told once each.
  enum Once : unsigned { unplugged, no_link, missing, no_buffers, no_hash, one_queue };

  void look_at_link(uint64_t monotonic_ns);
  void look_for_loss();
  void look_at_rss(std::span<const QueueReport> queues, uint64_t monotonic_ns);
  void tell(const std::string& sentence);
  void tell_once(Once what, const std::string& sentence);

  NicPort& port_;
  std::vector<std::string> news_;
  flow::PortCounters counters_;
  uint64_t began_ns_ = 0;
  std::optional<bool> link_up_;
  uint32_t link_events_ = 0;
  uint64_t first_packets_ns_ = 0;
  unsigned told_ = 0;
};

}  // namespace pollflow::port
