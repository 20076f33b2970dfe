#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "exporter/collector.hpp"
#include "exporter/csv_writer.hpp"
#include "exporter/token_bucket.hpp"
#include "exporter/top_flows.hpp"
#include "flow/ledger.hpp"
#include "flow/routing.hpp"
#include "netflow/assembler.hpp"
#include "pipeline/expiry_ring.hpp"
#include "route/resolve.hpp"

namespace pollflow::pipeline {

// Where records go. Any part may be absent.
struct Outputs {
  std::vector<exporter::Collector> collectors;  // each gets the whole stream
  std::optional<exporter::CsvWriter> csv;
  std::optional<exporter::TopFlows> top;
};

// The export lcore's part of the data path: assemble, send. Takes records from the rings and owns
// the datagrams under construction; with one stream for all collectors they see identical
// datagrams.
//
//   rings ──> datagram that is filled ──> kept in a row ──> each collector, one after another
//             full, due; paid for        44 of 30 records    in one call, or datagram by datagram
//
// Within a turn complete datagrams are kept until they fill a call, or the last is a partial one,
// or nothing more waits; then they leave. Failure mode: a collector's socket blocks. Then the row
// stays, and with it all behind it, until each collector has taken it or is given up on.
//
// In a capture only packets tell the time, so there the clock is what the records carry (left_ms):
// the same records make the same datagrams on any number of lcores. A live port has its own clock.
class ExportLoop {
 public:
  struct Options {
    netflow::AssemblerOptions assembler;
    int64_t boot_ms = 0;             // Unix ms at SysUptime 0
    int64_t export_delay_ms = 1000;  // a partial datagram leaves after this
    uint64_t export_rate = 0;        // records per second, 0: no limit
    route::PortPairs pairs;          // by ifindex
  };

  ExportLoop(const Options& options, std::span<ExpiryRing* const> rings, Outputs& outputs);

  // One turn: bounded work, waits for no collector. `now_ms` is Unix time, or no_clock where only
  // records tell the time; `monotonic_ns` paces sending and, on a live port, tells the delay.
  void turn(int64_t now_ms, uint64_t monotonic_ns);
  static constexpr int64_t no_clock = INT64_MIN;

  // Records that workers lost before they reached a ring: the sequence steps over them.
  void note_lost(uint64_t records) noexcept { assembler_.skip(records); }

  // What may change while it runs: Options' members of these names.
  void set_pace(int64_t export_delay_ms, uint64_t export_rate) noexcept;
  // What records are resolved by from the next turn on; nullptr: no routes. It must live until
  // another one took its place.
  void set_routes(const route::RouteTable* routes) noexcept { routes_ = routes; }
  // Wall clock minus the clock of `now_ms`: not 0 when somebody set the wall clock. Unix times that
  // go out follow, SysUptime does not.
  void set_wall_offset(int64_t ms) noexcept;

  // Call after the workers have finished, until it answers true: sends what is left.
  bool finish(int64_t now_ms, uint64_t monotonic_ns);

  // Exact between two turns.
  [[nodiscard]] flow::ExportCounters counters() const noexcept;
  // Records from all rings, as these count them, modulo 2^32, with those in the inbox.
  [[nodiscard]] uint32_t rings_popped() const noexcept;
  // Records that have gone out, or were lost trying.
  [[nodiscard]] uint64_t settled_records() const noexcept {
    return counters_.taken.records - counters_.in_datagram.records;
  }
  // Records in the inbox that were not yet looked at. Until all were the ring counts it, too.
  [[nodiscard]] size_t waiting() const noexcept { return inbox_.size() - inbox_next_; }

 private:
  bool refill() noexcept;
  void resolve_inbox() noexcept;
  [[nodiscard]] unsigned inboxes_a_turn() const noexcept;
  bool take_inbox();
  void accept_run();
  [[nodiscard]] bool must_leave_before(const flow::Record& record) const noexcept;
  [[nodiscard]] bool delayed_since(uint64_t since_ns) const noexcept;
  // Where only records tell the time.
  [[nodiscard]] int64_t due_ms() const noexcept { return opened_ms_ + options_.export_delay_ms; }
  void complete(int64_t when_ms) noexcept;
  bool keep() noexcept;
  bool send_kept() noexcept;
  [[nodiscard]] exporter::DatagramRow still_offered() const noexcept;
  bool send_to(exporter::Collector& collector) noexcept;
  [[nodiscard]] int64_t header_ms() const noexcept;
  void kept_done() noexcept;
  void write(flow::Record record, const flow::Routing& routing);
  void flush_csv_when_due();
  void lost_writing(const flow::RecordTally& lost) noexcept;

  Options options_;
  std::vector<ExpiryRing*> rings_;
  Outputs& outputs_;
  netflow::Assembler assembler_;
  exporter::TokenBucket bucket_;
  flow::ExportCounters counters_;

  int64_t now_ms_ = no_clock;
  uint64_t monotonic_ns_ = 0;
  int64_t wall_offset_ms_ = 0;
  std::optional<uint64_t> csv_flushed_ns_;

  // The datagram that is filled.
  int64_t opened_ms_ = 0;   // when it got its first record
  uint64_t opened_ns_ = 0;  // likewise, by the monotonic clock
  int64_t stamp_ms_ = 0;    // the time in its header: not before any of its records
  bool complete_ = false;   // it waits for the token bucket to let it go
  flow::RecordTally open_;  // what it holds
  int64_t last_stamp_ms_;   // of the datagram before

  // Those that are kept stay until each collector took them or was given up on.
  std::array<flow::RecordTally, netflow::Assembler::kept_max> kept_;
  uint64_t taken_ = 0;  // a bit for each: some collector took it
  size_t next_collector_ = 0;
  size_t offered_ = 0;  // to the next collector, which took them or will not
  uint64_t blocked_since_ns_ = 0;

  static constexpr size_t inbox_max = 64;
  const route::RouteTable* routes_ = nullptr;
  ExpiryRing* inbox_ring_ = nullptr;
  std::span<const flow::Record> inbox_;              // in front of that ring
  std::array<flow::Routing, inbox_max> routings_{};  // of the records in inbox_
  bool resolved_ = false;                            // they are not just zeros
  size_t inbox_next_ = 0;
  size_t next_ring_ = 0;
};

}  // namespace pollflow::pipeline
