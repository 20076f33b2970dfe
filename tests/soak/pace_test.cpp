#include "pace.hpp"

#include "support/catch.hpp"

using pollflow::soak::Pace;

namespace {

constexpr uint64_t second_ns = 1'000'000'000;
constexpr uint64_t start_ns = 5 * second_ns;

}  // namespace

TEST_CASE("what is due is what the rate says, to the frame", "[soak]") {
  Pace pace(300, start_ns);
  uint64_t sent = 0;
  for (uint64_t ms = 0; ms <= 1000; ++ms)
    sent += pace.due(start_ns + ms * 1'000'000);
  CHECK(sent == 300);
  CHECK(pace.forgiven() == 0);
}

TEST_CASE("after a stall a few come at once and the rest never", "[soak]") {
  Pace pace(1000, start_ns);
  CHECK(pace.due(start_ns + 10 * second_ns) == 256);
  CHECK(pace.forgiven() == 10'000 - 256);
  CHECK(pace.due(start_ns + 10 * second_ns) == 0);
  CHECK(pace.due(start_ns + 11 * second_ns) == 256);
}

TEST_CASE("without a rate there is always something due", "[soak]") {
  Pace pace(0, start_ns);
  CHECK(pace.due(start_ns) > 0);
  CHECK(pace.due(start_ns) > 0);
}
