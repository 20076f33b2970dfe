#include "capture_run.hpp"

#include <fmt/format.h>
#include <rte_eal.h>
#include <rte_launch.h>
#include <rte_lcore.h>
#include <rte_malloc.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <random>

#include "failure.hpp"
#include "signals.hpp"

namespace pollflow::app {
namespace {

constexpr uint16_t capture_port_id = 0;
constexpr size_t cache_line_bytes = 64;

// The first packet of a capture is not always its earliest; SysUptime of one a little earlier shall
// not wrap.
constexpr int64_t boot_before_first_packet_ms = 60'000;

uint64_t monotonic_ns() {
  return static_cast<uint64_t>(std::chrono::steady_clock::now().time_since_epoch() /
                               std::chrono::nanoseconds{1});
}

uint64_t draw_secret() {
  std::random_device device;
  return uint64_t{device()} << 32 | device();
}

uint16_t in_if(const Options& options) {
  const auto set = options.ifindex.find(capture_port_id);
  return set != options.ifindex.end() ? set->second : static_cast<uint16_t>(capture_port_id + 1);
}

pipeline::ExportLoop::Options export_options(const Options& options,
                                             const port::CaptureFile& file) {
  return {.assembler = options.assembler,
          .boot_ms = file.first_packet_ms() - boot_before_first_packet_ms,
          .export_delay_ms = options.export_delay_ms,
          .export_rate = options.export_rate};
}

// What the signal handler of a second stop reports on.
std::atomic<const Progress*> progress_at_stop = nullptr;

// Runs within a signal handler: formats into a buffer of its own, writes, and is gone.
void abandon() {
  const Progress* progress = progress_at_stop.load();
  const auto now = [](const std::atomic<uint64_t>& count) {
    return count.load(std::memory_order_relaxed);
  };
  const uint64_t settled = now(progress->records_settled);
  const uint64_t created = now(progress->records_created);
  std::array<char, 256> text;
  const auto end = fmt::format_to_n(
      text.data(), text.size(),
      "\npollflow: stopped at once by a second signal; lost: about {} flows in the tables "
      "and {} records on their way to the outputs\n",
      now(progress->flows), created > settled ? created - settled : 0);
  [[maybe_unused]] const ssize_t written =
      write(STDERR_FILENO, text.data(), std::min(end.size, text.size()));
  _exit(static_cast<int>(ExitCode::failed));
}

void launch(lcore_function_t* function, void* argument, unsigned lcore) {
  if (rte_eal_remote_launch(function, argument, lcore) == 0) return;
  rte_exit(static_cast<int>(ExitCode::failed), "pollflow: lcore %u does not take its work\n",
           lcore);
}

}  // namespace

size_t CaptureRun::bytes_needed(const Options& options) {
  return flow::FlowTable::bytes_needed(options.flows) + port::CapturePort::bytes_needed() +
         pipeline::ExpiryRing::bytes_needed();
}

// Never given back: rte_free() would write zeros over all of it, only for EAL to go the moment
// after.
std::span<std::byte> CaptureRun::allocate_table(size_t flows) {
  const size_t bytes = flow::FlowTable::bytes_needed(flows);
  void* memory = rte_zmalloc("flow table", bytes, cache_line_bytes);
  if (memory != nullptr) return {static_cast<std::byte*>(memory), bytes};
  throw Failure(
      ExitCode::no_device,
      fmt::format("no memory for a flow table of {} MiB; lower --max-flows, or leave out EAL's -m",
                  bytes >> 20));
}

CaptureRun::CaptureRun(const Options& options, const port::CaptureFile& file,
                       pipeline::Outputs& outputs)
    : port_(capture_port_id),
      table_({.flows_max = options.flows,
              .rules = options.expiry,
              .hash_secret = options.hash_secret ? *options.hash_secret : draw_secret()},
             allocate_table(options.flows)),
      ring_("expiry_0", SOCKET_ID_ANY),
      rings_{&ring_},
      worker_({.link = file.link(), .in_if = in_if(options)}, table_, ring_),
      exporter_(export_options(options, file), rings_, outputs),
      progress_line_(file.bytes(), file.record_overhead_bytes()) {}

void CaptureRun::run(const LcorePlan& plan) {
  progress_at_stop = &progress_;
  on_second_stop(abandon);
  const auto roles_of = [&](unsigned lcore) {
    return Roles{.run = this,
                 .control = lcore == plan.control,
                 .work = lcore == plan.worker,
                 .export_records = lcore == plan.exporter};
  };
  Roles work = roles_of(plan.worker);
  Roles exporting = roles_of(plan.exporter);
  if (!work.control) launch(take_turns, &work, plan.worker);
  if (!exporting.control && !exporting.work) launch(take_turns, &exporting, plan.exporter);
  take_turns(roles_of(plan.control));
  rte_eal_mp_wait_lcore();
  on_second_stop(nullptr);
  progress_line_.clear();
}

int CaptureRun::take_turns(void* roles) {
  const auto* mine = static_cast<const Roles*>(roles);
  mine->run->take_turns(*mine);
  return 0;
}

// Each role has its turn until everything is exported: that is all the scheduling there is.
void CaptureRun::take_turns(const Roles& roles) {
  while (!export_done_.load(std::memory_order_acquire)) {
    if (roles.work) work_turn();
    if (roles.export_records) export_turn();
    if (roles.control) control_turn();
  }
}

void CaptureRun::work_turn() {
  if (worker_done_.load(std::memory_order_relaxed)) return;
  if (stop_requested_.load(std::memory_order_relaxed)) port_.stop();
  if (port_.ended()) {
    if (worker_.flush(now_ms_)) worker_done_.store(true, std::memory_order_release);
  } else if (worker_.has_room()) {
    const port::Burst burst = port_.receive();
    now_ms_ = burst.now_ms;
    worker_.process(burst);
  }
  progress_.packets.store(worker_.counters().received.packets, std::memory_order_relaxed);
  progress_.octets.store(worker_.counters().received.octets, std::memory_order_relaxed);
  progress_.flows.store(table_.flows(), std::memory_order_relaxed);
  progress_.records_created.store(worker_.counters().created().records, std::memory_order_relaxed);
}

void CaptureRun::export_turn() {
  const uint64_t now_ns = monotonic_ns();
  if (!worker_done_.load(std::memory_order_acquire)) {
    exporter_.turn(pipeline::ExportLoop::no_clock, now_ns);
  } else {
    if (!lost_noted_) exporter_.note_lost(worker_.counters().lost_sum().records);
    lost_noted_ = true;
    const bool done = exporter_.finish(pipeline::ExportLoop::no_clock, now_ns);
    export_done_.store(done, std::memory_order_release);
  }
  progress_.records_settled.store(exporter_.settled_records(), std::memory_order_relaxed);
}

void CaptureRun::control_turn() {
  if (stop_signals() > 0) stop_requested_.store(true, std::memory_order_relaxed);
  progress_line_.update(progress_, monotonic_ns());
}

flow::Ledger CaptureRun::ledger() const {
  return {.ports = {port_.counters()},
          .workers = worker_.counters(),
          .in_tables = table_.walk(),
          .flows_high_water = table_.flows_high_water(),
          .ring_records = ring_.count() + exporter_.waiting(),
          .exported = exporter_.counters()};
}

}  // namespace pollflow::app
