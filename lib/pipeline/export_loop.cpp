#include "pipeline/export_loop.hpp"

#include <algorithm>
#include <cstdlib>
#include <numeric>
#include <utility>

namespace pollflow::pipeline {
namespace {

// A collector's socket may refuse a datagram this long before it is given up for that collector.
constexpr uint64_t blocked_ns_max = 1'000'000'000;

exporter::TokenBucket bucket_of(uint64_t rate, unsigned records_max) noexcept {
  return {rate, std::max<uint64_t>(records_max, rate / 100)};
}

}  // namespace

ExportLoop::ExportLoop(const Options& options, std::span<ExpiryRing* const> rings, Outputs& outputs)
    : options_(options),
      rings_(rings.begin(), rings.end()),
      outputs_(outputs),
      assembler_(options.assembler, options.boot_ms),
      bucket_(bucket_of(options.export_rate, options.assembler.records_max)),
      last_stamp_ms_(options.boot_ms) {}

void ExportLoop::turn(int64_t now_ms, uint64_t monotonic_ns) {
  now_ms_ = now_ms;
  monotonic_ns_ = monotonic_ns;
  flush_csv_when_due();
  if (!send_kept()) return;
  if (complete_ && (!keep() || !send_kept())) return;
  const unsigned inboxes_max = inboxes_a_turn();
  for (unsigned inboxes = 0; waiting() > 0 || (inboxes++ < inboxes_max && refill());) {
    if (!take_inbox()) return;
  }
  if (!assembler_.empty() && now_ms_ != no_clock && delayed_since(opened_ns_)) {
    complete(now_ms_);
    keep();
  }
  send_kept();
}

// Inboxes of records: as many as fill a call, where that makes them cheaper; else one, so that
// whoever shares the lcore need not wait.
unsigned ExportLoop::inboxes_a_turn() const noexcept {
  constexpr auto fill_a_call = static_cast<unsigned>(netflow::Assembler::kept_bytes_max /
                                                     sizeof(netflow::V5Record) / inbox_max);
  const bool in_rows = std::ranges::any_of(outputs_.collectors, &exporter::Collector::takes_rows);
  return in_rows && !outputs_.csv ? fill_a_call : 1;
}

// On a live port. By the monotonic clock, as that of `now_ms` is corrected now and then: it may
// step back, and records may have left in its future.
bool ExportLoop::delayed_since(uint64_t since_ns) const noexcept {
  return monotonic_ns_ - since_ns >= static_cast<uint64_t>(options_.export_delay_ms) * 1'000'000;
}

// False when the turn is over: something must be waited for, or a call was filled.
bool ExportLoop::take_inbox() {
  while (waiting() > 0) {
    accept_run();
    if (assembler_.full()) {
      complete(now_ms_);
    } else if (waiting() > 0 && must_leave_before(inbox_[inbox_next_])) {
      complete(now_ms_ == no_clock ? due_ms() : now_ms_);
    }
    const bool stuck = complete_ && !keep();
    const bool filled = assembler_.row_full();
    if (stuck || filled || assembler_.all_kept() || outputs_.collectors.empty()) {
      if (!send_kept() || stuck || filled) return false;
    }
  }
  return true;
}

// The datagram under construction has waited its time, where records tell it; or time went (in a
// capture, or when the TSC jumped) so far that SysUptime, 32 bits of milliseconds, could not place
// this record beside those before it.
bool ExportLoop::must_leave_before(const flow::Record& record) const noexcept {
  const bool late = now_ms_ == no_clock && record.left_ms >= due_ms();
  return late || std::abs(record.left_ms - opened_ms_) > INT32_MAX;
}

// Takes the rings in turn, so that no worker waits behind another.
bool ExportLoop::refill() noexcept {
  for (size_t tried = 0; tried < rings_.size() && inbox_.empty(); ++tried) {
    inbox_ring_ = rings_[next_ring_];
    inbox_ = inbox_ring_->front(inbox_max);
    next_ring_ = (next_ring_ + 1) % rings_.size();
  }
  resolve_inbox();
  return !inbox_.empty();
}

// All of it in bulk and by value: the table may be exchanged while some of it still waits.
void ExportLoop::resolve_inbox() noexcept {
  if (routes_ == nullptr && options_.pairs.empty()) {
    if (std::exchange(resolved_, false)) routings_.fill({});
    return;
  }
  resolved_ = true;
  std::array<packet::FlowKey, inbox_max> keys;
  for (size_t i = 0; i < inbox_.size(); ++i)
    keys[i] = inbox_[i].key;
  route::resolve(routes_, options_.pairs, {keys.data(), inbox_.size()}, routings_);
}

// The records that go into the datagram under construction: until it is full or the next one must
// not come into it. With a file one at a time, since what it loses is told record by record.
void ExportLoop::accept_run() {
  const size_t room = outputs_.csv ? 1 : options_.assembler.records_max - assembler_.count();
  const size_t end = inbox_next_ + std::min(room, waiting());
  size_t at = inbox_next_;
  int64_t latest_ms = std::max(now_ms_, inbox_[at].left_ms);
  if (assembler_.empty()) {
    opened_ms_ = stamp_ms_ = latest_ms;
    opened_ns_ = monotonic_ns_;
    ++at;
  }
  for (; at < end && !must_leave_before(inbox_[at]); ++at)
    latest_ms = std::max(latest_ms, inbox_[at].left_ms);
  const size_t count = at - inbox_next_;
  if (count == 0) return;
  stamp_ms_ = std::max(stamp_ms_, latest_ms);
  const flow::RecordTally run = {
      count, assembler_.add(inbox_.subspan(inbox_next_, count), &routings_[inbox_next_])};
  counters_.taken += run;
  counters_.in_datagram += run;
  open_ += run;
  if (outputs_.csv || outputs_.top) {
    for (size_t i = inbox_next_; i < at; ++i)
      write(inbox_[i], routings_[i]);
  }
  inbox_next_ = at;
  if (waiting() == 0) {
    inbox_ring_->drop_front(static_cast<unsigned>(inbox_.size()));
    inbox_ = {};
    inbox_next_ = 0;
  }
}

void ExportLoop::write(flow::Record record, const flow::Routing& routing) {
  record.first_ms += wall_offset_ms_;
  record.last_ms += wall_offset_ms_;
  if (outputs_.csv) lost_writing(outputs_.csv->write(record, routing));
  if (outputs_.top) outputs_.top->add(record);
}

// So that a reader of the file need not wait for a buffer to fill. A capture's reader can wait.
void ExportLoop::flush_csv_when_due() {
  if (!outputs_.csv || now_ms_ == no_clock) return;
  if (csv_flushed_ns_ && !delayed_since(*csv_flushed_ns_)) return;
  csv_flushed_ns_ = monotonic_ns_;
  lost_writing(outputs_.csv->flush());
}

void ExportLoop::set_pace(int64_t export_delay_ms, uint64_t export_rate) noexcept {
  if (export_rate != options_.export_rate)
    bucket_ = bucket_of(export_rate, options_.assembler.records_max);
  options_.export_delay_ms = export_delay_ms;
  options_.export_rate = export_rate;
}

void ExportLoop::set_wall_offset(int64_t ms) noexcept {
  wall_offset_ms_ = ms;
  assembler_.set_wall_offset(ms);
}

void ExportLoop::complete(int64_t when_ms) noexcept {
  complete_ = true;
  stamp_ms_ = std::max(stamp_ms_, when_ms);
}

// False, and it stays complete, while the token bucket does not let it go.
bool ExportLoop::keep() noexcept {
  if (!outputs_.collectors.empty() && !bucket_.take(assembler_.count(), monotonic_ns_))
    return false;
  last_stamp_ms_ = header_ms();
  assembler_.seal(last_stamp_ms_);
  kept_[assembler_.kept()] = std::exchange(open_, {});
  assembler_.keep();
  complete_ = false;
  return true;
}

// True when no datagram is kept any more.
bool ExportLoop::send_kept() noexcept {
  if (assembler_.kept() == 0) return true;
  // Stamped when sent, which may be later than when they were complete; the same for every
  // collector.
  if (next_collector_ == 0 && offered_ == 0) {
    assembler_.stamp_kept(now_ms_);
    last_stamp_ms_ = std::max(last_stamp_ms_, now_ms_);
  }
  for (; next_collector_ < outputs_.collectors.size(); ++next_collector_) {
    if (!send_to(outputs_.collectors[next_collector_])) return false;
    offered_ = 0;
  }
  kept_done();
  return true;
}

exporter::DatagramRow ExportLoop::still_offered() const noexcept {
  const unsigned records_each = options_.assembler.records_max;
  return {.bytes = assembler_.kept_bytes().subspan(offered_ * assembler_.datagram_bytes()),
          .datagram_bytes = assembler_.datagram_bytes(),
          .datagram_records = records_each,
          .records = assembler_.kept_records() - offered_ * records_each};
}

// False while its socket blocks.
bool ExportLoop::send_to(exporter::Collector& collector) noexcept {
  while (offered_ < assembler_.kept()) {
    const auto attempt = collector.send(still_offered());
    if (attempt.outcome == exporter::Collector::Outcome::would_block) {
      if (blocked_since_ns_ == 0) blocked_since_ns_ = monotonic_ns_;
      if (!collector.stalled() && monotonic_ns_ - blocked_since_ns_ < blocked_ns_max) return false;
      collector.give_up(attempt.records, attempt.datagrams);
    } else if (attempt.outcome == exporter::Collector::Outcome::sent) {
      taken_ |= (~uint64_t{0} >> (64 - attempt.datagrams)) << offered_;
    }
    blocked_since_ns_ = 0;
    offered_ += attempt.datagrams;
  }
  return true;
}

// Not before the datagram's records, nor before the header that went out last: after a hole in a
// capture flows leave in the order of the table, each at its own time, and a collector would take
// an uptime that falls for a restart. Only a step back in time of weeks, which SysUptime could not
// bridge, is followed.
int64_t ExportLoop::header_ms() const noexcept {
  const int64_t stamp_ms = std::max(stamp_ms_, now_ms_);
  const int64_t back_ms = last_stamp_ms_ - stamp_ms;
  return back_ms > 0 && back_ms < INT32_MAX ? last_stamp_ms_ : stamp_ms;
}

void ExportLoop::kept_done() noexcept {
  flow::RecordTally lost;
  for (size_t i = 0; i < assembler_.kept() && !outputs_.collectors.empty(); ++i) {
    if ((taken_ >> i & 1) == 0) lost += kept_[i];
  }
  counters_.lost_send_failed += lost;
  counters_.sent += std::exchange(counters_.in_datagram, open_) - open_ - lost;
  assembler_.release();
  next_collector_ = 0;
  taken_ = 0;
}

// Without a collector the file is where records go, so what it lost is lost: the latest, which are
// those in the datagram first, then those that counted as sent when theirs was done.
void ExportLoop::lost_writing(const flow::RecordTally& lost) noexcept {
  if (!outputs_.collectors.empty()) return;
  counters_.lost_write_failed += lost;
  if (lost.records < counters_.in_datagram.records) {
    counters_.in_datagram = counters_.in_datagram - lost;
  } else {
    counters_.sent = counters_.sent - (lost - std::exchange(counters_.in_datagram, {}));
  }
}

bool ExportLoop::finish(int64_t now_ms, uint64_t monotonic_ns) {
  turn(now_ms, monotonic_ns);
  const auto holds_any = [](const ExpiryRing* ring) { return ring->count() > 0; };
  if (assembler_.kept() > 0 || waiting() > 0 || std::ranges::any_of(rings_, holds_any))
    return false;
  if (!assembler_.empty() && !complete_) complete(now_ms_);
  if (complete_ && !keep()) return false;
  if (!send_kept()) return false;
  assembler_.next();  // counts what was lost behind the last datagram
  if (outputs_.csv) lost_writing(outputs_.csv->flush());
  for (exporter::Collector& collector : outputs_.collectors)
    collector.hear();
  return true;
}

uint32_t ExportLoop::rings_popped() const noexcept {
  return std::accumulate(rings_.begin(), rings_.end(), static_cast<uint32_t>(inbox_.size()),
                         [](uint32_t sum, const ExpiryRing* ring) { return sum + ring->popped(); });
}

flow::ExportCounters ExportLoop::counters() const noexcept {
  flow::ExportCounters counters = counters_;
  counters.flow_sequence = assembler_.flow_sequence();
  return counters;
}

}  // namespace pollflow::pipeline
