#include "flow/flow_table.hpp"

#include <algorithm>
#include <limits>

namespace pollflow::flow {
namespace {

constexpr int64_t always_open = std::numeric_limits<int64_t>::min();

// A first bucket with at least this many free slots takes a new flow without a look at the second.
constexpr int roomy = 5;

}  // namespace

size_t FlowTable::buckets_for(size_t flows_max) noexcept {
  const size_t slots = flows_max + flows_max / 4;
  return std::max<size_t>(2, (slots + TagBucket::slots - 1) / TagBucket::slots);
}

size_t FlowTable::blocks_for(size_t buckets) noexcept {
  return (buckets + SweepBlock::buckets - 1) / SweepBlock::buckets;
}

size_t FlowTable::bytes_needed(size_t flows_max) noexcept {
  const size_t buckets = buckets_for(flows_max);
  return buckets * (TagBucket::slots * sizeof(Entry) + sizeof(TagBucket) + sizeof(SlotWaits)) +
         blocks_for(buckets) * sizeof(SweepBlock);
}

FlowTable::FlowTable(const Options& options, std::span<std::byte> memory) noexcept
    : flows_max_(options.flows_max),
      pressure_flows_(options.flows_max - (options.flows_max + 3) / 4),
      rules_(options.rules),
      ruled_since_ms_(always_open),
      hash_(options.hash_secret) {
  bucket_count_ = buckets_for(options.flows_max);
  entries_ = reinterpret_cast<Entry*>(memory.data());
  buckets_ = reinterpret_cast<TagBucket*>(entries_ + slot_count());
  waits_ = reinterpret_cast<SlotWaits*>(buckets_ + bucket_count_);
  blocks_ = {reinterpret_cast<SweepBlock*>(waits_ + bucket_count_), blocks_for(bucket_count_)};
}

// Never the first one again: a distance of 1 .. count - 1 from it.
size_t FlowTable::second_of(const Arrival& arrival) const noexcept {
  const size_t second = arrival.first + 1 + reduce(arrival.rest, bucket_count_ - 1);
  return second < bucket_count_ ? second : second - bucket_count_;
}

// The flow is not in its first bucket: in its second, or it is new and will take a free slot or the
// slot of a flow that is evicted.
uint32_t FlowTable::guess_elsewhere(const Arrival& arrival) noexcept {
  const TagBucket& bucket = buckets_[arrival.first];
  if (bucket.away != 0) {
    ++second_looks_;
    const size_t second = second_of(arrival);
    const uint32_t found = buckets_[second].matches(tag_of(arrival));
    if (found != 0) return slot_at(second, found);
  }
  const bool evicts = bucket.free() == 0 || (flows_ == flows_max_ && bucket.used != 0);
  if (evicts) return next_to_evict(arrival.first);
  return slot_at(arrival.first, bucket.free());
}

FlowTable::Entry* FlowTable::find_in(size_t bucket, const Arrival& arrival) const noexcept {
  for (uint32_t found = buckets_[bucket].matches(tag_of(arrival)); found != 0; found &= found - 1) {
    Entry& entry = entries_[slot_at(bucket, found)];
    if (entry.key == arrival.packet.key) return &entry;
  }
  return nullptr;
}

// Where the guess was wrong, or the flow is new.
void FlowTable::search(const Arrival& arrival, RecordBatch& out) noexcept {
  Entry* entry = find_in(arrival.first, arrival);
  if (entry == nullptr && buckets_[arrival.first].away != 0)
    entry = find_in(second_of(arrival), arrival);
  if (entry == nullptr) return insert(arrival, out);
  meet(*entry, arrival, out);
}

Deadline FlowTable::deadline_under(bool pressure, const Entry& entry) const noexcept {
  return deadline(entry.first_ms, entry.last_ms, entry.packets, rules_, pressure);
}

// The same at leisure: a packet meets the deadlines of its flow, then is counted, then may end it.
void FlowTable::meet(Entry& entry, const Arrival& arrival, RecordBatch& out) noexcept {
  const Deadline due = deadline_of(entry);
  if (due.passed(arrival.at_ms) && !out.full()) {
    leave(entry, due, arrival.at_ms, out);
    return search(arrival, out);
  }
  entry.first_ms = std::min(entry.first_ms, arrival.at_ms);
  entry.last_ms = std::max(entry.last_ms, arrival.at_ms);
  entry.octets += arrival.packet.octets;
  entry.tcp_flags |= arrival.packet.tcp_flags;
  ++entry.packets;
  end_if_over(entry, arrival, out);
}

// After a packet was counted.
void FlowTable::end_if_over(Entry& entry, const Arrival& arrival, RecordBatch& out) noexcept {
  const bool ends = (arrival.packet.tcp_flags & (tcp_fin | tcp_rst)) != 0;
  if (ends && !out.full()) {
    leave(entry, {arrival.at_ms, EndReason::end}, arrival.at_ms, out);
  } else if (entry.octets >= octets_overflow) {
    // The one flow that cannot stay and be tried again: its next packet could wrap the counter.
    leave_or_lose(entry, {arrival.at_ms, EndReason::overflow}, arrival.at_ms, out);
  }
}

// The first bucket while it is roomy, then the emptier one; the first when both are full, and when
// no more away from it can be counted, which takes somebody who knows the secret.
size_t FlowTable::bucket_for(const Arrival& arrival) const noexcept {
  const int room = buckets_[arrival.first].room();
  if (room >= roomy || buckets_[arrival.first].away == TagBucket::away_max) return arrival.first;
  const size_t second = second_of(arrival);
  return buckets_[second].room() > room ? second : arrival.first;
}

void FlowTable::insert(const Arrival& arrival, RecordBatch& out) noexcept {
  const size_t bucket = flows_ < flows_max_ ? bucket_for(arrival) : arrival.first;
  uint32_t free = buckets_[bucket].free();
  if (free == 0 || flows_ == flows_max_) {
    const uint32_t freed = evict_from(bucket, arrival.at_ms, out);
    // Its slot, whose line is there now; unless the bucket was empty and another one gave way.
    if (freed / TagBucket::slots == bucket) free = 1U << freed % TagBucket::slots;
  }
  const uint32_t slot = slot_at(bucket, free);
  buckets_[bucket].put(slot % TagBucket::slots, tag_of(arrival));
  if (bucket != arrival.first) ++buckets_[arrival.first].away;
  entries_[slot] = Entry{.key = arrival.packet.key,
                         .first_ms = arrival.at_ms,
                         .last_ms = arrival.at_ms,
                         .packets = 1,
                         .octets = arrival.packet.octets,
                         .first = arrival.first,
                         .tcp_flags = arrival.packet.tcp_flags};
  flows_high_water_ = std::max(flows_high_water_, ++flows_);
}

// With flows_max held by few buckets (only in very small tables) the next that holds any. Answers
// which slot is free now.
uint32_t FlowTable::evict_from(size_t bucket, int64_t now_ms, RecordBatch& out) noexcept {
  while (buckets_[bucket].used == 0)
    bucket = (bucket + 1) % bucket_count_;
  const uint32_t slot = choose_to_evict(bucket);
  Entry& entry = entries_[slot];
  const Deadline due = deadline_of(entry);
  leave_or_lose(entry, due.passed(now_ms) ? due : Deadline{now_ms, EndReason::evicted}, now_ms,
                out);
  return slot;
}

// The next in turn of those not known to be big, of all when all are known to be. No entry is read.
uint32_t FlowTable::next_to_evict(size_t bucket) const noexcept {
  const TagBucket& tags = buckets_[bucket];
  const uint32_t small = tags.used & ~tags.big;
  const uint32_t from = small != 0 ? small : tags.used;
  const uint32_t behind = from & ~0U << tags.turn;
  return slot_at(bucket, behind != 0 ? behind : from);
}

// Small flows in turn; big ones in turn when there are no small ones. So scans of one-packet flows
// push out each other, not the flows that carry the traffic. That a flow has become big is noted
// only here, when its turn comes: once for each flow, not for each packet.
uint32_t FlowTable::choose_to_evict(size_t bucket) noexcept {
  TagBucket& tags = buckets_[bucket];
  for (;;) {
    const uint32_t slot = next_to_evict(bucket);
    const uint32_t bit = 1U << slot % TagBucket::slots;
    tags.turn = static_cast<uint8_t>((slot + 1) % TagBucket::slots);
    if ((tags.big & bit) != 0 || entries_[slot].packets <= small_packets_max) return slot;
    tags.big |= bit;
  }
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
  const auto slot = static_cast<uint32_t>(&entry - entries_);
  TagBucket& bucket = buckets_[slot / TagBucket::slots];
  bucket.take(slot % TagBucket::slots);
  if (&bucket != &buckets_[entry.first]) --buckets_[entry.first].away;
  live_ = live_ - Tally{entry.packets, entry.octets};
  entry.packets = 0;
  --flows_;
}

// Whatever waits in them has waited for long enough, now_ms being perhaps before 1970. By block,
// for under --hold-idle this may come each millisecond.
void FlowTable::reopen_blocks(int64_t now_ms) noexcept {
  std::ranges::fill(
      blocks_, SweepBlock{.waits_from_ms = now_ms - 2 * SlotWaits::longest_ms, .quiet_ms = now_ms});
}

void FlowTable::set_rules(const ExpiryRules& rules, int64_t now_ms) noexcept {
  rules_ = rules;
  ruled_since_ms_ = now_ms;
  reopen_blocks(now_ms);
  latest_ms_ = std::max(latest_ms_, now_ms);
}

bool FlowTable::sweep(int64_t now_ms, RecordBatch& out) noexcept {
  // What a block was promised to be quiet until is void when time steps back, or when --hold-idle
  // stops holding. A smaller step back, of up to a pass, only delays a block by as much.
  const bool stepped_back = now_ms + pass_ms < latest_ms_;
  latest_ms_ = stepped_back ? now_ms : std::max(latest_ms_, now_ms);
  const bool pressure_rose = rules_.hold_idle && pressure() && !swept_under_pressure_;
  if (stepped_back || pressure_rose) reopen_blocks(now_ms);
  if (stepped_back) {  // as after a jump ahead, a whole pass is due at once
    sweep_block_ = 0;
    pass_began_ms_ = now_ms - pass_ms;
  }
  if (pressure_rose) ruled_since_ms_ = now_ms;
  const bool done = sweep_blocks_due(now_ms, out);
  // As it is now, not as it was: flows that left may have ended it, and it may rise again.
  swept_under_pressure_ = pressure();
  return done;
}

bool FlowTable::sweep_blocks_due(int64_t now_ms, RecordBatch& out) noexcept {
  const int64_t elapsed_ms = std::clamp<int64_t>(now_ms - pass_began_ms_, 0, pass_ms);
  const size_t due = blocks_.size() * static_cast<size_t>(elapsed_ms) / pass_ms;
  for (; sweep_block_ < due; ++sweep_block_) {
    if (now_ms >= blocks_[sweep_block_].quiet_ms && !sweep_block(sweep_block_, now_ms, out))
      return false;
  }
  if (sweep_block_ == blocks_.size()) {
    sweep_block_ = 0;
    // In step with the pass before, so that no block waits for longer than a pass and a call.
    pass_began_ms_ = std::max(pass_began_ms_ + pass_ms, now_ms - pass_ms);
  }
  return true;
}

// False, and to be visited again, when a flow could not leave.
bool FlowTable::sweep_block(size_t block, int64_t now_ms, RecordBatch& out) noexcept {
  const size_t first = block * SweepBlock::buckets;
  const size_t end = std::min(first + SweepBlock::buckets, bucket_count_);
  const uint8_t gone = blocks_[block].pass(now_ms);
  for (size_t bucket = first; bucket < end; ++bucket) {
    waits_[bucket].pass(gone);
    for (uint32_t over = waits_[bucket].over() & buckets_[bucket].used; over != 0; over &= over - 1)
      __builtin_prefetch(&entries_[slot_at(bucket, over)], 1);
  }
  uint8_t least = SlotWaits::units_max;
  for (size_t bucket = first; bucket < end; ++bucket) {
    if (!sweep_bucket(bucket, now_ms, out)) return false;
    least = std::min(least, waits_[bucket].least());
  }
  blocks_[block].quiet_ms = blocks_[block].waits_from_ms + least * SlotWaits::unit_ms;
  return true;
}

bool FlowTable::sweep_bucket(size_t bucket, int64_t now_ms, RecordBatch& out) noexcept {
  SlotWaits& waits = waits_[bucket];
  for (uint32_t over = waits.over(); over != 0; over &= over - 1) {
    const auto slot = static_cast<uint32_t>(std::countr_zero(over));
    int64_t wait_ms = shorter_timeout_ms();  // of whoever comes into it, perhaps in a moment
    if ((buckets_[bucket].used >> slot & 1) != 0) {
      Entry& entry = entries_[slot_at(bucket, over)];
      const Deadline due = deadline_of(entry);
      if (due.passed(now_ms)) {
        if (out.full()) return false;
        leave(entry, due, now_ms, out);
      } else {
        wait_ms = std::min(wait_ms, due.at_ms - now_ms);
      }
    }
    waits.wait(slot, wait_ms);
  }
  return true;
}

bool FlowTable::flush(int64_t now_ms, RecordBatch& out) noexcept {
  if (flush_slot_ == 0) flush_pressure_ = pressure();
  for (; flush_slot_ < slot_count(); ++flush_slot_) {
    if (!is_used(flush_slot_)) continue;
    if (out.full()) return false;
    Entry& entry = entries_[flush_slot_];
    const Deadline due = deadline_under(flush_pressure_, entry);
    leave(entry, due.passed(now_ms) ? due : Deadline{now_ms, EndReason::forced}, now_ms, out);
  }
  flush_slot_ = 0;
  return flows_ == 0;
}

template <typename Meet>
void FlowTable::step(FlowWalk& walk, Meet meet) const noexcept {
  const size_t end = std::min(walk.slot + FlowWalk::slots_a_step, slot_count());
  for (size_t looked_at = 0; walk.slot < end; ++walk.slot) {
    const size_t slot = walk.slot;
    if (!is_used(slot)) continue;
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
  for (size_t slot = 0; slot < slot_count(); ++slot) {
    if (!is_used(slot)) continue;
    live.add({entries_[slot].packets, entries_[slot].octets});
  }
  return live;
}

}  // namespace pollflow::flow
