#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "route/route.hpp"

struct rte_fib;

namespace pollflow::route {

// What the longest matching prefix says about an address; zeros when none matches.
struct Answer {
  uint32_t next_hop = 0;
  uint16_t out_if = 0;
  uint16_t as = 0;   // AS_TRANS for one that does not fit
  uint8_t mask = 0;  // length of the prefix

  bool operator==(const Answer&) const = default;
};

// Longest prefix match, built once and never changed: a reload builds another one.
//
//   address ─ first 24 bits ─> tbl24 ─┬─ number ──────────────────> answers
//                              2^24   │                             (each once)
//                              of 4 B └─ last 8 bits ─> tbl8 group
//                                                       256 of 4 B, for each /24 with longer routes
//
// Beside it rte_fib keeps a tree of all prefixes to change itself by, about 400 bytes a route and
// not looked at by a lookup. A lookup costs one random cache line in tbl24, a second one where
// routes are longer than 24, and one for the answer; in bulk they are on their way at the same
// time. Without memory for all of it there is no table: the constructor throws.
class RouteTable {
 public:
  // Bytes of EAL memory that a table of these routes takes, some percent more than less.
  static size_t bytes_needed(std::span<const Route> routes);

  // Builds it on NUMA node `node` (-1: any), on any thread; a million routes take about a second.
  // They come in order (order_of()), each prefix once. Throws Failure when there is no memory. EAL
  // must be up.
  RouteTable(std::span<const Route> routes, int node);
  RouteTable(const RouteTable&) = delete;
  RouteTable& operator=(const RouteTable&) = delete;
  ~RouteTable();

  // The answer for each address, in as many places of `out`.
  void lookup(std::span<const uint32_t> addresses, std::span<Answer> out) const noexcept;

 private:
  void build(std::span<const Route> routes);

  rte_fib* fib_ = nullptr;
  std::vector<Answer> answers_;  // by what the fib holds; the first: no route, or the route of /0
};

}  // namespace pollflow::route
