#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <vector>

#include "flow_worker.hpp"
#include "lcore_plan.hpp"
#include "live_settings.hpp"
#include "pipeline/errand.hpp"
#include "pipeline/published.hpp"
#include "pipeline/report.hpp"
#include "port/live_clock.hpp"
#include "port/rx_queue.hpp"

namespace pollflow::app {

// What a live run is about: live_run.hpp.
enum class Phase : uint8_t { receive, drain, flush };

// One worker lcore of a live run: the queues that it polls, its flows, what it tells and what it
// can be asked.
class Lane {
 public:
  Lane(const FlowWorker::Options& options, const port::LiveClock& clock, const LiveSettings* now);

  // Before the first turn. `gone`: the queue's device was unplugged.
  void add_queue(const port::RxQueue::Options& options, const std::atomic<bool>& gone);

  // The worker's lcore. True when there was something to do.
  bool turn(Phase phase, const LiveSettings* wanted);

  // Any lcore: the queues hold no more, the table is empty.
  [[nodiscard]] bool drained() const noexcept { return drained_.load(std::memory_order_acquire); }
  [[nodiscard]] bool flushed() const noexcept { return flushed_.load(std::memory_order_acquire); }

  [[nodiscard]] FlowWorker& flows() noexcept { return flows_; }
  [[nodiscard]] const FlowWorker& flows() const noexcept { return flows_; }
  // Which queues, in the order of the report's.
  [[nodiscard]] std::vector<QueueRef> queues() const;
  [[nodiscard]] const pipeline::Published<pipeline::WorkerReport>& report() const noexcept {
    return report_;
  }
  // How many reports have been told: in the latest is all that was pushed on the ring before.
  [[nodiscard]] uint64_t reports_told() const noexcept {
    return reports_told_.load(std::memory_order_acquire);
  }
  [[nodiscard]] pipeline::Errand& errand() noexcept { return errand_; }

 private:
  struct Queue {
    port::RxQueue rx;
    const std::atomic<bool>* gone;

    Queue(const port::RxQueue::Options& options, const port::LiveClock& clock,
          const std::atomic<bool>& port_gone)
        : rx(options, clock), gone(&port_gone) {}
  };

  bool work(Phase phase);
  bool poll();
  bool poll(Queue& queue, port::QueueReport& report);
  bool drain();
  bool flush();
  void count_cycles(bool busy) noexcept;
  void tell() noexcept;

  FlowWorker flows_;
  const port::LiveClock& clock_;
  std::deque<Queue> queues_;
  const LiveSettings* settings_;
  int64_t drain_began_ms_ = 0;
  int64_t packets_seen_ms_ = 0;
  std::atomic<bool> drained_ = false;
  std::atomic<bool> flushed_ = false;

  pipeline::WorkerReport now_;  // what the next report will say, as far as it is counted here
  uint64_t turned_tsc_;
  uint64_t tell_cycles_;
  pipeline::Published<pipeline::WorkerReport> report_;
  uint64_t told_tsc_ = 0;
  std::atomic<uint64_t> reports_told_ = 0;
  pipeline::Errand errand_;
};

}  // namespace pollflow::app
