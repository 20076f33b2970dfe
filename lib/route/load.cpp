#include "route/load.hpp"

#include "route/kernel_routes.hpp"
#include "route/route_file.hpp"

namespace pollflow::route {

std::vector<Route> load_routes(const std::string& source) {
  if (source.empty()) return {};
  return source == "kernel" ? read_kernel_routes() : read_route_file(source);
}

}  // namespace pollflow::route
