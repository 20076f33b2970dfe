#include "route/route_table.hpp"

#include <fmt/format.h>
#include <rte_errno.h>
#include <rte_fib.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <functional>
#include <stdexcept>
#include <string>
#include <unordered_map>

#include "failure.hpp"

namespace pollflow::route {
namespace {

constexpr uint32_t as_trans = 23456;  // RFC 6793: stands for an AS that takes more than 16 bits
constexpr unsigned tbl24_bits = 24;
constexpr size_t entry_bytes = 4;
constexpr size_t group_entries = 256;
constexpr size_t lookup_max = 128;

Answer answer_of(const Route& route) {
  if (route.hole) return {};
  return {.next_hop = route.next_hop,
          .out_if = route.out_if,
          .as = static_cast<uint16_t>(route.as <= UINT16_MAX ? route.as : as_trans),
          .mask = route.length};
}

struct AnswerHash {
  size_t operator()(const Answer& a) const noexcept {
    const uint64_t all = uint64_t{a.next_hop} << 32 | uint64_t{a.out_if} << 16 | a.as;
    return (all ^ uint64_t{a.mask} << 40) * 0x9e3779b97f4a7c15U >> 16;
  }
};

// Groups of tbl8: one for each /24 that has a longer route.
uint32_t count_groups(std::span<const Route> routes) {
  std::vector<bool> has_longer(size_t{1} << tbl24_bits);
  uint32_t count = 0;
  for (const Route& route : routes) {
    if (route.length <= tbl24_bits) continue;
    std::vector<bool>::reference seen = has_longer[route.prefix >> (32 - tbl24_bits)];
    if (!seen) ++count;
    seen = true;
  }
  return std::max(count, 1U);  // rte_fib wants one at least
}

// Tables live side by side while one takes the place of another, and rte_fib tells them by name.
std::string next_name() {
  static std::atomic<unsigned> number = 0;
  return fmt::format("routes_{}", number++);
}

[[noreturn]] void no_memory(std::span<const Route> routes, int error) {
  throw Failure(
      ExitCode::no_device,
      fmt::format("no memory for a table of {} routes ({} MiB: {}); start pollflow anew, which "
                  "sets memory aside for what it starts with (--read: give EAL a greater -m), or "
                  "give it fewer routes",
                  routes.size(), RouteTable::bytes_needed(routes) >> 20, rte_strerror(error)));
}

}  // namespace

// rte_fib: tbl24, tbl8 with a group to spare, and a mempool of two tree nodes a route. The pool
// gives each node three cache lines, so that nodes spread over memory channels, and a place in its
// ring.
size_t RouteTable::bytes_needed(std::span<const Route> routes) {
  constexpr size_t node_bytes = 192;
  constexpr size_t small_things = size_t{1} << 20;
  const size_t nodes = 2 * std::max<size_t>(routes.size(), 1);
  const size_t tables = (size_t{entry_bytes} << tbl24_bits) +
                        (count_groups(routes) + size_t{64}) * group_entries * entry_bytes;
  const size_t tree = nodes * node_bytes + std::bit_ceil(nodes + 1) * sizeof(void*);
  return tables + tree + (tables + tree) / 50 + small_things;
}

RouteTable::RouteTable(std::span<const Route> routes, int node) : answers_(1) {
  const std::string name = next_name();
  rte_fib_conf with{};
  with.type = RTE_FIB_DIR24_8;
  with.default_nh = 0;
  with.max_routes = static_cast<int>(std::max<size_t>(routes.size(), 1));
  with.dir24_8.nh_sz = RTE_FIB_DIR24_8_4B;
  with.dir24_8.num_tbl8 = count_groups(routes);
  fib_ = rte_fib_create(name.c_str(), node, &with);
  if (fib_ == nullptr) no_memory(routes, rte_errno);
  try {
    build(routes);
  } catch (...) {
    rte_fib_free(fib_);
    throw;
  }
}

RouteTable::~RouteTable() {
  rte_fib_free(fib_);
}

// In order a route is laid over what surrounds it. Out of order rte_fib would have to go around
// what is there already, slowly, and could ask for more tbl8 groups than were counted.
void RouteTable::build(std::span<const Route> routes) {
  if (std::ranges::adjacent_find(routes, std::ranges::greater_equal{}, order_of) != routes.end())
    throw std::invalid_argument("routes out of order");
  std::unordered_map<Answer, uint32_t, AnswerHash> numbers;
  for (const Route& route : routes) {
    const Answer answer = answer_of(route);
    if (route.length == 0) {  // what no other route matches: the fib's default
      answers_.front() = answer;
      continue;
    }
    const auto [known, fresh] = numbers.try_emplace(answer, static_cast<uint32_t>(answers_.size()));
    if (fresh) answers_.push_back(answer);
    const int error = rte_fib_add(fib_, route.prefix, route.length, known->second);
    if (error != 0) no_memory(routes, -error);
  }
}

void RouteTable::lookup(std::span<const uint32_t> addresses, std::span<Answer> out) const noexcept {
  std::array<uint32_t, lookup_max> asked;
  std::array<uint64_t, lookup_max> numbers;
  for (size_t at = 0; at < addresses.size(); at += lookup_max) {
    const auto part = addresses.subspan(at, std::min(lookup_max, addresses.size() - at));
    std::ranges::copy(part, asked.begin());  // rte_fib_lookup_bulk() takes no pointer to const
    rte_fib_lookup_bulk(fib_, asked.data(), numbers.data(), static_cast<int>(part.size()));
    for (size_t i = 0; i < part.size(); ++i)
      out[at + i] = answers_[numbers[i]];
  }
}

}  // namespace pollflow::route
