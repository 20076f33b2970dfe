#include "route/live_table.hpp"

#include <array>
#include <atomic>
#include <thread>
#include <vector>

#include "failure.hpp"
#include "support/catch.hpp"

using namespace pollflow;
using route::LiveTable;
using route::Route;

namespace {

std::vector<Route> everything_to(uint32_t next_hop) {
  return {{.prefix = 0, .length = 0, .next_hop = next_hop, .out_if = 3, .as = 0}};
}

uint32_t next_hop_in(const route::RouteTable* table) {
  const std::array<packet::FlowKey, 1> key{};
  std::array<flow::Routing, 1> routing;
  route::resolve(table, {}, key, routing);
  return routing[0].next_hop;
}

}  // namespace

TEST_CASE("a table is there from before the run, and tells about itself") {
  LiveTable routes({});
  CHECK(routes.take() == nullptr);
  CHECK(routes.about().source.empty());
  routes.begin_with("/a/file", everything_to(77));
  CHECK(routes.about().source == "/a/file");
  CHECK(routes.about().routes == 1);
  CHECK(routes.about().loaded_ms > 1'700'000'000'000);
  CHECK(next_hop_in(routes.take()) == 77);
  const std::array<packet::FlowKey, 1> key{};
  std::array<flow::Routing, 1> routing;
  routes.resolve(key, routing);
  CHECK(routing[0].next_hop == 77);
  CHECK(routing[0].out_if == 3);
}

TEST_CASE("what cannot be loaded leaves the table in force") {
  LiveTable routes({});
  routes.begin_with("good", everything_to(5));
  CHECK_THROWS_AS(routes.load("/no/such/file"), Failure);
  CHECK_THROWS_AS(routes.load("/dev/null"), Failure);  // nor what is no file that stays
  CHECK(routes.about().source == "good");
  CHECK(routes.about().failures == 2);
  CHECK(next_hop_in(routes.take()) == 5);
}

TEST_CASE("an empty source takes the routes away") {
  LiveTable routes({});
  routes.begin_with("good", everything_to(5));
  routes.load("");
  CHECK(routes.take() == nullptr);
  CHECK(routes.about().source.empty());
}

TEST_CASE("an exchange is over once the export lcore has taken the new table, or stopped") {
  LiveTable routes({});
  routes.begin_with("first", everything_to(1));
  routes.open();
  std::atomic<uint32_t> newest = 1;
  std::atomic<bool> stop = false;
  bool fresh = true;
  std::thread exporter([&] {
    while (!stop) {
      const uint32_t at_least = newest;
      fresh &= next_hop_in(routes.take()) >= at_least;  // never one that was replaced, nor freed
    }
    routes.close();
  });
  for (uint32_t number = 2; number < 12; ++number) {
    routes.begin_with("next", everything_to(number));
    newest = number;
  }
  stop = true;
  exporter.join();
  CHECK(fresh);
  routes.begin_with("after", everything_to(99));  // nobody is waited for
  CHECK(next_hop_in(routes.take()) == 99);
}
