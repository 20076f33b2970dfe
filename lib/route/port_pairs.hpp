#pragma once

#include <cstdint>
#include <utility>
#include <vector>

namespace pollflow::route {

// Ports of which one receives what goes out of the other, such as the two sides of a tap. There are
// few, so they are searched from the front.
class PortPairs {
 public:
  // Ifindexes of the two ports.
  void add(uint16_t one, uint16_t other) {
    partners_.emplace_back(one, other);
    partners_.emplace_back(other, one);
  }
  [[nodiscard]] bool empty() const noexcept { return partners_.empty(); }
  // Output ifindex of what came in by this one; 0 when it is in no pair.
  [[nodiscard]] uint16_t partner_of(uint16_t in_if) const noexcept {
    for (const auto& [port, partner] : partners_) {
      if (port == in_if) return partner;
    }
    return 0;
  }

 private:
  std::vector<std::pair<uint16_t, uint16_t>> partners_;
};

}  // namespace pollflow::route
