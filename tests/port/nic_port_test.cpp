#include "port/nic_port.hpp"

#include <rte_ethdev.h>
#include <rte_mbuf.h>

#include <array>
#include <cstdlib>
#include <string>
#include <vector>

#include "port/live_clock.hpp"
#include "port/rx_queue.hpp"
#include "support/catch.hpp"
#include "support/port_fixtures.hpp"

using namespace pollflow;
using namespace pollflow::port;
using test::Pool;
using test::preset_with;
using test::usual_types;
using test::Vdev;

TEST_CASE("offloads and RSS types are masked by what the device can do") {
  const Vdev vdev("net_null0");
  NicPort port(vdev.port(), preset_with(usual_types | RTE_ETH_RSS_L2TPV3));
  CHECK(port.facts().driver == "net_null");
  CHECK(port.facts().device == "net_null0");
  CHECK(port.rss_offered().types == usual_types);
  CHECK_FALSE(port.rss_offered().hash_delivered);  // net_null does not have the offload
  rte_eth_dev_info info{};
  REQUIRE(rte_eth_dev_info_get(vdev.port(), &info) == 0);
  CHECK(port.rss_offered().key_bytes == info.hash_key_size);  // none in DPDK 22.11, 40 in 24.11
  CHECK(port.facts().queues_min == 1);
  CHECK(port.facts().queues_max > 4);
}

TEST_CASE("a device that spreads by RSS is started with many queues, its RETA even and read back") {
  const Vdev vdev("net_null0");
  const Pool pool;
  NicPort port(vdev.port(), preset_with(usual_types));
  port.start(pool.times(3), {});
  CHECK(port.queues() == 3);
  CHECK(port.rss().types == usual_types);
  CHECK(port.rss().reta_entries == 128);
  CHECK(port.rss().reta_even);
  CHECK(port.rss().key == KeyReadBack::not_told);
  CHECK(port.listen());
  port.stop();
}

TEST_CASE("a device without RSS has one queue, unless all of its queues must be polled") {
  const Vdev vdev("net_ring0");
  const Pool pool;
  NicPort one(vdev.port(), preset_with(usual_types));
  CHECK(one.rss_offered().types == 0);
  CHECK(one.facts().queues_max == 1);
  one.start(pool.times(1), {});  // which MQ_RX_NONE makes possible
  CHECK(one.rss().types == 0);
}

TEST_CASE("with the policy of all queues none is left out, with that of one there is one") {
  const Vdev vdev("net_null0");
  const NicPort all(vdev.port(), preset_with(usual_types, QueuePolicy::all));
  CHECK(all.facts().queues_min == all.facts().queues_max);
  CHECK(all.facts().queues_max > 1);
  const Vdev second("net_null1");
  const NicPort one(second.port(), preset_with(usual_types, QueuePolicy::one));
  CHECK(one.facts().queues_max == 1);
}

TEST_CASE("what a queue hands over carries the time and the ifindex of its port") {
  const Vdev vdev("net_null0", "size=64");
  const Pool pool;
  NicPort port(vdev.port(), preset_with(usual_types));
  port.start(pool.times(1), {});
  const LiveClock clock;
  RxQueue queue({.port = vdev.port(), .queue = 0, .burst = 32, .in_if = 77}, clock);
  const int64_t before_ms = clock.now_ms();
  const Burst burst = queue.receive();
  CHECK(burst.packets.size() == 32);
  CHECK(burst.arrival_ms.size() == 32);
  CHECK(burst.arrival_ms.back() == burst.now_ms);
  CHECK(burst.now_ms >= before_ms);
  CHECK(burst.now_ms <= clock.now_ms());
  CHECK(burst.in_if == 77);
  rte_pktmbuf_free_bulk(burst.packets.data(), 32);
  CHECK(queue.nothing().packets.empty());
  CHECK(queue.nothing().in_if == 77);
  port.stop();
}

TEST_CASE("a device's counts are kept beyond its stop, and beside what its queues handed over") {
  const Vdev vdev("net_null0", "size=64");
  const Pool pool;
  NicPort port(vdev.port(), preset_with(usual_types));
  port.start(pool.times(1), {});
  const LiveClock clock;
  RxQueue queue({.port = vdev.port(), .queue = 0, .burst = 64, .in_if = 1}, clock);
  uint64_t received = 0;
  for (int turn = 0; turn < 10; ++turn) {
    const Burst burst = queue.receive();
    received += burst.packets.size();
    rte_pktmbuf_free_bulk(burst.packets.data(), static_cast<unsigned>(burst.packets.size()));
  }
  port.stop();
  const flow::PortCounters all = port.counters(received);
  CHECK(all.received == received);
  CHECK(all.missed == 0);
  CHECK(all.overdelivered == 0);
  const flow::PortCounters some = port.counters(received - 3);
  CHECK(some.undelivered == 3);
  CHECK(some.missed == 3);
  CHECK(some.offered() == received);
  CHECK(port.counters(received + 2).overdelivered == 2);
}

TEST_CASE("RSS is described in words, and what it lacks is warned of") {
  const RssGrant none{};
  CHECK(describe(none) == "no RSS");
  CHECK_THAT(warnings(none, 1, false).at(0), Catch::Contains("one worker has all of its packets"));
  CHECK(warnings(none, 4, true).empty());

  RssGrant good{.types = usual_types,
                .hash_delivered = true,
                .key_bytes = 40,
                .key = KeyReadBack::same,
                .reta_entries = 128,
                .reta_even = true};
  CHECK(
      describe(good) ==
      "RSS on ipv4 ipv4-tcp ipv4-udp, key of 40 bytes (read back: the same), RETA of 128 entries, "
      "filled evenly, the hash comes with each packet");
  CHECK(warnings(good, 4, false).empty());
  good.key = KeyReadBack::differs;
  CHECK_THAT(warnings(good, 4, false).at(0), Catch::Contains("another RSS key"));
  good.key_bytes = 0;
  good.key = KeyReadBack::not_told;
  CHECK_THAT(warnings(good, 4, false).at(0), Catch::Contains("takes no RSS key"));
  good.key_bytes = 40;
  good.reta_even = false;
  CHECK_THAT(warnings(good, 4, false).at(0), Catch::Contains("RETA"));
}

TEST_CASE("the clock tells Unix time, never goes back, and needs no correction at once") {
  LiveClock clock;
  int64_t latest_ms = clock.now_ms();
  for (int i = 0; i < 100'000; ++i) {
    const int64_t now_ms = clock.now_ms();
    REQUIRE(now_ms >= latest_ms);
    latest_ms = now_ms;
  }
  clock.follow();
  CHECK(clock.now_ms() - latest_ms < 1000);
  CHECK(clock.wall_offset_ms() == 0);
}
