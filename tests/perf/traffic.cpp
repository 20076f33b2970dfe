#include "traffic.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <random>

namespace pollflow::perf {
namespace {

constexpr uint64_t seed = 20260101;

// Flows of a campus by length; the log-normal's mean makes up what the short ones leave of 79.
class FlowLengths {
 public:
  // Of a flow that begins.
  uint32_t draw(std::mt19937_64& random) {
    const double kind = kind_(random);
    if (kind < one) return 1;
    if (kind < one + two) return 2;
    return 3 + whole(std::exp(normal_(random)));
  }

  // What is left of a flow that was found under way. Such a one has length n in proportion to n
  // times how many of that length begin (a log-normal so weighted has its logarithm moved by the
  // variance), and any of its packets is the next.
  uint32_t draw_rest(std::mt19937_64& random) {
    const double kind = kind_(random) * mean;
    uint32_t length = 1;
    if (kind < one) {
      length = 1;
    } else if (kind < one + 2 * two) {
      length = 2;
    } else if (kind < one + 2 * two + 3 * others) {
      length = 3 + whole(std::exp(normal_(random)));
    } else {
      length = 3 + whole(std::exp(normal_(random) + sigma * sigma));
    }
    return 1 + whole(kind_(random) * length);
  }

 private:
  static constexpr double one = 0.478;
  static constexpr double two = 0.175;
  static constexpr double others = 1 - one - two;
  static constexpr double mean = 79;
  static constexpr double sigma = 2;
  static constexpr double long_mean = (mean - one - 2 * two) / others - 3;

  static uint32_t whole(double number) { return static_cast<uint32_t>(std::min(number, 1e9)); }

  std::uniform_real_distribution<> kind_{0, 1};
  std::normal_distribution<> normal_{std::log(long_mean) - sigma * sigma / 2, sigma};
};

}  // namespace

Sequence uniform(size_t packets, uint32_t flows) {
  std::mt19937_64 random(seed);
  Sequence sequence(packets);
  for (uint32_t& flow : sequence)
    flow = static_cast<uint32_t>((random() >> 32) * flows >> 32);
  return sequence;
}

Sequence zipf(size_t packets, uint32_t flows) {
  std::vector<double> sums(flows);
  for (uint32_t flow = 0; flow < flows; ++flow)
    sums[flow] = (flow == 0 ? 0 : sums[flow - 1]) + 1.0 / (flow + 1);
  std::mt19937_64 random(seed);
  std::uniform_real_distribution<> uniform(0, sums.back());
  Sequence sequence(packets);
  for (uint32_t& flow : sequence) {
    const auto found = std::ranges::upper_bound(sums, uniform(random));
    flow = static_cast<uint32_t>(std::min<ptrdiff_t>(found - sums.begin(), flows - 1));
  }
  return sequence;
}

Sequence campus(size_t packets, uint32_t active) {
  struct Flow {
    uint32_t number;
    uint32_t left;
  };
  std::mt19937_64 random(seed);
  FlowLengths lengths;
  std::vector<Flow> flows(active);
  uint32_t begun = 0;
  for (Flow& flow : flows)
    flow = {begun++, lengths.draw_rest(random)};
  Sequence sequence(packets);
  for (uint32_t& number : sequence) {
    Flow& flow = flows[(random() >> 32) * active >> 32];
    number = flow.number;
    if (--flow.left == 0) flow = {begun++, lengths.draw(random)};
  }
  return sequence;
}

Sequence one_packet_flows(size_t packets) {
  Sequence sequence(packets);
  std::iota(sequence.begin(), sequence.end(), 0U);
  return sequence;
}

}  // namespace pollflow::perf
