#include "pipeline/published.hpp"

#include <array>
#include <atomic>
#include <thread>

#include "support/catch.hpp"

using namespace pollflow;

namespace {

struct Numbers {
  std::array<uint64_t, 64> all{};
};

}  // namespace

TEST_CASE("what is read was told at one time, and later readings are not older") {
  pipeline::Published<Numbers> published;
  CHECK(published.read().all == Numbers{}.all);
  std::atomic<bool> stop = false;
  std::thread teller([&] {
    Numbers numbers;
    while (!stop) {
      const uint64_t next = numbers.all[0] + 1;
      numbers.all.fill(next);
      published.publish(numbers);
    }
  });
  uint64_t last = 0;
  uint64_t changes = 0;
  bool whole = true;
  for (int reading = 0; reading < 2'000'000 && changes < 20'000; ++reading) {
    const Numbers numbers = published.read();
    for (const uint64_t number : numbers.all)
      whole &= number == numbers.all[0];
    whole &= numbers.all[0] >= last;
    changes += numbers.all[0] > last ? 1 : 0;
    last = numbers.all[0];
  }
  stop = true;
  teller.join();
  CHECK(whole);
  CHECK(changes > 0);
}
