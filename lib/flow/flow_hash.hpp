#pragma once

#include <array>
#include <cstdint>

#include "packet/flow_key.hpp"

namespace pollflow::flow {

// Keyed hash of a flow key: folded 64 x 64 -> 128 bit multiplications (the step that wyhash and
// aHash are built from), the inputs masked with secret words. Without the secret a sender cannot
// tell which keys share a bucket. Identity is never decided by it: the table compares keys.
class FlowHash {
 public:
  explicit FlowHash(uint64_t secret) noexcept {
    for (uint64_t& word : words_)
      word = split_mix(secret);
  }

  // The NIC's RSS hash spares the first of three multiplications. It cannot stand alone: inside
  // one queue its low bits are constant (the RETA made the queue from them), it leaves out protocol
  // and TOS, and outside TCP and UDP the ports, and under a symmetric key it takes 65,536 values
  // only. So it is spread over 64 bits and added to the key; each half is masked with a secret.
  //
  // Once more, as flows that differ in one half only, and not in their RSS hash, come out of one
  // multiplication as multiples of the other half: under one secret of ten they lie so regularly
  // that few buckets get most of them.
  uint64_t operator()(const packet::FlowKey& key, uint32_t rss) const noexcept {
    const auto [low, high] = key.words();
    return fold(fold(low ^ words_[0] ^ rss * odd_constant, high ^ words_[1]), odd_constant);
  }

  // What stands in for the RSS hash where there is none.
  uint32_t in_place_of_rss(const packet::FlowKey& key) const noexcept {
    const auto [low, high] = key.words();
    return static_cast<uint32_t>(fold(low ^ words_[2], high ^ words_[3]));
  }
  uint64_t operator()(const packet::FlowKey& key) const noexcept {
    return (*this)(key, in_place_of_rss(key));
  }

 private:
  static constexpr uint64_t odd_constant = 0x9e3779b97f4a7c15;  // 2^64 / golden ratio

  static uint64_t fold(uint64_t a, uint64_t b) noexcept {
    __extension__ using Wide = unsigned __int128;
    const Wide product = static_cast<Wide>(a) * b;
    return static_cast<uint64_t>(product) ^ static_cast<uint64_t>(product >> 64);
  }

  // Vigna's SplitMix64: spreads one secret over several words.
  static uint64_t split_mix(uint64_t& state) noexcept {
    state += odd_constant;
    uint64_t z = state;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
  }

  std::array<uint64_t, 4> words_;
};

}  // namespace pollflow::flow
