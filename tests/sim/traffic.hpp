#pragma once

#include <cstdint>
#include <vector>

#include "packet/fate.hpp"
#include "packet/flow_key.hpp"
#include "sim/dice.hpp"

namespace pollflow::test {

// A frame, and what has to become of it.
struct Frame {
  std::vector<uint8_t> bytes;
  packet::Fate fate = packet::Fate::accounted;
  packet::FlowKey key{};  // of one that is accounted
  uint16_t octets = 0;
  uint32_t flow = 0;  // its number; whatever for one that is not accounted
};

// Frames of numbered flows (TCP, UDP, ICMP and others, tagged or not, with options or without), now
// and then one that is none of a flow.
class Traffic {
 public:
  // The input ifindex that they have to be given.
  static constexpr uint16_t in_if = 9;

  explicit Traffic(Dice& dice) : dice_(dice) {}

  // Of one of the first `flows`.
  Frame next(uint32_t flows);
  // Of a flow that has not been before.
  Frame fresh() { return of_flow(fresh_++, 0x10); }
  // One that brings the 32 bits of octets nearer to their end than any other.
  Frame longest(uint32_t flow) { return of_flow(flow, 0x10, UINT16_MAX); }

 private:
  Frame of_flow(uint32_t flow, uint8_t tcp_flags, uint16_t octets = 0);
  Frame of_no_flow();

  Dice& dice_;
  uint32_t fresh_ = 1'000'000;
};

}  // namespace pollflow::test
