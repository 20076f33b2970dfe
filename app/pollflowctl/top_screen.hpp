#pragma once

#include <cstddef>
#include <string>

#include "flow_pages.hpp"
#include "run_state.hpp"

namespace pollflow::ctl {

// What `top` shows: what happened from `before` to `now`, and the busiest flows. Lines of text.
std::string top_screen(const RunState& before, const RunState& now, const TopFlows& flows);

// How many lines it takes without flows.
size_t top_screen_lines(const RunState& state);

}  // namespace pollflow::ctl
