#pragma once

#include <string>
#include <vector>

#include "route/route.hpp"

namespace pollflow::route {

// The routes that --routes names: of the kernel for "kernel", else of a file; none for "". In
// order, each prefix once. Throws Failure.
std::vector<Route> load_routes(const std::string& source);

}  // namespace pollflow::route
