// Runs seeds of the simulation, in processes side by side; see scripts/simulate.

#include <fmt/format.h>
#include <rte_eal.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <bit>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "sim/simulation.hpp"

using namespace pollflow::test;

namespace {

constexpr uint64_t seeds_a_process = 100;  // tables are never given back, so not too many
constexpr time_t seed_cpu_s_max = 60;      // of processor time, far more than any takes

struct Arguments {
  uint64_t first = 1;
  uint64_t seeds = 10'000;
  unsigned jobs = 1;
  bool shows_trace = false;  // of the last steps, even if all is well
  bool canary = false;       // a mistake in the judge, for each seed to find
  bool crash = false;        // with the first seed
};

// What a process tells the one that started it; plain numbers in memory that both see.
struct Told {
  uint64_t seed = 0;  // that is under way
  uint64_t done = 0;
  uint64_t failed = 0;
  uint64_t hash = 0;
  SeedResult::Survived survived;
};

void add(SeedResult::Survived& sum, const SeedResult::Survived& more) {
  using Numbers = std::array<uint64_t, sizeof(SeedResult::Survived) / sizeof(uint64_t)>;
  auto numbers = std::bit_cast<Numbers>(sum);
  const auto added = std::bit_cast<Numbers>(more);
  for (size_t i = 0; i < numbers.size(); ++i)
    numbers[i] += added[i];
  sum = std::bit_cast<SeedResult::Survived>(numbers);
}

void start_eal() {
  std::array<const char*, 9> eal = {"sim",      "--no-huge", "--no-shconf", "--no-telemetry",
                                    "--no-pci", "-m",        "512",         "--log-level=error"};
  if (rte_eal_init(8, const_cast<char**>(eal.data())) < 0) {
    fmt::print(stderr, "sim: EAL does not start without huge pages\n");
    _exit(69);
  }
}

void tell_replay(uint64_t seed) {
  fmt::print(stderr, "sim: to see it again: scripts/simulate --seed {}\n", seed);
}

// In a process of its own.
void run_seeds(uint64_t first, uint64_t end, const Arguments& arguments, Told& told) {
  start_eal();
  VirtualPort port;
  const itimerval most = {.it_interval = {}, .it_value = {.tv_sec = seed_cpu_s_max, .tv_usec = 0}};
  for (uint64_t seed = first; seed < end; ++seed) {
    told.seed = seed;
    setitimer(ITIMER_PROF, &most, nullptr);
    if (arguments.crash) std::abort();
    const SeedResult result = run_seed(seed, port, arguments.canary);
    told.hash += result.hash;
    ++told.done;
    add(told.survived, result.survived);
    if (arguments.shows_trace || !result.failure.empty()) {
      for (const std::string& line : result.trace)
        fmt::print(stderr, "  {}\n", line);
    }
    if (result.failure.empty()) continue;
    ++told.failed;
    fmt::print(stderr, "sim: seed {} failed: {}\n", seed, result.failure);
    tell_replay(seed);
  }
}

// The processes under way, and what they tell.
class Processes {
 public:
  explicit Processes(size_t most)
      : told_(static_cast<Told*>(mmap(nullptr, most * sizeof(Told), PROT_READ | PROT_WRITE,
                                      MAP_SHARED | MAP_ANONYMOUS, -1, 0)),
              most) {}

  void start(uint64_t first, uint64_t end, const Arguments& arguments) {
    Told& told = told_[started_++];
    const pid_t id = fork();
    if (id == 0) {
      run_seeds(first, end, arguments, told);
      std::fflush(nullptr);
      _exit(0);
    }
    under_way_[id] = &told;
  }
  [[nodiscard]] size_t under_way() const { return under_way_.size(); }

  void wait_for_one() {
    int status = 0;
    const pid_t id = wait(&status);
    Told& told = *under_way_.at(id);
    under_way_.erase(id);
    if (!WIFSIGNALED(status) && WEXITSTATUS(status) == 0) return;
    ++told.failed;
    fmt::print(stderr, "sim: seed {} ended its process: {}\n", told.seed,
               WIFSIGNALED(status) ? strsignal(WTERMSIG(status)) : "see above");
    tell_replay(told.seed);
  }

  [[nodiscard]] std::span<const Told> told() const { return told_.first(started_); }

 private:
  std::span<Told> told_;
  size_t started_ = 0;
  std::map<pid_t, Told*> under_way_;
};

std::optional<Arguments> read(std::span<char*> words) {
  Arguments arguments;
  for (size_t i = 1; i < words.size(); ++i) {
    const std::string_view word = words[i];
    arguments.shows_trace |= word == "--trace";
    arguments.canary |= word == "--canary";
    arguments.crash |= word == "--crash";
    if (word == "--trace" || word == "--canary" || word == "--crash") continue;
    if (i + 1 == words.size()) return std::nullopt;
    const uint64_t value = std::strtoull(words[++i], nullptr, 10);
    if (word == "--seeds") {
      arguments.seeds = value;
    } else if (word == "--first") {
      arguments.first = value;
    } else if (word == "--jobs" && value > 0) {
      arguments.jobs = static_cast<unsigned>(value);
    } else {
      return std::nullopt;
    }
  }
  return arguments;
}

int print(std::span<const Told> all) {
  Told sum;
  for (const Told& told : all) {
    sum.done += told.done;
    sum.failed += told.failed;
    sum.hash += told.hash;
    add(sum.survived, told.survived);
  }
  const SeedResult::Survived& s = sum.survived;
  fmt::print(
      "steps {}\npackets {}\nmissed {}\nwithout_buffer {}\nrecords_sent {}\nlost_ring_full {}\n"
      "lost_send_failed {}\nlost_write_failed {}\nlost_on_the_way {}\nsends_refused {}\n"
      "evicted {}\noverflowed {}\n",
      s.steps, s.packets, s.missed, s.without_buffer, s.records_sent, s.lost_ring_full,
      s.lost_send_failed, s.lost_write_failed, s.lost_on_the_way, s.sends_refused, s.evicted,
      s.overflowed);
  fmt::print("worker_turns_kept {}\nexporter_turns_kept {}\ntsc_steps {}\nwall_clock_set {}\n",
             s.worker_turns_kept, s.exporter_turns_kept, s.tsc_steps, s.wall_clock_set);
  fmt::print("settings_taken {}\nerrands_done {}\nroutes_seen {}\n", s.settings_taken,
             s.errands_done, s.routes_seen);
  fmt::print("{} seeds, {} failed, hash {:016x}\n", sum.done, sum.failed, sum.hash);
  return sum.failed == 0 ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  const auto arguments = read({argv, static_cast<size_t>(argc)});
  if (!arguments) {
    fmt::print(stderr,
               "sim [--first SEED] [--seeds N] [--jobs N] [--trace] [--canary] [--crash]\n");
    return 64;
  }
  const uint64_t end = arguments->first + arguments->seeds;
  Processes processes((arguments->seeds + seeds_a_process - 1) / seeds_a_process + 1);
  for (uint64_t first = arguments->first; first < end; first += seeds_a_process) {
    if (processes.under_way() == arguments->jobs) processes.wait_for_one();
    processes.start(first, std::min(first + seeds_a_process, end), *arguments);
  }
  while (processes.under_way() > 0)
    processes.wait_for_one();
  return print(processes.told());
}
