#pragma once

#include <rte_eal.h>
#include <rte_launch.h>
#include <rte_lcore.h>
#include <sched.h>

#include <algorithm>
#include <atomic>
#include <optional>
#include <vector>

#include "failure.hpp"
#include "lcore_plan.hpp"

namespace pollflow::app {

// The lcores of a run. Each takes turns among the roles that the plan gives it, until the run is
// over: that is all the scheduling there is. A Run has
//
//   bool over();                       any lcore
//   bool work_turn(size_t worker);     the worker's lcore; true when there was something to do
//   bool export_turn();                the export lcore; likewise
//   void control_turn(bool alone);     the control lcore; may sleep when it has no other role
template <typename Run>
class Roles {
 public:
  Roles(Run& run, const LcorePlan& plan) : lcores_(lay_out(run, plan)) {}

  // Returns when the run is over and each lcore has come to its end.
  void run() {
    for (LcoreRoles& roles : lcores_) {
      if (roles.lcore == rte_get_main_lcore()) continue;
      if (rte_eal_remote_launch(take_turns, &roles, roles.lcore) != 0)
        rte_exit(static_cast<int>(ExitCode::failed), "pollflow: lcore %u does not take its work\n",
                 roles.lcore);
    }
    for (LcoreRoles& roles : lcores_) {
      if (roles.lcore == rte_get_main_lcore()) take_turns(&roles);
    }
    rte_eal_mp_wait_lcore();
    // What the others wrote is seen from here on, as the language has it: EAL's wait does not say
    // so.
    while (finished_.load(std::memory_order_acquire) < lcores_.size()) {
    }
  }

 private:
  struct LcoreRoles {
    Run* run;
    std::atomic<size_t>* finished;
    unsigned lcore;
    bool control = false;
    bool export_records = false;
    std::optional<size_t> worker{};
    bool shares_cpu = false;
  };

  std::vector<LcoreRoles> lay_out(Run& run, const LcorePlan& plan) {
    std::vector<LcoreRoles> lcores;
    const auto roles_of = [&](const Lcore& lcore) -> LcoreRoles& {
      const auto found = std::ranges::find(lcores, lcore.id, &LcoreRoles::lcore);
      if (found != lcores.end()) return *found;
      return lcores.emplace_back(
          LcoreRoles{.run = &run, .finished = &finished_, .lcore = lcore.id});
    };
    roles_of(plan.control).control = true;
    roles_of(plan.exporter).export_records = true;
    for (size_t worker = 0; worker < plan.workers.size(); ++worker)
      roles_of(plan.workers[worker].lcore).worker = worker;
    for (LcoreRoles& roles : lcores) {
      roles.shares_cpu = std::ranges::any_of(lcores, [&](const LcoreRoles& other) {
        return other.lcore != roles.lcore && overlap(other.lcore, roles.lcore);
      });
    }
    return lcores;
  }

  static bool overlap(unsigned a, unsigned b) {
    const rte_cpuset_t cpus_of_a = rte_lcore_cpuset(a);
    const rte_cpuset_t cpus_of_b = rte_lcore_cpuset(b);
    rte_cpuset_t common;
    RTE_CPU_AND(&common, &cpus_of_a, &cpus_of_b);
    return CPU_COUNT(&common) > 0;
  }

  // Nothing may be unwound while other lcores run on it.
  static int take_turns(void* argument) noexcept {
    const auto& roles = *static_cast<const LcoreRoles*>(argument);
    const bool alone = !roles.worker && !roles.export_records;
    while (!roles.run->over()) {
      bool busy = false;
      if (roles.worker) busy |= roles.run->work_turn(*roles.worker);
      if (roles.export_records) busy |= roles.run->export_turn();
      if (roles.control) roles.run->control_turn(alone);
      // Lcores that share a CPU would else wait for each other's time slices to run out.
      if (!busy && roles.shares_cpu) sched_yield();
    }
    roles.finished->fetch_add(1, std::memory_order_release);
    return 0;
  }

  std::atomic<size_t> finished_ = 0;
  std::vector<LcoreRoles> lcores_;
};

}  // namespace pollflow::app
