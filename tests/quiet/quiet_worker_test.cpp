// After its start a worker allocates nothing, makes no system call, takes no lock and executes no
// locked instruction, looked at instruction by instruction.

#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <ctime>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>

#include "quiet/skipped.hpp"
#include "quiet/stepper.hpp"
#include "quiet/worker_rig.hpp"
#include "support/catch.hpp"

using namespace pollflow;
using test::Account;
using test::mark;
using test::skipped;
using test::Traffic;
using test::WorkerRig;

namespace {

// Of so many turns one is looked at: some of those have flows that expire in a sweep.
constexpr int turns_between = 7;

struct Watched {
  Traffic kind;
  int turns;
  uint32_t records;  // that leave in them, at least
};

uint64_t watch(const Watched& watched) {
  test::start_eal("quiet_worker");
  WorkerRig rig(watched.kind);
  rig.settle();
  const auto pushed = [&] { return rig.flows().ring().pushed(); };
  uint64_t packets = 0;
  uint32_t records = 0;
  for (int turn = 0; turn < watched.turns * turns_between; ++turn) {
    const port::Burst burst = rig.traffic().next();
    if (turn % turns_between > 0) {
      rig.flows().worker().process(burst);
    } else {
      packets += burst.packets.size();
      const uint32_t before = pushed();
      mark();
      rig.flows().worker().process(burst);
      mark();
      records += pushed() - before;
    }
    test::collect(rig.flows().ring());
  }
  if (records < watched.records) throw std::runtime_error("too few flows left while looked at");
  return packets;
}

// What a worker must not do, each in a function of its own, to be found by its name.
[[gnu::noinline]] void planted_allocation() {
  void* volatile memory = std::malloc(100);
  std::free(memory);
  asm volatile("");  // else it would jump there: no call of its own
}
[[gnu::noinline]] void planted_new() {
  static std::unique_ptr<int> number;
  number = std::make_unique<int>(7);
}
[[gnu::noinline]] void planted_system_call() {
  timespec now{};
  syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &now);
  asm volatile("");
}
[[gnu::noinline]] void planted_mutex() {
  static std::mutex mutex;
  const std::lock_guard held(mutex);
}
[[gnu::noinline]] void planted_fetch_add() {
  static std::atomic<int> shared = 0;
  shared.fetch_add(1, std::memory_order_relaxed);
}
[[gnu::noinline]] void planted_exchange() {
  static std::atomic<int> shared = 0;
  shared.store(1, std::memory_order_seq_cst);
}

struct Planted {
  void (*what)();
  const char* noticed;  // as what, and in which function
  const char* where;
};

}  // namespace

TEST_CASE("a worker allocates nothing, makes no system call, and takes no lock") {
  if (skipped("a quiet worker")) return;
  const auto watched = GENERATE(Watched{Traffic::hits, 2, 0}, Watched{Traffic::new_flows, 3, 100},
                                Watched{Traffic::mixed, 6, 20});
  const Account account = test::step([&] { return watch(watched); });
  INFO(account.text());
  CHECK(account.packets >= 128);
  CHECK(account.instructions > 20 * account.packets);
  CHECK(account.findings.empty());
}

TEST_CASE("what a worker must not do is noticed, by the function that did it") {
  if (skipped("a worker with a fault")) return;
  const auto planted =
      GENERATE(Planted{planted_allocation, "malloc", "planted_allocation"},
               Planted{planted_allocation, "free", "planted_allocation"},
               Planted{planted_new, "_Znwm", "planted_new"},
               Planted{planted_system_call, "system call", "planted_system_call"},
               Planted{planted_mutex, "pthread_mutex_lock", "planted_mutex"},
               Planted{planted_fetch_add, "locked instruction", "planted_fetch_add"},
               Planted{planted_exchange, "locked instruction", "planted_exchange"});
  const Account account = test::step([&] {
    for (int time = 0; time < 3; ++time) {
      mark();
      planted.what();
      mark();
    }
    return 1;
  });
  INFO(account.text());
  const auto found = std::ranges::find_if(account.findings, [&](const test::Finding& finding) {
    return finding.what == planted.noticed &&
           (finding.where + finding.caller).find(planted.where) != std::string::npos;
  });
  REQUIRE(found != account.findings.end());
  CHECK(found->times == 3);
}
