#include "pipeline/export_loop.hpp"

#include <algorithm>
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
      sent_stamp_ms_(options.boot_ms) {}

void ExportLoop::turn(int64_t now_ms, uint64_t monotonic_ns) {
  now_ms_ = now_ms;
  flush_csv_when_due();
  if (!send_sealed(monotonic_ns)) return;
  if (waiting() == 0) refill();
  while (waiting() > 0) {
    const flow::Record& record = inbox_[inbox_next_];
    const flow::Routing& routing = routings_[inbox_next_];
    if (!assembler_.empty() && must_leave_before(record)) {
      seal(due_ms());
    } else {
      ++inbox_next_;
      accept(record, routing);
      if (assembler_.full()) seal(now_ms_);
    }
    if (!send_sealed(monotonic_ns)) return;
  }
  if (!assembler_.empty() && now_ms_ >= due_ms()) {
    seal(now_ms_);
    send_sealed(monotonic_ns);
  }
}

// The datagram under construction has waited its time; or time went back (in a capture) so far that
// SysUptime, 32 bits of milliseconds, could not place this record beside those before it.
bool ExportLoop::must_leave_before(const flow::Record& record) const noexcept {
  return record.left_ms >= due_ms() || record.left_ms < opened_ms_ - INT32_MAX;
}

// Takes the rings in turn, so that no worker waits behind another.
void ExportLoop::refill() noexcept {
  inbox_next_ = 0;
  inbox_count_ = 0;
  for (size_t tried = 0; tried < rings_.size() && inbox_count_ == 0; ++tried) {
    inbox_count_ = rings_[next_ring_]->pop(inbox_);
    next_ring_ = (next_ring_ + 1) % rings_.size();
  }
  resolve_inbox();
}

// All of it in bulk and by value: the table may be exchanged while some of it still waits.
void ExportLoop::resolve_inbox() noexcept {
  std::array<packet::FlowKey, inbox_max> keys;
  for (size_t i = 0; i < inbox_count_; ++i)
    keys[i] = inbox_[i].key;
  route::resolve(routes_, options_.pairs, {keys.data(), inbox_count_}, routings_);
}

void ExportLoop::accept(const flow::Record& record, const flow::Routing& routing) {
  counters_.taken.add(record.carried());
  counters_.in_datagram.add(record.carried());
  const int64_t left_ms = std::max(now_ms_, record.left_ms);
  if (assembler_.empty()) opened_ms_ = stamp_ms_ = left_ms;
  stamp_ms_ = std::max(stamp_ms_, left_ms);
  assembler_.add(record, routing);
  write(record, routing);
}

void ExportLoop::write(flow::Record record, const flow::Routing& routing) {
  record.first_ms += wall_offset_ms_;
  record.last_ms += wall_offset_ms_;
  if (outputs_.csv) lost_writing(outputs_.csv->write(record, routing));
  if (outputs_.top) outputs_.top->add(record);
}

// So that a reader of the file need not wait for a buffer to fill. A capture's reader can wait.
void ExportLoop::flush_csv_when_due() {
  if (!outputs_.csv || now_ms_ == no_clock || now_ms_ < csv_flushed_ms_ + options_.export_delay_ms)
    return;
  csv_flushed_ms_ = now_ms_;
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

void ExportLoop::seal(int64_t when_ms) noexcept {
  sealed_ = true;
  paid_ = false;
  stamp_ms_ = std::max(stamp_ms_, when_ms);
  blocked_since_ns_ = 0;
  next_collector_ = 0;
  taken_by_ = 0;
}

// True when no datagram is waiting any more.
bool ExportLoop::send_sealed(uint64_t monotonic_ns) noexcept {
  if (!sealed_) return true;
  if (!outputs_.collectors.empty() && !paid_) {
    paid_ = bucket_.take(assembler_.count(), monotonic_ns);
    if (!paid_) return false;
  }
  // Stamped when sent, which may be later than when it was complete; the same for every collector.
  if (next_collector_ == 0) stamp_ms_ = header_ms();
  const auto datagram = assembler_.seal(stamp_ms_);
  for (; next_collector_ < outputs_.collectors.size(); ++next_collector_) {
    exporter::Collector& collector = outputs_.collectors[next_collector_];
    switch (collector.send(datagram, assembler_.count())) {
      case exporter::Collector::Outcome::sent:
        ++taken_by_;
        break;
      case exporter::Collector::Outcome::failed:
        break;
      case exporter::Collector::Outcome::would_block:
        if (blocked_since_ns_ == 0) blocked_since_ns_ = monotonic_ns;
        if (!collector.stalled() && monotonic_ns - blocked_since_ns_ < blocked_ns_max) return false;
        collector.give_up(assembler_.count());
        break;
    }
    blocked_since_ns_ = 0;
  }
  datagram_done();
  return true;
}

// Not before the datagram's records, nor before the header that went out last: after a hole in a
// capture flows leave in the order of the table, each at its own time, and a collector would take
// an uptime that falls for a restart. Only a step back in time of weeks, which SysUptime could not
// bridge, is followed.
int64_t ExportLoop::header_ms() const noexcept {
  const int64_t stamp_ms = std::max(stamp_ms_, now_ms_);
  const int64_t back_ms = sent_stamp_ms_ - stamp_ms;
  return back_ms > 0 && back_ms < INT32_MAX ? sent_stamp_ms_ : stamp_ms;
}

void ExportLoop::datagram_done() noexcept {
  sent_stamp_ms_ = stamp_ms_;
  const bool lost = !outputs_.collectors.empty() && taken_by_ == 0;
  (lost ? counters_.lost_send_failed : counters_.sent) += std::exchange(counters_.in_datagram, {});
  assembler_.next();
  sealed_ = false;
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
  if (waiting() > 0 || std::ranges::any_of(rings_, holds_any)) return false;
  if (!sealed_ && !assembler_.empty()) seal(now_ms_);
  if (!send_sealed(monotonic_ns)) return false;
  assembler_.next();  // counts what was lost behind the last datagram
  if (outputs_.csv) lost_writing(outputs_.csv->flush());
  for (exporter::Collector& collector : outputs_.collectors)
    collector.hear();
  return true;
}

uint32_t ExportLoop::rings_popped() const noexcept {
  return std::accumulate(rings_.begin(), rings_.end(), uint32_t{0},
                         [](uint32_t sum, const ExpiryRing* ring) { return sum + ring->popped(); });
}

flow::ExportCounters ExportLoop::counters() const noexcept {
  flow::ExportCounters counters = counters_;
  counters.flow_sequence = assembler_.flow_sequence();
  return counters;
}

}  // namespace pollflow::pipeline
