#include "flow/flow_table.hpp"

#include <algorithm>
#include <bit>
#include <limits>
#include <tuple>

namespace pollflow::flow {
namespace {

constexpr int64_t always_open = std::numeric_limits<int64_t>::min();

// Maps 32 random bits evenly onto 0 .. count - 1 (Lemire's multiply-shift).
size_t reduce(uint32_t bits, size_t count) noexcept {
  return static_cast<size_t>(uint64_t{bits} * count >> 32);
}

}  // namespace

size_t FlowTable::buckets_for(size_t flows_max) noexcept {
  const size_t slots = flows_max + flows_max / 4;
  return std::max<size_t>(2, (slots + TagBucket::slots - 1) / TagBucket::slots);
}

size_t FlowTable::blocks_for(size_t buckets) noexcept {
  return (buckets + buckets_per_block - 1) / buckets_per_block;
}

size_t FlowTable::bytes_needed(size_t flows_max) noexcept {
  const size_t buckets = buckets_for(flows_max);
  return buckets * (TagBucket::slots * sizeof(Entry) + sizeof(TagBucket)) +
         blocks_for(buckets) * sizeof(int64_t);
}

FlowTable::FlowTable(const Options& options, std::span<std::byte> memory) noexcept
    : flows_max_(options.flows_max),
      pressure_flows_(options.flows_max - (options.flows_max + 3) / 4),
      rules_(options.rules),
      ruled_since_ms_(always_open),
      hash_(options.hash_secret) {
  const size_t buckets = buckets_for(options.flows_max);
  auto* entries = reinterpret_cast<Entry*>(memory.data());
  entries_ = {entries, buckets * TagBucket::slots};
  buckets_ = {reinterpret_cast<TagBucket*>(entries + entries_.size()), buckets};
  quiet_ms_ = {reinterpret_cast<int64_t*>(buckets_.data() + buckets), blocks_for(buckets)};
  reopen_blocks();
}

FlowTable::Place FlowTable::place_of(uint64_t hash) const noexcept {
  const size_t count = buckets_.size();
  const size_t first = reduce(static_cast<uint32_t>(hash >> 32), count);
  // Never the first one again: a distance of 1 .. count - 1 from it.
  size_t second = first + 1 + reduce(static_cast<uint32_t>(hash), count - 1);
  if (second >= count) second -= count;
  const auto tag = static_cast<uint16_t>(hash);
  return {first, second, tag == 0 ? uint16_t{1} : tag};
}

void FlowTable::prefetch_tags(uint64_t hash) const noexcept {
  __builtin_prefetch(&buckets_[place_of(hash).first]);
}

void FlowTable::prefetch_entry(uint64_t hash) const noexcept {
  const Place place = place_of(hash);
  size_t bucket = place.first;
  uint32_t wanted = buckets_[bucket].matches(place.tag);
  if (wanted == 0) {
    wanted = buckets_[place.second].matches(place.tag);
    if (wanted != 0) bucket = place.second;
  }
  if (wanted == 0) wanted = buckets_[bucket].free_slots();
  if (wanted != 0) {
    __builtin_prefetch(&entries_[bucket * TagBucket::slots + std::countr_zero(wanted)], 1);
  }
}

FlowTable::Entry* FlowTable::find_in(size_t bucket, uint16_t tag,
                                     const packet::FlowKey& key) const noexcept {
  for (uint32_t found = buckets_[bucket].matches(tag); found != 0; found &= found - 1) {
    Entry& entry = entries_[bucket * TagBucket::slots + std::countr_zero(found)];
    if (entry.key == key) return &entry;
  }
  return nullptr;
}

FlowTable::Entry* FlowTable::find(const packet::FlowKey& key, const Place& place) noexcept {
  Entry* entry = find_in(place.first, place.tag, key);
  if (entry != nullptr) return entry;
  ++second_looks_;
  return find_in(place.second, place.tag, key);
}

Deadline FlowTable::deadline_under(bool pressure, const Entry& entry) const noexcept {
  return deadline(entry.first_ms, entry.last_ms, entry.packets, rules_, pressure);
}

void FlowTable::update(const packet::Packet& packet, uint64_t hash, int64_t now_ms,
                       RecordBatch& out) noexcept {
  const Place place = place_of(hash);
  Entry* entry = find(packet.key, place);
  if (entry != nullptr) {
    const Deadline due = deadline_of(*entry);
    if (!due.passed(now_ms) || out.full()) return count(*entry, packet, now_ms, out);
    leave(*entry, due, now_ms, out);
  }
  insert(packet, place, now_ms, out);
}

void FlowTable::count(Entry& entry, const packet::Packet& packet, int64_t now_ms,
                      RecordBatch& out) noexcept {
  entry.first_ms = std::min(entry.first_ms, now_ms);
  entry.last_ms = std::max(entry.last_ms, now_ms);
  ++entry.packets;
  entry.octets += packet.octets;
  entry.tcp_flags |= packet.tcp_flags;
  live_.add(packet.octets);
  if ((packet.tcp_flags & (tcp_fin | tcp_rst)) != 0 && !out.full()) {
    leave(entry, {now_ms, EndReason::end}, now_ms, out);
  } else if (entry.octets >= octets_overflow) {
    // The one flow that cannot stay and be tried again: its next packet could wrap the counter.
    leave_or_lose(entry, {now_ms, EndReason::overflow}, now_ms, out);
  }
}

void FlowTable::insert(const packet::Packet& packet, const Place& place, int64_t now_ms,
                       RecordBatch& out) noexcept {
  // A first bucket with this much room takes the flow without a look at the second.
  constexpr int roomy = 8;
  uint32_t free = buckets_[place.first].free_slots();
  size_t bucket = place.first;
  if (std::popcount(free) < roomy) {
    const uint32_t other = buckets_[place.second].free_slots();
    if (std::popcount(other) > std::popcount(free)) {
      free = other;
      bucket = place.second;
    }
  }
  if (free == 0 || flows_ == flows_max_) {
    evict_from(place, now_ms, out);
    return insert(packet, place, now_ms, out);
  }
  const size_t slot = std::countr_zero(free);
  buckets_[bucket].tags[slot] = place.tag;
  entries_[bucket * TagBucket::slots + slot] = Entry{.key = packet.key,
                                                     .first_ms = now_ms,
                                                     .last_ms = now_ms,
                                                     .packets = 1,
                                                     .octets = packet.octets,
                                                     .tcp_flags = packet.tcp_flags};
  live_.add(packet.octets);
  flows_high_water_ = std::max(flows_high_water_, ++flows_);
}

// Makes room for a flow: one slot of its first bucket, or, with flows_max held and that bucket
// empty (only in very small tables), of the next bucket that holds any.
void FlowTable::evict_from(const Place& place, int64_t now_ms, RecordBatch& out) noexcept {
  constexpr uint32_t all_free = (1U << TagBucket::slots) - 1;
  size_t bucket = place.first;
  while (buckets_[bucket].free_slots() == all_free)
    bucket = (bucket + 1) % buckets_.size();
  Entry& entry = least_useful(bucket, now_ms);
  const Deadline due = deadline_of(entry);
  leave_or_lose(entry, due.passed(now_ms) ? due : Deadline{now_ms, EndReason::evicted}, now_ms,
                out);
}

// The first in this order: over anyway, small, longest without a packet. Scans of one-packet flows
// so push out each other, not the flows that carry the traffic.
FlowTable::Entry& FlowTable::least_useful(size_t bucket, int64_t now_ms) const noexcept {
  const auto usefulness = [&](const Entry& entry) {
    return std::tuple(!deadline_of(entry).passed(now_ms), entry.packets > small_packets_max,
                      entry.last_ms);
  };
  Entry* least = nullptr;
  for (size_t slot = 0; slot < TagBucket::slots; ++slot) {
    if (buckets_[bucket].tags[slot] == 0) continue;
    Entry& entry = entries_[bucket * TagBucket::slots + slot];
    if (least == nullptr || usefulness(entry) < usefulness(*least)) least = &entry;
  }
  return *least;
}

void FlowTable::leave(Entry& entry, const Deadline& why, int64_t now_ms,
                      RecordBatch& out) noexcept {
  out.push(Record{.key = entry.key,
                  .packets = entry.packets,
                  .octets = entry.octets,
                  .first_ms = entry.first_ms,
                  .last_ms = entry.last_ms,
                  .left_ms = left_table_ms(entry.last_ms, why, now_ms),
                  .tcp_flags = entry.tcp_flags,
                  .reason = why.reason});
  if (why.reason <= EndReason::active)
    lateness_.add(now_ms - std::max(why.at_ms, std::min(ruled_since_ms_, now_ms)));
  free_slot(entry);
}

void FlowTable::leave_or_lose(Entry& entry, const Deadline& why, int64_t now_ms,
                              RecordBatch& out) noexcept {
  if (!out.full()) return leave(entry, why, now_ms, out);
  lost_[index_of(why.reason)].add({entry.packets, entry.octets});
  free_slot(entry);
}

void FlowTable::free_slot(Entry& entry) noexcept {
  const auto slot = static_cast<size_t>(&entry - entries_.data());
  buckets_[slot / TagBucket::slots].tags[slot % TagBucket::slots] = 0;
  live_ = live_ - Tally{entry.packets, entry.octets};
  --flows_;
}

void FlowTable::reopen_blocks() noexcept {
  std::ranges::fill(quiet_ms_, always_open);
}

void FlowTable::set_rules(const ExpiryRules& rules, int64_t now_ms) noexcept {
  rules_ = rules;
  ruled_since_ms_ = now_ms;
  reopen_blocks();
}

void FlowTable::sweep(int64_t now_ms, RecordBatch& out) noexcept {
  // What a block was promised to be quiet until is void when time steps back, or when --hold-idle
  // stops holding. A step back of less than a pass only delays a block by as much.
  const bool stepped_back = now_ms + pass_ms < pass_began_ms_;
  const bool pressure_rose = rules_.hold_idle && pressure() && !swept_under_pressure_;
  if (stepped_back || pressure_rose) reopen_blocks();
  if (stepped_back) pass_began_ms_ = now_ms;
  if (pressure_rose) ruled_since_ms_ = now_ms;
  sweep_blocks_due(now_ms, out);
  // As it is now, not as it was: flows that left may have ended it, and it may rise again.
  swept_under_pressure_ = pressure();
}

void FlowTable::sweep_blocks_due(int64_t now_ms, RecordBatch& out) noexcept {
  const int64_t elapsed_ms = std::clamp<int64_t>(now_ms - pass_began_ms_, 0, pass_ms);
  const size_t due = quiet_ms_.size() * static_cast<size_t>(elapsed_ms) / pass_ms;
  for (; sweep_block_ < due; ++sweep_block_) {
    if (now_ms > quiet_ms_[sweep_block_] && !sweep_block(sweep_block_, now_ms, out)) return;
  }
  if (sweep_block_ == quiet_ms_.size()) {
    sweep_block_ = 0;
    pass_began_ms_ = now_ms;
  }
}

// False, and to be visited again, when a flow could not leave.
bool FlowTable::sweep_block(size_t block, int64_t now_ms, RecordBatch& out) noexcept {
  int64_t quiet_ms = now_ms + std::min(rules_.inactive_timeout_ms, rules_.active_timeout_ms);
  const size_t first = block * buckets_per_block;
  const size_t end = std::min(first + buckets_per_block, buckets_.size());
  for (size_t bucket = first; bucket < end; ++bucket) {
    constexpr uint32_t all = (1U << TagBucket::slots) - 1;
    for (uint32_t used = ~buckets_[bucket].free_slots() & all; used != 0; used &= used - 1) {
      Entry& entry = entries_[bucket * TagBucket::slots + std::countr_zero(used)];
      const Deadline due = deadline_of(entry);
      if (due.passed(now_ms)) {
        if (out.full()) return false;
        leave(entry, due, now_ms, out);
      } else {
        quiet_ms = std::min(quiet_ms, due.at_ms);
      }
    }
  }
  quiet_ms_[block] = quiet_ms;
  return true;
}

bool FlowTable::flush(int64_t now_ms, RecordBatch& out) noexcept {
  if (flush_slot_ == 0) flush_pressure_ = pressure();
  for (; flush_slot_ < entries_.size(); ++flush_slot_) {
    if (buckets_[flush_slot_ / TagBucket::slots].tags[flush_slot_ % TagBucket::slots] == 0)
      continue;
    if (out.full()) return false;
    Entry& entry = entries_[flush_slot_];
    const Deadline due = deadline_under(flush_pressure_, entry);
    leave(entry, due.passed(now_ms) ? due : Deadline{now_ms, EndReason::forced}, now_ms, out);
  }
  flush_slot_ = 0;
  return true;
}

template <typename Meet>
void FlowTable::step(FlowWalk& walk, Meet meet) const noexcept {
  const size_t end = std::min(walk.slot + FlowWalk::slots_a_step, entries_.size());
  for (size_t looked_at = 0; walk.slot < end; ++walk.slot) {
    const size_t slot = walk.slot;
    if (buckets_[slot / TagBucket::slots].tags[slot % TagBucket::slots] == 0) continue;
    if (looked_at++ == FlowWalk::flows_a_step) return;
    Entry& entry = entries_[slot];
    const bool meant = entry.first_ms < walk.before_ms && walk.filter.matches(entry.key);
    if (meant && !meet(entry)) return;
  }
}

size_t FlowTable::list(FlowWalk& walk, std::span<LiveFlow> out) const noexcept {
  size_t count = 0;
  step(walk, [&](const Entry& entry) {
    if (count == out.size()) return false;
    out[count++] = LiveFlow{.key = entry.key,
                            .packets = entry.packets,
                            .octets = entry.octets,
                            .first_ms = entry.first_ms,
                            .last_ms = entry.last_ms,
                            .tcp_flags = entry.tcp_flags,
                            .slot = static_cast<uint32_t>(walk.slot)};
    return true;
  });
  return count;
}

size_t FlowTable::expire(FlowWalk& walk, int64_t now_ms, RecordBatch& out) noexcept {
  size_t count = 0;
  step(walk, [&](Entry& entry) {
    if (out.full()) return false;
    leave(entry, {now_ms, EndReason::forced}, now_ms, out);
    ++count;
    return true;
  });
  return count;
}

RecordTally FlowTable::walk() const noexcept {
  RecordTally live;
  for (size_t slot = 0; slot < entries_.size(); ++slot) {
    if (buckets_[slot / TagBucket::slots].tags[slot % TagBucket::slots] == 0) continue;
    live.add({entries_[slot].packets, entries_[slot].octets});
  }
  return live;
}

}  // namespace pollflow::flow
