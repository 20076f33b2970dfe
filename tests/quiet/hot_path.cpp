// The hot path on fixed traffic, for a program that counts instructions:
//
//   hot_path hits|new|mixed BURSTS    settles, then BURSTS turns within measured_turn()
//   hot_path --build                  what instruction counts depend on, as JSON
//
// scripts/count-instructions runs it.

#include <fmt/format.h>
#include <rte_version.h>

#include <cstdio>
#include <cstdlib>
#include <exception>

#include "quiet/worker_rig.hpp"
#include "whole_number.hpp"

using namespace pollflow;

// Counting is on within this function alone, which is found by its name.
extern "C" [[gnu::noinline]] void measured_turn(pipeline::Worker& worker,
                                                const port::Burst& burst) {
  worker.process(burst);
}

namespace {

constexpr int usage = 64;
constexpr uint64_t bursts_max = 1'000'000;

void print_build() {
  fmt::print(R"({{"compiler": "{}", "options": "{}", "dpdk": "{}", "avx2": {}}})"
             "\n",
             __VERSION__, POLLFLOW_BUILD_OPTIONS, rte_version(),
             __builtin_cpu_supports("avx2") != 0);
}

uint64_t run(test::Traffic kind, uint64_t bursts) {
  test::start_eal("hot_path");
  test::WorkerRig rig(kind);
  rig.settle();
  uint64_t packets = 0;
  for (uint64_t burst = 0; burst < bursts; ++burst) {
    const port::Burst next = rig.traffic().next();
    packets += next.packets.size();
    measured_turn(rig.flows().worker(), next);
    test::collect(rig.flows().ring());
  }
  return packets;
}

}  // namespace

int main(int argc, char** argv) try {
  const std::string_view first = argc > 1 ? argv[1] : "";
  if (first == "--build") {
    print_build();
    return EXIT_SUCCESS;
  }
  const auto kind = test::traffic_named(first);
  const auto bursts = argc == 3 ? whole_number<uint64_t>(argv[2], 1, bursts_max) : std::nullopt;
  if (!kind || !bursts) {
    fmt::print(stderr, "hot_path: say hot_path hits|new|mixed BURSTS, or hot_path --build\n");
    return usage;
  }
  fmt::print("packets {}\n", run(*kind, *bursts));
  return EXIT_SUCCESS;
} catch (const std::exception& error) {
  std::fprintf(stderr, "hot_path: %s\n", error.what());
  return EXIT_FAILURE;
}
