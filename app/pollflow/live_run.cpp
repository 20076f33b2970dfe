#include "live_run.hpp"

#include <fmt/format.h>
#include <rte_cycles.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "monotonic.hpp"
#include "roles.hpp"
#include "signals.hpp"
#include "streams.hpp"

namespace pollflow::app {
namespace {

constexpr unsigned control_pause_us = 1000;
constexpr uint64_t look_ns = 100'000'000;
constexpr uint64_t follow_ns = 1'000'000'000;

uint64_t table_secret(const Options& options) {
  return options.hash_secret ? *options.hash_secret : draw_secret();
}

pipeline::OwnExport own_export(const Options& options, const pipeline::Outputs& outputs) {
  pipeline::OwnExport own;
  if (!options.skip_own_export) return own;
  for (const exporter::Collector& collector : outputs.collectors) {
    if (const auto flow = collector.flow()) own.add(*flow);
  }
  return own;
}

}  // namespace

size_t LiveRun::flows_a_worker(const Options& options, const LcorePlan& plan) {
  return (options.flows + plan.workers.size() - 1) / plan.workers.size();
}

std::vector<size_t> LiveRun::bytes_needed(const Options& options, const LivePorts& ports,
                                          const LcorePlan& plan) {
  std::vector<size_t> bytes;
  for (const WorkerPlan& worker : plan.workers) {
    bytes.push_back(FlowWorker::bytes_needed(flows_a_worker(options, plan)) +
                    ports.buffer_bytes(worker));
  }
  return bytes;
}

LiveRun::LiveRun(const CommandLine& line, std::span<const route::Route> routes, LivePorts& ports,
                 const LcorePlan& plan, pipeline::Outputs& outputs)
    : line_(line),
      options_(line.options),
      ports_(ports),
      plan_(plan),
      outputs_(outputs),
      routes_(options_.port_pairs()),
      settings_(line, routes_, orders_.settings),
      collector_trouble_told_(outputs.collectors.size()) {
  if (!options_.routes.empty()) {
    route_memory_.emplace(route::RouteMemory::bytes_needed(routes));
    routes_.build_on(route_memory_->node());
    routes_.begin_with(options_.routes, routes);
  }
  const uint64_t secret = table_secret(options_);
  for (const WorkerPlan& worker : plan.workers)
    add_lane(worker, secret);
  exporter_.emplace(pipeline::ExportLoop::Options{.assembler = options_.assembler,
                                                  .boot_ms = clock_.now_ms(),
                                                  .export_delay_ms = options_.export_delay_ms,
                                                  .export_rate = options_.export_rate,
                                                  .pairs = options_.port_pairs()},
                    lanes_, routes_, outputs, clock_, orders_.settings);
  watch_ports();
  describe_sources();
}

void LiveRun::add_lane(const WorkerPlan& worker, uint64_t secret) {
  Lane& lane =
      lanes_.emplace_back(FlowWorker::Options{.name = std::to_string(worker.lcore.id),
                                              .flows = flows_a_worker(options_, plan_),
                                              .rules = options_.expiry,
                                              .hash_secret = secret,
                                              .node = worker.lcore.node,
                                              .own_export = own_export(options_, outputs_)},
                          clock_, orders_.settings);
  for (const QueueRef& queue : worker.queues) {
    const port::NicPort& port = ports_.at(queue.port);
    lane.add_queue({.port = queue.port,
                    .queue = queue.queue,
                    .burst = port.preset().burst,
                    .in_if = options_.in_if(queue.port)},
                   port.removed());
  }
  progress_.workers.push_back(&lane.flows().progress());
}

void LiveRun::watch_ports() {
  for (const auto& port : ports_.all()) {
    watches_.emplace_back(*port);
    port_reports_.emplace_back();
  }
}

void LiveRun::describe_sources() {
  sources_.version = POLLFLOW_VERSION;
  sources_.clock = &clock_;
  sources_.boot_ms = clock_.now_ms();
  sources_.over = &orders_.over;
  for (size_t i = 0; i < lanes_.size(); ++i) {
    Lane& lane = lanes_[i];
    sources_.workers.push_back({.lcore = plan_.workers[i].lcore.id,
                                .flows_max = flows_a_worker(options_, plan_),
                                .queues = lane.queues(),
                                .report = &lane.report(),
                                .errand = &lane.errand()});
  }
  for (size_t i = 0; i < ports_.all().size(); ++i) {
    const port::PortFacts& facts = ports_.all()[i]->facts();
    sources_.ports.push_back({.port = facts.port,
                              .driver = facts.driver,
                              .name = facts.device,
                              .ifindex = options_.in_if(facts.port),
                              .report = &port_reports_[i]});
  }
  sources_.routes = &routes_;
  sources_.export_lcore = plan_.exporter.id;
  sources_.exporter = &exporter_->report();
  for (size_t i = 0; i < outputs_.collectors.size(); ++i)
    sources_.collectors.push_back({outputs_.collectors[i].name(), &exporter_->collectors()[i]});
  if (outputs_.csv) sources_.csv = &exporter_->csv();
}

control::Actions LiveRun::actions() {
  return {
      .rules = [this] { return settings_.rules(); },
      .set_timeouts = [this](uint64_t inactive_s,
                             uint64_t active_s) { settings_.set_timeouts(inactive_s, active_s); },
      .reload_routes = [this] { settings_.reload_routes(); },
      .tell = [this](std::string sentence) { news_.tell(std::move(sentence)); }};
}

void LiveRun::open_desk() {
  reloader_.emplace([this] { news_.tell(settings_.reload()); });
  telemetry_.emplace(sources_, actions());
}

void LiveRun::run() {
  abandon_on_second_stop(&progress_);
  routes_.open();
  Roles(*this, plan_).run();
  routes_.close();
  telemetry_.reset();
  reloader_.reset();
  look_around(monotonic_ns());
  abandon_on_second_stop(nullptr);
  progress_line_.clear();
}

bool LiveRun::work_turn(size_t worker) {
  return lanes_[worker].turn(orders_.phase.load(std::memory_order_acquire),
                             orders_.settings.load(std::memory_order_acquire));
}

bool LiveRun::export_turn() {
  const bool busy = exporter_->turn(orders_.settings.load(std::memory_order_acquire));
  progress_.records_settled.store(exporter_->loop().settled_records(), std::memory_order_relaxed);
  if (exporter_->over()) orders_.over.store(true, std::memory_order_release);
  return busy;
}

void LiveRun::control_turn(bool alone) {
  const uint64_t now_ns = monotonic_ns();
  next_phase();
  if (reload_signals() != reloads_done_) {
    reloads_done_ = reload_signals();
    reloader_->ask();
  }
  if (now_ns - looked_ns_ > look_ns) {
    looked_ns_ = now_ns;
    look_around(now_ns);
  }
  if (now_ns - followed_ns_ > follow_ns) {
    followed_ns_ = now_ns;
    clock_.follow();
  }
  progress_line_.update(progress_, now_ns);
  if (alone) rte_delay_us_sleep(control_pause_us);
}

void LiveRun::next_phase() {
  const Phase phase = orders_.phase.load(std::memory_order_relaxed);
  if (phase == Phase::receive && stop_signals() > 0) {
    ports_.deafen();
    orders_.phase.store(Phase::drain, std::memory_order_release);
  } else if (phase == Phase::drain &&
             std::ranges::all_of(lanes_, [](const Lane& lane) { return lane.drained(); })) {
    look_around(monotonic_ns());
    ports_.stop();
    orders_.phase.store(Phase::flush, std::memory_order_release);
  }
}

void LiveRun::look_around(uint64_t now_ns) {
  // Ports that were stopped have no link, which is no news.
  if (orders_.phase.load(std::memory_order_relaxed) != Phase::flush) look_at_ports(now_ns);
  look_at_outputs();
  for (const std::string& sentence : news_.take())
    tell(sentence);
  const uint64_t lost = exporter_->records_lost();
  if (lost > 0 && !losing_told_) {
    losing_told_ = true;
    tell(
        fmt::format("records are being lost ({} so far): tables and rings are full; raise "
                    "--max-flows or --export-rate",
                    lost));
  }
}

void LiveRun::look_at_ports(uint64_t now_ns) {
  using Link = pipeline::PortReport::Link;
  const auto told = control::read_workers(sources_);
  for (size_t i = 0; i < watches_.size(); ++i) {
    const port::NicPort& port = *ports_.all()[i];
    std::vector<port::QueueReport> queues;
    for (const flow::QueueCounters& queue : control::queues_of(port.facts().port, sources_, told))
      queues.push_back({queue.packets, queue.accounted, queue.nic_hashed});
    for (const std::string& news : watches_[i].look(queues, now_ns))
      tell(news);
    const flow::PortCounters& counters = watches_[i].counters();
    const auto link_up = watches_[i].link_up();
    port_reports_[i].publish({.missed = counters.missed,
                              .errored = counters.errored,
                              .rx_nombuf = counters.rx_nombuf,
                              .link = port.removed() ? Link::gone
                                      : !link_up     ? Link::unknown
                                      : *link_up     ? Link::up
                                                     : Link::down});
  }
}

void LiveRun::look_at_outputs() {
  for (size_t i = 0; i < collector_trouble_told_.size(); ++i) {
    const pipeline::CollectorReport report = exporter_->collectors()[i].read();
    const bool failed = report.counters.datagrams_failed > 0;
    if (collector_trouble_told_[i] || (!failed && report.counters.refused == 0)) continue;
    collector_trouble_told_[i] = true;
    const auto error = static_cast<int>(failed ? report.last_errno : report.last_answer);
    tell(fmt::format("--collector {}: {}; carrying on, the ledger counts what is lost",
                     outputs_.collectors[i].name(), std::strerror(error)));
  }
  const auto csv_errno = static_cast<int>(exporter_->csv().read().last_errno);
  if (csv_errno == 0 || csv_trouble_told_) return;
  csv_trouble_told_ = true;
  tell(fmt::format("--flows-out {}: writing failed ({}); carrying on without it",
                   options_.flows_out, std::strerror(csv_errno)));
}

void LiveRun::tell(const std::string& sentence) {
  progress_line_.clear();
  say(sentence);
}

flow::Ledger LiveRun::ledger() const {
  flow::Ledger ledger{.exported = exporter_->loop().counters()};
  uint32_t in_rings = 0 - exporter_->loop().rings_popped();  // modulo 2^32, as rings count
  for (const Lane& lane : lanes_) {
    const FlowWorker& flows = lane.flows();
    ledger.workers += flows.worker().counters();
    ledger.in_tables += flows.table().walk();
    ledger.flows_high_water += flows.table().flows_high_water();
    in_rings += flows.ring().pushed();
  }
  ledger.ring_records = in_rings + exporter_->loop().waiting();
  const auto told = control::read_workers(sources_);  // their last word, which has all of it
  for (const auto& port : ports_.all()) {
    std::vector<flow::QueueCounters> queues =
        control::queues_of(port->facts().port, sources_, told);
    uint64_t received = 0;
    for (const flow::QueueCounters& queue : queues)
      received += queue.packets;
    ledger.ports.push_back(port->counters(received));
    ledger.ports.back().queues = std::move(queues);
  }
  return ledger;
}

}  // namespace pollflow::app
