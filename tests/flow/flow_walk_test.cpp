#include "flow/flow_walk.hpp"

#include <array>
#include <map>
#include <random>
#include <set>
#include <vector>

#include "support/catch.hpp"
#include "support/flow_fixtures.hpp"

using namespace pollflow;
using namespace pollflow::test;
using flow::FlowWalk;
using flow::LiveFlow;

namespace {

constexpr int64_t start_ms = 1'700'000'000'000;

flow::FlowTable::Options options_of(size_t flows_max, flow::ExpiryRules rules = {}) {
  return {.flows_max = flows_max, .rules = rules, .hash_secret = 42};
}

FlowWalk walk_of(int64_t before_ms, const char* filter = "") {
  return {.filter = flow::FlowFilter::parse(filter), .before_ms = before_ms, .slot = 0};
}

// Steps to the end, with room for `room` flows a step.
std::vector<LiveFlow> list_all(flow::FlowTable& table, FlowWalk walk, size_t room = 1000) {
  std::vector<LiveFlow> all;
  std::vector<LiveFlow> page(room);
  while (!table.at_end(walk)) {
    const size_t count = table.list(walk, page);
    all.insert(all.end(), page.begin(), page.begin() + static_cast<std::ptrdiff_t>(count));
  }
  return all;
}

std::vector<packet::FlowKey> keys_of(const std::vector<LiveFlow>& flows) {
  std::vector<packet::FlowKey> keys;
  for (const LiveFlow& flow : flows)
    keys.push_back(flow.key);
  return keys;
}

}  // namespace

