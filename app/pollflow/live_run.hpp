#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "flow_worker.hpp"
#include "lcore_plan.hpp"
#include "live_ports.hpp"
#include "live_settings.hpp"
#include "options.hpp"
#include "pipeline/export_loop.hpp"
#include "port/live_clock.hpp"
#include "port/port_watch.hpp"
#include "port/rx_queue.hpp"
#include "progress.hpp"

namespace pollflow::app {

// One run over live ports, until a stop signal: the lcores and what they share.
//
//   receive ──stop──> drain ──queues empty──> flush ──tables and rings empty──> over
//
// On a stop the ports go deaf first, then workers take what the queues still hold; only then are
// the ports stopped, so that what a device counted and what it handed over are the same packets.
class LiveRun {
 public:
  // Bytes of EAL memory of each worker: table, ring, packet buffers.
  static std::vector<size_t> bytes_needed(const Options& options, const LivePorts& ports,
                                          const LcorePlan& plan);

  // Allocates everything; throws Failure. The ports must be started by the same plan before run().
  LiveRun(const CommandLine& line, LivePorts& ports, const LcorePlan& plan,
          pipeline::Outputs& outputs);

  // The ports must listen. Runs the lcores until the last record has been sent, or a second stop
  // signal ends the process.
  void run();

  // After run().
  [[nodiscard]] flow::Ledger ledger() const;

  // The turns of the lcores: roles.hpp.
  bool over() const noexcept { return orders_.over.load(std::memory_order_acquire); }
  bool work_turn(size_t worker);
  bool export_turn();
  void control_turn(bool alone);

 private:
  enum class Phase : uint8_t { receive, drain, flush };

  // A receive queue and what its owner knows of it.
  struct Queue {
    port::QueueProgress progress;
    port::RxQueue rx;
    flow::QueueCounters counters;
    const std::atomic<bool>* gone;  // its device was unplugged

    Queue(const port::RxQueue::Options& options, const port::LiveClock& clock, unsigned lcore,
          const std::atomic<bool>& port_gone)
        : rx(options, clock), counters{.queue = options.queue, .lcore = lcore}, gone(&port_gone) {}
  };

  // A worker lcore's own.
  struct Lane {
    FlowWorker flows;
    std::deque<Queue> queues;
    const LiveSettings* settings;
    int64_t drain_began_ms = 0;
    int64_t packets_seen_ms = 0;
    std::atomic<bool> drained = false;
    std::atomic<bool> flushed = false;

    Lane(const FlowWorker::Options& options, const LiveSettings* in_force)
        : flows(options), settings(in_force) {}
  };

  static size_t flows_a_worker(const Options& options, const LcorePlan& plan);
  void add_lane(const WorkerPlan& worker, uint64_t secret);
  void watch_ports();

  bool poll(Lane& lane);
  bool poll(Lane& lane, Queue& queue);
  bool drain(Lane& lane);
  bool flush(Lane& lane);

  void take_settings();
  [[nodiscard]] uint64_t records_lost() const noexcept;
  void note_lost();
  void note_output_trouble();

  void next_phase();
  void reload();
  void look_around(uint64_t now_ns);
  void tell(const std::string& sentence);

  // Read by every lcore at every turn, and hardly ever written: a cache line of its own.
  struct alignas(64) Orders {
    std::atomic<const LiveSettings*> settings = nullptr;
    std::atomic<Phase> phase = Phase::receive;
    std::atomic<bool> over = false;
  };
  Orders orders_;
  RunProgress progress_;

  const CommandLine& line_;
  Options options_;  // as at the start; what a reload changed is in settings_
  LivePorts& ports_;
  const LcorePlan& plan_;
  pipeline::Outputs& outputs_;
  port::LiveClock clock_;

  std::deque<Lane> lanes_;
  std::vector<pipeline::ExpiryRing*> rings_;
  std::unique_ptr<pipeline::ExportLoop> exporter_;
  uint64_t lost_noted_ = 0;
  std::deque<std::atomic<int>> collector_trouble_;  // the first errno of each; told, then negative

  std::deque<LiveSettings> settings_;  // all that were in force: somebody may look at one
  const LiveSettings* exporter_settings_;

  ProgressLine progress_line_;
  std::vector<port::PortWatch> watches_;
  bool losing_told_ = false;
  std::atomic<int> csv_trouble_ = 0;  // errno; told, then negative
  unsigned reloads_done_ = 0;
  uint64_t looked_ns_ = 0;
  uint64_t followed_ns_ = 0;
};

}  // namespace pollflow::app
