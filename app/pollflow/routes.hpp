#pragma once

#include <vector>

#include "options.hpp"
#include "route/route.hpp"

namespace pollflow::app {

// The routes that --routes names, as they are now; none without it. Throws Failure when they cannot
// be read.
std::vector<route::Route> read_routes(const Options& options);

}  // namespace pollflow::app
