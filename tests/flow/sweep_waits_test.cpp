#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <random>

#include "support/catch.hpp"
#include "support/flow_fixtures.hpp"

using namespace pollflow;
using namespace pollflow::test;
using flow::EndReason;
using flow::Record;

namespace {

constexpr int64_t start_ms = 1'700'000'000'000;

// Flows on std::map beside the table: which live, and until when.
class Watched {
 public:
  Watched(const flow::ExpiryRules& rules, int64_t now_ms)
      : rules_(rules),
        table_({.flows_max = 256, .rules = rules, .hash_secret = 42}),
        now_ms_(now_ms),
        landed_ms_(now_ms) {}

  // A step back of less than a pass may go unnoticed, and delays the sweep by as much.
  void pass_time(int64_t step_ms) {
    now_ms_ += step_ms;
    if (step_ms > 250 || step_ms < -unnoticed_ms) landed_ms_ = now_ms_;  // nobody called the sweep
    if (step_ms < 0) delay_ms_ = unnoticed_ms;
  }

  // The packet meets its flow's deadline, is counted, and may end its flow.
  void packet(uint32_t number, bool fin) {
    auto at = live_.find(key_number(number).src);
    if (at != live_.end() && now_ms_ > deadline_ms(at->second)) {
      at = live_.erase(at);
      ++expected_;
      at = live_.end();
    }
    if (at == live_.end()) {
      live_[key_number(number).src] = {now_ms_, now_ms_, 1};
    } else {
      at->second.first_ms = std::min(at->second.first_ms, now_ms_);
      at->second.last_ms = std::max(at->second.last_ms, now_ms_);
      ++at->second.packets;
      if (fin) live_.erase(at);
      if (fin) ++expected_;
    }
    table_.update(packet_of(number, 100, fin ? flow::tcp_fin : uint8_t{0}), now_ms_);
    REQUIRE(table_.records().size() == expected_);
  }

  void sweep() {
    table_.sweep(now_ms_);
    for (; expected_ < table_.records().size(); ++expected_)
      require_over(table_.records()[expected_]);
    REQUIRE(table_.table().flows() == live_.size());
    int64_t late_ms = 0;
    for (const auto& [key, live] : live_)
      late_ms = std::max(late_ms, now_ms_ - std::max(deadline_ms(live), landed_ms_));
    REQUIRE(late_ms <= flow::expiry_lateness_ms_max + delay_ms_);
  }

  [[nodiscard]] size_t left() const { return expected_; }

 private:
  static constexpr int64_t unnoticed_ms = 750;

  struct Live {
    int64_t first_ms;
    int64_t last_ms;
    uint32_t packets;
  };

  [[nodiscard]] int64_t deadline_ms(const Live& live) const {
    const int64_t active_ms = live.first_ms + rules_.active_timeout_ms;
    const bool held = rules_.hold_idle && live.packets > 4;
    return held ? active_ms : std::min(active_ms, live.last_ms + rules_.inactive_timeout_ms);
  }
  void require_over(const Record& record) {
    const auto at = live_.find(record.key.src);
    REQUIRE(at != live_.end());
    const Live& live = at->second;
    REQUIRE(now_ms_ > deadline_ms(live));
    REQUIRE(record.reason <= EndReason::active);
    REQUIRE(std::tuple(record.first_ms, record.last_ms, record.packets) ==
            std::tuple(live.first_ms, live.last_ms, live.packets));
    live_.erase(at);
  }

  flow::ExpiryRules rules_;
  TableFixture table_;
  std::map<uint32_t, Live> live_;
  int64_t now_ms_;
  int64_t landed_ms_;
  int64_t delay_ms_ = 0;
  size_t expected_ = 0;  // records
};

}  // namespace

TEST_CASE("after time stepped back flows are swept neither early nor late for long") {
  const auto seed = GENERATE(range(1U, 21U));
  CAPTURE(seed);
  std::mt19937 random(seed);
  const flow::ExpiryRules rules{.inactive_timeout_ms = 1000 + 1000 * (seed % 9),
                                .active_timeout_ms = 1000 + 4000 * (seed % 7),
                                .hold_idle = seed % 2 == 0};
  Watched flows(rules, start_ms);
  for (int i = 0; i < 8000; ++i) {
    const bool jump = random() % 200 == 0;
    const int64_t most = std::array<int64_t, 3>{1000, 10'000, 864'000'000}.at(random() % 3);
    const auto far = static_cast<int64_t>(random() % static_cast<uint64_t>(most));
    const auto near = static_cast<int64_t>(1 + random() % 100);
    flows.pass_time(!jump ? near : random() % 2 == 0 ? far : -far);
    for (auto packets = random() % 4; packets > 0; --packets)
      flows.packet(static_cast<uint32_t>(random() % 100), random() % 10 == 0);
    flows.sweep();
  }
  CHECK(flows.left() > 0);
}

TEST_CASE("whatever the timeouts, a swept flow is neither early nor late by more than a second") {
  const auto seed = GENERATE(range(1U, 41U));
  CAPTURE(seed);
  std::mt19937 random(seed);
  const auto from_1_s_to_1_h = [&] {
    return static_cast<int64_t>(1000 *
                                std::pow(3600.0, static_cast<double>(random() % 1001) / 1000));
  };
  const flow::ExpiryRules rules{.inactive_timeout_ms = from_1_s_to_1_h(),
                                .active_timeout_ms = from_1_s_to_1_h(),
                                .hold_idle = seed % 2 == 0};
  CAPTURE(rules.inactive_timeout_ms, rules.active_timeout_ms);
  const int64_t before_1970_ms = -2'000'000'000;
  Watched flows(rules, seed % 5 == 0 ? before_1970_ms : start_ms);
  for (int i = 0; i < 8000; ++i) {
    const bool jump = random() % 100 == 0;
    const uint64_t step_ms = jump ? 120'000 : random() % 4 == 0 ? 250 : 40;
    flows.pass_time(1 + static_cast<int64_t>(random() % step_ms));
    for (auto packets = random() % 4; packets > 0; --packets)
      flows.packet(static_cast<uint32_t>(random() % 150), random() % 10 == 0);
    flows.sweep();
  }
  CHECK(flows.left() > 0);
}
