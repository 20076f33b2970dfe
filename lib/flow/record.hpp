#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "flow/tally.hpp"
#include "packet/flow_key.hpp"

namespace pollflow::flow {

// Why a flow left its table. RFC 5102's flowEndReason names the first five (idle 1, active 2, end
// 3, forced 4, and 5, lack of resources, for evicted); overflow is ng_netflow's.
enum class EndReason : uint8_t { idle, active, end, forced, overflow, evicted };

inline constexpr std::array<std::string_view, 6> end_reason_names = {
    "idle", "active", "end", "forced", "overflow", "evicted"};
inline constexpr size_t end_reason_count = end_reason_names.size();

constexpr size_t index_of(EndReason reason) {
  return static_cast<size_t>(reason);
}

using RecordsByReason = std::array<RecordTally, end_reason_count>;

// A finished flow, as it travels by value from a worker to the export lcore. Times are Unix
// milliseconds.
struct Record {
  packet::FlowKey key;
  uint32_t packets;
  uint32_t octets;   // IPv4 total lengths
  int64_t first_ms;  // earliest packet
  int64_t last_ms;   // latest packet
  int64_t left_ms;   // when it left the table, see left_table_ms()
  uint8_t tcp_flags;
  EndReason reason;

  [[nodiscard]] Tally carried() const noexcept { return {packets, octets}; }
};
static_assert(sizeof(Record) % 4 == 0, "rte_ring moves elements of whole 32-bit words");

}  // namespace pollflow::flow
