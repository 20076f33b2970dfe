#pragma once

#include <cstdint>

namespace pollflow::flow {

// What the prefix table knows about a flow; zeros where there is no route. Addresses in host byte
// order, masks as prefix lengths.
struct Routing {
  uint32_t next_hop = 0;
  uint16_t out_if = 0;  // output ifindex
  uint8_t src_mask = 0;
  uint8_t dst_mask = 0;
  uint16_t src_as = 0;
  uint16_t dst_as = 0;

  bool operator==(const Routing&) const = default;
};

}  // namespace pollflow::flow