TEST_CASE("a walk lists each flow once, as it is, however small its steps") {
  TableFixture fixture(options_of(20'000));
  for (uint32_t number = 0; number < 15'000; ++number) {
    fixture.update(packet_of(number, 100, 0x02), start_ms + number % 7);
    if (number % 3 == 0) fixture.update(packet_of(number, 50, 0x10), start_ms + 20);
  }
  for (const size_t room : {size_t{1}, size_t{31}, size_t{256}}) {
    const auto flows = list_all(fixture.table(), walk_of(start_ms + 100), room);
    REQUIRE(flows.size() == 15'000);
    std::set<uint32_t> met;
    for (const LiveFlow& flow : flows) {
      const uint32_t number = flow.key.src - 0x0a000000;
      CHECK(met.insert(number).second);
      const bool twice = number % 3 == 0;
      REQUIRE(flow.key == key_number(number));
      REQUIRE(flow.packets == (twice ? 2 : 1));
      REQUIRE(flow.octets == (twice ? 150 : 100));
      REQUIRE(flow.tcp_flags == (twice ? 0x12 : 0x02));
      REQUIRE(flow.first_ms == start_ms + number % 7);
      REQUIRE(flow.last_ms == (twice ? start_ms + 20 : flow.first_ms));
    }
  }
}

TEST_CASE("a step is bounded in slots and in flows") {
  TableFixture empty(options_of(100'000));
  FlowWalk walk = walk_of(start_ms);
  std::array<LiveFlow, 512> page;
  CHECK(empty.table().list(walk, page) == 0);
  CHECK(walk.slot == FlowWalk::slots_a_step);

  TableFixture full(options_of(10'000));
  for (uint32_t number = 0; number < 9'000; ++number)
    full.update(packet_of(number), start_ms);
  walk = walk_of(start_ms + 1);
  CHECK(full.table().list(walk, page) == FlowWalk::flows_a_step);
  walk = walk_of(start_ms + 1, "if 2");  // flows that are looked at in vain are counted, too
  const size_t before = walk.slot;
  CHECK(full.table().list(walk, page) == 0);
  CHECK(walk.slot - before < FlowWalk::slots_a_step);
}

TEST_CASE("a walk that goes on from a flow's slot meets it again") {
  TableFixture fixture(options_of(2000));
  for (uint32_t number = 0; number < 1000; ++number)
    fixture.update(packet_of(number), start_ms);
  const auto all = list_all(fixture.table(), walk_of(start_ms + 1));
  FlowWalk walk = walk_of(start_ms + 1);
  walk.slot = all[400].slot;
  const auto rest = list_all(fixture.table(), walk);
  const auto wanted = keys_of({all.begin() + 400, all.end()});
  CHECK(keys_of(rest) == wanted);
}

TEST_CASE("flows that begin, end and come anew between the steps are met at most once") {
  std::mt19937 random(7);
  TableFixture fixture(options_of(4000));
  for (uint32_t number = 0; number < 3000; ++number)
    fixture.update(packet_of(number), start_ms);
  std::set<uint32_t> lived;  // throughout
  for (uint32_t number = 0; number < 3000; ++number)
    lived.insert(number);
  const int64_t began_ms = start_ms + 5;
  FlowWalk walk = walk_of(began_ms);
  std::map<uint32_t, unsigned> met;
  std::array<LiveFlow, 16> page;
  while (!fixture.table().at_end(walk)) {
    const size_t count = fixture.table().list(walk, page);
    for (size_t i = 0; i < count; ++i)
      ++met[page[i].key.src - 0x0a000000];
    for (int packet = 0; packet < 20; ++packet) {
      const auto number = static_cast<uint32_t>(random() % 3500);
      const bool ends = random() % 2 == 0;
      fixture.update(packet_of(number, 60, ends ? 0x01 : 0x10), began_ms + packet);
      if (ends || number >= 3000) lived.erase(number);
    }
  }
  for (const auto& [number, times] : met)
    CHECK(times == 1);
  for (const uint32_t number : lived)
    CHECK(met.count(number) == 1);
  for (const auto& [number, times] : met)
    CHECK(number < 3000);  // what began later is not met
}

TEST_CASE("a walk expires what its filter matches, and waits where there is no room") {
  TableFixture fixture(options_of(2000));
  for (uint32_t number = 0; number < 1000; ++number)
    fixture.update(packet_of(number), start_ms);
  FlowWalk walk = walk_of(start_ms + 1, "net 10.0.0.0/25");
  flow::RecordBatch batch;
  size_t expired = 0;
  while (!fixture.table().at_end(walk)) {
    batch.reset(0);
    const size_t stuck = walk.slot;
    if (fixture.table().expire(walk, start_ms + 9, batch) == 0 && walk.slot == stuck) {
      batch.reset(3);
      expired += fixture.table().expire(walk, start_ms + 9, batch);
      for (const flow::Record& record : batch.records()) {
        CHECK(record.key.src < 0x0a000080);
        CHECK(record.reason == flow::EndReason::forced);
        CHECK(record.left_ms == start_ms + 9);
      }
    }
  }
  CHECK(expired == 128);
  CHECK(fixture.table().flows() == 1000 - 128);
  CHECK(list_all(fixture.table(), walk_of(start_ms + 99, "net 10.0.0.0/25")).empty());
  CHECK(fixture.table().held() == fixture.table().walk());
}

TEST_CASE("what a table has counted in and out is what it holds") {
  std::mt19937 random(3);
  TableFixture fixture(options_of(500, {.inactive_timeout_ms = 1000, .active_timeout_ms = 3000}));
  int64_t now_ms = start_ms;
  for (int step = 0; step < 20'000; ++step) {
    now_ms += random() % 5;
    const uint8_t flags = random() % 20 == 0 ? 0x04 : 0x10;
    const auto octets = static_cast<uint16_t>(20 + random() % 1480);
    fixture.update(packet_of(static_cast<uint32_t>(random() % 900), octets, flags), now_ms,
                   random() % 3 == 0 ? 0 : 1);
    if (step % 50 == 0) fixture.sweep(now_ms);
    if (step % 500 == 0) REQUIRE(fixture.table().held() == fixture.table().walk());
  }
  fixture.flush(now_ms);
  CHECK(fixture.table().held() == flow::RecordTally{});
}

TEST_CASE("lateness is counted for flows that were over by idleness or age, and for no others") {
  TableFixture fixture(options_of(100, {.inactive_timeout_ms = 1000, .active_timeout_ms = 5000}));
  fixture.update(packet_of(1), start_ms);
  fixture.update(packet_of(2, 60, 0x01), start_ms);
  fixture.update(packet_of(2, 60, 0x01), start_ms);  // ends
  fixture.sweep(start_ms + 1000 + 700);              // half a pass is due each time
  fixture.sweep(start_ms + 1000 + 1300);
  const flow::Lateness& lateness = fixture.table().lateness();
  uint64_t counted = 0;
  for (const uint64_t count : lateness.counts)
    counted += count;
  CHECK(counted == 1);
  CHECK((lateness.sum_ms == 700 || lateness.sum_ms == 1300));
  fixture.update(packet_of(3), start_ms + 3000);
  fixture.flush(start_ms + 3000);
  counted = 0;
  for (const uint64_t count : fixture.table().lateness().counts)
    counted += count;
  CHECK(counted == 1);
}

TEST_CASE("the lateness histogram puts each into the first bound that holds it") {
  flow::Lateness lateness;
  for (const int64_t late_ms : {0, 10, 11, 1000, 1001, 5000, 5001, 999999})
    lateness.add(late_ms);
  CHECK(lateness.counts == std::array<uint64_t, 9>{2, 1, 0, 0, 0, 1, 1, 1, 2});
  CHECK(lateness.sum_ms == 10 + 11 + 1000 + 1001 + 5000 + 5001 + 999999);
}
