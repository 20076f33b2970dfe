#pragma once

#include <cstdint>

namespace pollflow::port {

// A packet's arrival, microseconds since 1970 as DPDK's pcap driver puts it into an mbuf, in whole
// milliseconds, rounded down. Stamps before 1970 come as two's complement; those of a damaged file
// wrap.
inline int64_t arrival_ms(uint64_t us) noexcept {
  const auto since_1970_us = static_cast<int64_t>(us);
  return since_1970_us / 1000 - (since_1970_us % 1000 < 0 ? 1 : 0);
}

}  // namespace pollflow::port
