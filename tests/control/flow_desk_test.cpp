#include "control/flow_desk.hpp"

#include <rte_memory.h>

#include <atomic>
#include <deque>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>

#include "pipeline/worker.hpp"
#include "support/catch.hpp"
#include "support/flow_fixtures.hpp"

using namespace pollflow;
using namespace pollflow::test;
using control::Cursor;
using control::FlowDesk;
using control::FlowOrder;
using control::Sources;

namespace {

constexpr int64_t long_ago_ms = 1'600'000'000'000;

// Workers on threads, that do nothing but take turns.
class DeskFixture {
 public:
  explicit DeskFixture(size_t workers) {
    for (size_t i = 0; i < workers; ++i)
      lanes_.emplace_back("flow_desk_" + std::to_string(i));
    sources_.clock = &clock_;
    sources_.over = &over_;
    for (Lane& lane : lanes_) {
      sources_.workers.push_back(
          {.lcore = 0, .flows_max = 0, .queues = {}, .report = nullptr, .errand = &lane.errand});
    }
  }
  DeskFixture(const DeskFixture&) = delete;
  DeskFixture& operator=(const DeskFixture&) = delete;
  ~DeskFixture() { stop(); }

  TableFixture& table(size_t worker) { return lanes_[worker].table; }
  FlowDesk& desk() { return desk_; }
  pipeline::ExpiryRing& ring(size_t worker) { return lanes_[worker].ring; }

  void start() {
    for (Lane& lane : lanes_) {
      lane.thread = std::thread([this, &lane] {
        while (!over_)
          lane.worker.serve(lane.errand, long_ago_ms + 1);
      });
    }
  }
  void stop() {
    over_ = true;
    for (Lane& lane : lanes_) {
      if (lane.thread.joinable()) lane.thread.join();
    }
  }

 private:
  struct Lane {
    TableFixture table{{.flows_max = 4000, .rules = {}, .hash_secret = 1}};
    pipeline::ExpiryRing ring;
    pipeline::Worker worker{table.table(), ring};
    pipeline::Errand errand;
    std::thread thread;
    explicit Lane(const std::string& name) : ring(name, SOCKET_ID_ANY) {}
  };

  port::LiveClock clock_;
  std::atomic<bool> over_ = false;
  std::deque<Lane> lanes_;
  Sources sources_;
  FlowDesk desk_{sources_};
};

}  // namespace

TEST_CASE("a cursor is what its text says, and nothing else is one") {
  const Cursor cursor{.worker = 3, .slot = 1234, .began_ms = 1'700'000'000'123};
  CHECK(cursor.text() == "3:1234:1700000000123");
  CHECK(Cursor::parse(cursor.text()) == cursor);
  CHECK(Cursor::parse("0") == Cursor{});
  CHECK(Cursor::parse("") == Cursor{});
  for (const char* wrong : {"x", "1", "1:2", "1:2:", "1:2:0", "1:2:3:4", "1:2:3:", "-1:2:3",
                            "1:2:-3", " 1:2:3", "99999999999999999999:1:1"}) {
    INFO(wrong);
    CHECK_THROWS_AS(Cursor::parse(wrong), std::invalid_argument);
  }
}

TEST_CASE("a snapshot pages through the flows of all workers, each once") {
  DeskFixture fixture(3);
  for (uint32_t number = 0; number < 5000; ++number)
    fixture.table(number % 2 == 0 ? 0 : 2).update(packet_of(number), long_ago_ms);
  fixture.start();
  std::set<uint32_t> met;
  for (Cursor cursor; !fixture.desk().at_end(cursor);) {
    for (const flow::LiveFlow& flow : fixture.desk().list(cursor, {}))
      CHECK(met.insert(flow.key.src).second);
  }
  CHECK(met.size() == 5000);
  Cursor beyond{.worker = 9, .slot = 0, .began_ms = 1};
  CHECK(fixture.desk().list(beyond, {}).empty());
  Cursor far{.worker = 0, .slot = SIZE_MAX, .began_ms = 1};
  CHECK(fixture.desk().list(far, {}).empty());
  CHECK(far.worker == 1);
}

TEST_CASE("the first flows by octets, packets and age are those of a sorted list") {
  DeskFixture fixture(2);
  for (uint32_t number = 0; number < 300; ++number) {
    TableFixture& table = fixture.table(number % 2);
    const auto octets = static_cast<uint16_t>(20 + number * 7919 % 1000);
    table.update(packet_of(number, octets), long_ago_ms + number * 31 % 300);
    for (uint32_t more = 0; more < number * 13 % 300; ++more)
      table.update(packet_of(number, 1), long_ago_ms + 1000);
  }
  fixture.start();
  const auto numbers = [&](FlowOrder order, size_t count, const char* filter = "") {
    std::vector<uint32_t> found;
    const auto top = fixture.desk().top(count, order, flow::FlowFilter::parse(filter));
    for (const flow::LiveFlow& flow : top.flows)
      found.push_back(flow.key.src - 0x0a000000);
    return found;
  };
  const auto packets = [](uint32_t number) { return 1 + number * 13 % 300; };
  const auto octets = [&](uint32_t number) {
    return 20 + number * 7919 % 1000 + packets(number) - 1;
  };
  const auto by_packets = numbers(FlowOrder::packets, 20);
  REQUIRE(by_packets.size() == 20);
  for (size_t i = 0; i < by_packets.size(); ++i)
    CHECK(packets(by_packets[i]) == 300 - i);
  const auto by_octets = numbers(FlowOrder::octets, 300);
  REQUIRE(by_octets.size() == 300);
  for (size_t i = 1; i < by_octets.size(); ++i)
    CHECK(octets(by_octets[i - 1]) >= octets(by_octets[i]));
  const auto by_age = numbers(FlowOrder::age, 10);
  REQUIRE(by_age.size() == 10);
  for (size_t i = 0; i < by_age.size(); ++i)
    CHECK(by_age[i] * 31 % 300 == i);
  CHECK(numbers(FlowOrder::octets, 5, "host 10.0.0.7") == std::vector<uint32_t>{7});
}

TEST_CASE("flows that a filter matches are expired on every worker, those alone") {
  DeskFixture fixture(2);
  for (uint32_t number = 0; number < 1000; ++number)
    fixture.table(number % 2).update(packet_of(number), long_ago_ms);
  fixture.start();
  CHECK(fixture.desk().expire(flow::FlowFilter::parse("src net 10.0.0.0/24")) == 256);
  CHECK(fixture.desk().expire(flow::FlowFilter::parse("port 9")) == 0);
  CHECK(fixture.ring(0).count() + fixture.ring(1).count() == 256);
  CHECK(fixture.desk().expire({}) == 744);
}

TEST_CASE("a worker that is over is not waited for") {
  DeskFixture fixture(1);
  fixture.start();
  fixture.stop();
  Cursor cursor;
  CHECK_THROWS_WITH(fixture.desk().list(cursor, {}), Catch::Contains("has just stopped"));
}
