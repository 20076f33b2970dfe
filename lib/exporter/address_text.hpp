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

}  // namespace pollflow::exporter
