#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>

#include "flow/arrival.hpp"
#include "flow/expiry.hpp"
#include "flow/flow_hash.hpp"
#include "flow/flow_walk.hpp"
#include "flow/lateness.hpp"
#include "flow/record_batch.hpp"
#include "flow/sweep_block.hpp"
#include "flow/tag_bucket.hpp"
#include "packet/decode.hpp"

namespace pollflow::flow {

// The flows of one worker lcore. Fixed memory, one owner, no lock.
//
//              tags: one line for 26 slots                entries: one 64-byte line each
//            +----+----+----+- ... -+------+            +-----------------------------+
//  bucket 0  | a7 |  0 | 3c |       | away | slot 0 --> | key  first  last  packets ..|
//            +----+----+----+- ... -+------+ slot 2 --> | key  first  last  packets ..|
//  bucket 1  | .. |                                     +-----------------------------+
//
// A hash names two buckets; a flow lives in one of the 52 slots. A tag is 16 further bits of the
// hash, so a lookup compares 26 tags at once in a line that is mostly cached, then
// touches the one entry line, where the full key decides. A flow goes to its first bucket unless
// that is nearly full, then to the emptier one. A bucket counts its flows that live elsewhere, so
// as long as that is 0 nobody looks for one of its flows in a second bucket.
//
// Costs: a hit is one tag line and one entry line, a new flow the same. Slots are 1.25 times
// flows_max: 85 bytes for each flow of --max-flows.
//
// Three steps lead a packet to its flow (Arrival): locate() asks for the tag line, look() reads it
// and asks for the entry line, update() reads that. Whoever has many packets under way at once, in
// the same order at each step, waits for memory hardly ever. The look's finding is a guess, as
// flows come and go before the update: a wrong one costs time, nothing else.
//
// Expiry: a sweep passes over the table in three quarters of a second. It opens a block of 32
// buckets when any of its slots has waited for long enough, and reads the entries of those slots
// only (SlotWaits): each flow's about once in the shorter timeout.
//
// Failure mode: when flows_max are held, or both buckets of a new flow are full, a flow of its
// first bucket leaves early (EndReason::evicted), small ones before big ones, and the new one takes
// its slot: one entry line for both. Only when its record has no place to go either is the record
// lost, and counted in lost().
class FlowTable {
 public:
  struct Options {
    size_t flows_max;
    ExpiryRules rules;
    uint64_t hash_secret;
  };

  // Bytes of memory, aligned to a cache line, that a table of `flows_max` flows works in.
  static size_t bytes_needed(size_t flows_max) noexcept;

  // `memory` must hold bytes_needed(options.flows_max), be zero, and outlive the table.
  FlowTable(const Options& options, std::span<std::byte> memory) noexcept;

  [[nodiscard]] uint64_t hash(const packet::FlowKey& key) const noexcept { return hash_(key); }
  // With the RSS hash that the NIC computed for the packet.
  [[nodiscard]] uint64_t hash(const packet::FlowKey& key, uint32_t rss) const noexcept {
    return hash_(key, rss);
  }

  // What to say where the NIC says no RSS hash.
  [[nodiscard]] uint32_t in_place_of_rss(const packet::FlowKey& key) const noexcept {
    return hash_.in_place_of_rss(key);
  }
  // The first step. Each arrival has its packet, its time, and in `rest` its RSS hash.
  void locate(std::span<Arrival> arrivals) const noexcept {
    for (Arrival& arrival : arrivals)
      locate(arrival, hash_(arrival.packet.key, arrival.rest));
  }
  // The same by a hash as hash() gives it.
  void locate(Arrival& arrival, uint64_t hash) const noexcept {
    arrival.first = static_cast<uint32_t>(reduce(static_cast<uint32_t>(hash >> 32), bucket_count_));
    arrival.rest = static_cast<uint32_t>(hash);
    __builtin_prefetch(&buckets_[arrival.first]);
  }
  // The second, once the tags are there.
  void look(std::span<Arrival> arrivals) noexcept {
    for (Arrival& arrival : arrivals) {
      const uint32_t found = buckets_[arrival.first].matches(tag_of(arrival));
      arrival.slot = found != 0 ? slot_at(arrival.first, found) : guess_elsewhere(arrival);
      __builtin_prefetch(&entries_[arrival.slot], 1);
    }
  }
  // The third, once the entries are there: counts the packets, and lets flows leave as the rules
  // say. At most one record a packet. When `out` is full a flow that should leave stays and is
  // tried again.
  void update(std::span<const Arrival> arrivals, RecordBatch& out) noexcept;

