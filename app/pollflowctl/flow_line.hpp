#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "reply.hpp"

namespace pollflow::ctl {

// A live flow as pollflow tells of it; times in Unix milliseconds.
struct Flow {
  uint32_t src = 0;
  uint32_t dst = 0;
  uint16_t src_port = 0;
  uint16_t dst_port = 0;
  uint8_t protocol = 0;
  uint8_t tos = 0;
  uint8_t tcp_flags = 0;
  uint8_t src_mask = 0;
  uint8_t dst_mask = 0;
  uint16_t in_if = 0;
  uint16_t out_if = 0;
  uint32_t next_hop = 0;
  uint32_t src_as = 0;
  uint32_t dst_as = 0;
  uint64_t packets = 0;
  uint64_t octets = 0;
  int64_t first_ms = 0;
  int64_t last_ms = 0;
  int64_t asked_ms = 0;  // when its worker told of it

  // Milliseconds; 0 when the flow has got a packet since `asked_ms` was read.
  [[nodiscard]] int64_t age_ms() const noexcept;
  [[nodiscard]] int64_t idle_ms() const noexcept;
};

// The flows of one reply of /pollflow/flows or /pollflow/top. Throws Failure when a line is not as
// docs/reference/telemetry.md says.
std::vector<Flow> flows_of(const Reply& reply);

enum class Order { octets, packets, age };

// Whether `a` stands before `b`: most octets, most packets or oldest first. A total order, so that
// the same flows always give the same list.
bool stands_before(Order order, const Flow& a, const Flow& b);

}  // namespace pollflow::ctl
