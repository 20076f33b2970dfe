#pragma once

#include <cstdint>
#include <string>

#include "control/flow_desk.hpp"

struct rte_tel_data;

namespace pollflow::control {

// The most flows that a reply of top has room for, whatever their numbers.
inline constexpr size_t top_flows_max = 64;

// One page of a snapshot. Throws std::exception with a sentence, as reply_top() does.
void reply_flows(FlowDesk& desk, const Sources& sources, const std::string& cursor,
                 const std::string& filter, rte_tel_data* data);

// The `count` first of all live flows by "octets", "packets" or "age".
void reply_top(FlowDesk& desk, const Sources& sources, uint64_t count, const std::string& order,
               const std::string& filter, rte_tel_data* data);

}  // namespace pollflow::control
