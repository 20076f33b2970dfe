#pragma once

#include <algorithm>
#include <cstdint>

#include "flow/record.hpp"

namespace pollflow::flow {

// When a flow is over: docs/reference/flows.md, "When a flow ends". Times are milliseconds.
struct ExpiryRules {
  int64_t inactive_timeout_ms = 15'000;
  int64_t active_timeout_ms = 1'800'000;
  bool hold_idle = false;  // idle flows of more than small_packets_max stay while there is room

  bool operator==(const ExpiryRules&) const = default;
};

// ng_netflow's SMALL: a flow so short that nobody gains by holding it.
inline constexpr uint32_t small_packets_max = 4;

// A flow is counted out before its 32-bit octets could wrap: one more packet has up to 65535.
// Packets cannot wrap first, since each has at least 20 octets.
inline constexpr uint32_t octets_overflow = UINT32_MAX - 65535;

// A swept flow leaves at most this long after its deadline (the promise that design and docs make).
inline constexpr int64_t expiry_lateness_ms_max = 1000;

inline constexpr uint8_t tcp_fin = 0x01;
inline constexpr uint8_t tcp_rst = 0x04;

// The last moment at which a flow is alive, and why it is over after it.
struct Deadline {
  int64_t at_ms;
  EndReason reason;

  [[nodiscard]] bool passed(int64_t now_ms) const noexcept { return now_ms > at_ms; }
};

// `pressure`: the table is so full that --hold-idle holds nothing.
inline Deadline deadline(int64_t first_ms, int64_t last_ms, uint32_t packets,
                         const ExpiryRules& rules, bool pressure) noexcept {
  const Deadline active{first_ms + rules.active_timeout_ms, EndReason::active};
  const Deadline idle{last_ms + rules.inactive_timeout_ms, EndReason::idle};
  if (rules.hold_idle && !pressure && packets > small_packets_max) return active;
  return idle.at_ms <= active.at_ms ? idle : active;
}

// The time at which a flow left its table, as the header clock of its datagram will see it. With
// time running steadily that is `now_ms`. In a capture with a hole of a day in it, the next packet
// is the first to tell the time, a day late: the flow then leaves when it would have left on a live
// port.
inline int64_t left_table_ms(int64_t last_ms, const Deadline& deadline, int64_t now_ms) noexcept {
  return std::max(last_ms, std::min(now_ms, deadline.at_ms + expiry_lateness_ms_max));
}

}  // namespace pollflow::flow
