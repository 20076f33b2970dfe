#include "pairs.hpp"

#include <fmt/format.h>

#include "failure.hpp"

namespace pollflow::app {

void drop_pairs_of(const PortMap& line, PortMap& file) {
  for (const auto& [port, partner] : line) {
    const auto paired = file.find(port);
    if (paired == file.end()) continue;
    file.erase(paired->second);
    file.erase(paired);
  }
}

// A pair is known by the ifindexes of its ports: one that two paired ports share must mean the same
// partner.
void check_pairs(const Options& options) {
  PortMap by_ifindex;
  for (const auto& [port, partner] : options.pairs) {
    if (!options.read.empty()) {
      throw Failure(ExitCode::usage,
                    fmt::format("--pair {}={}: with --read there is port 0 only", port, partner));
    }
    const uint16_t out_if = options.in_if(partner);
    const auto known = by_ifindex.emplace(options.in_if(port), out_if).first;
    if (known->second == out_if) continue;
    throw Failure(ExitCode::usage,
                  fmt::format("--pair {}={}: another paired port has ifindex {} too, and its "
                              "partner's is {}; give each an --ifindex of its own",
                              port, partner, known->first, known->second));
  }
}

route::PortPairs Options::port_pairs() const {
  route::PortPairs by_ifindex;
  for (const auto& [port, partner] : pairs) {
    if (port < partner) by_ifindex.add(in_if(port), in_if(partner));
  }
  return by_ifindex;
}

}  // namespace pollflow::app
