#include "control/sources.hpp"

#include <atomic>

#include "support/catch.hpp"

using namespace pollflow;
using control::Sources;
using control::Statistics;
using pipeline::ExportReport;
using pipeline::WorkerReport;

namespace {

constexpr auto idle = index_of(flow::EndReason::idle);
constexpr auto accounted = index_of(packet::Fate::accounted);

// Two workers with a queue each of one port, and what they tell.
class RunFixture {
 public:
  RunFixture() {
    sources_.version = "1.2";
    sources_.clock = &clock_;
    sources_.over = &over_;
    for (unsigned worker = 0; worker < 2; ++worker) {
      sources_.workers.push_back({.lcore = worker + 4,
                                  .flows_max = 100,
                                  .queues = {{0, static_cast<uint16_t>(1 - worker)}},
                                  .report = &workers_[worker],
                                  .errand = nullptr});
    }
    sources_.ports.push_back({0, "net_x", "0000:01:00.0", 12, &port_});
    sources_.exporter = &exporter_;
    sources_.routes = &routes_;
    sources_.collectors.push_back({"host:1", &collector_});
  }

  // A worker that has seen `packets` packets of 100 octets, each a flow, of which `expired` are in
  // its ring or beyond.
  static WorkerReport worker_report(uint64_t packets, uint64_t expired) {
    WorkerReport report;
    report.counters.received = {packets, packets * 114};
    report.counters.fates[accounted] = {packets, packets * 114};
    report.counters.accounted = {packets, packets * 100};
    report.counters.expired[idle] = {expired, {expired, expired * 100}};
    report.held = {packets - expired, {packets - expired, (packets - expired) * 100}};
    report.flows_high_water = packets;
    report.ring_pushed = expired;
    report.queues[0] = {.packets = packets, .accounted = packets, .nic_hashed = packets / 2};
    report.lateness.counts[2] = expired;
    return report;
  }

  static ExportReport export_report(uint64_t popped, uint64_t waiting, uint64_t in_datagram) {
    const auto carrying = [](uint64_t n) { return flow::RecordTally{n, {n, n * 100}}; };
    ExportReport report;
    report.counters.taken = carrying(popped - waiting);
    report.counters.in_datagram = carrying(in_datagram);
    report.counters.sent = carrying(popped - waiting - in_datagram);
    report.rings_popped = popped & UINT32_MAX;
    report.waiting = waiting;
    return report;
  }

  Statistics collect() { return control::collect(sources_); }

  pipeline::Published<WorkerReport> workers_[2];
  pipeline::Published<ExportReport> exporter_;
  pipeline::Published<pipeline::PortReport> port_;
  pipeline::Published<pipeline::CollectorReport> collector_;

 private:
  port::LiveClock clock_;
  std::atomic<bool> over_ = false;
  route::LiveTable routes_{{}};
  Sources sources_;
};

}  // namespace

TEST_CASE("what lcores tell makes one ledger that adds up") {
  RunFixture run;
  run.exporter_.publish(RunFixture::export_report(900, 14, 7));
  run.workers_[0].publish(RunFixture::worker_report(1000, 400));
  run.workers_[1].publish(RunFixture::worker_report(2000, 600));
  run.port_.publish({.missed = 5, .errored = 2, .rx_nombuf = 3});
  const Statistics statistics = run.collect();
  const flow::Ledger& ledger = statistics.ledger;
  CHECK(ledger.broken_equations() == std::vector<std::string>{});
  CHECK(ledger.workers.received.packets == 3000);
  CHECK(ledger.in_tables.records == 2000);
  CHECK(ledger.in_rings().records == 114);
  CHECK(ledger.ring_records == 114);
  CHECK(ledger.flows_high_water == 3000);
  REQUIRE(ledger.ports.size() == 1);
  CHECK(ledger.ports[0].offered() == 3007);
  CHECK(ledger.ports[0].rx_nombuf == 3);
  REQUIRE(ledger.ports[0].queues.size() == 2);  // in their order, whoever polls them
  CHECK(ledger.ports[0].queues[0].queue == 0);
  CHECK(ledger.ports[0].queues[0].lcore == 5);
  CHECK(ledger.ports[0].queues[0].packets == 2000);
  CHECK(ledger.ports[0].queues[1].nic_hashed == 500);
  CHECK(statistics.flows_max() == 200);
  CHECK(statistics.lateness().counts[2] == 1000);
  CHECK(statistics.ports[0].ifindex == 12);
  CHECK_FALSE(statistics.csv);
}

TEST_CASE("a record that is nowhere breaks the live ledger") {
  const auto break_by = [](auto fault) {
    RunFixture run;
    ExportReport exporter = RunFixture::export_report(400, 0, 0);
    WorkerReport worker = RunFixture::worker_report(1000, 400);
    fault(worker, exporter);
    run.exporter_.publish(exporter);
    run.workers_[0].publish(worker);
    run.workers_[1].publish(RunFixture::worker_report(0, 0));
    return run.collect().ledger.broken_equations().size();
  };
  CHECK(break_by([](WorkerReport&, ExportReport&) {}) == 0);
  CHECK(break_by([](WorkerReport& w, ExportReport&) { --w.ring_pushed; }) > 0);
  CHECK(break_by([](WorkerReport&, ExportReport& e) { --e.rings_popped; }) > 0);
  CHECK(break_by([](WorkerReport&, ExportReport& e) { --e.counters.sent.records; }) > 0);
  CHECK(break_by([](WorkerReport& w, ExportReport&) { ++w.held.carried.octets; }) > 0);
  CHECK(break_by([](WorkerReport& w, ExportReport&) { --w.counters.fates[accounted].packets; }) >
        0);
  CHECK(break_by([](WorkerReport& w, ExportReport&) { ++w.queues[0].packets; }) > 0);
}

TEST_CASE("records that no sequence number counts yet break a ledger at rest only") {
  RunFixture run;
  run.exporter_.publish(RunFixture::export_report(400, 0, 0));
  run.workers_[0].publish(RunFixture::worker_report(1000, 400));
  run.workers_[1].publish(RunFixture::worker_report(0, 0));
  flow::Ledger ledger = run.collect().ledger;
  CHECK(ledger.broken_equations().empty());
  ledger.at_rest = true;
  CHECK(ledger.broken_equations().size() == 1);
}

TEST_CASE("ring counters that have wrapped around give the same ledger") {
  RunFixture run;
  const uint64_t many = (uint64_t{1} << 32) + 5;
  run.exporter_.publish(RunFixture::export_report(many, 0, 0));
  WorkerReport worker = RunFixture::worker_report(many + 100, many + 3);
  worker.ring_pushed &= UINT32_MAX;
  run.workers_[0].publish(worker);
  run.workers_[1].publish(RunFixture::worker_report(0, 0));
  const Statistics statistics = run.collect();
  CHECK(statistics.ledger.ring_records == 3);
  CHECK(statistics.ledger.broken_equations().empty());
}
