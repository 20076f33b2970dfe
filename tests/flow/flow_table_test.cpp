#include "flow/flow_table.hpp"

#include <algorithm>
#include <map>
#include <random>

#include "support/catch.hpp"
#include "support/flow_fixtures.hpp"
#include "support/flow_model.hpp"

using namespace pollflow;
using namespace pollflow::test;
using flow::EndReason;
using flow::Record;

namespace {

constexpr int64_t start_ms = 1'700'000'000'000;

flow::FlowTable::Options options_of(size_t flows_max, flow::ExpiryRules rules = {}) {
  return {.flows_max = flows_max, .rules = rules, .hash_secret = 42};
}

struct Traffic {
  std::mt19937 random;
  uint32_t keys;
  int64_t now_ms = start_ms;

  packet::Packet next(int64_t step_ms_max) {
    now_ms += static_cast<int64_t>(random() % static_cast<uint64_t>(step_ms_max + 1));
    const uint8_t flags =
        random() % 20 == 0 ? static_cast<uint8_t>(random() & 0x3f) : uint8_t{0x10};
    return packet_of(static_cast<uint32_t>(random() % keys),
                     static_cast<uint16_t>(20 + random() % 1480), flags);
  }
};

}  // namespace

TEST_CASE("random traffic gives the records of the model, sweep or no sweep") {
  const auto seed = GENERATE(range(1U, 25U));
  const bool hold_idle = seed % 3 == 0;
  const flow::ExpiryRules rules{
      .inactive_timeout_ms = 1500, .active_timeout_ms = 9000, .hold_idle = hold_idle};
  TableFixture fixture(options_of(4096, rules));
  Model model(rules);
  Traffic traffic{.random = std::mt19937(seed), .keys = 1 + 40 * (seed % 7)};
  for (int i = 0; i < 20'000; ++i) {
    const packet::Packet packet = traffic.next(static_cast<int64_t>(1) << (seed % 9));
    fixture.update(packet, traffic.now_ms);
    model.update(packet, traffic.now_ms);
    if (seed % 2 == 0 && i % 64 == 0) fixture.sweep(traffic.now_ms);
  }
  REQUIRE(fixture.table().walk().records == fixture.table().flows());
  fixture.flush(traffic.now_ms);
  REQUIRE(fixture.table().flows() == 0);
  require_same(fixture.records(), model.finish(traffic.now_ms));
}

TEST_CASE("one hash for every key: keys decide, two buckets fill, and one more evicts") {
  constexpr uint32_t fit = 2 * flow::TagBucket::slots;
  // Also hashes whose halves or low bits are all zeros or ones.
  const uint64_t hash = GENERATE(0x1234567890abcdefULL, 0ULL, ~0ULL, 0xffffffff00000000ULL,
                                 0xffffffffULL, 0x1234567800010000ULL, 0x00000000ffff0000ULL);
  CAPTURE(hash);
  TableFixture fixture(options_of(GENERATE(as<size_t>{}, 64, 4096)));
  for (uint32_t round = 0; round < 3; ++round) {
    for (uint32_t key = 0; key < fit; ++key) {
      fixture.update_hashed(packet_of(key), hash, start_ms);
    }
  }
  REQUIRE(fixture.table().flows() == fit);
  REQUIRE(fixture.table().walk().records == fit);
  REQUIRE(fixture.records().empty());
  fixture.update_hashed(packet_of(99), hash, start_ms);
  REQUIRE(fixture.records().size() == 1);
  REQUIRE(fixture.records().front().reason == EndReason::evicted);
  REQUIRE(fixture.records().front().packets == 3);
  REQUIRE(fixture.table().flows() == fit);
}

TEST_CASE("one flow several times in a burst is one flow") {
  TableFixture fixture(options_of(64));
  flow::RecordBatch batch;
  batch.reset(flow::RecordBatch::records_max);
  std::vector<flow::Arrival> arrivals(
      3, {.packet = packet_of(7, 40), .first = 0, .at_ms = start_ms, .rest = 99, .slot = 0});
  fixture.table().locate(arrivals);
  fixture.table().look(arrivals);
  fixture.table().update(arrivals, batch);
  const flow::RecordTally live = fixture.table().walk();
  REQUIRE(live.records == 1);
  REQUIRE(live.carried == flow::Tally{3, 120});
}

