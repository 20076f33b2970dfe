#pragma once

#include <string>
#include <vector>

#include "route/route.hpp"

namespace pollflow::route {

// Reads a file of routes (docs/reference/routes.md), in order (order_of()), each prefix once: the
// last of its lines wins. Throws Failure: no_input or no_permission when the file cannot
// be read, configuration when any line is bad, with each of the first 20 in its details.
std::vector<Route> read_route_file(const std::string& path);

}  // namespace pollflow::route
