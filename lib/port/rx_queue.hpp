#pragma once

#include <rte_ethdev.h>

#include <algorithm>
#include <array>
#include <cstdint>

#include "port/burst.hpp"
#include "port/live_clock.hpp"

namespace pollflow::port {

// A source of packets and of time: one receive queue of a live port, polled by the one lcore that
// owns it. The time is read once a burst, so all packets of a burst arrived at the same
// millisecond.
class RxQueue {
 public:
  struct Options {
    uint16_t port;
    uint16_t queue;
    uint16_t burst;  // packets asked for at once, at most burst_packets_max
    uint16_t in_if;
  };

  RxQueue(const Options& options, const LiveClock& clock) noexcept
      : options_(options), clock_(&clock) {}

  [[nodiscard]] const Options& options() const noexcept { return options_; }

  // A burst without packets, for when there is no device to ask any more: it tells the time.
  Burst nothing() noexcept {
    tell_time();
    return {{}, {}, now_ms_, packet::LinkType::ethernet, options_.in_if};
  }

  // What has arrived; valid until the next call, the caller frees the mbufs.
  Burst receive() noexcept {
    const uint16_t received =
        rte_eth_rx_burst(options_.port, options_.queue, packets_.data(), options_.burst);
    tell_time();
    return {{packets_.data(), received},
            {arrival_ms_.data(), received},
            now_ms_,
            packet::LinkType::ethernet,
            options_.in_if};
  }

 private:
  // Most bursts fall into the millisecond of the one before.
  void tell_time() noexcept {
    const int64_t now_ms = clock_->now_ms();
    if (now_ms == now_ms_) return;
    now_ms_ = now_ms;
    arrival_ms_.fill(now_ms);
  }

  Options options_;
  const LiveClock* clock_;
  int64_t now_ms_ = 0;
  std::array<rte_mbuf*, burst_packets_max> packets_{};
  std::array<int64_t, burst_packets_max> arrival_ms_{};
};

}  // namespace pollflow::port
