#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "control/sources.hpp"
#include "export_lane.hpp"
#include "lane.hpp"
#include "route/live_table.hpp"
#include "sim/accounts.hpp"
#include "sim/dice.hpp"
#include "sim/network.hpp"
#include "sim/trace.hpp"
#include "sim/traffic.hpp"
#include "sim/virtual_port.hpp"

namespace pollflow::test {

// A run of pollflow on one thread: the program's own lanes and export lane, which take their turns
// when they are told to, on a clock that stands still in between. What live_run.cpp does beside
// them (phases, settings, following the clock) is done here in a few lines.
class World {
 public:
  struct Setup {
    size_t workers = 1;
    size_t queues_a_worker = 1;
    size_t flows_max = 100;  // of each worker
    size_t collectors = 1;
    std::string flows_out;  // none when empty
    unsigned records_max = 30;
    app::LiveSettings settings{};
    int64_t up_ms = 0;  // SysUptime at the beginning
    uint64_t hash_secret = 1;
    bool looks_closely = true;  // leads packets that are under way to their flows at each check
    bool routes = false;        // some may be loaded
    bool miscounts = false;     // who feeds it forgets a packet: so that it can be seen to be found
  };

  // The virtual clock must have begun.
  World(const Setup& setup, VirtualPort& port, Dice& dice, Trace& trace);
  World(const World&) = delete;
  World& operator=(const World&) = delete;
  ~World();

  // What the world does.
  void pass_ms(uint64_t ms);
  void arrive(const Frame& frame, size_t segment_bytes = 2048);
  // What lcores do.
  void work(size_t lane);
  void export_records();
  void control();
  void turn_all();
  // What people do.
  void set_settings(const app::LiveSettings& settings);
  void load_routes(uint32_t next_hop);
  void ask(size_t lane, pipeline::Errand::Kind kind);
  void step_tsc(int64_t ms);
  void set_wall(int64_t ms_on);
  // Deaf: nothing arrives from now on, so that nothing may be left behind.
  void stop(bool deaf);

  // Throws std::runtime_error with a sentence when anything does not add up.
  void check();
  // To the end of a run that is stopped, however long it takes; then all that is to be said when
  // it is over.
  void finish();

  [[nodiscard]] size_t lanes() const noexcept { return lanes_.size(); }
  [[nodiscard]] size_t flows_max() const noexcept { return setup_.flows_max; }
  [[nodiscard]] bool routes_allowed() const noexcept { return setup_.routes; }
  [[nodiscard]] const app::LiveSettings& settings() const noexcept { return settings_.back(); }
  [[nodiscard]] flow::FlowTable& table(size_t lane) { return lanes_[lane].flows().table(); }
  [[nodiscard]] Network& network() noexcept { return network_; }
  [[nodiscard]] const Network& network() const noexcept { return network_; }
  [[nodiscard]] flow::Ledger ledger() const;
  // Turns of a worker that began with other settings than the one before.
  [[nodiscard]] uint64_t settings_taken() const noexcept { return settings_taken_; }
  [[nodiscard]] uint64_t errands_done() const noexcept { return errands_done_; }
  [[nodiscard]] std::string summary() const;

 private:
  void check_told() const;
  void check_counted(const flow::Ledger& ledger) const;
  void check_idle(size_t lane) const;
  void check_partial_datagram() const;
  void check_drained() const;
  void check_end();
  void check_view(const CollectorView& view, const exporter::Collector::Counters& counters) const;
  void check_send_losses() const;
  void disturbed() noexcept;
  void note_polled(size_t lane);

  static constexpr int64_t follow_ms = 1000;

  // What is known of a lane without asking it.
  struct LaneWatch {
    int64_t fed_ms = 0;    // monotonic: when it got packets last
    int64_t tight_ms = 0;  // when its ring had no room, or it was not known to have
    int64_t turned_ms = 0;
    const app::LiveSettings* settings = nullptr;  // of that turn
    int64_t longest_wait_ms = 0;                  // between two turns, since it got packets
  };

  Setup setup_;
  VirtualPort& port_;
  Trace& trace_;
  Network network_;
  pipeline::Outputs outputs_;
  port::LiveClock clock_;
  int64_t boot_ms_;
  std::deque<app::LiveSettings> settings_;
  app::Phase phase_ = app::Phase::receive;
  bool deaf_ = false;
  route::LiveTable routes_{{}};
  std::atomic<bool> gone_ = false;
  std::deque<app::Lane> lanes_;
  std::optional<app::ExportLane> exporter_;
  pipeline::Published<pipeline::PortReport> port_report_;
  std::atomic<bool> over_ = false;
  control::Sources sources_;
  int64_t followed_ms_;

  // The account of what was fed, which shares nothing with the program's.
  flow::Tally received_;
  std::array<flow::Tally, packet::fate_count> fates_{};
  flow::Tally accounted_;
  Sums offered_;

  std::vector<LaneWatch> watches_;
  int64_t disturbed_ms_;              // when settings were changed last, or a collector was unwell
  int64_t stepped_ms_ = 0;            // when the TSC stepped last
  int64_t times_wrong_until_ms_ = 0;  // flows may have times in the future
  int64_t open_since_ms_;  // when the datagram under construction was, at the latest, begun
  int64_t exported_ms_;
  int64_t longest_export_wait_ms_ = 0;
  uint64_t settled_ = 0;
  uint64_t walls_set_ = 0;
  int64_t wall_set_by_ms_ = 0;
  uint64_t settings_taken_ = 0;
  uint64_t errands_done_ = 0;
};

}  // namespace pollflow::test
