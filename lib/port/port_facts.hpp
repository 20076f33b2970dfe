#pragma once

#include <fmt/format.h>

#include <cstdint>
#include <string>

namespace pollflow::port {

// What the layout of lcores and queues has to know of a port.
struct PortFacts {
  uint16_t port;
  std::string device;  // as EAL calls it: a PCI address, net_af_packet0
  std::string driver;
  int node;              // NUMA node, -1 when it has none
  uint16_t queues_min;   // receive queues that have to be polled
  uint16_t queues_max;   // that can be
  bool power_of_two;     // no other number of queues will do
  uint16_t descriptors;  // a queue
};

// How people are told of it: "port 0 (net_ice, 0000:3b:00.0)".
inline std::string name_of(const PortFacts& port) {
  return fmt::format("port {} ({}, {})", port.port, port.driver, port.device);
}

}  // namespace pollflow::port
