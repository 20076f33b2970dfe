#include "export_lane.hpp"

#include <chrono>
#include <deque>

#include "support/catch.hpp"

using namespace pollflow;
using namespace pollflow::app;

namespace {

// A worker without queues and an exporter without outputs, whose lcores are this thread.
class LanesFixture {
 public:
  explicit LanesFixture(const std::string& name)
      : lane_(lanes_.emplace_back(
            FlowWorker::Options{
                .name = name, .flows = 100, .rules = {}, .hash_secret = 1, .node = -1},
            clock_, &settings_)),
        exporter_({.boot_ms = clock_.now_ms()}, lanes_, routes_, outputs_, clock_, &settings_) {}

  void push_record() {
    const flow::Record record{.key = {},
                              .packets = 1,
                              .octets = 20,
                              .first_ms = clock_.now_ms(),
                              .last_ms = clock_.now_ms(),
                              .left_ms = clock_.now_ms(),
                              .tcp_flags = 0,
                              .reason = flow::EndReason::idle};
    lane_.flows().ring().push({&record, 1});
  }
  // The export lcore's turns for some milliseconds, in which it looks at each.
  void export_for_a_while() {
    for (const int64_t begin_ms = clock_.now_ms(); clock_.now_ms() < begin_ms + 5;)
      exporter_.turn(&settings_);
  }
  // The worker's turns until it has told something new.
  void work_until_told() {
    const uint64_t told = lane_.reports_told();
    while (lane_.reports_told() == told)
      lane_.turn(Phase::receive, &settings_);
  }

  uint64_t popped() const { return exporter_.report().read().rings_popped; }
  uint64_t pushed() const { return lane_.report().read().ring_pushed; }

 private:
  port::LiveClock clock_;
  LiveSettings settings_ = settings_of({});
  std::deque<Lane> lanes_;
  Lane& lane_;
  route::LiveTable routes_{{}};
  pipeline::Outputs outputs_;
  ExportLane exporter_;
};

}  // namespace

TEST_CASE("no record is told to have come out of a ring before it is told to have gone in") {
  LanesFixture lanes("told_in_order");
  lanes.work_until_told();
  lanes.push_record();
  lanes.export_for_a_while();  // takes it, while the worker is kept from telling
  CHECK(lanes.popped() == 0);
  CHECK(lanes.pushed() == 0);
  lanes.work_until_told();
  CHECK(lanes.pushed() == 1);
  lanes.export_for_a_while();
  CHECK(lanes.popped() == 1);
}

TEST_CASE("what an export lcore tells goes on being renewed") {
  LanesFixture lanes("told_again");
  for (uint64_t record = 1; record < 20; ++record) {
    lanes.push_record();
    for (int round = 0; round < 3; ++round) {
      lanes.work_until_told();
      lanes.export_for_a_while();
    }
    CHECK(lanes.popped() == record);
  }
}
