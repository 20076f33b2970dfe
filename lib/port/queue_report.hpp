#pragma once

#include <cstdint>

namespace pollflow::port {

struct QueueRef {
  uint16_t port;
  uint16_t queue;
  bool operator==(const QueueRef&) const = default;
};

// What a receive queue has handed to the worker that polls it, in packets.
struct QueueReport {
  uint64_t packets = 0;
  uint64_t accounted = 0;
  uint64_t nic_hashed = 0;  // of the accounted, those with the NIC's RSS hash
};

}  // namespace pollflow::port