  // Lets flows leave whose deadline has passed. Call it each millisecond: it does the part of a
  // pass over the table that is due at `now_ms`. False when it stopped early because `out` is full.
  bool sweep(int64_t now_ms, RecordBatch& out) noexcept;

  // Lets every flow leave, as forced unless its deadline has passed. Call it until it answers true:
  // then none is left, even of those that came between two calls.
  bool flush(int64_t now_ms, RecordBatch& out) noexcept;

  // New rules from `now_ms` on, also for the flows that are in it.
  void set_rules(const ExpiryRules& rules, int64_t now_ms) noexcept;

  // A step of a walk: writes the flows that it meets to the front of `out`, returns how many.
  size_t list(FlowWalk& walk, std::span<LiveFlow> out) const noexcept;
  // A step of a walk: lets the flows that it meets leave, as forced, and returns how many. When
  // `out` is full the walk stays where it is.
  size_t expire(FlowWalk& walk, int64_t now_ms, RecordBatch& out) noexcept;
  [[nodiscard]] bool at_end(const FlowWalk& walk) const noexcept {
    return walk.slot >= slot_count();
  }

  [[nodiscard]] size_t flows() const noexcept { return flows_; }
  // The live flows, and what they carry, as counted when they came and left.
  [[nodiscard]] RecordTally held() const noexcept { return {flows_, live_}; }
  // Packets whose flow was looked for in its second bucket too.
  [[nodiscard]] uint64_t second_looks() const noexcept { return second_looks_; }
  // Of flows that were over by idleness or age.
  [[nodiscard]] const Lateness& lateness() const noexcept { return lateness_; }
  [[nodiscard]] size_t flows_high_water() const noexcept { return flows_high_water_; }
  // Records that found neither room in the batch nor a slot to wait in, by reason of expiry.
  [[nodiscard]] const RecordsByReason& lost() const noexcept { return lost_; }
  // Packets and octets of every live flow, by walking the table: the ledger's independent witness.
  [[nodiscard]] RecordTally walk() const noexcept;

 private:
  static constexpr int64_t pass_ms = expiry_lateness_ms_max * 3 / 4;

  struct alignas(64) Entry {
    packet::FlowKey key;
    int64_t first_ms;
    int64_t last_ms;
    uint32_t packets;  // 0: free
    uint32_t octets;
    uint32_t first;  // its first bucket, which need not be the one that it lives in
    uint8_t tcp_flags;
  };
  static_assert(sizeof(Entry) == 64, "one flow, one cache line");

  // Maps 32 random bits evenly onto 0 .. count - 1 (Lemire's multiply-shift).
  static size_t reduce(uint32_t bits, size_t count) noexcept {
    return static_cast<size_t>(uint64_t{bits} * count >> 32);
  }
  static uint16_t tag_of(const Arrival& arrival) noexcept {
    return static_cast<uint16_t>(arrival.rest);
  }
  // The lowest of the slots that `found` has bits for.
  static uint32_t slot_at(size_t bucket, uint32_t found) noexcept {
    return static_cast<uint32_t>(bucket * TagBucket::slots) +
           static_cast<uint32_t>(std::countr_zero(found));
  }

  static size_t buckets_for(size_t flows_max) noexcept;
  static size_t blocks_for(size_t buckets) noexcept;
  [[nodiscard]] size_t slot_count() const noexcept { return bucket_count_ * TagBucket::slots; }
  [[nodiscard]] bool is_used(size_t slot) const noexcept {
    return (buckets_[slot / TagBucket::slots].used >> slot % TagBucket::slots & 1) != 0;
  }

  [[nodiscard]] size_t second_of(const Arrival& arrival) const noexcept;
  [[nodiscard]] uint32_t guess_elsewhere(const Arrival& arrival) noexcept;
  [[nodiscard]] Entry* find_in(size_t bucket, const Arrival& arrival) const noexcept;
  void search(const Arrival& arrival, RecordBatch& out) noexcept;

