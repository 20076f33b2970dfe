#include "capture_run.hpp"

#include <rte_cycles.h>
#include <rte_eal.h>
#include <rte_memory.h>

#include "monotonic.hpp"
#include "roles.hpp"
#include "signals.hpp"

namespace pollflow::app {
namespace {

constexpr uint16_t capture_port_id = 0;
constexpr unsigned control_pause_us = 1000;

// The first packet of a capture is not always its earliest; SysUptime of one a little earlier shall
// not wrap.
constexpr int64_t boot_before_first_packet_ms = 60'000;

// A capture so large makes up for the milliseconds that the kernel needs to clear huge pages.
constexpr uint64_t large_capture_bytes = uint64_t{256} << 20;

// Same input, same output: unless asked for, the secret of a capture's table is no secret.
uint64_t table_secret(const Options& options) {
  return options.hash_random ? draw_secret() : options.hash_secret.value_or(0);
}

pipeline::ExportLoop::Options export_options(const Options& options,
                                             const port::CaptureFile& file) {
  return {.assembler = options.assembler,
          .boot_ms = file.first_packet_ms() - boot_before_first_packet_ms,
          .export_delay_ms = options.export_delay_ms,
          .export_rate = options.export_rate,
          .pairs = options.port_pairs()};
}

}  // namespace

size_t CaptureRun::bytes_needed(const Options& options, std::span<const route::Route> routes) {
  const size_t of_routes = options.routes.empty() ? 0 : route::RouteTable::bytes_needed(routes);
  return FlowWorker::bytes_needed(options.flows) + port::CapturePort::bytes_needed() + of_routes;
}

CaptureRun::CaptureRun(const Options& options, const port::CaptureFile& file,
                       std::span<const route::Route> routes, pipeline::Outputs& outputs)
    : worker_({.name = "0",
               .flows = options.flows,
               .rules = options.expiry,
               .hash_secret = table_secret(options),
               .node = SOCKET_ID_ANY,
               .table_in_private_memory =
                   rte_eal_has_hugepages() == 0 && file.bytes() >= large_capture_bytes}),
      port_(capture_port_id, file.link(), options.in_if(capture_port_id)),
      rings_{&worker_.ring()},
      exporter_(export_options(options, file), rings_, outputs),
      progress_{.workers = {&worker_.progress()}},
      progress_line_(file.bytes(), file.record_overhead_bytes()) {
  if (!options.routes.empty()) exporter_.set_routes(&routes_.emplace(routes, SOCKET_ID_ANY));
}

void CaptureRun::run(const LcorePlan& plan) {
  abandon_on_second_stop(&progress_);
  Roles(*this, plan).run();
  abandon_on_second_stop(nullptr);
  progress_line_.clear();
}

bool CaptureRun::work_turn(size_t) {
  if (worker_done_.load(std::memory_order_relaxed)) return false;
  if (stop_requested_.load(std::memory_order_relaxed)) port_.stop();
  bool busy = true;
  if (port_.ended()) {
    const bool done = worker_.worker().flush(now_ms_);
    worker_.tell_progress();
    if (done) worker_done_.store(true, std::memory_order_release);
  } else if (worker_.worker().has_room()) {
    const port::Burst burst = port_.receive();
    now_ms_ = burst.now_ms;
    worker_.worker().process(burst);
    worker_.tell_progress();
  } else {
    busy = false;
  }
  return busy;
}

bool CaptureRun::export_turn() {
  const uint64_t settled = exporter_.settled_records();
  const uint64_t now_ns = monotonic_ns();
  if (!worker_done_.load(std::memory_order_acquire)) {
    exporter_.turn(pipeline::ExportLoop::no_clock, now_ns);
  } else {
    if (!lost_noted_) exporter_.note_lost(worker_.worker().counters().lost_sum().records);
    lost_noted_ = true;
    const bool done = exporter_.finish(pipeline::ExportLoop::no_clock, now_ns);
    export_done_.store(done, std::memory_order_release);
  }
  progress_.records_settled.store(exporter_.settled_records(), std::memory_order_relaxed);
  return exporter_.settled_records() != settled;
}

void CaptureRun::control_turn(bool alone) {
  if (stop_signals() > 0) stop_requested_.store(true, std::memory_order_relaxed);
  progress_line_.update(progress_, monotonic_ns());
  if (alone) rte_delay_us_sleep(control_pause_us);
}

flow::Ledger CaptureRun::ledger() const {
  return {.ports = {port_.counters()},
          .workers = worker_.worker().counters(),
          .in_tables = worker_.table().walk(),
          .flows_high_water = worker_.table().flows_high_water(),
          .ring_records = worker_.ring().pushed() - exporter_.rings_popped() + exporter_.waiting(),
          .exported = exporter_.counters()};
}

}  // namespace pollflow::app
