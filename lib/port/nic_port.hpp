#pragma once

#include <atomic>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "flow/ledger.hpp"
#include "port/driver_preset.hpp"
#include "port/port_facts.hpp"
#include "port/rss_setup.hpp"

struct rte_eth_dev_info;
struct rte_mempool;

namespace pollflow::port {

// A live port: any ethdev device that EAL probed, set up by what it says it can do. Any question to
// a device may be answered "not supported", so each has an answer of ours for that case.
//
//   NicPort -> facts() -> (layout, mempools) -> start() -> listen() ... deafen() -> stop()
//
// The receive queues are not polled here but by the lcores that own them (RxQueue).
class NicPort {
 public:
  // Written by EAL's interrupt thread.
  struct Events {
    std::atomic<uint32_t> link = 0;
    std::atomic<bool> removed = false;
  };

  // Asks the device what it can do. Throws Failure. EAL must be up.
  NicPort(uint16_t id, const DriverPreset& preset);
  NicPort(const NicPort&) = delete;
  NicPort& operator=(const NicPort&) = delete;
  ~NicPort();

  [[nodiscard]] const PortFacts& facts() const noexcept { return facts_; }
  [[nodiscard]] const DriverPreset& preset() const noexcept { return preset_; }
  // True when the kernel has an interface for it, too (net_af_packet, mlx5).
  [[nodiscard]] bool is_of_the_kernel() const noexcept { return kernel_if_index_ != 0; }
  // Bytes of a packet buffer: a frame of the MTU fits, or the device chains buffers.
  [[nodiscard]] uint16_t mbuf_bytes() const noexcept { return mbuf_bytes_; }
  // What this port's RSS can be, before start() finds out what is granted.
  [[nodiscard]] RssGrant rss_offered() const noexcept;

  // Sets the port up with one queue for each mempool, and starts it; frames for others do not
  // arrive yet. `key`: for RSS, empty when the device takes none. Throws Failure.
  void start(std::span<rte_mempool* const> pool_of_queue, const RssKey& key);
  [[nodiscard]] const RssGrant& rss() const noexcept { return rss_; }
  [[nodiscard]] uint16_t queues() const noexcept { return queues_; }

  // Takes every frame on the wire (promiscuous), or no longer those for others. False when the
  // device cannot.
  bool listen() noexcept;
  void deafen() noexcept;
  // Nothing may poll its queues any more.
  void stop() noexcept;

  // "up, 10 Gbit/s"; nullopt when the device does not tell.
  struct Link {
    bool up;
    std::string text;
    bool gone = false;  // with the kernel's interface that it was of
  };
  [[nodiscard]] std::optional<Link> link() const;
  // How often the device has reported a change of its link (0 for one that never does).
  [[nodiscard]] uint32_t link_events() const noexcept { return events_.link.load(); }
  // True from when the device was found to be unplugged. Any lcore may ask; one looks.
  [[nodiscard]] const std::atomic<bool>& removed() const noexcept { return events_.removed; }
  void look_for_removal() noexcept;

  // What the device counted from start() to stop(). `received`: what its queues handed over.
  [[nodiscard]] flow::PortCounters counters(uint64_t received) const;

 private:
  struct Counted {
    uint64_t received;
    uint64_t missed;
    uint64_t errored;
    uint64_t no_buffer;
  };

  [[nodiscard]] std::optional<Counted> count() const noexcept;
  [[nodiscard]] rte_eth_dev_info ask() const;
  void look_at_device(const rte_eth_dev_info& info);
  void configure(uint16_t queues);
  int try_configure(uint16_t queues, uint16_t tx_queues, bool interrupts);
  void set_up_tx_queues(uint16_t queues);
  void set_mtu() noexcept;
  void set_up_queues(std::span<rte_mempool* const> pool_of_queue);
  void must(int result, const std::string& step) const;

  DriverPreset preset_;
  PortFacts facts_;
  unsigned kernel_if_index_ = 0;  // 0: the kernel has no interface for it
  uint64_t offloads_ = 0;         // granted
  uint64_t rss_types_ = 0;        // granted
  size_t rss_key_bytes_ = 0;
  RssKey rss_key_;  // ethdev keeps a pointer to it; some drivers look only when they are started
  unsigned reta_entries_ = 0;
  uint16_t mtu_ = 0;
  uint16_t mbuf_bytes_ = 0;
  uint16_t queues_ = 0;
  RssGrant rss_;
  bool started_ = false;
  bool was_promiscuous_ = false;
  Events events_;
  std::optional<Counted> at_stop_;  // some devices forget when they are stopped
};

}  // namespace pollflow::port
