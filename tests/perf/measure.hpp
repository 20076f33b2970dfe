#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "source.hpp"
#include "traffic.hpp"

namespace pollflow::perf {

struct Options {
  bool tiny = false;
  unsigned rounds = 7;
  std::string only;

  // Packets of a slice: some tens of milliseconds.
  [[nodiscard]] size_t slice() const { return (tiny ? 4 : 256) * size_t{Source::mbufs}; }
  [[nodiscard]] size_t packets() const { return rounds * slice(); }
  // Flows of a case, or in the tiny run enough to have walked every path.
  [[nodiscard]] uint32_t flows(uint32_t number) const {
    return tiny ? std::min(number, 16U << 10) : number;
  }
};

// By what was measured, one figure a round: TSC cycles a packet, unless the name says otherwise.
using Samples = std::map<std::string, std::vector<double>>;

// This thread's processor time in TSC cycles: what it waited for the processor does not count.
double cycles_now();

template <typename Work>
double cycles_of(Work work) {
  const double begin = cycles_now();
  work();
  return cycles_now() - begin;
}

// Hands `process` these flows' packets, in bursts. `kind`: how their RSS hashes come out, or
// images.
template <typename Kind, typename Process>
void feed(Source& source, std::span<const uint32_t> flows, const Kind& kind, Process process) {
  source.follow(flows, kind);
  for (size_t fed = 0; fed < flows.size();) {
    const port::Burst burst = source.receive();
    process(burst);
    fed += burst.packets.size();
  }
}

}  // namespace pollflow::perf
