#include "route/route_memory.hpp"

#include <rte_malloc.h>
#include <unistd.h>

#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "failure.hpp"
#include "route/live_table.hpp"
#include "route/route_table.hpp"
#include "support/catch.hpp"

using namespace pollflow;
using route::LiveTable;
using route::Route;
using route::RouteMemory;
using route::RouteTable;

namespace {

std::vector<Route> routes_of(uint32_t count) {
  std::vector<Route> routes;
  for (uint32_t i = 0; i < count; ++i)
    routes.push_back({.prefix = 0x0a000000 + (i << 8), .length = 24, .next_hop = i + 1});
  return routes;
}

size_t allocated(int node) {
  rte_malloc_socket_stats stats{};
  REQUIRE(rte_malloc_get_socket_stats(node, &stats) == 0);
  return stats.heap_allocsz_bytes;
}

[[maybe_unused]] size_t resident_bytes() {
  std::ifstream statm("/proc/self/statm");
  size_t all = 0;
  size_t resident = 0;
  statm >> all >> resident;
  return resident * static_cast<size_t>(sysconf(_SC_PAGESIZE));
}

}  // namespace

TEST_CASE("tables come and go in it, again and again, and all of it is given back") {
  const std::vector<Route> routes = routes_of(1000);
  const RouteMemory memory(RouteMemory::bytes_needed(routes));
  const size_t before = allocated(memory.node());
  for (int reload = 0; reload < 5; ++reload) {
    LiveTable live({});
    live.build_on(memory.node());
    live.begin_with("first", routes);
    live.begin_with("second", routes);  // while the first is there
    CHECK(allocated(memory.node()) > before + RouteTable::bytes_needed(routes) / 2);
    CHECK(live.take() != nullptr);
  }
  CHECK(allocated(memory.node()) == before);
}

#if !defined(__SANITIZE_THREAD__)  // whose shadow of it stays
TEST_CASE("memory is taken as tables touch it, not as it is set aside") {
  const size_t before = resident_bytes();
  const RouteMemory memory(size_t{256} << 20);
  CHECK(resident_bytes() < before + (size_t{64} << 20));
}
#endif

TEST_CASE("routes that outgrow it are not loaded, and those in force stay") {
  const std::vector<Route> few = routes_of(10);
  const RouteMemory memory(RouteMemory::bytes_needed(few));
  LiveTable live({});
  live.build_on(memory.node());
  live.begin_with("few", few);
  const std::vector<Route> many = routes_of(1'000'000);
  CHECK_THROWS_AS(live.begin_with("many", many), Failure);
  CHECK(live.about().source == "few");
  REQUIRE(live.take() != nullptr);
}

TEST_CASE("more than there is address space for is refused") {
  try {
    const RouteMemory memory(size_t{1} << 50);
    FAIL("it was had");
  } catch (const Failure& failure) {
    CHECK(failure.code == ExitCode::no_device);
  }
}
