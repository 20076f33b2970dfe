#pragma once

#include <fmt/format.h>

#include <cstdint>
#include <string>

namespace pollflow::exporter {

// An IPv4 address in host byte order as a.b.c.d.
inline std::string address_text(uint32_t address) {
  return fmt::format("{}.{}.{}.{}", address >> 24, address >> 16 & 0xff, address >> 8 & 0xff,
                     address & 0xff);
}

inline std::string endpoint_text(uint32_t address, uint16_t port) {
  return fmt::format("{}:{}", address_text(address), port);
}

// A name for those that most packets have, else the number.
inline std::string protocol_text(uint8_t protocol) {
  switch (protocol) {
    case 1:
      return "ICMP";
    case 6:
      return "TCP";
    case 17:
      return "UDP";
    default:
      return fmt::to_string(protocol);
  }
}

}  // namespace pollflow::exporter