  [[nodiscard]] Deadline deadline_of(const Entry& entry) const noexcept {
    return deadline_under(pressure(), entry);
  }
  [[nodiscard]] Deadline deadline_under(bool pressure, const Entry& entry) const noexcept;
  [[nodiscard]] bool pressure() const noexcept { return flows_ > pressure_flows_; }

  void meet(Entry& entry, const Arrival& arrival, RecordBatch& out) noexcept;
  void end_if_over(Entry& entry, const Arrival& arrival, RecordBatch& out) noexcept;

  void insert(const Arrival& arrival, RecordBatch& out) noexcept;
  [[nodiscard]] size_t bucket_for(const Arrival& arrival) const noexcept;
  uint32_t evict_from(size_t bucket, int64_t now_ms, RecordBatch& out) noexcept;
  [[nodiscard]] uint32_t next_to_evict(size_t bucket) const noexcept;
  uint32_t choose_to_evict(size_t bucket) noexcept;
  void leave(Entry& entry, const Deadline& why, int64_t now_ms, RecordBatch& out) noexcept;
  void leave_or_lose(Entry& entry, const Deadline& why, int64_t now_ms, RecordBatch& out) noexcept;
  void free_slot(Entry& entry) noexcept;
  bool sweep_blocks_due(int64_t now_ms, RecordBatch& out) noexcept;
  bool sweep_block(size_t block, int64_t now_ms, RecordBatch& out) noexcept;
  bool sweep_bucket(size_t bucket, int64_t now_ms, RecordBatch& out) noexcept;
  [[nodiscard]] int64_t shorter_timeout_ms() const noexcept {
    return std::min(rules_.inactive_timeout_ms, rules_.active_timeout_ms);
  }
  void reopen_blocks(int64_t now_ms) noexcept;
  // Calls `meet` with each flow that the step meets, until that answers false.
  template <typename Meet>
  void step(FlowWalk& walk, Meet meet) const noexcept;

  size_t flows_max_;
  size_t pressure_flows_;  // ng_netflow's low-water mark: three quarters
  ExpiryRules rules_;
  int64_t ruled_since_ms_;  // when these deadlines came to hold: before, no flow was late by them
  FlowHash hash_;

  size_t bucket_count_;
  TagBucket* buckets_;
  Entry* entries_;    // TagBucket::slots for each bucket, in its order
  SlotWaits* waits_;  // of each bucket
  std::span<SweepBlock> blocks_;

  size_t flows_ = 0;
  Tally live_;
  uint64_t second_looks_ = 0;
  Lateness lateness_;
  size_t flows_high_water_ = 0;
  RecordsByReason lost_{};

  size_t sweep_block_ = 0;  // the next one in this pass
  int64_t pass_began_ms_ = 0;
  int64_t latest_ms_ = 0;  // by which blocks may have been promised to be quiet
  bool swept_under_pressure_ = false;
  size_t flush_slot_ = 0;
  bool flush_pressure_ = false;  // as it was when the flush began
};

// What nearly every packet needs: its flow is where it was looked for, time goes on, and nothing
// ends.
inline void FlowTable::update(std::span<const Arrival> arrivals, RecordBatch& out) noexcept {
  const auto idle_max = static_cast<uint64_t>(rules_.inactive_timeout_ms);
  const int64_t age_max = rules_.active_timeout_ms;
  uint64_t octets = 0;
  for (const Arrival& arrival : arrivals) {
    const packet::Packet& packet = arrival.packet;
    octets += packet.octets;
    Entry& entry = entries_[arrival.slot];
    if (entry.packets == 0 || entry.key != packet.key) [[unlikely]] {
      search(arrival, out);
      continue;
    }
    // Unsigned: a time that stepped back is a very long one.
    const auto idle = static_cast<uint64_t>(arrival.at_ms - entry.last_ms);
    if (idle > idle_max || arrival.at_ms - entry.first_ms > age_max) [[unlikely]] {
      meet(entry, arrival, out);
      continue;
    }
    entry.last_ms = arrival.at_ms;
    entry.octets += packet.octets;
    entry.tcp_flags |= packet.tcp_flags;
    ++entry.packets;
    const bool ends = (packet.tcp_flags & (tcp_fin | tcp_rst)) != 0;
    if (ends | (entry.octets >= octets_overflow)) [[unlikely]]
      end_if_over(entry, arrival, out);
  }
  live_ += {arrivals.size(), octets};
}

}  // namespace pollflow::flow
