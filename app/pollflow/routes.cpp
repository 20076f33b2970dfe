#include "routes.hpp"

#include "route/kernel_routes.hpp"
#include "route/route_file.hpp"

namespace pollflow::app {

std::vector<route::Route> read_routes(const Options& options) {
  if (options.routes.empty()) return {};
  if (options.routes == "kernel") return route::read_kernel_routes();
  return route::read_route_file(options.routes);
}

}  // namespace pollflow::app
