#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "flow/expiry.hpp"
#include "flow/flow_hash.hpp"
#include "flow/flow_walk.hpp"
#include "flow/lateness.hpp"
#include "flow/record_batch.hpp"
#include "flow/tag_bucket.hpp"
#include "packet/decode.hpp"

namespace pollflow::flow {

// The flows of one worker lcore. Fixed memory, one owner, no lock.
//
//              tags: 16 x 16 bit a bucket                entries: one 64-byte line each
//            +----+----+----+- ... -+----+              +-----------------------------+
//  bucket 0  | a7 |  0 | 3c |       |  0 |   slot 0 --> | key  first  last  packets ..|
//            +----+----+----+- ... -+----+   slot 2 --> | key  first  last  packets ..|
//  bucket 1  | .. |                                     +-----------------------------+
//
// A hash names two buckets; a flow lives in one of the 32 slots. A tag is 16 further bits of the
// hash (0: free), so a lookup compares 16 tags at once in a line that is mostly cached, then
// touches the one entry line, where the full key decides. A flow goes to its first bucket unless
// that is nearly full, then to the emptier one, so most lookups read one tag line.
//
// Costs: a hit is one tag line and one entry line; a miss two tag lines, and one entry line to
// fill. Slots are 1.25 times flows_max: 82 bytes for each flow of --max-flows.
//
// Expiry: flows are looked at in blocks of 64 buckets, each with the earliest time at which
// anything in it can be over. A sweep passes over the blocks twice a second and opens only those
// whose time has come; a new flow cannot be over sooner than the shorter timeout, so inserting
// tells the block nothing.
//
// Failure mode: when flows_max are held, or both buckets of a new flow are full, the least useful
// flow of its first bucket leaves early (EndReason::evicted). Only when its record has no place to
// go either is the record lost, and counted in lost().
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

  // Ahead of update(): first this for every packet of a burst, ...
  void prefetch_tags(uint64_t hash) const noexcept;
  // ... then this, once the tags are there.
  void prefetch_entry(uint64_t hash) const noexcept;

  // Counts one packet that arrived at `now_ms`, and lets flows leave as the rules say. At most one
  // record a packet. When `out` is full a flow that should leave stays and is tried again.
  void update(const packet::Packet& packet, uint64_t hash, int64_t now_ms,
              RecordBatch& out) noexcept;

  // Lets flows leave whose deadline has passed. Call it often: it does the part of a pass over the
  // table that is due at `now_ms`, and stops early when `out` is full.
  void sweep(int64_t now_ms, RecordBatch& out) noexcept;

  // Lets every flow leave, as forced unless its deadline has passed. Call it until it answers true.
  bool flush(int64_t now_ms, RecordBatch& out) noexcept;

  // New rules from `now_ms` on, also for the flows that are in it.
  void set_rules(const ExpiryRules& rules, int64_t now_ms) noexcept;

  // A step of a walk: writes the flows that it meets to the front of `out`, returns how many.
  size_t list(FlowWalk& walk, std::span<LiveFlow> out) const noexcept;
  // A step of a walk: lets the flows that it meets leave, as forced, and returns how many. When
  // `out` is full the walk stays where it is.
  size_t expire(FlowWalk& walk, int64_t now_ms, RecordBatch& out) noexcept;
  [[nodiscard]] bool at_end(const FlowWalk& walk) const noexcept {
    return walk.slot >= entries_.size();
  }

  [[nodiscard]] size_t flows() const noexcept { return flows_; }
  // The live flows, and what they carry, as counted when they came and left.
  [[nodiscard]] RecordTally held() const noexcept { return {flows_, live_}; }
  // How often a flow was looked for in its second bucket too.
  [[nodiscard]] uint64_t second_looks() const noexcept { return second_looks_; }
  // Of flows that were over by idleness or age.
  [[nodiscard]] const Lateness& lateness() const noexcept { return lateness_; }
  [[nodiscard]] size_t flows_high_water() const noexcept { return flows_high_water_; }
  // Records that found neither room in the batch nor a slot to wait in, by reason of expiry.
  [[nodiscard]] const RecordsByReason& lost() const noexcept { return lost_; }
  // Packets and octets of every live flow, by walking the table: the ledger's independent witness.
  [[nodiscard]] RecordTally walk() const noexcept;

 private:
  static constexpr size_t buckets_per_block = 64;
  static constexpr int64_t pass_ms = expiry_lateness_ms_max / 2;

  struct alignas(64) Entry {
    packet::FlowKey key;
    int64_t first_ms;
    int64_t last_ms;
    uint32_t packets;
    uint32_t octets;
    uint8_t tcp_flags;
  };
  static_assert(sizeof(Entry) == 64, "one flow, one cache line");

  // Where a key may live, and the tag it carries there.
  struct Place {
    size_t first;
    size_t second;
    uint16_t tag;
  };

  static size_t buckets_for(size_t flows_max) noexcept;
  static size_t blocks_for(size_t buckets) noexcept;

  [[nodiscard]] Place place_of(uint64_t hash) const noexcept;
  [[nodiscard]] Entry* find(const packet::FlowKey& key, const Place& place) noexcept;
  [[nodiscard]] Entry* find_in(size_t bucket, uint16_t tag,
                               const packet::FlowKey& key) const noexcept;
  [[nodiscard]] Deadline deadline_of(const Entry& entry) const noexcept {
    return deadline_under(pressure(), entry);
  }
  [[nodiscard]] Deadline deadline_under(bool pressure, const Entry& entry) const noexcept;
  [[nodiscard]] bool pressure() const noexcept { return flows_ > pressure_flows_; }

  void count(Entry& entry, const packet::Packet& packet, int64_t now_ms, RecordBatch& out) noexcept;
  void insert(const packet::Packet& packet, const Place& place, int64_t now_ms,
              RecordBatch& out) noexcept;
  void evict_from(const Place& place, int64_t now_ms, RecordBatch& out) noexcept;
  [[nodiscard]] Entry& least_useful(size_t bucket, int64_t now_ms) const noexcept;
  void leave(Entry& entry, const Deadline& why, int64_t now_ms, RecordBatch& out) noexcept;
  void leave_or_lose(Entry& entry, const Deadline& why, int64_t now_ms, RecordBatch& out) noexcept;
  void free_slot(Entry& entry) noexcept;
  void sweep_blocks_due(int64_t now_ms, RecordBatch& out) noexcept;
  bool sweep_block(size_t block, int64_t now_ms, RecordBatch& out) noexcept;
  void reopen_blocks() noexcept;
  // Calls `meet` with each flow that the step meets, until that answers false.
  template <typename Meet>
  void step(FlowWalk& walk, Meet meet) const noexcept;

  size_t flows_max_;
  size_t pressure_flows_;  // ng_netflow's low-water mark: three quarters
  ExpiryRules rules_;
  int64_t ruled_since_ms_;  // when these deadlines came to hold: before, no flow was late by them
  FlowHash hash_;

  std::span<TagBucket> buckets_;
  std::span<Entry> entries_;     // TagBucket::slots for each bucket, in its order
  std::span<int64_t> quiet_ms_;  // by block: nothing in it is over up to and including this time

  size_t flows_ = 0;
  Tally live_;
  uint64_t second_looks_ = 0;
  Lateness lateness_;
  size_t flows_high_water_ = 0;
  RecordsByReason lost_{};

  size_t sweep_block_ = 0;  // the next one in this pass
  int64_t pass_began_ms_ = 0;
  bool swept_under_pressure_ = false;
  size_t flush_slot_ = 0;
  bool flush_pressure_ = false;  // as it was when the flush began
};

}  // namespace pollflow::flow