TEST_CASE("a table holds --max-flows flows and evicts none before that") {
  const size_t flows_max = GENERATE(as<size_t>{}, 1, 2, 15, 16, 17, 31, 100, 1000, 65'536, 200'000);
  TableFixture fixture(options_of(flows_max));
  for (uint32_t key = 0; key < flows_max; ++key)
    fixture.update(packet_of(key), start_ms);
  REQUIRE(fixture.records().empty());
  REQUIRE(fixture.table().flows() == flows_max);
  fixture.update(packet_of(static_cast<uint32_t>(flows_max)), start_ms);
  REQUIRE(fixture.records().size() == 1);
  REQUIRE(fixture.records().front().reason == EndReason::evicted);
  REQUIRE(fixture.table().flows() == flows_max);
  REQUIRE(fixture.table().flows_high_water() == flows_max);
}

TEST_CASE("a full table never refuses a packet and loses no count") {
  const auto seed = GENERATE(range(1U, 13U));
  const size_t flows_max = size_t{1} << (seed % 8);
  const bool room = seed % 2 == 0;  // else every record that must leave is lost, and counted
  TableFixture fixture(
      options_of(flows_max, {.inactive_timeout_ms = 500, .active_timeout_ms = 5000}));
  Traffic traffic{.random = std::mt19937(seed), .keys = 1000};
  Sums offered;
  for (int i = 0; i < 20'000; ++i) {
    const packet::Packet packet = traffic.next(3);
    fixture.update(packet, traffic.now_ms, room ? 1 : 0);
    offered[packet.key.src].first += 1;
    offered[packet.key.src].second += packet.octets;
    REQUIRE(fixture.table().flows() <= flows_max);
    if (i % 50 == 0) fixture.sweep(traffic.now_ms);
  }
  fixture.flush(traffic.now_ms);
  flow::RecordTally lost;
  for (const auto& by_reason : fixture.table().lost())
    lost += by_reason;
  if (room) {
    REQUIRE(lost == flow::RecordTally{});
    REQUIRE(sums_of(fixture.records()) == offered);
    return;
  }
  flow::Tally all = lost.carried;
  for (const Record& record : fixture.records())
    all += record.carried();
  flow::Tally all_offered;
  for (const auto& [key, sum] : offered)
    all_offered += {sum.first, sum.second};
  REQUIRE(all == all_offered);
}

