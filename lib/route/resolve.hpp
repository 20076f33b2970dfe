#pragma once

#include <span>

#include "flow/routing.hpp"
#include "packet/flow_key.hpp"
#include "route/port_pairs.hpp"
#include "route/route_table.hpp"

namespace pollflow::route {

// Fills in as many places of `out` as there are keys. The destination's route decides next hop,
// output ifindex, mask and AS of the destination, the source's route mask and AS of the source.
// Where the destination's route has no output ifindex, a paired port's partner is it. Without a
// table (nullptr) there are no routes.
void resolve(const RouteTable* table, const PortPairs& pairs, std::span<const packet::FlowKey> keys,
             std::span<flow::Routing> out) noexcept;

}  // namespace pollflow::route
