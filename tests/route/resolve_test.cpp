#include "route/resolve.hpp"

#include <vector>

#include "support/catch.hpp"

using namespace pollflow;
using flow::Routing;
using packet::FlowKey;
using route::PortPairs;
using route::Route;
using route::RouteTable;

namespace {

const std::vector<Route> routes = {
    {.prefix = 0x0a000000, .length = 8, .next_hop = 0x01010101, .out_if = 7, .as = 100},
    {.prefix = 0x0b000000, .length = 9, .next_hop = 0x02020202, .out_if = 8, .as = 70'000},
    {.prefix = 0x0c000000, .length = 10, .as = 300}};

FlowKey key(uint32_t src, uint32_t dst, uint16_t in_if = 1) {
  return {.src = src,
          .dst = dst,
          .src_port = 1,
          .dst_port = 2,
          .in_if = in_if,
          .protocol = 17,
          .tos = 0};
}

Routing resolved(const RouteTable* table, const PortPairs& pairs, const FlowKey& key) {
  Routing out{.next_hop = 1, .out_if = 2, .src_mask = 3, .dst_mask = 4, .src_as = 5, .dst_as = 6};
  route::resolve(table, pairs, {&key, 1}, {&out, 1});
  return out;
}

}  // namespace

TEST_CASE("the destination decides where it goes, source and destination their mask and AS") {
  const RouteTable table(routes, -1);
  CHECK(resolved(&table, {}, key(0x0a000001, 0x0b000001)) == Routing{.next_hop = 0x02020202,
                                                                     .out_if = 8,
                                                                     .src_mask = 8,
                                                                     .dst_mask = 9,
                                                                     .src_as = 100,
                                                                     .dst_as = 23456});
  CHECK(resolved(&table, {}, key(0x0b000001, 0x0a000001)) == Routing{.next_hop = 0x01010101,
                                                                     .out_if = 7,
                                                                     .src_mask = 9,
                                                                     .dst_mask = 8,
                                                                     .src_as = 23456,
                                                                     .dst_as = 100});
  CHECK(resolved(&table, {}, key(0x0a000001, 0x01000000)) == Routing{.src_mask = 8, .src_as = 100});
  CHECK(resolved(&table, {}, key(0x01000000, 0x0c000001)) ==
        Routing{.dst_mask = 10, .dst_as = 300});
}

TEST_CASE("a port's partner is the output where no route says one") {
  const RouteTable table(routes, -1);
  PortPairs pairs;
  pairs.add(1, 40);
  pairs.add(2, 50);
  CHECK(resolved(&table, pairs, key(5, 0x0b000001, 1)).out_if == 8);   // the route says
  CHECK(resolved(&table, pairs, key(5, 0x0c000001, 1)).out_if == 40);  // a route without one
  CHECK(resolved(&table, pairs, key(5, 6, 40)).out_if == 1);           // no route; both ways
  CHECK(resolved(nullptr, pairs, key(5, 6, 50)) == Routing{.out_if = 2});
  CHECK(resolved(nullptr, pairs, key(5, 6, 3)) == Routing{});
}

TEST_CASE("without a table what stood there before is gone") {
  CHECK(resolved(nullptr, {}, key(0x0a000001, 0x0b000001)) == Routing{});
}

TEST_CASE("any number of keys is resolved, each in its place") {
  const RouteTable table(routes, -1);
  for (const size_t count : std::initializer_list<size_t>{0, 1, 63, 64, 65, 128, 129, 1000}) {
    CAPTURE(count);
    std::vector<FlowKey> keys;
    for (uint32_t i = 0; i < count; ++i)
      keys.push_back(key(0x0a000000 + i, 0x0a000000 + (i % 3 << 24)));
    std::vector<Routing> out(count + 1, Routing{.next_hop = 99});
    route::resolve(&table, {}, keys, out);
    size_t wrong = 0;
    for (uint32_t i = 0; i < count; ++i)
      wrong += out[i].src_as != 100 || out[i].dst_mask != 8 + i % 3;
    CHECK(wrong == 0);
    CHECK(out[count].next_hop == 99);
  }
}
