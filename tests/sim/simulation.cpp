#include "sim/simulation.hpp"

#include <stdexcept>

#include "sim/fault_injector.hpp"
#include "sim/virtual_clock.hpp"
#include "sim/world.hpp"

namespace pollflow::test {
namespace {

constexpr int64_t begin_unix_ms = 1'700'000'000'000;
constexpr int64_t uptime_wraps_ms = int64_t{1} << 32;
constexpr size_t trace_lines = 30;

World::Setup any_setup(Dice& dice) {
  static constexpr std::array<size_t, 9> flows = {1, 2, 3, 10, 40, 100, 300, 1000, 3000};
  World::Setup setup{
      .workers = dice.between(1, 3),
      .queues_a_worker = dice.between(1, 2),
      .flows_max = dice.pick(flows),
      .collectors = dice.once_in(12) ? 0 : dice.between(1, 3),
      .records_max = static_cast<unsigned>(dice.once_in(2) ? 30 : dice.between(1, 30)),
      .settings = any_settings(dice),
      .hash_secret = dice.draw(UINT64_MAX),
      .looks_closely = dice.once_in(2),
      .routes = dice.once_in(64)};
  if (setup.collectors == 0 || dice.once_in(16))
    setup.flows_out = dice.once_in(2) ? "/dev/full" : "/dev/null";
  // In some worlds SysUptime runs over while flows are under way.
  if (dice.once_in(3)) setup.up_ms = uptime_wraps_ms - static_cast<int64_t>(dice.draw(60'000));
  return setup;
}

SeedResult::Survived survived_by(const World& world, const VirtualPort& port,
                                 const FaultInjector& injector, uint64_t steps) {
  using flow::EndReason;
  const flow::Ledger ledger = world.ledger();
  SeedResult::Survived survived{
      .steps = steps,
      .packets = ledger.workers.received.packets,
      .missed = port.missed(),
      .without_buffer = port.without_buffer(),
      .records_sent = ledger.exported.sent.records,
      .lost_ring_full = ledger.lost_ring_full().records,
      .lost_send_failed = ledger.exported.lost_send_failed.records,
      .lost_write_failed = ledger.exported.lost_write_failed.records,
      .sends_refused = world.network().refusals(),
      .evicted = ledger.workers.expired[index_of(EndReason::evicted)].records,
      .overflowed = ledger.workers.expired[index_of(EndReason::overflow)].records,
      .worker_turns_kept = injector.turns_kept().workers,
      .exporter_turns_kept = injector.turns_kept().exporter,
      .tsc_steps = virtual_clock.tsc_steps(),
      .wall_clock_set = virtual_clock.times_set(),
      .settings_taken = world.settings_taken(),
      .errands_done = world.errands_done()};
  for (const CollectorView& view : world.network().views()) {
    survived.lost_on_the_way += view.lost_on_the_way().records;
    survived.routes_seen += static_cast<uint64_t>(view.next_hop() != 0);
  }
  return survived;
}

}  // namespace

SeedResult run_seed(uint64_t seed, VirtualPort& port, bool miscounts) {
  SeedResult result;
  Trace trace(trace_lines);
  Dice dice(seed);
  virtual_clock.begin(begin_unix_ms, static_cast<int64_t>(dice.draw(4001)) - 2000);
  try {
    World::Setup setup = any_setup(dice);
    setup.miscounts = miscounts;
    World world(setup, port, dice, trace);
    FaultInjector injector(world, port, dice, trace);
    const uint64_t steps = dice.between(1, 120);
    for (uint64_t step = 0; step < steps; ++step)
      injector.step();
    injector.stop_in_next_step(dice.once_in(2));
    injector.step();
    for (uint64_t step = dice.draw(10); step > 0; --step)
      injector.step();
    world.finish();
    result.survived = survived_by(world, port, injector, steps);
    port.reset();
    if (!port.buffers_are_back()) throw std::runtime_error("packet buffers are missing");
  } catch (const std::exception& failure) {
    result.failure = failure.what();
  }
  result.trace = trace.lines();
  result.hash = trace.hash();
  return result;
}

}  // namespace pollflow::test
