#pragma once

#include <cstdint>
#include <deque>
#include <vector>

#include "lane.hpp"
#include "live_settings.hpp"
#include "pipeline/export_loop.hpp"
#include "pipeline/published.hpp"
#include "pipeline/report.hpp"
#include "port/live_clock.hpp"
#include "route/live_table.hpp"

namespace pollflow::app {

// The export lcore of a live run: its loop, and what it tells.
class ExportLane {
 public:
  ExportLane(const pipeline::ExportLoop::Options& options, std::deque<Lane>& lanes,
             route::LiveTable& routes, pipeline::Outputs& outputs, const port::LiveClock& clock,
             const LiveSettings* now);

  // The export lcore. True when there was something to do.
  bool turn(const LiveSettings* wanted);
  // Every lane is flushed and the last record has been sent; the same lcore.
  [[nodiscard]] bool over() const noexcept { return over_; }

  // Any lcore.
  [[nodiscard]] uint64_t records_lost() const noexcept;  // before they reached a ring
  [[nodiscard]] const pipeline::Published<pipeline::ExportReport>& report() const noexcept {
    return report_;
  }
  [[nodiscard]] const std::deque<pipeline::Published<pipeline::CollectorReport>>& collectors()
      const noexcept {
    return collectors_;
  }
  [[nodiscard]] const pipeline::Published<pipeline::CsvReport>& csv() const noexcept {
    return csv_;
  }

  // The export lcore, or anyone after the run.
  [[nodiscard]] const pipeline::ExportLoop& loop() const noexcept { return loop_; }

 private:
  void take_settings(const LiveSettings* wanted);
  void note_lost();
  void tell();
  [[nodiscard]] bool all_told_anew() const noexcept;

  std::deque<Lane>& lanes_;
  route::LiveTable& routes_;
  pipeline::Outputs& outputs_;
  const port::LiveClock& clock_;
  pipeline::ExportLoop loop_;
  const LiveSettings* settings_;
  uint64_t lost_noted_ = 0;
  int64_t looked_ms_ = 0;
  pipeline::ExportReport next_report_;  // drawn up, waits for the workers
  bool drawn_up_ = false;
  std::vector<uint64_t> reports_told_;  // by each lane when it was drawn up
  bool over_ = false;

  pipeline::Published<pipeline::ExportReport> report_;
  std::deque<pipeline::Published<pipeline::CollectorReport>> collectors_;
  pipeline::Published<pipeline::CsvReport> csv_;
};

}  // namespace pollflow::app
