#include "route/resolve.hpp"

#include <algorithm>
#include <array>

namespace pollflow::route {
namespace {

constexpr size_t keys_at_once = 64;

// At most keys_at_once of them. Sources and destinations in one bulk: their cache misses overlap.
void look_up(const RouteTable& table, std::span<const packet::FlowKey> keys,
             std::span<flow::Routing> out) noexcept {
  std::array<uint32_t, 2 * keys_at_once> addresses;
  std::array<Answer, 2 * keys_at_once> answers;
  for (size_t i = 0; i < keys.size(); ++i) {
    addresses[2 * i] = keys[i].src;
    addresses[2 * i + 1] = keys[i].dst;
  }
  table.lookup({addresses.data(), 2 * keys.size()}, answers);
  for (size_t i = 0; i < keys.size(); ++i) {
    const Answer& src = answers[2 * i];
    const Answer& dst = answers[2 * i + 1];
    out[i] = {.next_hop = dst.next_hop,
              .out_if = dst.out_if,
              .src_mask = src.mask,
              .dst_mask = dst.mask,
              .src_as = src.as,
              .dst_as = dst.as};
  }
}

}  // namespace

void resolve(const RouteTable* table, const PortPairs& pairs, std::span<const packet::FlowKey> keys,
             std::span<flow::Routing> out) noexcept {
  for (size_t at = 0; table != nullptr && at < keys.size(); at += keys_at_once) {
    const size_t count = std::min(keys_at_once, keys.size() - at);
    look_up(*table, keys.subspan(at, count), out.subspan(at, count));
  }
  if (table == nullptr) std::ranges::fill(out.first(keys.size()), flow::Routing{});
  for (size_t i = 0; i < keys.size(); ++i) {
    if (out[i].out_if == 0) out[i].out_if = pairs.partner_of(keys[i].in_if);
  }
}

}  // namespace pollflow::route
