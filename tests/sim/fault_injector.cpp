#include "sim/fault_injector.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace pollflow::test {
namespace {

constexpr int64_t minute_ms = 60'000;
constexpr int64_t hour_ms = 60 * minute_ms;
constexpr int64_t day_ms = 24 * hour_ms;

// Back or forth.
int64_t signed_by(Dice& dice, int64_t value) {
  return dice.once_in(2) ? -value : value;
}

// A turn of a lane that is kept from `left` more of them: true, and counted.
bool kept(uint64_t& left, uint64_t& turns) {
  if (left == 0) return false;
  --left;
  ++turns;
  return true;
}

}  // namespace

app::LiveSettings any_settings(Dice& dice) {
  static constexpr std::array<uint64_t, 6> rates = {0, 0, 0, 0, 300, 20'000};
  return {.rules = {.inactive_timeout_ms = static_cast<int64_t>(1000 * dice.between(1, 15)),
                    .active_timeout_ms = static_cast<int64_t>(1000 * dice.between(1, 120)),
                    .hold_idle = dice.once_in(4)},
          .export_delay_ms = static_cast<int64_t>(dice.between(1, 2000)),
          .export_rate = dice.pick(rates)};
}

FaultInjector::FaultInjector(World& world, VirtualPort& port, Dice& dice, Trace& trace)
    : world_(world),
      port_(port),
      dice_(dice),
      trace_(trace),
      traffic_(dice),
      flows_(static_cast<uint32_t>(1 + world.flows_max() * world.lanes() *
                                           dice.pick(std::array<uint64_t, 3>{1, 2, 4}) / 2)),
      lanes_stalled_(world.lanes()) {}

void FaultInjector::step() {
  Pace now = pace();
  const std::string what = strike(now);
  if (stop_deaf_) stop_in_ = 1 + dice_.draw(now.turns * (world_.lanes() + 1));
  for (uint64_t i = 0; i < now.turns; ++i)
    turn(now);
  trace_.add(fmt::format("step {}: {}; {} turns of {} ms, up to {} packets | {}", steps_++, what,
                         now.turns, now.gap_ms, now.packets_max, world_.summary()));
  world_.check();
}

FaultInjector::Pace FaultInjector::pace() {
  static constexpr std::array<uint64_t, 8> gaps_ms = {0, 0, 1, 1, 1, 3, 20, 300};
  static constexpr std::array<uint64_t, 5> packets = {0, 3, 10, 40, 150};
  return {.turns = dice_.between(1, 8),
          .gap_ms = dice_.pick(gaps_ms),
          .packets_max = dice_.pick(packets),
          .flows = flows_};
}

std::string FaultInjector::strike(Pace& pace) {
  switch (dice_.draw(40)) {
    case 0:
    case 1:
      exporter_stalled_ = dice_.between(1, 300);
      return "exporter stalls";
    case 2: {
      const size_t lane = dice_.draw(world_.lanes());
      lanes_stalled_[lane] = dice_.between(1, 30);
      return fmt::format("worker {} stalls", lane);
    }
    case 3:
      buffers_kept_ = dice_.between(1, 30);
      port_.keep_buffers(static_cast<unsigned>(dice_.draw(50)));
      return "no packet buffers";
    case 4:
    case 5:
      return strike_clock();
    case 6:
    case 7:
      return reload();
    case 8:
      world_.ask(dice_.draw(world_.lanes()), pipeline::Errand::Kind::list);
      return "flows are listed";
    case 9:
      world_.ask(dice_.draw(world_.lanes()), pipeline::Errand::Kind::expire);
      return "flows are expired by hand";
    case 10:
      pace = {
          .turns = dice_.between(20, 90), .gap_ms = dice_.draw(2), .packets_max = 150, .flows = 0};
      return "flood of new flows";
    case 11:
    case 12:
      pace = {.turns = dice_.between(10, 60),
              .gap_ms = dice_.between(1, 1500),
              .packets_max = 0,
              .flows = flows_};
      return "silence";
    case 13:
      if (!dice_.once_in(20)) return "nothing";
      elephant();
      return "elephant";
    case 14:
    case 15:
    case 16:
    case 17:
    case 18:
    case 19:
      return strike_collector();
    default:
      return "nothing";
  }
}

std::string FaultInjector::strike_collector() {
  using Mood = Network::Mood;
  const size_t collectors = world_.network().views().size();
  if (collectors == 0) return "nothing";
  const size_t collector = dice_.draw(collectors);
  const auto drawn = dice_.draw(2 * Network::mood_names.size());
  const auto mood = drawn < Network::mood_names.size() ? static_cast<Mood>(drawn) : Mood::well;
  const uint64_t in_thousand = dice_.once_in(2) ? 1000 : dice_.between(1, 1000);
  world_.network().set_mood(collector, mood, in_thousand);
  return fmt::format("collector {} is {}, {} in a thousand times", collector,
                     Network::mood_names[static_cast<size_t>(mood)], in_thousand);
}

std::string FaultInjector::strike_clock() {
  static constexpr std::array<int64_t, 7> most_ms = {50,      900,    5000,       minute_ms,
                                                     hour_ms, day_ms, 10 * day_ms};
  const auto most = static_cast<uint64_t>(dice_.pick(most_ms));
  if (dice_.once_in(2)) {
    const int64_t ms = signed_by(dice_, static_cast<int64_t>(1000 + dice_.draw(most)));
    world_.set_wall(ms);
    return fmt::format("the wall clock is set by {} ms", ms);
  }
  const int64_t ms = signed_by(dice_, static_cast<int64_t>(dice_.draw(most)));
  world_.step_tsc(ms);
  return fmt::format("the TSC steps by {} ms", ms);
}

std::string FaultInjector::reload() {
  // A table of routes takes much memory, so there are few.
  if (world_.routes_allowed() && dice_.once_in(4)) {
    world_.load_routes(++next_hop_);
    return "routes are loaded";
  }
  const app::LiveSettings settings = any_settings(dice_);
  world_.set_settings(settings);
  return fmt::format("settings: timeouts {} and {} ms, hold idle {}, delay {} ms, rate {}",
                     settings.rules.inactive_timeout_ms, settings.rules.active_timeout_ms,
                     settings.rules.hold_idle, settings.export_delay_ms, settings.export_rate);
}

void FaultInjector::turn(const Pace& pace) {
  constexpr size_t whole_frame = 2048;
  world_.pass_ms(pace.gap_ms);
  for (uint64_t left = dice_.draw(pace.packets_max + 1); left > 0; --left) {
    const Frame frame = pace.flows == 0 ? traffic_.fresh() : traffic_.next(pace.flows);
    world_.arrive(frame, dice_.once_in(30) ? dice_.between(10, 60) : whole_frame);
  }
  if (buffers_kept_ > 0 && --buffers_kept_ == 0) port_.keep_buffers(VirtualPort::buffers_max);
  for (size_t lane = 0; lane < world_.lanes(); ++lane) {
    may_stop();
    if (!kept(lanes_stalled_[lane], turns_kept_.workers)) world_.work(lane);
  }
  may_stop();
  if (!kept(exporter_stalled_, turns_kept_.exporter)) world_.export_records();
  world_.control();
}

// So that some lanes hear of it before others.
void FaultInjector::may_stop() {
  if (stop_in_ == 0 || --stop_in_ > 0) return;
  trace_.add(*stop_deaf_ ? "stop, and nothing arrives any more" : "stop");
  world_.stop(*stop_deaf_);
  stop_deaf_.reset();
}

// One flow with so many octets that its 32 bits of them run out.
void FaultInjector::elephant() {
  constexpr uint32_t packets = 2 * 65'540;
  for (uint32_t packet = 0; packet < packets; ++packet) {
    world_.arrive(traffic_.longest(4));
    if (packet % 60 == 0) world_.turn_all();
  }
}

}  // namespace pollflow::test