TEST_CASE("the flow that leaves early is a small one while there is any, each in its turn") {
  // One hash: two buckets. Flow 0 is in the first.
  constexpr uint32_t fit = 2 * flow::TagBucket::slots;
  const flow::ExpiryRules rules{.inactive_timeout_ms = 10'000, .active_timeout_ms = 100'000};
  constexpr uint64_t hash = 0x0123456789abcdef;
  TableFixture fixture(options_of(4096, rules));
  const auto fill = [&](uint32_t small_from) {
    for (uint32_t key = 0; key < fit; ++key) {
      const int packets = key >= small_from ? 1 : 5;
      for (int i = 0; i < packets; ++i)
        fixture.update_hashed(packet_of(key), hash, start_ms + key);
    }
    REQUIRE(fixture.records().empty());
  };
  const auto evicted = [&](uint32_t new_key, int64_t at_ms) {
    fixture.update_hashed(packet_of(new_key), hash, at_ms);
    REQUIRE(fixture.records().back().reason == EndReason::evicted);
    return fixture.records().back().key.src - key_number(0).src;
  };
  SECTION("all big: one leaves all the same, then the small one that came") {
    fill(fit);
    CHECK(evicted(1000, start_ms + 100) == 0);
    CHECK(evicted(1001, start_ms + 101) == 1000);
    CHECK(evicted(1002, start_ms + 102) == 1001);
  }
  SECTION("a scan pushes out small flows one after the other, never a big one") {
    fill(5);
    for (uint32_t scan = 0; scan < 200; ++scan)
      CHECK(evicted(1000 + scan, start_ms + 100 + scan) >= 5);
    CHECK(fixture.records().size() == 200);
    // Nobody has a second turn before everybody had a first.
    for (uint32_t scan = 100; scan < 200; ++scan)
      CHECK(fixture.records()[scan].first_ms < fixture.records()[scan].left_ms - 10);
  }
  SECTION("one that is over anyway leaves with its own reason") {
    fill(0);
    fixture.update_hashed(packet_of(1000), hash, start_ms + 60'000);
    CHECK(fixture.records().front().reason == EndReason::idle);
  }
}

TEST_CASE("without room a flow that is over stays, counts on and is tried again") {
  TableFixture fixture(options_of(64, {.inactive_timeout_ms = 1000, .active_timeout_ms = 100'000}));
  fixture.update(packet_of(1), start_ms);
  fixture.update(packet_of(1), start_ms + 5000, 0);  // over, but no place for its record
  fixture.update(packet_of(1, 100, flow::tcp_fin), start_ms + 5001, 0);
  REQUIRE(fixture.records().empty());
  REQUIRE(fixture.table().walk().carried == flow::Tally{3, 300});
  fixture.sweep(start_ms + 10'000);
  fixture.sweep(start_ms + 11'000);
  REQUIRE(fixture.records().size() == 1);
  REQUIRE(fixture.records().front().packets == 3);
}

TEST_CASE("octets never wrap: the flow leaves as overflow, or is lost and counted") {
  const bool room = GENERATE(true, false);
  TableFixture fixture(options_of(64, {.inactive_timeout_ms = 1000, .active_timeout_ms = 1000}));
  uint64_t offered = 0;
  for (int i = 0; i < 140'000; ++i) {
    fixture.update(packet_of(1, 65'535), start_ms, room ? 1 : 0);
    offered += 65'535;
  }
  fixture.flush(start_ms);
  uint64_t seen = fixture.table().lost()[index_of(EndReason::overflow)].carried.octets;
  REQUIRE((seen > 0) == !room);
  for (const Record& record : fixture.records())
    seen += record.octets;
  REQUIRE(seen == offered);
  if (room) {
    REQUIRE(fixture.records().front().reason == EndReason::overflow);
    REQUIRE(fixture.records().front().octets == 65'536U * 65'535U);
  }
}

TEST_CASE("a sweep with no traffic lets each flow leave within its deadline and a second") {
  const int64_t poll_ms = GENERATE(1, 7, 100, 250);
  const flow::ExpiryRules rules{.inactive_timeout_ms = 4000, .active_timeout_ms = 60'000};
  TableFixture fixture(options_of(20'000, rules));
  std::mt19937 random(7);
  std::map<uint32_t, int64_t> last_ms;
  int64_t now_ms = start_ms;
  for (uint32_t key = 0; key < 5000; ++key) {
    now_ms += random() % 3;
    fixture.update(packet_of(key), now_ms);
    last_ms[key_number(key).src] = now_ms;
    if (key % 64 == 0) fixture.sweep(now_ms);
  }
  size_t seen = fixture.records().size();
  while (fixture.table().flows() > 0) {
    now_ms += poll_ms;
    fixture.sweep(now_ms);
    for (; seen < fixture.records().size(); ++seen) {
      const Record& record = fixture.records()[seen];
      const int64_t deadline_ms = last_ms[record.key.src] + rules.inactive_timeout_ms;
      REQUIRE(record.reason == EndReason::idle);
      REQUIRE(now_ms > deadline_ms);
      REQUIRE(now_ms <= deadline_ms + flow::expiry_lateness_ms_max);
      REQUIRE(record.left_ms == now_ms);
    }
    REQUIRE(now_ms < start_ms + 60'000);
  }
  REQUIRE(seen == 5000);
}

TEST_CASE("new rules hold for the flows that are in the table already") {
  TableFixture fixture(options_of(20'000, {.inactive_timeout_ms = 600'000}));
  for (uint32_t key = 0; key < 5000; ++key)
    fixture.update(packet_of(key), start_ms);
  int64_t now_ms = start_ms;
  const auto pass = [&](int64_t until_ms) {
    for (; now_ms < until_ms; now_ms += 50)
      fixture.sweep(now_ms);
  };
  pass(start_ms + 3000);
  CHECK(fixture.table().flows() == 5000);
  fixture.table().set_rules({.inactive_timeout_ms = 4000}, start_ms);
  pass(start_ms + 4000);
  CHECK(fixture.table().flows() == 5000);
  pass(start_ms + 4000 + flow::expiry_lateness_ms_max + 50);
  CHECK(fixture.table().flows() == 0);
}

TEST_CASE("after a hole in time a flow leaves when it would have left") {
  TableFixture fixture(options_of(64));
  fixture.update(packet_of(1), start_ms);
  constexpr int64_t day_ms = 86'400'000;
  fixture.update(packet_of(2), start_ms + day_ms);
  fixture.sweep(start_ms + day_ms);
  fixture.sweep(start_ms + day_ms + 1000);
  REQUIRE(fixture.records().size() == 1);
  REQUIRE(fixture.records().front().left_ms == start_ms + 15'000 + flow::expiry_lateness_ms_max);
}

TEST_CASE("time that steps back after new rules, or while a pass waits for room, delays no flow") {
  const bool new_rules = GENERATE(true, false);
  const flow::ExpiryRules rules{.inactive_timeout_ms = 15'000, .active_timeout_ms = 60'000};
  TableFixture fixture(options_of(1000, rules));
  for (uint32_t key = 0; key < 900; ++key)
    fixture.update(packet_of(key), start_ms);
  const int64_t later_ms = start_ms + 1'000'000;
  if (new_rules) {
    fixture.table().set_rules(rules, later_ms);
  } else {
    flow::RecordBatch batch;
    batch.reset(flow::RecordBatch::records_max);
    REQUIRE_FALSE(fixture.table().sweep(later_ms, batch));
  }
  int64_t now_ms = later_ms - 400'000;
  for (uint32_t key = 900; key < 1000; ++key)
    fixture.update(packet_of(key), now_ms);
  const int64_t idle_ms = now_ms + rules.inactive_timeout_ms + flow::expiry_lateness_ms_max;
  for (; now_ms <= idle_ms; now_ms += 50)
    fixture.sweep(now_ms);
  CHECK(fixture.table().flows() == 0);
}

TEST_CASE("time that steps back breaks no flow, and flows still leave in time after it") {
  TableFixture fixture(
      options_of(1000, {.inactive_timeout_ms = 2000, .active_timeout_ms = 60'000}));
  fixture.update(packet_of(1), start_ms);
  fixture.sweep(start_ms);
  const int64_t outlier_ms = start_ms + 10'000'000;
  fixture.update(packet_of(2), outlier_ms);
  fixture.sweep(outlier_ms);
  fixture.update(packet_of(1), start_ms + 10);
  fixture.update(packet_of(2), start_ms + 11);
  fixture.update(packet_of(2), start_ms + 5);
  int64_t now_ms = start_ms + 11;
  for (; now_ms < start_ms + 3100; now_ms += 50)
    fixture.sweep(now_ms);
  REQUIRE(fixture.table().flows() == 1);  // flow 2, last seen in the far future
  fixture.flush(now_ms);
  REQUIRE(sums_of(fixture.records()) ==
          Sums{{key_number(1).src, {2, 200}}, {key_number(2).src, {3, 300}}});
  const auto& records = fixture.records();
  const auto second_of_1 = std::ranges::find_if(records, [](const Record& r) {
    return r.key.src == key_number(1).src && r.first_ms == start_ms + 10;
  });
  REQUIRE(second_of_1 != records.end());
  REQUIRE(second_of_1->reason == EndReason::idle);
  const auto of_2 =
      std::ranges::find(records, key_number(2).src, [](const Record& r) { return r.key.src; });
  REQUIRE(of_2->first_ms == start_ms + 5);
  REQUIRE(of_2->last_ms == outlier_ms);
}

TEST_CASE(
    "--hold-idle holds idle flows of more than 4 packets until the table is three quarters full") {
  const flow::ExpiryRules rules{
      .inactive_timeout_ms = 5000, .active_timeout_ms = 1'000'000, .hold_idle = true};
  TableFixture fixture(options_of(100, rules));
  for (uint32_t key = 0; key < 10; ++key) {
    for (uint32_t i = 0; i < (key < 5 ? 5U : 4U); ++i)
      fixture.update(packet_of(key), start_ms);
  }
  int64_t now_ms = start_ms;
  const auto pass = [&](int64_t until_ms) {
    for (; now_ms < until_ms; now_ms += 100)
      fixture.sweep(now_ms);
  };
  pass(start_ms + 10'000);
  REQUIRE(fixture.records().size() == 5);  // the small ones
  REQUIRE(fixture.table().flows() == 5);

  for (uint32_t key = 100; key < 170; ++key)
    fixture.update(packet_of(key), now_ms);
  pass(now_ms + 1400);                     // looked at, and promised quiet for seconds
  REQUIRE(fixture.table().flows() == 75);  // exactly three quarters: still held
  REQUIRE(fixture.records().size() == 5);
  fixture.update(packet_of(170), now_ms);
  fixture.update(packet_of(171), now_ms);
  pass(now_ms + 1000);
  REQUIRE(fixture.table().flows() == 75);  // two held ones left, then there was room again
  REQUIRE(fixture.records().size() == 7);
  for (size_t i = 5; i < 7; ++i) {
    REQUIRE(fixture.records()[i].packets == 5);
    REQUIRE(fixture.records()[i].reason == EndReason::idle);
  }
}

TEST_CASE("--hold-idle gives way each time that the table passes three quarters again") {
  const flow::ExpiryRules rules{
      .inactive_timeout_ms = 15'000, .active_timeout_ms = 1'000'000, .hold_idle = true};
  TableFixture fixture(options_of(20'000, rules));
  for (uint32_t key = 0; key < 75'000; ++key) {
    fixture.update(packet_of(key % 15'000), start_ms);
  }
  int64_t now_ms = start_ms;
  for (; now_ms < start_ms + 60'000; now_ms += 20)
    fixture.sweep(now_ms);
  REQUIRE(fixture.table().flows() == 15'000);
  for (uint32_t key = 100'000; key < 106'000; ++key) {
    fixture.update(packet_of(key), now_ms);
    if (key % 2 == 0) fixture.sweep(++now_ms);
  }
  REQUIRE(fixture.table().flows_high_water() < 17'000);  // a second's worth above the mark
  for (const Record& record : fixture.records())
    REQUIRE(record.reason == EndReason::idle);
}

TEST_CASE("a flush judges every flow alike, whatever left before it") {
  const flow::ExpiryRules rules{
      .inactive_timeout_ms = 1000, .active_timeout_ms = 1'000'000, .hold_idle = true};
  TableFixture fixture(options_of(16, rules));
  for (uint32_t key = 0; key < 13; ++key) {
    for (int i = 0; i < 5; ++i)
      fixture.update(packet_of(key), start_ms);
  }
  fixture.flush(start_ms + 5000);
  REQUIRE(fixture.records().size() == 13);
  for (const Record& record : fixture.records())
    REQUIRE(record.reason == EndReason::idle);
}

TEST_CASE("a flush ends when the table is empty, also when flows came while it went on") {
  TableFixture fixture(options_of(1000));
  for (uint32_t key = 0; key < 500; ++key)
    fixture.update(packet_of(key), start_ms);
  flow::RecordBatch batch;
  batch.reset(250);
  REQUIRE_FALSE(fixture.table().flush(start_ms, batch));
  for (uint32_t key = 500; key < 700; ++key)  // also where the flush has been
    fixture.update(packet_of(key), start_ms);
  fixture.flush(start_ms);
  CHECK(fixture.table().flows() == 0);
  CHECK(batch.records().size() + fixture.records().size() == 700);
}

TEST_CASE("flows that differ in a few bits only spread over the table") {
  const int shift = GENERATE(0, 8, 16);
  CAPTURE(shift);
  TableFixture fixture(options_of(50'000));
  for (uint32_t key = 0; key < 50'000; ++key) {
    packet::Packet packet = packet_of(0);
    packet.key.src = key << shift;
    fixture.update(packet, start_ms);
  }
  REQUIRE(fixture.records().empty());
  REQUIRE(fixture.table().flows() == 50'000);
}
