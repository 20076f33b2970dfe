#include "exporter/token_bucket.hpp"

#include <algorithm>
#include <array>
#include <limits>
#include <random>
#include <vector>

#include "support/catch.hpp"

using pollflow::exporter::TokenBucket;

namespace {

constexpr uint64_t s = 1'000'000'000;  // in nanoseconds, as all times here
constexpr uint64_t long_after_boot = 1'000'000 * s;

struct Take {
  uint64_t at_ns;
  uint64_t tokens;
};

// Polls a bucket at random moments, for as many tokens at a time as it gives, or for up to `most`.
std::vector<Take> drain(TokenBucket bucket, uint64_t rate, uint64_t most, size_t polls) {
  std::mt19937_64 random(rate + most);
  const uint64_t step_ns = 2 * most * s / rate + 1;
  std::vector<Take> taken;
  uint64_t now_ns = long_after_boot;
  for (size_t poll = 0; poll < polls; ++poll, now_ns += random() % step_ns) {
    const uint64_t tokens = 1 + random() % most;
    if (bucket.take(tokens, now_ns)) taken.push_back({now_ns, tokens});
  }
  return taken;
}

// Whether any window of time saw more than the depth and what the rate earns in it.
bool exceeds(const std::vector<Take>& taken, uint64_t rate, uint64_t depth) {
  for (size_t first = 0; first < taken.size(); ++first) {
    uint64_t sum = 0;
    for (size_t last = first; last < taken.size(); ++last) {
      sum += taken[last].tokens;
      const uint64_t span_ns = taken[last].at_ns - taken[first].at_ns;
      if (sum * s > depth * s + rate * span_ns) return true;
    }
  }
  return false;
}

void check_never_exceeded(uint64_t rate) {
  for (const uint64_t depth : {uint64_t{1}, uint64_t{30}, std::max<uint64_t>(30, rate / 100)}) {
    for (const uint64_t most : {uint64_t{1}, std::min<uint64_t>(30, depth)}) {
      CAPTURE(rate, depth, most);
      const auto taken = drain(TokenBucket(rate, depth), rate, most, 400);
      CHECK(taken.size() > 100);
      CHECK_FALSE(exceeds(taken, rate, depth));
    }
  }
}

constexpr std::array<uint64_t, 9> odd_rates = {
    3, 7, 999, 299'999, 333'333, 1'000'001, 300'000'000, 700'000'000, 999'999'999};
constexpr std::array<uint64_t, 7> even_rates = {1,         2,           1000,         62'500,
                                                1'000'000, 100'000'000, 1'000'000'000};

}  // namespace

TEST_CASE("rate 0 is no limit") {
  TokenBucket bucket(0, 30);
  for (uint64_t now_ns = 0; now_ns < 100; ++now_ns)
    CHECK(bucket.take(30, now_ns / 50));
  CHECK(bucket.take(std::numeric_limits<uint64_t>::max(), 0));
}

TEST_CASE("a bucket begins full, and holds no more than its depth") {
  for (const uint64_t rate : even_rates) {
    CAPTURE(rate);
    TokenBucket bucket(rate, 30);
    CHECK(bucket.take(30, long_after_boot));
    CHECK_FALSE(bucket.take(1, long_after_boot));
    const uint64_t much_later = 2 * long_after_boot;
    CHECK(bucket.take(10, much_later));
    CHECK(bucket.take(20, much_later));
    CHECK_FALSE(bucket.take(1, much_later));
  }
}

TEST_CASE("a bucket begins full on a clock that begins at 0, too") {
  TokenBucket bucket(10, 30);
  CHECK(bucket.take(30, 0));
}

TEST_CASE("on a clock that begins at 0 tokens come, and not too many") {
  TokenBucket bucket(10, 30);
  uint64_t taken = 0;
  for (uint64_t now_ns = 0; now_ns <= 10 * s; now_ns += s / 100) {
    taken += bucket.take(1, now_ns) ? 1 : 0;
    REQUIRE(taken * s <= 30 * s + 10 * now_ns);
  }
  CHECK(taken >= 100);
}

TEST_CASE("a token comes when the rate has earned it, and not a nanosecond earlier") {
  for (const uint64_t rate : even_rates) {
    CAPTURE(rate);
    TokenBucket bucket(rate, 5);
    REQUIRE(bucket.take(5, long_after_boot));
    for (uint64_t token = 1; token <= 20; ++token) {
      const uint64_t due_ns = long_after_boot + token * s / rate;
      CHECK_FALSE(bucket.take(1, due_ns - 1));
      CHECK(bucket.take(1, due_ns));
    }
  }
}

TEST_CASE("tokens taken together cost what they cost together") {
  TokenBucket bucket(300'000'000, 30);  // one: 3 1/3 ns
  REQUIRE(bucket.take(30, long_after_boot));
  CHECK_FALSE(bucket.take(30, long_after_boot + 99));
  CHECK(bucket.take(30, long_after_boot + 100));
}

TEST_CASE("a take that fails takes nothing") {
  TokenBucket bucket(1000, 10);
  REQUIRE(bucket.take(8, long_after_boot));
  for (int i = 0; i < 100; ++i)
    CHECK_FALSE(bucket.take(3, long_after_boot));
  CHECK(bucket.take(2, long_after_boot));
}

TEST_CASE("no window of time sees more than the depth and the rate") {
  for (const uint64_t rate : even_rates)
    check_never_exceeded(rate);
}

TEST_CASE("nor at rates that do not divide a second into whole nanoseconds") {
  for (const uint64_t rate : odd_rates)
    check_never_exceeded(rate);
}

TEST_CASE("no token is lost to a taker who comes often enough") {
  const auto check = [](uint64_t rate) {
    CAPTURE(rate);
    const uint64_t depth = std::max<uint64_t>(60, rate / 100);  // a take, and room to be late
    const uint64_t span_ns = 2000 * s / rate;                   // in which 2000 tokens are earned
    TokenBucket bucket(rate, depth);
    std::mt19937_64 random(rate);
    uint64_t taken = 0;
    for (uint64_t at_ns = 0; at_ns < span_ns; at_ns += random() % (10 * s / rate + 2)) {
      while (taken < 2 * (depth + 2000) && bucket.take(30, long_after_boot + at_ns))
        taken += 30;
    }
    CHECK(taken <= depth + 2000);
    // Up to 30 wait for the next take, and 15 are earned behind the last.
    CHECK(static_cast<double>(taken) > 0.99 * static_cast<double>(depth + 2000) - 45);
  };
  for (const uint64_t rate : even_rates)
    check(rate);
  for (const uint64_t rate : odd_rates)
    check(rate);
}

TEST_CASE("the whole range of rates and times does not overflow") {
  for (const uint64_t rate : {uint64_t{1}, uint64_t{1000}, uint64_t{1'000'000'000}}) {
    CAPTURE(rate);
    const uint64_t depth = std::max<uint64_t>(30, rate / 100);
    const uint64_t end_of_time = std::numeric_limits<uint64_t>::max();
    TokenBucket bucket(rate, depth);
    CHECK(bucket.take(depth, end_of_time - depth * s / rate));
    CHECK_FALSE(bucket.take(depth, end_of_time - 1));
    CHECK(bucket.take(depth, end_of_time));
    CHECK_FALSE(bucket.take(1, end_of_time));
  }
}
