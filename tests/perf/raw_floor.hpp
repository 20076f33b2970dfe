#pragma once

#include <algorithm>
#include <cstdint>
#include <span>

namespace pollflow::perf {

// The floor: for each packet of the sequence one random 64-byte line, prefetched `ahead` packets
// before it is updated, and nothing else. What memory alone costs.
class RawFloor {
 public:
  struct alignas(64) Line {
    uint64_t packets;
    uint64_t octets;
  };

  explicit RawFloor(std::span<std::byte> memory) noexcept
      : lines_(reinterpret_cast<Line*>(memory.data())), count_(memory.size() / sizeof(Line)) {}

  void run(std::span<const uint32_t> flows, size_t ahead) noexcept {
    for (size_t i = 0; i < std::min(ahead, flows.size()); ++i)
      __builtin_prefetch(&line(flows[i]), 1);
    for (size_t i = 0; i < flows.size(); ++i) {
      if (i + ahead < flows.size()) __builtin_prefetch(&line(flows[i + ahead]), 1);
      Line& line_now = line(flows[i]);
      ++line_now.packets;
      line_now.octets += 64;
    }
  }

 private:
  Line& line(uint32_t flow) const noexcept {
    const uint64_t mixed = (flow + uint64_t{1}) * 0x9e3779b97f4a7c15;
    return lines_[(mixed >> 32) * count_ >> 32];
  }

  Line* lines_;
  size_t count_;
};

}  // namespace pollflow::perf
