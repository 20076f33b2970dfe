#include "route/route_table.hpp"

#include <rte_lcore.h>
#include <rte_malloc.h>

#include <algorithm>
#include <map>
#include <random>
#include <thread>
#include <vector>

#include "failure.hpp"
#include "support/catch.hpp"

using namespace pollflow;
using route::Answer;
using route::mask_of;
using route::Route;
using route::RouteTable;

namespace {

constexpr int any_node = -1;
using Routes = std::vector<Route>;
using Random = std::mt19937_64;

Answer answer(const RouteTable& table, uint32_t address) {
  Answer out;
  table.lookup({&address, 1}, {&out, 1});
  return out;
}

Routes in_order(std::map<uint64_t, Route> by_prefix) {
  Routes routes;
  for (const auto& [order, route] : by_prefix)
    routes.push_back(route);
  return routes;
}

// Prefixes of every length, the long ones close together so that they nest.
Routes random_routes(Random& random, size_t count) {
  std::map<uint64_t, Route> routes;
  for (size_t i = 0; i < count; ++i) {
    const auto length = static_cast<uint8_t>(random() % 33);
    const auto near =
        static_cast<uint32_t>(random() % 2 == 0 ? random() : 0xc0a80000 + random() % 1024);
    const Route route{.prefix = near & mask_of(length),
                      .length = length,
                      .next_hop = static_cast<uint32_t>(random() % 50),
                      .out_if = static_cast<uint16_t>(random() % 5),
                      .as = static_cast<uint32_t>(random() % 100'000),
                      .hole = random() % 20 == 0};
    routes.emplace(order_of(route), route);
  }
  return in_order(std::move(routes));
}

// Longest prefix first, one after another.
Answer answer_by_hand(const Routes& routes, uint32_t address) {
  const Route* best = nullptr;
  for (const Route& route : routes) {
    const bool matches = (address & mask_of(route.length)) == route.prefix;
    if (matches && (best == nullptr || route.length >= best->length)) best = &route;
  }
  if (best == nullptr || best->hole) return {};
  const auto as = static_cast<uint16_t>(best->as > 65535 ? 23456 : best->as);
  return {.next_hop = best->next_hop, .out_if = best->out_if, .as = as, .mask = best->length};
}

size_t allocated_bytes() {
  size_t bytes = 0;
  for (unsigned i = 0; i < rte_socket_count(); ++i) {
    rte_malloc_socket_stats stats{};
    if (rte_malloc_get_socket_stats(rte_socket_id_by_idx(i), &stats) == 0)
      bytes += stats.heap_allocsz_bytes;
  }
  return bytes;
}

}  // namespace

TEST_CASE("without routes every address has an answer of zeros") {
  const RouteTable table({}, any_node);
  for (const uint32_t address : {0U, 0x0a000001U, 0xffffffffU})
    CHECK(answer(table, address) == Answer{});
}

TEST_CASE("the longest prefix decides, to its first and its last address") {
  const Routes routes = {{.prefix = 0, .length = 0, .out_if = 1, .as = 1},
                         {.prefix = 0x0a000000, .length = 8, .next_hop = 5, .out_if = 2},
                         {.prefix = 0x0a010000, .length = 16, .out_if = 3},
                         {.prefix = 0x0a010180, .length = 25, .out_if = 4},
                         {.prefix = 0x0a0101ff, .length = 32, .out_if = 5},
                         {.prefix = 0xffffffff, .length = 32, .out_if = 6}};
  const RouteTable table(routes, any_node);
  const std::pair<uint32_t, uint16_t> expected[] = {
      {0, 1},          {0x09ffffff, 1}, {0x0a000000, 2}, {0x0a00ffff, 2}, {0x0a010000, 3},
      {0x0a01017f, 3}, {0x0a010180, 4}, {0x0a0101fe, 4}, {0x0a0101ff, 5}, {0x0a010200, 3},
      {0x0affffff, 2}, {0x0b000000, 1}, {0xfffffffe, 1}, {0xffffffff, 6}};
  for (const auto& [address, out_if] : expected) {
    CAPTURE(address);
    CHECK(answer(table, address).out_if == out_if);
  }
  CHECK(answer(table, 0x0a000000) == Answer{.next_hop = 5, .out_if = 2, .as = 0, .mask = 8});
}

TEST_CASE("an AS that takes more than 16 bits is AS_TRANS") {
  const Routes routes = {{.prefix = 0x01000000, .length = 8, .as = 65535},
                         {.prefix = 0x02000000, .length = 8, .as = 65536},
                         {.prefix = 0x03000000, .length = 8, .as = 4294967295}};
  const RouteTable table(routes, any_node);
  CHECK(answer(table, 0x01000000).as == 65535);
  CHECK(answer(table, 0x02000000).as == 23456);
  CHECK(answer(table, 0x03000000).as == 23456);
}

TEST_CASE("a hole ends the search without a route") {
  const Routes routes = {{.prefix = 0x0a000000, .length = 8, .out_if = 2},
                         {.prefix = 0x0a010000, .length = 16, .out_if = 3, .hole = true},
                         {.prefix = 0x0a010100, .length = 24, .out_if = 4}};
  const RouteTable table(routes, any_node);
  CHECK(answer(table, 0x0a000001).out_if == 2);
  CHECK(answer(table, 0x0a010001) == Answer{});
  CHECK(answer(table, 0x0a010101).out_if == 4);
}

TEST_CASE("random tables answer as a search by hand does") {
  Random random(20);
  for (const size_t count : std::initializer_list<size_t>{1, 2, 10, 300, 3000}) {
    const Routes routes = random_routes(random, count);
    const RouteTable table(routes, any_node);
    std::vector<uint32_t> addresses;
    for (int i = 0; i < 1000; ++i) {
      const Route& route = routes[random() % routes.size()];
      const auto any = static_cast<uint32_t>(random());
      addresses.push_back(i % 3 == 0 ? any : route.prefix | (any & ~mask_of(route.length)));
    }
    std::vector<Answer> answers(addresses.size());
    table.lookup(addresses, answers);
    size_t wrong = 0;
    for (size_t i = 0; i < addresses.size(); ++i)
      wrong += answers[i] != answer_by_hand(routes, addresses[i]);
    CHECK(wrong == 0);
  }
}

TEST_CASE("a table takes the memory it said, and gives it back") {
  Random random(21);
  for (const size_t count : std::initializer_list<size_t>{0, 1, 1000, 60'000}) {
    CAPTURE(count);
    const Routes routes = random_routes(random, count);
    const size_t before = allocated_bytes();
    {
      const RouteTable table(routes, any_node);
      const size_t taken = allocated_bytes() - before;
      const size_t said = RouteTable::bytes_needed(routes);
      CHECK(said >= taken);
      CHECK(said <= taken + taken / 20);
    }
    CHECK(allocated_bytes() == before);
  }
}

TEST_CASE("without the memory there is a sentence, and nothing is left behind") {
  const size_t before = allocated_bytes();
  const auto build_too_many = [] {
    Routes routes;
    for (uint32_t i = 0; i < 2'000'000; ++i)
      routes.push_back({.prefix = i << 8, .length = 24});
    const RouteTable table(routes, any_node);
  };
  try {
    build_too_many();
    FAIL("built in memory that is not there");
  } catch (const Failure& failure) {
    CHECK(failure.code == ExitCode::no_device);
    CHECK_THAT(failure.what(), Catch::Contains("no memory for a table of 2000000 routes"));
  }
  CHECK(allocated_bytes() == before);
}

TEST_CASE("routes out of order, or one prefix twice, are a fault of the caller") {
  const Route a{.prefix = 0x0a000000, .length = 8};
  const Route b{.prefix = 0x0a000000, .length = 16};
  CHECK_THROWS_AS(RouteTable(Routes({b, a}), any_node), std::invalid_argument);
  CHECK_THROWS_AS(RouteTable(Routes({a, a}), any_node), std::invalid_argument);
}

TEST_CASE("several tables live at once, built and destroyed on any thread") {
  const Routes old_routes = {{.prefix = 0, .length = 1, .out_if = 1}};
  const Routes new_routes = {{.prefix = 0, .length = 1, .out_if = 2}};
  auto old_table = std::make_unique<RouteTable>(old_routes, any_node);
  std::unique_ptr<RouteTable> new_table;
  std::thread([&] { new_table = std::make_unique<RouteTable>(new_routes, any_node); }).join();
  CHECK(answer(*old_table, 5).out_if == 1);
  CHECK(answer(*new_table, 5).out_if == 2);
  std::thread([&] { old_table.reset(); }).join();
  CHECK(answer(*new_table, 5).out_if == 2);
}
