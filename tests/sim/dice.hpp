#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <random>

namespace pollflow::test {

// What chance decides, by a seed: the same on each machine, unlike the library's distributions.
class Dice {
 public:
  explicit Dice(uint64_t seed) : random_(seed * 0x9e3779b97f4a7c15 + 1) {}

  // 0 .. below - 1.
  uint64_t draw(uint64_t below) { return random_() % below; }
  uint64_t between(uint64_t least, uint64_t most) { return least + draw(most - least + 1); }
  bool once_in(uint64_t times) { return draw(times) == 0; }
  template <typename T, size_t count>
  const T& pick(const std::array<T, count>& from) {
    return from[draw(count)];
  }

 private:
  std::mt19937_64 random_;
};

}  // namespace pollflow::test
