#include "lane.hpp"

#include <rte_cycles.h>

namespace pollflow::app {
namespace {

// A queue that stays empty for this long after its port went deaf holds no more. Should frames for
// everybody go on arriving, there is an end to waiting.
constexpr int64_t drained_ms = 5;
constexpr int64_t drain_ms_max = 500;

constexpr uint64_t tells_a_second = 1000;

}  // namespace

Lane::Lane(const FlowWorker::Options& options, const port::LiveClock& clock,
           const LiveSettings* now)
    : flows_(options),
      clock_(clock),
      settings_(now),
      turned_tsc_(rte_rdtsc()),
      tell_cycles_(rte_get_tsc_hz() / tells_a_second) {}

void Lane::add_queue(const port::RxQueue::Options& options, const std::atomic<bool>& gone) {
  queues_.emplace_back(options, clock_, gone);
}

std::vector<QueueRef> Lane::queues() const {
  std::vector<QueueRef> refs;
  for (const Queue& queue : queues_)
    refs.push_back({queue.rx.options().port, queue.rx.options().queue});
  return refs;
}

bool Lane::turn(Phase phase, const LiveSettings* wanted) {
  if (wanted != settings_) {
    flows_.worker().settle();  // packets that came before are judged by the rules before
    flows_.table().set_rules(wanted->rules, clock_.now_ms());
    settings_ = wanted;
  }
  const bool busy = work(phase);
  if (errand_.pending()) flows_.worker().serve(errand_, clock_.now_ms());
  count_cycles(busy);
  return busy;
}

bool Lane::work(Phase phase) {
  switch (phase) {
    case Phase::receive:
      return poll();
    case Phase::drain:
      return drain();
    case Phase::flush:
      break;
  }
  return flush();
}

bool Lane::poll() {
  bool any = false;
  for (size_t i = 0; i < queues_.size(); ++i)
    any |= poll(queues_[i], now_.queues[i]);
  if (!any) flows_.worker().settle();
  flows_.tell_progress();
  return any;
}

bool Lane::poll(Queue& queue, port::QueueReport& report) {
  const bool gone = queue.gone->load(std::memory_order_relaxed);
  const port::Burst burst = gone ? queue.rx.nothing() : queue.rx.receive();
  const flow::WorkerCounters& counters = flows_.worker().counters();
  const uint64_t accounted = counters.accounted.packets;
  const uint64_t hashed = counters.nic_hashed;
  flows_.worker().process(burst);
  report.packets += burst.packets.size();
  report.accounted += counters.accounted.packets - accounted;
  report.nic_hashed += counters.nic_hashed - hashed;
  return !burst.packets.empty();
}

bool Lane::drain() {
  if (drained_.load(std::memory_order_relaxed)) return false;
  const int64_t now_ms = clock_.now_ms();
  // Anew when the clock steps back, or a stop would wait for it to catch up.
  if (drain_began_ms_ == 0 || now_ms < packets_seen_ms_)
    drain_began_ms_ = packets_seen_ms_ = now_ms;
  const bool any = poll();
  if (any) packets_seen_ms_ = now_ms;
  const bool empty = now_ms - packets_seen_ms_ > drained_ms;
  if (empty || now_ms - drain_began_ms_ > drain_ms_max) {
    tell();  // the last that a queue hands over
    drained_.store(true, std::memory_order_release);
  }
  return any;
}

bool Lane::flush() {
  if (flushed_.load(std::memory_order_relaxed)) return false;
  const bool busy = flows_.worker().has_room();
  const bool done = flows_.worker().flush(clock_.now_ms());
  flows_.tell_progress();
  if (done) {
    tell();  // the last of all
    flushed_.store(true, std::memory_order_release);
  }
  return busy;
}

void Lane::count_cycles(bool busy) noexcept {
  const uint64_t tsc = rte_rdtsc();
  now_.cycles += tsc - turned_tsc_;
  if (busy) now_.cycles_busy += tsc - turned_tsc_;
  turned_tsc_ = tsc;
  if (tsc - told_tsc_ >= tell_cycles_) tell();
}

void Lane::tell() noexcept {
  flows_.worker().settle();
  const flow::FlowTable& table = flows_.table();
  told_tsc_ = rte_rdtsc();
  now_.counters = flows_.worker().counters();
  now_.held = table.held();
  now_.flows_high_water = table.flows_high_water();
  now_.second_looks = table.second_looks();
  now_.lateness = table.lateness();
  now_.ring_pushed = flows_.ring().pushed();
  now_.ring_records = flows_.ring().count();
  report_.publish(now_);
  reports_told_.store(reports_told_.load(std::memory_order_relaxed) + 1, std::memory_order_release);
}

}  // namespace pollflow::app
