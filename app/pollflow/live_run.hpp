#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "control/actions.hpp"
#include "control/sources.hpp"
#include "control/telemetry.hpp"
#include "export_lane.hpp"
#include "lane.hpp"
#include "lcore_plan.hpp"
#include "live_ports.hpp"
#include "news.hpp"
#include "options.hpp"
#include "pipeline/export_loop.hpp"
#include "port/live_clock.hpp"
#include "port/port_watch.hpp"
#include "progress.hpp"
#include "reloader.hpp"
#include "route/live_table.hpp"
#include "route/route_memory.hpp"
#include "settings_keeper.hpp"

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

  // Allocates everything; `routes`: what --routes names. Throws Failure. The ports must be started
  // by the same plan before run().
  LiveRun(const CommandLine& line, std::span<const route::Route> routes, LivePorts& ports,
          const LcorePlan& plan, pipeline::Outputs& outputs);

  // From here to the end of run() control threads are answered.
  void open_desk();

  // The ports must listen. Runs the lcores until the last record has been sent, or a second stop
  // signal ends the process.
  void run();

  // After run().
  [[nodiscard]] flow::Ledger ledger() const;

  // What control threads may look at; good until the run is gone.
  [[nodiscard]] const control::Sources& sources() const noexcept { return sources_; }

  // The turns of the lcores: roles.hpp.
  bool over() const noexcept { return orders_.over.load(std::memory_order_acquire); }
  bool work_turn(size_t worker);
  bool export_turn();
  void control_turn(bool alone);

 private:
  static size_t flows_a_worker(const Options& options, const LcorePlan& plan);
  void add_lane(const WorkerPlan& worker, uint64_t secret);
  void watch_ports();
  void describe_sources();
  control::Actions actions();

  void next_phase();
  void look_around(uint64_t now_ns);
  void look_at_ports(uint64_t now_ns);
  void look_at_outputs();
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
  const Options& options_;  // as at the start
  LivePorts& ports_;
  const LcorePlan& plan_;
  pipeline::Outputs& outputs_;
  port::LiveClock clock_;
  std::optional<route::RouteMemory> route_memory_;  // with --routes only
  route::LiveTable routes_;
  SettingsKeeper settings_;

  std::deque<Lane> lanes_;
  std::optional<ExportLane> exporter_;
  control::Sources sources_;
  News news_;
  std::optional<Reloader> reloader_;

  ProgressLine progress_line_;
  std::vector<port::PortWatch> watches_;  // as many as ports, in their order
  std::deque<pipeline::Published<pipeline::PortReport>> port_reports_;  // likewise
  std::vector<bool> collector_trouble_told_;
  bool csv_trouble_told_ = false;
  bool losing_told_ = false;
  std::optional<control::Telemetry> telemetry_;  // gone before what it looks at
  unsigned reloads_done_ = 0;
  uint64_t looked_ns_ = 0;
  uint64_t followed_ns_ = 0;
};

}  // namespace pollflow::app
