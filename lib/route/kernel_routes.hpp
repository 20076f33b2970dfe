#pragma once

#include <vector>

#include "route/route.hpp"

namespace pollflow::route {

// The IPv4 routes of the kernel's table main as they are now, in the network namespace of this
// process; docs/reference/routes.md has the rules. In order (order_of()), each prefix once.
// Throws Failure, no_permission or no_device, when the kernel does not tell.
std::vector<Route> read_kernel_routes();

}  // namespace pollflow::route
