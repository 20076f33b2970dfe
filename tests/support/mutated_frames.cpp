#include "support/mutated_frames.hpp"

#include <algorithm>
#include <array>
#include <cstdlib>

#include "support/header_stacks.hpp"

namespace pollflow::test {
namespace {

// splitmix64: any number begins a sequence of its own, at no cost.
class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed) {}

  size_t below(size_t limit) { return static_cast<size_t>(next() % limit); }
  uint8_t byte() { return low_byte(next()); }

 private:
  uint64_t next() {
    uint64_t z = state_ += 0x9e3779b97f4a7c15;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return z ^ z >> 31;
  }

  uint64_t state_;
};

std::ptrdiff_t offset(size_t at) {
  return static_cast<std::ptrdiff_t>(at);
}

// Types and header bytes that mean something, where nobody expects them.
constexpr std::array<std::array<uint8_t, 2>, 16> telling = {{{0x08, 0x00},
                                                             {0x81, 0x00},
                                                             {0x88, 0xa8},
                                                             {0x91, 0x00},
                                                             {0x88, 0x47},
                                                             {0x88, 0x48},
                                                             {0x88, 0x63},
                                                             {0x88, 0x64},
                                                             {0x11, 0x00},
                                                             {0x00, 0x21},
                                                             {0x00, 0x57},
                                                             {0x08, 0x06},
                                                             {0x86, 0xdd},
                                                             {0x45, 0x00},
                                                             {0x60, 0x00},
                                                             {0x00, 0x13}}};

void mutate(Bytes& bytes, Random& random) {
  const size_t at = random.below(bytes.size() + 1);
  const size_t few = 1 + random.below(8);
  const bool inside = at < bytes.size();
  switch (random.below(8)) {
    case 0:
    case 1:
      if (inside) bytes[at] ^= low_byte(size_t{1} << random.below(8));
      break;
    case 2:
      if (inside) bytes[at] = random.byte();
      break;
    case 3: {
      const std::array<uint8_t, 2>& value = telling.at(random.below(telling.size()));
      for (size_t i = 0; i < value.size() && at + i < bytes.size(); ++i)
        bytes[at + i] = value.at(i);
      break;
    }
    case 4:
      bytes.insert(bytes.begin() + offset(at), few, random.byte());
      break;
    case 5:
      bytes.erase(bytes.begin() + offset(at),
                  bytes.begin() + offset(std::min(bytes.size(), at + few)));
      break;
    case 6:
      bytes.resize(at);
      break;
    default: {
      const std::vector<ValidFrame>& all = valid_frames();
      const Bytes& other = all[random.below(all.size())].frame.bytes();
      bytes.resize(at);
      bytes.insert(bytes.end(), other.begin() + offset(random.below(other.size())), other.end());
    }
  }
}

}  // namespace

MutatedFrame mutated_frame(uint64_t number) {
  Random random{number};
  const std::vector<ValidFrame>& all = valid_frames();
  const Frame& valid = all[random.below(all.size())].frame;
  MutatedFrame frame{valid.bytes(), valid.link()};
  for (size_t changes = 1 + random.below(4); changes > 0; --changes)
    mutate(frame.bytes, random);
  return frame;
}

MutationRange mutation_range(uint64_t count) {
  const char* wanted = std::getenv("POLLFLOW_MUTATIONS");
  if (wanted == nullptr) return {0, count};
  char* end = nullptr;
  const uint64_t first = std::strtoull(wanted, &end, 10);
  return {first, *end == ':' ? std::strtoull(end + 1, nullptr, 10) : 1};
}

std::string how_to_replay(uint64_t first, uint64_t count) {
  return "once more: POLLFLOW_MUTATIONS=" + std::to_string(first) + ":" + std::to_string(count);
}

}  // namespace pollflow::test
