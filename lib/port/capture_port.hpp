#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "flow/ledger.hpp"
#include "port/burst.hpp"

struct rte_mempool;

namespace pollflow::port {

// A source of packets and of time: DPDK's net_pcap port that reads a capture file.
//
// The driver has no end-of-file event, and an empty burst alone would be a guess. But from a file
// it returns fewer packets than asked for in three cases only, each told apart by its counters: it
// had no mbuf (rx_nombuf moved), libpcap could not read on (ierrors moved), or the file is at its
// end (neither moved). drivers/net/pcap/pcap_ethdev.c, eth_pcap_rx(), DPDK 22.11 and 24.11.
class CapturePort {
 public:
  // Sets the port up and starts it; throws Failure. EAL must be up.
  CapturePort(uint16_t port_id, packet::LinkType link, uint16_t in_if);
  CapturePort(const CapturePort&) = delete;
  CapturePort& operator=(const CapturePort&) = delete;
  ~CapturePort();

  // Bytes of EAL memory that the port takes.
  static size_t bytes_needed() noexcept;

  // The next packets of the capture, at most burst_packets_max, valid until the next call;
  // the caller frees the mbufs. After the end: none, and the time of the last one.
  Burst receive() noexcept;

  [[nodiscard]] bool ended() const noexcept { return ended_; }
  // libpcap could not read on: the file is damaged or was cut behind the packets received.
  [[nodiscard]] bool damaged() const noexcept { return damaged_; }
  // Reads no more: as if the capture ended here.
  void stop() noexcept { ended_ = true; }

  [[nodiscard]] flow::PortCounters counters() const;

 private:
  void look_for_end(uint16_t received) noexcept;

  uint16_t port_id_;
  packet::LinkType link_;
  uint16_t in_if_;
  rte_mempool* pool_ = nullptr;
  int timestamp_offset_ = -1;
  uint64_t nombuf_seen_ = 0;
  bool ended_ = false;
  bool damaged_ = false;
  int64_t now_ms_ = 0;
  std::array<rte_mbuf*, burst_packets_max> packets_{};
  std::array<int64_t, burst_packets_max> arrival_ms_{};
};

}  // namespace pollflow::port
