#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <vector>

#include "packet/flow_key.hpp"

namespace pollflow::pipeline {

// The flows that pollflow's own datagrams make. A tap that sees the way to the collector would
// meter them, export that, and meter the export: a worker skips them instead, and counts them as
// such (Fate::own_export).
//
// Cost: two instructions a packet where there are none, a comparison for each collector else.
// Failure mode: later fragments carry no ports, so nobody can tell whose they are: they are metered
// like any other. Datagrams that the MTU lets through whole (--max-records) have none.
class OwnExport {
 public:
  // Of one collector's socket: addresses, ports, protocol; whatever TOS and input they come with.
  void add(const packet::FlowKey& flow) { flows_.push_back(identity(flow)); }

  [[nodiscard]] bool empty() const noexcept { return flows_.empty(); }
  [[nodiscard]] bool has(const packet::FlowKey& key) const noexcept {
    return std::ranges::find(flows_, identity(key)) != flows_.end();
  }

 private:
  using Words = std::array<uint64_t, 2>;

  static Words identity(packet::FlowKey key) noexcept {
    key.in_if = 0;
    key.tos = 0;
    return key.words();
  }

  std::vector<Words> flows_;
};

}  // namespace pollflow::pipeline
