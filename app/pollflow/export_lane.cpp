#include "export_lane.hpp"

#include <algorithm>

#include "monotonic.hpp"

namespace pollflow::app {
namespace {

std::vector<pipeline::ExpiryRing*> rings_of(std::deque<Lane>& lanes) {
  std::vector<pipeline::ExpiryRing*> rings;
  rings.reserve(lanes.size());
  for (Lane& lane : lanes)
    rings.push_back(&lane.flows().ring());
  return rings;
}

}  // namespace

ExportLane::ExportLane(const pipeline::ExportLoop::Options& options, std::deque<Lane>& lanes,
                       route::LiveTable& routes, pipeline::Outputs& outputs,
                       const port::LiveClock& clock, const LiveSettings* now)
    : lanes_(lanes),
      routes_(routes),
      outputs_(outputs),
      clock_(clock),
      loop_(options, rings_of(lanes), outputs),
      settings_(now),
      reports_told_(lanes.size()),
      collectors_(outputs.collectors.size()) {}

bool ExportLane::turn(const LiveSettings* wanted) {
  take_settings(wanted);
  loop_.set_routes(routes_.take());
  const uint64_t settled = loop_.settled_records();
  const bool last = std::ranges::all_of(lanes_, [](const Lane& lane) { return lane.flushed(); });
  note_lost();
  const int64_t now_ms = clock_.now_ms();
  if (!last) {
    loop_.turn(now_ms, monotonic_ns());
  } else if (loop_.finish(now_ms, monotonic_ns())) {
    over_ = true;
  }
  if (now_ms != looked_ms_ || over_) {
    looked_ms_ = now_ms;
    tell();
  }
  return loop_.settled_records() != settled;
}

void ExportLane::take_settings(const LiveSettings* wanted) {
  loop_.set_wall_offset(clock_.wall_offset_ms());
  if (wanted == settings_) return;
  loop_.set_pace(wanted->export_delay_ms, wanted->export_rate);
  settings_ = wanted;
}

uint64_t ExportLane::records_lost() const noexcept {
  uint64_t lost = 0;
  for (const Lane& lane : lanes_)
    lost += lane.flows().records_lost();
  return lost;
}

// The sequence steps over what workers lost, as they lose it.
void ExportLane::note_lost() {
  const uint64_t lost = records_lost();
  if (lost == lost_noted_) return;
  loop_.note_lost(lost - lost_noted_);
  lost_noted_ = lost;
}

bool ExportLane::all_told_anew() const noexcept {
  return std::ranges::equal(lanes_, reports_told_, [](const Lane& lane, uint64_t before) {
    return lane.reports_told() > before;
  });
}

// A report is drawn up, and told once the workers have told theirs; meanwhile the one before
// stands, however long somebody may be kept from his turn. How many reports they had told is looked
// at last: what was taken from a ring before was pushed before the next one.
void ExportLane::tell() {
  if (!over_ && !all_told_anew()) return;
  if (drawn_up_ && !over_) report_.publish(next_report_);
  next_report_ = {.counters = loop_.counters(),
                  .rings_popped = loop_.rings_popped(),
                  .waiting = loop_.waiting()};
  drawn_up_ = true;
  std::ranges::transform(lanes_, reports_told_.begin(), &Lane::reports_told);
  if (over_) report_.publish(next_report_);
  for (size_t i = 0; i < collectors_.size(); ++i) {
    const exporter::Collector& collector = outputs_.collectors[i];
    collectors_[i].publish({.counters = collector.counters(),
                            .last_errno = static_cast<uint64_t>(collector.last_errno()),
                            .last_answer = static_cast<uint64_t>(collector.last_answer())});
  }
  if (outputs_.csv) {
    csv_.publish({.written = outputs_.csv->written(),
                  .failed = outputs_.csv->failed(),
                  .last_errno = static_cast<uint64_t>(outputs_.csv->last_errno())});
  }
}

}  // namespace pollflow::app
