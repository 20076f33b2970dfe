#pragma once

#include <algorithm>
#include <limits>
#include <map>
#include <set>
#include <tuple>

#include "flow/flow_table.hpp"

namespace pollflow::test {

using KeyFields = std::tuple<uint32_t, uint32_t, uint16_t, uint16_t, uint16_t, uint8_t, uint8_t>;

inline KeyFields fields_of(const packet::FlowKey& key) {
  return {key.src, key.dst, key.src_port, key.dst_port, key.in_if, key.protocol, key.tos};
}

// What a table of flows should hold: docs/reference/flows.md on std::map. Where the rules leave it
// to the table (which flow is evicted, when the sweep comes by) the oracle follows what the table
// did, once it has made sure that the table might do it.
class TableOracle {
 public:
  struct Live {
    packet::FlowKey key;
    uint32_t packets;
    uint32_t octets;
    int64_t first_ms;
    int64_t last_ms;
    uint8_t tcp_flags;
  };
  using Flows = std::map<KeyFields, Live>;

  TableOracle(size_t flows_max, const flow::ExpiryRules& rules)
      : flows_max_(flows_max), rules_(rules) {}

  // One packet, counted by `table` into `out`: it may give one record, or lose one.
  void packet(const packet::Packet& packet, int64_t at_ms, bool room, const flow::FlowTable& table,
              std::span<const flow::Record> out);
  void sweep(int64_t now_ms, std::span<const flow::Record> out);
  void flush(int64_t now_ms, bool pressure, std::span<const flow::Record> out);
  void expire(const flow::FlowWalk& walk, int64_t now_ms, std::span<const flow::Record> out);
  void set_rules(const flow::ExpiryRules& rules, int64_t since_ms) {
    rules_ = rules;
    ruled_since_ms_ = since_ms;
  }
  // Since then the rules hold at the latest.
  void clock_stepped_back_to(int64_t now_ms) {
    ruled_since_ms_ = std::min(ruled_since_ms_, now_ms);
  }

  [[nodiscard]] const Flows& live() const { return live_; }
  [[nodiscard]] const flow::ExpiryRules& rules() const { return rules_; }
  [[nodiscard]] bool pressure() const { return 4 * live_.size() > 3 * flows_max_; }

  // Everything that the table tells of itself.
  void check(const flow::FlowTable& table) const;
  // No flow is later than this, by the rules and since they came to hold.
  void check_punctual(int64_t now_ms, int64_t late_ms_max) const;

 private:
  struct End {
    int64_t at_ms;
    flow::EndReason reason;
  };

  [[nodiscard]] End end_of(const Live& flow, bool pressure) const;
  void leaves(const flow::Record& record, const End& why, int64_t now_ms);
  void leaves_as_due(const flow::Record& record, bool pressure, int64_t now_ms,
                     flow::EndReason otherwise);
  void counted(Live& flow, const packet::Packet& packet, int64_t at_ms);
  void begins(const packet::Packet& packet, int64_t at_ms, const flow::FlowTable& table,
              std::span<const flow::Record> out);
  void lost(const flow::FlowTable& table, flow::EndReason reason, const KeyFields& key);
  void lost_some(const flow::FlowTable& table, int64_t now_ms);

  size_t flows_max_;
  flow::ExpiryRules rules_;
  int64_t ruled_since_ms_ = std::numeric_limits<int64_t>::min();
  Flows live_;
  size_t high_water_ = 0;
  flow::RecordsByReason lost_{};
  uint64_t late_counted_ = 0;  // records that left as idle or active
};

// The live flows that `table` lists.
std::map<KeyFields, flow::LiveFlow> listed(const flow::FlowTable& table);

}  // namespace pollflow::test
