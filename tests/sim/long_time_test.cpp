// What takes weeks or months: SysUptime's 32 bits run over, and a year goes by.

#include "sim/virtual_clock.hpp"
#include "sim/world.hpp"
#include "support/catch.hpp"

using namespace pollflow;
using namespace pollflow::test;

namespace {

constexpr int64_t begin_unix_ms = 1'700'000'000'000;
constexpr int64_t second_ms = 1000;
constexpr int64_t day_ms = 86'400 * second_ms;
constexpr int64_t uptime_wraps_ms = int64_t{1} << 32;

constexpr app::LiveSettings settings{
    .rules = {.inactive_timeout_ms = 15 * second_ms, .active_timeout_ms = 1800 * second_ms},
    .export_delay_ms = second_ms,
    .export_rate = 0};

VirtualPort& the_port() {
  static VirtualPort port;
  return port;
}

// A world whose traffic is told by the test, and whose TSC is off by a thousandth and a half.
struct Telling {
  explicit Telling(int64_t up_ms)
      : world((virtual_clock.begin(begin_unix_ms, 1500),
               World::Setup{.settings = settings, .up_ms = up_ms}),
              the_port(), dice, trace) {}

  // So long in turns of `gap_ms`, with a packet of the first flow in each.
  void live(int64_t for_ms, int64_t gap_ms) {
    for (int64_t passed_ms = 0; passed_ms < for_ms; passed_ms += gap_ms) {
      world.arrive(traffic.longest(0));
      turn(gap_ms);
    }
  }
  void idle(int64_t for_ms, int64_t gap_ms) {
    for (int64_t passed_ms = 0; passed_ms < for_ms; passed_ms += gap_ms)
      turn(gap_ms);
  }
  void turn(int64_t gap_ms) {
    world.pass_ms(static_cast<uint64_t>(gap_ms));
    world.turn_all();
    world.check();
  }
  void finish() {
    world.stop(true);
    world.finish();
  }
  [[nodiscard]] const CollectorView& view() { return world.network().views().front(); }

  Dice dice{1};
  Trace trace{30};
  Traffic traffic{dice};
  World world;
};

}  // namespace

TEST_CASE("a flow lives across SysUptime's wrap at 2^32 ms: First and Last stand in order") {
  Telling telling(uptime_wraps_ms - 20 * second_ms);
  telling.live(40 * second_ms, 500);
  CHECK(telling.world.table(0).flows() == 1);
  telling.idle(17 * second_ms, 500);
  CHECK(telling.world.table(0).flows() == 0);
  telling.finish();
  CHECK(telling.view().received() == flow::RecordTally{1, {80, 80 * 65'535}});
  CHECK(telling.view().base_changes() == 0);
}

TEST_CASE("flows that end before, at and after the wrap: uptime goes on, modulo 2^32") {
  Telling telling(uptime_wraps_ms - 60 * second_ms);
  for (int burst = 0; burst < 6; ++burst) {
    telling.live(2 * second_ms, 100);
    telling.idle(18 * second_ms, 100);
    CHECK(telling.world.table(0).flows() == 0);
  }
  telling.finish();
  CHECK(telling.view().received().records == 6);
}

TEST_CASE("a year in steps that grow: each flow leaves within its timeout and a second") {
  Telling telling(0);
  int64_t silence_ms = second_ms;
  uint64_t lives = 0;
  for (int64_t year_ms = 365 * day_ms; year_ms > 0; ++lives) {
    telling.live(5 * second_ms, 50);
    // In time, whatever has gone before.
    telling.idle(settings.rules.inactive_timeout_ms - second_ms, 50);
    CHECK(telling.world.table(0).flows() == 1);
    telling.idle(2 * second_ms + 100, 50);
    CHECK(telling.world.table(0).flows() == 0);
    // Nobody comes, and the machine may sleep for all of it.
    telling.idle(silence_ms, std::max<int64_t>(second_ms, silence_ms / 20));
    year_ms -= silence_ms;
    silence_ms = std::min(2 * silence_ms, 9 * day_ms);
  }
  telling.finish();
  CHECK(telling.view().received().records == lives);
  CHECK(telling.view().base_changes() == 0);
  CHECK(telling.world.ledger().lost() == flow::RecordTally{});
}

TEST_CASE("routes are in force from one record to the next") {
  Telling telling(0);
  for (uint32_t next_hop = 1; next_hop <= 3; ++next_hop) {
    telling.world.load_routes(next_hop);
    telling.live(1000, 100);
    telling.idle(17 * second_ms, 100);
    CHECK(telling.view().next_hop() == next_hop);
  }
  telling.finish();
}
