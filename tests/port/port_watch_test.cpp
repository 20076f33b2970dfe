#include "port/port_watch.hpp"

#include <array>
#include <string>
#include <vector>

#include "support/catch.hpp"
#include "support/port_fixtures.hpp"

using namespace pollflow;
using namespace pollflow::port;
using test::Pool;
using test::preset_with;
using test::usual_types;
using test::Vdev;
using News = std::vector<std::string>;

namespace {

constexpr uint64_t second_ns = 1'000'000'000;

// A net_null port with RSS on two queues, whose traffic the test makes up.
class WatchFixture {
 public:
  WatchFixture() : port_(vdev_.port(), preset_with(usual_types)) {
    port_.start(pool_.times(2), {});
  }

  News look(uint64_t seconds = 1) { return watch_.look(queues_, seconds * second_ns); }
  void count(size_t queue, uint64_t packets) { queues_[queue].packets += packets; }
  NicPort& port() { return port_; }
  Vdev& vdev() { return vdev_; }

 private:
  Vdev vdev_{"net_null0", "size=64"};
  Pool pool_;
  NicPort port_;
  std::array<QueueReport, 2> queues_{};
  PortWatch watch_{port_};
};

}  // namespace

TEST_CASE("a port on which nothing is wrong gives no news") {
  WatchFixture fixture;
  fixture.count(0, 5000);
  fixture.count(1, 5000);
  for (uint64_t second = 1; second < 20; ++second)
    CHECK(fixture.look(second) == News{});
}

TEST_CASE("all packets on one queue of several is told once, when there are enough to judge by") {
  WatchFixture fixture;
  fixture.count(1, 999);
  CHECK(fixture.look() == News{});
  fixture.count(1, 1);
  CHECK(fixture.look(3) == News{});
  const News news = fixture.look(4);
  REQUIRE(news.size() == 1);
  CHECK_THAT(news[0], Catch::Contains("port ") && Catch::Contains("(net_null, net_null0)") &&
                          Catch::Contains("all of 1000 packets came on one of 2 queues"));
  fixture.count(1, 1000);
  CHECK(fixture.look(9) == News{});
}

TEST_CASE("one packet on another queue and there is nothing to tell") {
  WatchFixture fixture;
  fixture.count(0, 100'000);
  fixture.count(1, 1);
  CHECK(fixture.look() == News{});
}

TEST_CASE("a link that goes down and comes up again is told each time") {
  WatchFixture fixture;
  CHECK(fixture.look(1) == News{});
  rte_eth_dev_stop(fixture.vdev().port());  // which is what takes net_null's link down
  const News down = fixture.look(2);
  REQUIRE(down.size() == 1);
  CHECK_THAT(down[0], Catch::Contains("link is down"));
  CHECK(fixture.look(3) == News{});
  rte_eth_dev_start(fixture.vdev().port());
  const News up = fixture.look(4);
  REQUIRE(up.size() == 1);
  CHECK_THAT(up[0], Catch::Contains("link is up"));
}

TEST_CASE("a link that never comes is waited for, then told once") {
  WatchFixture fixture;
  rte_eth_dev_stop(fixture.vdev().port());
  CHECK(fixture.look(1) == News{});
  CHECK(fixture.look(9) == News{});
  const News none = fixture.look(11);
  REQUIRE(none.size() == 1);
  CHECK_THAT(none[0], Catch::Contains("no link so far"));
  CHECK(fixture.look(12) == News{});
  rte_eth_dev_start(fixture.vdev().port());
  CHECK_THAT(fixture.look(13).at(0), Catch::Contains("link is up"));
}
