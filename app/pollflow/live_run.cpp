#include "live_run.hpp"

#include <fmt/format.h>
#include <rte_cycles.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "failure.hpp"
#include "monotonic.hpp"
#include "roles.hpp"
#include "signals.hpp"
#include "streams.hpp"

namespace pollflow::app {
namespace {

constexpr unsigned control_pause_us = 1000;
constexpr uint64_t look_ns = 100'000'000;
constexpr uint64_t follow_ns = 1'000'000'000;

// A queue that stays empty for this long after its port went deaf holds no more. Should frames for
// everybody go on arriving, there is an end to waiting.
constexpr int64_t drained_ms = 5;
constexpr int64_t drain_ms_max = 500;

uint64_t table_secret(const Options& options) {
  return options.hash_secret ? *options.hash_secret : draw_secret();
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

LiveRun::LiveRun(const CommandLine& line, LivePorts& ports, const LcorePlan& plan,
                 pipeline::Outputs& outputs)
    : line_(line),
      options_(line.options),
      ports_(ports),
      plan_(plan),
      outputs_(outputs),
      collector_trouble_(outputs.collectors.size()),
      settings_{settings_of(line.options)},
      exporter_settings_(&settings_.front()) {
  orders_.settings = &settings_.front();
  const uint64_t secret = table_secret(options_);
  for (const WorkerPlan& worker : plan.workers)
    add_lane(worker, secret);
  exporter_ = std::make_unique<pipeline::ExportLoop>(
      pipeline::ExportLoop::Options{.assembler = options_.assembler,
                                    .boot_ms = clock_.now_ms(),
                                    .export_delay_ms = options_.export_delay_ms,
                                    .export_rate = options_.export_rate},
      rings_, outputs);
  watch_ports();
}

void LiveRun::add_lane(const WorkerPlan& worker, uint64_t secret) {
  Lane& lane = lanes_.emplace_back(FlowWorker::Options{.name = std::to_string(worker.lcore.id),
                                                       .flows = flows_a_worker(options_, plan_),
                                                       .rules = options_.expiry,
                                                       .hash_secret = secret,
                                                       .node = worker.lcore.node},
                                   &settings_.front());
  for (const QueueRef& queue : worker.queues) {
    const port::NicPort& port = ports_.at(queue.port);
    lane.queues.emplace_back(port::RxQueue::Options{.port = queue.port,
                                                    .queue = queue.queue,
                                                    .burst = port.preset().burst,
                                                    .in_if = options_.in_if(queue.port)},
                             clock_, worker.lcore.id, port.removed());
  }
  rings_.push_back(&lane.flows.ring());
  progress_.workers.push_back(&lane.flows.progress());
}

void LiveRun::watch_ports() {
  for (const auto& port : ports_.all()) {
    std::vector<const port::QueueProgress*> queues;
    for (const Lane& lane : lanes_) {
      for (const Queue& queue : lane.queues) {
        if (queue.rx.options().port == port->facts().port) queues.push_back(&queue.progress);
      }
    }
    watches_.emplace_back(*port, std::move(queues));
  }
}

void LiveRun::run() {
  abandon_on_second_stop(&progress_);
  Roles(*this, plan_).run();
  look_around(monotonic_ns());
  abandon_on_second_stop(nullptr);
  progress_line_.clear();
}

bool LiveRun::work_turn(size_t worker) {
  Lane& lane = lanes_[worker];
  const LiveSettings* wanted = orders_.settings.load(std::memory_order_acquire);
  if (wanted != lane.settings) {
    lane.flows.table().set_rules(wanted->rules);
    lane.settings = wanted;
  }
  switch (orders_.phase.load(std::memory_order_acquire)) {
    case Phase::receive:
      return poll(lane);
    case Phase::drain:
      return drain(lane);
    case Phase::flush:
      break;
  }
  return flush(lane);
}

bool LiveRun::poll(Lane& lane) {
  bool any = false;
  for (Queue& queue : lane.queues)
    any |= poll(lane, queue);
  lane.flows.tell_progress();
  return any;
}

bool LiveRun::poll(Lane& lane, Queue& queue) {
  const bool gone = queue.gone->load(std::memory_order_relaxed);
  const port::Burst burst = gone ? queue.rx.nothing() : queue.rx.receive();
  const flow::WorkerCounters& counters = lane.flows.worker().counters();
  const uint64_t accounted = counters.accounted.packets;
  const uint64_t hashed = counters.nic_hashed;
  lane.flows.worker().process(burst);
  if (burst.packets.empty()) return false;
  queue.counters.packets += burst.packets.size();
  queue.counters.accounted += counters.accounted.packets - accounted;
  queue.counters.nic_hashed += counters.nic_hashed - hashed;
  queue.progress.packets.store(queue.counters.packets, std::memory_order_relaxed);
  queue.progress.accounted.store(queue.counters.accounted, std::memory_order_relaxed);
  queue.progress.nic_hashed.store(queue.counters.nic_hashed, std::memory_order_relaxed);
  return true;
}

bool LiveRun::drain(Lane& lane) {
  if (lane.drained.load(std::memory_order_relaxed)) return false;
  const int64_t now_ms = clock_.now_ms();
  if (lane.drain_began_ms == 0) lane.drain_began_ms = lane.packets_seen_ms = now_ms;
  const bool any = poll(lane);
  if (any) lane.packets_seen_ms = now_ms;
  const bool empty = now_ms - lane.packets_seen_ms > drained_ms;
  if (empty || now_ms - lane.drain_began_ms > drain_ms_max)
    lane.drained.store(true, std::memory_order_release);
  return any;
}

bool LiveRun::flush(Lane& lane) {
  if (lane.flushed.load(std::memory_order_relaxed)) return false;
  const bool busy = lane.flows.worker().has_room();
  const bool done = lane.flows.worker().flush(clock_.now_ms());
  lane.flows.tell_progress();
  if (done) lane.flushed.store(true, std::memory_order_release);
  return busy;
}

bool LiveRun::export_turn() {
  take_settings();
  const uint64_t settled = exporter_->settled_records();
  const bool last = std::ranges::all_of(
      lanes_, [](const Lane& lane) { return lane.flushed.load(std::memory_order_acquire); });
  note_lost();
  const int64_t now_ms = clock_.now_ms();
  if (!last) {
    exporter_->turn(now_ms, monotonic_ns());
  } else if (exporter_->finish(now_ms, monotonic_ns())) {
    orders_.over.store(true, std::memory_order_release);
  }
  progress_.records_settled.store(exporter_->settled_records(), std::memory_order_relaxed);
  note_output_trouble();
  return exporter_->settled_records() != settled;
}

void LiveRun::take_settings() {
  const LiveSettings* wanted = orders_.settings.load(std::memory_order_acquire);
  exporter_->set_wall_offset(clock_.wall_offset_ms());
  if (wanted == exporter_settings_) return;
  exporter_->set_pace(wanted->export_delay_ms, wanted->export_rate);
  exporter_settings_ = wanted;
}

uint64_t LiveRun::records_lost() const noexcept {
  uint64_t lost = 0;
  for (const Lane& lane : lanes_)
    lost += lane.flows.records_lost();
  return lost;
}

// The sequence steps over what workers lost, as they lose it.
void LiveRun::note_lost() {
  const uint64_t lost = records_lost();
  if (lost == lost_noted_) return;
  exporter_->note_lost(lost - lost_noted_);
  lost_noted_ = lost;
}

void LiveRun::note_output_trouble() {
  for (size_t i = 0; i < outputs_.collectors.size(); ++i) {
    const exporter::Collector& collector = outputs_.collectors[i];
    const auto& counters = collector.counters();
    if (counters.refused + counters.datagrams_failed == 0) continue;
    if (collector_trouble_[i].load(std::memory_order_relaxed) != 0) continue;
    const int error = counters.datagrams_failed > 0 ? collector.last_errno() : ECONNREFUSED;
    collector_trouble_[i].store(error, std::memory_order_relaxed);
  }
  if (outputs_.csv && outputs_.csv->last_errno() != 0 &&
      csv_trouble_.load(std::memory_order_relaxed) == 0)
    csv_trouble_.store(outputs_.csv->last_errno(), std::memory_order_relaxed);
}

void LiveRun::control_turn(bool alone) {
  const uint64_t now_ns = monotonic_ns();
  next_phase();
  if (reload_signals() != reloads_done_) {
    reloads_done_ = reload_signals();
    reload();
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
  } else if (phase == Phase::drain && std::ranges::all_of(lanes_, [](const Lane& lane) {
               return lane.drained.load(std::memory_order_acquire);
             })) {
    look_around(monotonic_ns());
    ports_.stop();
    orders_.phase.store(Phase::flush, std::memory_order_release);
  }
}

// Reads command line and configuration file anew. What is wrong there leaves everything as it is.
void LiveRun::reload() {
  try {
    const Options wanted = parse_command_line(line_.arguments).options;
    const LiveSettings settings = settings_of(wanted);
    const bool changed = settings != settings_.back();
    if (changed)
      orders_.settings.store(&settings_.emplace_back(settings), std::memory_order_release);
    std::string restart;
    for (const std::string& name : needs_restart(options_, wanted))
      restart += (restart.empty() ? "; a restart is needed for " : ", ") + name;
    tell(fmt::format("reloaded: {}{}",
                     changed ? "timeouts and export pace are in force"
                             : "timeouts and export pace are as they were",
                     restart));
  } catch (const std::exception& failure) {
    tell(fmt::format("not reloaded, everything stays as it was: {}", failure.what()));
  }
}

void LiveRun::look_around(uint64_t now_ns) {
  // Ports that were stopped have no link, which is no news.
  const bool stopped = orders_.phase.load(std::memory_order_relaxed) == Phase::flush;
  for (size_t i = 0; i < watches_.size() && !stopped; ++i) {
    for (const std::string& news : watches_[i].look(now_ns))
      tell(news);
  }
  for (size_t i = 0; i < collector_trouble_.size(); ++i) {
    const int error = collector_trouble_[i].load(std::memory_order_relaxed);
    if (error <= 0) continue;
    collector_trouble_[i].store(-1, std::memory_order_relaxed);
    tell(fmt::format("--collector {}: {}; carrying on, the ledger counts what is lost",
                     outputs_.collectors[i].name(), std::strerror(error)));
  }
  if (const int error = csv_trouble_.load(std::memory_order_relaxed); error > 0) {
    csv_trouble_.store(-1, std::memory_order_relaxed);
    tell(fmt::format("--flows-out {}: writing failed ({}); carrying on without it",
                     options_.flows_out, std::strerror(error)));
  }
  const uint64_t lost = records_lost();
  if (lost > 0 && !losing_told_) {
    losing_told_ = true;
    tell(
        fmt::format("records are being lost ({} so far): tables and rings are full; raise "
                    "--max-flows or --export-rate",
                    lost));
  }
}

void LiveRun::tell(const std::string& sentence) {
  progress_line_.clear();
  say(sentence);
}

flow::Ledger LiveRun::ledger() const {
  flow::Ledger ledger{.exported = exporter_->counters()};
  ledger.ring_records = exporter_->waiting();
  for (const Lane& lane : lanes_) {
    ledger.workers += lane.flows.worker().counters();
    ledger.in_tables += lane.flows.table().walk();
    ledger.flows_high_water += lane.flows.table().flows_high_water();
    ledger.ring_records += lane.flows.ring().count();
  }
  for (const auto& port : ports_.all()) {
    uint64_t received = 0;
    std::vector<flow::QueueCounters> queues;
    for (const Lane& lane : lanes_) {
      for (const Queue& queue : lane.queues) {
        if (queue.rx.options().port != port->facts().port) continue;
        received += queue.counters.packets;
        queues.push_back(queue.counters);
      }
    }
    std::ranges::sort(queues, {}, &flow::QueueCounters::queue);
    ledger.ports.push_back(port->counters(received));
    ledger.ports.back().queues = std::move(queues);
  }
  return ledger;
}

}  // namespace pollflow::app
