#pragma once

#include <cstdint>
#include <limits>

namespace pollflow::route {

// One line of a file of routes, or one route of the kernel. Addresses in host byte order.
struct Route {
  uint32_t prefix = 0;    // no bits set behind `length`
  uint8_t length = 0;     // 0 to 32
  uint32_t next_hop = 0;  // 0: none
  uint16_t out_if = 0;    // output ifindex, 0: none
  uint32_t as = 0;        // 0: none
  bool hole = false;      // a search that ends here found no route at all

  bool operator==(const Route&) const = default;
};

// Order of routes as readers give them and a table takes them: what surrounds a prefix stands
// before it.
constexpr uint64_t order_of(const Route& route) {
  return uint64_t{route.prefix} << 8 | route.length;
}

// The bits of an address that a prefix of this length looks at.
constexpr uint32_t mask_of(unsigned length) {
  return length == 0 ? 0 : std::numeric_limits<uint32_t>::max() << (32 - length);
}

}  // namespace pollflow::route
