#include "sim/world.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <stdexcept>

#include "sim/virtual_clock.hpp"

namespace pollflow::test {
namespace {

constexpr uint16_t burst = port::burst_packets_max;

pipeline::Outputs outputs_of(const World::Setup& setup) {
  pipeline::Outputs outputs;
  outputs.collectors.reserve(setup.collectors);
  for (size_t i = 0; i < setup.collectors; ++i)
    outputs.collectors.emplace_back(
        exporter::CollectorAddress{"127.0.0.1", fmt::to_string(Network::first_port + i)});
  if (!setup.flows_out.empty()) outputs.csv.emplace(setup.flows_out);
  return outputs;
}

}  // namespace

World::World(const Setup& setup, VirtualPort& port, Dice& dice, Trace& trace)
    : setup_(setup),
      port_(port),
      trace_(trace),
      network_(dice, trace, setup.collectors, setup.records_max),
      outputs_(outputs_of(setup)),
      boot_ms_(clock_.now_ms() - setup.up_ms),
      settings_{setup.settings},
      followed_ms_(virtual_clock.monotonic_ms()),
      watches_(setup.workers),
      disturbed_ms_(followed_ms_),
      open_since_ms_(followed_ms_),
      exported_ms_(followed_ms_) {
  port_.reset();
  for (size_t i = 0; i < setup.workers; ++i) {
    app::Lane& lane = lanes_.emplace_back(app::FlowWorker::Options{.name = fmt::format("sim{}", i),
                                                                   .flows = setup.flows_max,
                                                                   .rules = setup.settings.rules,
                                                                   .hash_secret = setup.hash_secret,
                                                                   .node = SOCKET_ID_ANY},
                                          clock_, &settings_.back());
    for (size_t q = 0; q < setup.queues_a_worker; ++q) {
      lane.add_queue({.port = port.id(),
                      .queue = static_cast<uint16_t>(i * setup.queues_a_worker + q),
                      .burst = burst,
                      .in_if = Traffic::in_if},
                     gone_);
    }
    sources_.workers.push_back({.lcore = static_cast<unsigned>(i),
                                .flows_max = setup.flows_max,
                                .queues = lane.queues(),
                                .report = &lane.report(),
                                .errand = &lane.errand()});
    watches_[i] = {followed_ms_, followed_ms_, followed_ms_, 0};
  }
  exporter_.emplace(pipeline::ExportLoop::Options{.assembler = {.records_max = setup.records_max},
                                                  .boot_ms = boot_ms_,
                                                  .export_delay_ms = setup.settings.export_delay_ms,
                                                  .export_rate = setup.settings.export_rate},
                    lanes_, routes_, outputs_, clock_, &settings_.back());
  sources_.clock = &clock_;
  sources_.boot_ms = boot_ms_;
  sources_.over = &over_;
  sources_.ports = {{.port = port.id(), .report = &port_report_}};
  sources_.exporter = &exporter_->report();
  sources_.routes = &routes_;
}

World::~World() {
  port_.reset();
}

void World::pass_ms(uint64_t ms) {
  virtual_clock.pass_ms(ms);
}

void World::arrive(const Frame& frame, size_t segment_bytes) {
  if (deaf_) return;
  port_.offer(frame.flow % (setup_.workers * setup_.queues_a_worker), frame, segment_bytes);
}

void World::work(size_t lane) {
  LaneWatch& watch = watches_[lane];
  const int64_t now_ms = virtual_clock.monotonic_ms();
  watch.longest_wait_ms = std::max(watch.longest_wait_ms, now_ms - watch.turned_ms);
  watch.turned_ms = now_ms;
  const app::LiveSettings* settings = &settings_.back();
  if (watch.settings != nullptr && watch.settings != settings) ++settings_taken_;
  watch.settings = settings;
  const bool asked = lanes_[lane].errand().pending();
  lanes_[lane].turn(phase_, settings);
  if (asked && !lanes_[lane].errand().pending()) ++errands_done_;
  if (!lanes_[lane].flows().worker().has_room()) watch.tight_ms = now_ms;
  note_polled(lane);
}

// What the program has taken from its queues has to be in its account from now on.
void World::note_polled(size_t lane) {
  for (size_t q = 0; q < setup_.queues_a_worker; ++q) {
    for (const Frame& frame : port_.collect(lane * setup_.queues_a_worker + q)) {
      watches_[lane].fed_ms = virtual_clock.monotonic_ms();
      watches_[lane].longest_wait_ms = 0;
      const bool forgets = setup_.miscounts && received_.packets == 99;
      if (forgets) continue;
      received_.add(frame.bytes.size());
      fates_[index_of(frame.fate)].add(frame.bytes.size());
      if (frame.fate != packet::Fate::accounted) continue;
      accounted_.add(frame.octets);
      offered_[frame.key].add(frame.octets);
    }
  }
}

void World::export_records() {
  if (exporter_->over()) return;
  const int64_t now_ms = virtual_clock.monotonic_ms();
  if (!network_.all_well()) disturbed();
  longest_export_wait_ms_ = std::max(longest_export_wait_ms_, now_ms - exported_ms_);
  exported_ms_ = now_ms;
  exporter_->turn(&settings_.back());
  const uint64_t settled = exporter_->loop().settled_records();
  if (settled == settled_ && exporter_->loop().counters().in_datagram.records > 0) return;
  settled_ = settled;
  open_since_ms_ = now_ms;
  longest_export_wait_ms_ = 0;
}

void World::control() {
  if (phase_ == app::Phase::drain &&
      std::ranges::all_of(lanes_, [](const app::Lane& lane) { return lane.drained(); })) {
    check_drained();
    phase_ = app::Phase::flush;
  }
  const int64_t now_ms = virtual_clock.monotonic_ms();
  if (now_ms - followed_ms_ < follow_ms) return;
  followed_ms_ = now_ms;
  clock_.follow();
}

void World::turn_all() {
  for (size_t lane = 0; lane < lanes_.size(); ++lane)
    work(lane);
  export_records();
  control();
}

void World::set_settings(const app::LiveSettings& settings) {
  disturbed();
  settings_.push_back(settings);
}

// Everything goes to this next hop from the export lane's next turn on.
void World::load_routes(uint32_t next_hop) {
  const std::array<route::Route, 1> routes = {route::Route{.next_hop = next_hop, .out_if = 7}};
  routes_.begin_with("simulated", routes);
}

void World::ask(size_t lane, pipeline::Errand::Kind kind) {
  pipeline::Errand& errand = lanes_[lane].errand();
  if (!errand.pending())
    errand.ask({.kind = kind, .walk = {.filter = {}, .before_ms = clock_.now_ms()}});
}

// A step back leaves flows behind whose last packet is in the future, which is waited for.
void World::step_tsc(int64_t ms) {
  stepped_ms_ = virtual_clock.monotonic_ms();
  times_wrong_until_ms_ =
      std::max(times_wrong_until_ms_, virtual_clock.monotonic_ms()) + std::abs(ms);
  virtual_clock.step_tsc_ms(ms);
}

void World::set_wall(int64_t ms_on) {
  ++walls_set_;
  wall_set_by_ms_ += ms_on;
  virtual_clock.set_wall_ms(ms_on);
}

void World::stop(bool deaf) {
  deaf_ = deaf;
  phase_ = app::Phase::drain;
}

void World::disturbed() noexcept {
  disturbed_ms_ = std::max(disturbed_ms_, virtual_clock.monotonic_ms());
}

// As LiveRun::ledger(), with the port's side from who fed it.
flow::Ledger World::ledger() const {
  flow::Ledger ledger{.exported = exporter_->loop().counters(), .at_rest = exporter_->over()};
  uint32_t in_rings = 0 - exporter_->loop().rings_popped();
  for (const app::Lane& lane : lanes_) {
    const app::FlowWorker& flows = lane.flows();
    ledger.workers += flows.worker().counters();
    ledger.in_tables += flows.table().walk();
    in_rings += flows.ring().pushed();
  }
  ledger.ring_records = in_rings + exporter_->loop().waiting();
  ledger.ports = {{.port = port_.id(),
                   .received = received_.packets,
                   .missed = port_.missed(),
                   .rx_nombuf = port_.without_buffer()}};
  return ledger;
}

std::string World::summary() const {
  const flow::Ledger now = ledger();
  return fmt::format(
      "offered {} missed {} | received {} accounted {}/{} | tables {} rings {} datagram {} sent {} "
      "lost {}+{}+{} sequence {} | {}",
      port_.offered(), port_.missed(), now.workers.received.packets, now.workers.accounted.packets,
      now.workers.accounted.octets, now.in_tables.records, now.ring_records,
      now.exported.in_datagram.records, now.exported.sent.records, now.lost_ring_full().records,
      now.exported.lost_send_failed.records, now.exported.lost_write_failed.records,
      now.exported.flow_sequence, clock_.now_ms() - boot_ms_);
}

}  // namespace pollflow::test
