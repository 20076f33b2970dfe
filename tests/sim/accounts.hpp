#pragma once

#include <array>
#include <cstdint>
#include <unordered_map>

#include "flow/tally.hpp"
#include "packet/flow_key.hpp"

namespace pollflow::test {

struct KeyHash {
  size_t operator()(const packet::FlowKey& key) const noexcept {
    const auto [low, high] = key.words();
    return (low * 0x9e3779b97f4a7c15) ^ (high * 0xbf58476d1ce4e5b9);
  }
};

// The slow and obvious model: packets and octets by key, which no eviction, early end or number of
// workers may change.
using Sums = std::unordered_map<packet::FlowKey, flow::Tally, KeyHash>;

}  // namespace pollflow::test
