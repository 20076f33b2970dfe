#include "lcore_plan.hpp"

#include <vector>

#include "support/catch.hpp"

using pollflow::app::LcorePlan;
using pollflow::app::plan_lcores;

namespace {

void check_plan(const LcorePlan& plan, unsigned control, unsigned worker, unsigned exporter) {
  CHECK(plan.control == control);
  CHECK(plan.worker == worker);
  CHECK(plan.exporter == exporter);
}

}  // namespace

TEST_CASE("one lcore does everything") {
  check_plan(plan_lcores(0, {}), 0, 0, 0);
  check_plan(plan_lcores(5, {}), 5, 5, 5);
}

TEST_CASE("of two lcores the one beside the main lcore exports") {
  check_plan(plan_lcores(0, {1}), 0, 0, 1);
  check_plan(plan_lcores(7, {3}), 7, 7, 3);
}

TEST_CASE("of three lcores the main one controls, the first works, the last exports") {
  check_plan(plan_lcores(0, {1, 2}), 0, 1, 2);
  check_plan(plan_lcores(4, {2, 9}), 4, 2, 9);
}

TEST_CASE("a capture has one queue: of eight lcores five stay without work") {
  check_plan(plan_lcores(0, {1, 2, 3, 4, 5, 6, 7}), 0, 1, 7);
  check_plan(plan_lcores(3, {0, 1, 2, 4, 5, 6, 7}), 3, 0, 7);
}
