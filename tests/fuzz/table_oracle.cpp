#include "fuzz/table_oracle.hpp"

#include <algorithm>
#include <limits>
#include <numeric>

#include "fuzz/expect.hpp"

namespace pollflow::test {

using flow::EndReason;
using flow::Record;

std::map<KeyFields, flow::LiveFlow> listed(const flow::FlowTable& table) {
  std::map<KeyFields, flow::LiveFlow> flows;
  flow::FlowWalk walk{.filter = {}, .before_ms = std::numeric_limits<int64_t>::max()};
  std::array<flow::LiveFlow, flow::FlowWalk::flows_a_step> page;
  while (!table.at_end(walk)) {
    const size_t count = table.list(walk, page);
    for (size_t i = 0; i < count; ++i)
      expect(flows.emplace(fields_of(page[i].key), page[i]).second, "a key has one flow");
  }
  return flows;
}

// The earlier of two deadlines; idle when they are equal.
TableOracle::End TableOracle::end_of(const Live& flow, bool pressure) const {
  const int64_t active_ms = flow.first_ms + rules_.active_timeout_ms;
  const int64_t idle_ms = flow.last_ms + rules_.inactive_timeout_ms;
  const bool held = rules_.hold_idle && flow.packets > 4 && !pressure;
  if (held || active_ms < idle_ms) return {active_ms, EndReason::active};
  return {idle_ms, EndReason::idle};
}

// A record is its flow, all of it, and why it left.
void TableOracle::leaves(const Record& record, const End& why, int64_t now_ms) {
  const auto at = live_.find(fields_of(record.key));
  expect(at != live_.end(), "a record is of a flow that is live");
  const Live& flow = at->second;
  expect(record.packets == flow.packets && record.octets == flow.octets,
         "a record has its packets");
  expect(record.first_ms == flow.first_ms && record.last_ms == flow.last_ms, "first and last");
  expect(record.tcp_flags == flow.tcp_flags, "TCP flags");
  expect(record.reason == why.reason, "the reason is the rules'");
  const int64_t left_ms = std::max(flow.last_ms, std::min(now_ms, why.at_ms + 1000));
  expect(record.left_ms == left_ms, "it left now, or within a second of its end");
  if (record.reason <= EndReason::active) ++late_counted_;
  live_.erase(at);
}

void TableOracle::leaves_as_due(const Record& record, bool pressure, int64_t now_ms,
                                EndReason otherwise) {
  const auto at = live_.find(fields_of(record.key));
  expect(at != live_.end(), "a record is of a flow that is live");
  const End end = end_of(at->second, pressure);
  leaves(record, now_ms > end.at_ms ? end : End{now_ms, otherwise}, now_ms);
}

void TableOracle::packet(const packet::Packet& packet, int64_t at_ms, bool room,
                         const flow::FlowTable& table, std::span<const Record> out) {
  expect(out.size() <= (room ? 1 : 0), "a packet gives at most one record");
  const auto at = live_.find(fields_of(packet.key));
  if (at == live_.end()) return begins(packet, at_ms, table, out);
  Live& flow = at->second;
  const End end = end_of(flow, pressure());
  if (at_ms > end.at_ms && room) {
    expect(out.size() == 1, "a flow that is over leaves before its packet is counted");
    leaves(out[0], end, at_ms);
    return begins(packet, at_ms, table, {});
  }
  counted(flow, packet, at_ms);
  const bool ends = (packet.tcp_flags & 0x05) != 0;
  const bool overflows = flow.octets >= 4294967295U - 65535U;
  if (!(ends && room) && !overflows) return expect(out.empty(), "a flow that goes on stays");
  const EndReason reason = ends && room ? EndReason::end : EndReason::overflow;
  if (!room) return lost(table, reason, at->first);
  expect(out.size() == 1, "a flow that ends leaves");
  leaves(out[0], {at_ms, reason}, at_ms);
}

void TableOracle::counted(Live& flow, const packet::Packet& packet, int64_t at_ms) {
  expect(flow.octets <= 4294967295U - packet.octets, "octets never wrap");
  flow.packets += 1;
  flow.octets += packet.octets;
  flow.first_ms = std::min(flow.first_ms, at_ms);
  flow.last_ms = std::max(flow.last_ms, at_ms);
  flow.tcp_flags |= packet.tcp_flags;
}

// A full table lets one leave, or where there is no room for its record loses one. Else one leaves
// only if both places of the new one are full: 26 slots each, so others are live.
void TableOracle::begins(const packet::Packet& packet, int64_t at_ms, const flow::FlowTable& table,
                         std::span<const Record> out) {
  const bool full = live_.size() == flows_max_;
  const size_t before = live_.size();
  if (!out.empty()) leaves_as_due(out[0], pressure(), at_ms, EndReason::evicted);
  if (table.lost() != lost_) lost_some(table, at_ms);
  const size_t gone = before - live_.size();
  expect(gone == (full ? 1 : 0) || (gone == 1 && before >= 52),
         "one leaves where there is no place");
  live_[fields_of(packet.key)] = {packet.key, 1, packet.octets, at_ms, at_ms, packet.tcp_flags};
  high_water_ = std::max(high_water_, live_.size());
}

void TableOracle::lost(const flow::FlowTable& table, EndReason reason, const KeyFields& key) {
  const Live& flow = live_.at(key);
  lost_[index_of(reason)].add({flow.packets, flow.octets});
  live_.erase(key);
  expect(table.lost() == lost_, "what is lost is counted");
}

// Which one was lost the table does not say: the one that it lists no more.
void TableOracle::lost_some(const flow::FlowTable& table, int64_t now_ms) {
  const auto held = listed(table);
  const auto gone =
      std::ranges::find_if(live_, [&](const auto& flow) { return !held.contains(flow.first); });
  expect(gone != live_.end(), "a flow that is lost is live no more");
  const End end = end_of(gone->second, pressure());
  lost(table, now_ms > end.at_ms ? end.reason : EndReason::evicted, KeyFields(gone->first));
}

void TableOracle::sweep(int64_t now_ms, std::span<const Record> out) {
  for (const Record& record : out) {
    const auto at = live_.find(fields_of(record.key));
    expect(at != live_.end(), "the sweep lets live flows leave");
    const End end = end_of(at->second, pressure());
    expect(now_ms > end.at_ms, "the sweep lets flows leave that are over");
    leaves(record, end, now_ms);
  }
}

void TableOracle::flush(int64_t now_ms, bool pressure, std::span<const Record> out) {
  for (const Record& record : out)
    leaves_as_due(record, pressure, now_ms, EndReason::forced);
}

void TableOracle::expire(const flow::FlowWalk& walk, int64_t now_ms, std::span<const Record> out) {
  for (const Record& record : out) {
    expect(walk.filter.matches(record.key) && record.first_ms < walk.before_ms,
           "only flows that are meant are expired");
    leaves(record, {now_ms, EndReason::forced}, now_ms);
  }
}

void TableOracle::check(const flow::FlowTable& table) const {
  flow::RecordTally held;
  for (const auto& [key, flow] : live_)
    held.add({flow.packets, flow.octets});
  expect(table.held() == held, "held() is what is live");
  expect(table.walk() == held, "walk() is what is live");
  expect(table.flows() == live_.size() && live_.size() <= flows_max_, "as many flows as are live");
  expect(table.flows_high_water() == high_water_, "the most flows there were");
  expect(table.lost() == lost_, "nothing else is lost");
  const auto& counts = table.lateness().counts;
  expect(std::accumulate(counts.begin(), counts.end(), uint64_t{0}) == late_counted_,
         "lateness has each flow that left as idle or active");
  const auto flows = listed(table);
  expect(flows.size() == live_.size(), "a walk lists each flow");
  for (const auto& [key, flow] : live_) {
    const auto at = flows.find(key);
    expect(at != flows.end(), "a walk lists each live flow");
    const flow::LiveFlow& seen = at->second;
    expect(seen.packets == flow.packets && seen.octets == flow.octets &&
               seen.first_ms == flow.first_ms && seen.last_ms == flow.last_ms &&
               seen.tcp_flags == flow.tcp_flags,
           "a walk lists each flow as it is");
  }
}

void TableOracle::check_punctual(int64_t now_ms, int64_t late_ms_max) const {
  for (const auto& [key, flow] : live_) {
    const int64_t due_ms = std::max(end_of(flow, pressure()).at_ms, ruled_since_ms_);
    expect(now_ms - due_ms <= late_ms_max, "the sweep is punctual");
  }
}

}  // namespace pollflow::test
