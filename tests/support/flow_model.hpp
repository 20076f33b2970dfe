#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <tuple>
#include <utility>
#include <vector>

#include "support/catch.hpp"
#include "support/flow_fixtures.hpp"

namespace pollflow::test {

// The rules of docs/reference/flows.md on std::map, slow and obvious: each packet first meets the
// deadlines, then is counted, then may close its flow.
class Model {
 public:
  explicit Model(flow::ExpiryRules rules) : rules_(rules) {}

  void update(const packet::Packet& packet, int64_t now_ms) {
    const auto id = std::tuple(packet.key.src, packet.key.src_port);
    auto at = flows_.find(id);
    if (at != flows_.end() && is_over(at->second, now_ms)) {
      at->second.reason = why_over(at->second);
      records_.push_back(at->second);
      flows_.erase(at);
      at = flows_.end();
    }
    if (at == flows_.end()) {
      flows_[id] = flow::Record{.key = packet.key,
                                .packets = 1,
                                .octets = packet.octets,
                                .first_ms = now_ms,
                                .last_ms = now_ms,
                                .left_ms = 0,
                                .tcp_flags = packet.tcp_flags,
                                .reason = flow::EndReason::forced};
      return;
    }
    flow::Record& live = at->second;
    live.packets += 1;
    live.octets += packet.octets;
    live.tcp_flags |= packet.tcp_flags;
    live.first_ms = std::min(live.first_ms, now_ms);
    live.last_ms = std::max(live.last_ms, now_ms);
    if ((packet.tcp_flags & 0x05) != 0) {
      live.reason = flow::EndReason::end;
    } else if (live.octets >= 4294967295U - 65535U) {
      live.reason = flow::EndReason::overflow;
    } else {
      return;
    }
    records_.push_back(live);
    flows_.erase(at);
  }

  std::vector<flow::Record> finish(int64_t now_ms) {
    for (auto& [id, live] : flows_) {
      live.reason = is_over(live, now_ms) ? why_over(live) : flow::EndReason::forced;
      records_.push_back(live);
    }
    flows_.clear();
    return records_;
  }

 private:
  bool idles(const flow::Record& r) const { return !(rules_.hold_idle && r.packets > 4); }
  bool is_over(const flow::Record& r, int64_t now_ms) const {
    return (idles(r) && now_ms - r.last_ms > rules_.inactive_timeout_ms) ||
           now_ms - r.first_ms > rules_.active_timeout_ms;
  }
  flow::EndReason why_over(const flow::Record& r) const {
    const bool idle_first =
        r.last_ms + rules_.inactive_timeout_ms <= r.first_ms + rules_.active_timeout_ms;
    return idles(r) && idle_first ? flow::EndReason::idle : flow::EndReason::active;
  }

  flow::ExpiryRules rules_;
  std::map<std::tuple<uint32_t, uint16_t>, flow::Record> flows_;
  std::vector<flow::Record> records_;
};

inline void require_same(std::vector<flow::Record> ours, std::vector<flow::Record> theirs) {
  const auto by_facts = [](const flow::Record& a, const flow::Record& b) {
    return facts(a) < facts(b);
  };
  std::ranges::sort(ours, by_facts);
  std::ranges::sort(theirs, by_facts);
  REQUIRE(ours.size() == theirs.size());
  for (size_t i = 0; i < ours.size(); ++i)
    REQUIRE(facts(ours[i]) == facts(theirs[i]));
}

// Packets and octets by key: what no eviction, loss or early end may change.
using Sums = std::map<uint32_t, std::pair<uint64_t, uint64_t>>;

inline Sums sums_of(const std::vector<flow::Record>& records) {
  Sums sums;
  for (const flow::Record& record : records) {
    sums[record.key.src].first += record.packets;
    sums[record.key.src].second += record.octets;
  }
  return sums;
}

}  // namespace pollflow::test
