#include "flow/expiry.hpp"

#include "support/catch.hpp"

using namespace pollflow::flow;

namespace {

constexpr int64_t t = 1'700'000'000'000;

struct Case {
  const char* what;
  int64_t first_ms;
  int64_t last_ms;
  uint32_t packets;
  bool hold_idle;
  bool pressure;
  int64_t at_ms;
  EndReason reason;
};

constexpr Case cases[] = {
    {"one packet idles out", t, t, 1, false, false, t + 15'000, EndReason::idle},
    {"idle counts from the last packet", t, t + 9000, 3, false, false, t + 24'000, EndReason::idle},
    {"a busy flow reaches the active timeout", t, t + 1'799'000, 9, false, false, t + 1'800'000,
     EndReason::active},
    {"both at once: idle", t, t + 1'785'000, 9, false, false, t + 1'800'000, EndReason::idle},
    {"held: 5 packets", t, t, 5, true, false, t + 1'800'000, EndReason::active},
    {"not held: 4 packets", t, t, 4, true, false, t + 15'000, EndReason::idle},
    {"not held under pressure", t, t, 5, true, true, t + 15'000, EndReason::idle},
    {"pressure alone changes nothing", t, t, 5, false, true, t + 15'000, EndReason::idle},
};

}  // namespace

TEST_CASE("a flow's deadline is the earlier of idle and active") {
  for (const Case& c : cases) {
    INFO(c.what);
    const Deadline due =
        deadline(c.first_ms, c.last_ms, c.packets, {.hold_idle = c.hold_idle}, c.pressure);
    CHECK(due.at_ms == c.at_ms);
    CHECK(due.reason == c.reason);
  }
}

TEST_CASE("a flow is alive up to its deadline and over a millisecond later") {
  const Deadline due{t, EndReason::idle};
  CHECK_FALSE(due.passed(t - 1));
  CHECK_FALSE(due.passed(t));
  CHECK(due.passed(t + 1));
}

TEST_CASE(
    "a record leaves now, or a second behind its deadline, but never before its last packet") {
  const Deadline due{t, EndReason::idle};
  CHECK(left_table_ms(t - 100, due, t + 300) == t + 300);
  CHECK(left_table_ms(t - 100, due, t + 1000) == t + 1000);
  CHECK(left_table_ms(t - 100, due, t + 86'400'000) == t + 1000);
  CHECK(left_table_ms(t + 5000, due, t + 300) == t + 5000);
}
