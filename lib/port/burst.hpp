#pragma once

#include <cstdint>
#include <span>

#include "packet/decode.hpp"

struct rte_mbuf;

namespace pollflow::port {

// The most packets that one receive takes.
inline constexpr uint16_t burst_packets_max = 64;

// What a source of packets and of time hands to a worker: packets of one port, when each arrived,
// and what time it is now (Unix milliseconds). The worker frees the packets. Without packets it
// still tells the time.
struct Burst {
  std::span<rte_mbuf*> packets;
  std::span<const int64_t> arrival_ms;  // one for each packet
  int64_t now_ms;
  packet::LinkType link;
  uint16_t in_if;  // input ifindex of the port
};

}  // namespace pollflow::port
