// A worker lcore's whole turn on a live port, looked at instruction by instruction: receive, clock,
// the worker, progress, report, and what a control thread asks. And what packet buffers cost.

#include <rte_bus_vdev.h>
#include <rte_eth_ring.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>
#include <rte_ring.h>

#include <array>
#include <atomic>
#include <stdexcept>
#include <string>

#include "lane.hpp"
#include "quiet/skipped.hpp"
#include "quiet/stepper.hpp"
#include "quiet/worker_rig.hpp"
#include "support/catch.hpp"

using namespace pollflow;
using app::Lane;
using app::Phase;
using test::Account;
using test::mark;
using test::skipped;

namespace {

constexpr uint16_t burst = port::burst_packets_max;
constexpr uint64_t turns = 2;
constexpr uint64_t turns_between = 5;
constexpr uint64_t turns_before = 200;
constexpr size_t flows = 8192;  // looked at, a turn is so long that it sweeps the whole table

void must(bool done, const char* step) {
  if (!done) throw std::runtime_error(step);
}

// A port that hands over what is put on its ring.
class RingPort {
 public:
  explicit RingPort(rte_mempool& pool)
      : ring_(rte_ring_create("to_the_port", 1024, SOCKET_ID_ANY, RING_F_SP_ENQ | RING_F_SC_DEQ)) {
    must(ring_ != nullptr, "no memory for the port's ring");
    const int id = rte_eth_from_ring(ring_);
    must(id >= 0, "no port of net_ring");
    id_ = static_cast<uint16_t>(id);
    start(id_, pool);
  }

  static void start(uint16_t id, rte_mempool& pool) {
    const rte_eth_conf conf{};
    must(rte_eth_dev_configure(id, 1, 0, &conf) == 0, "configuring the port");
    must(rte_eth_rx_queue_setup(id, 0, 512, static_cast<unsigned>(SOCKET_ID_ANY), nullptr, &pool) ==
             0,
         "its queue");
    must(rte_eth_dev_start(id) == 0, "starting the port");
  }

  [[nodiscard]] uint16_t id() const noexcept { return id_; }

  void put(const port::Burst& packets) {
    for (rte_mbuf* packet : packets.packets)
      must(rte_ring_enqueue(ring_, packet) == 0, "the port's ring is full");
  }

 private:
  rte_ring* ring_;
  uint16_t id_ = 0;
};

constexpr app::LiveSettings settings{
    .rules = {.inactive_timeout_ms = 1000, .active_timeout_ms = 5000},
    .export_delay_ms = 1000,
    .export_rate = 0};

class LaneRig {
 public:
  explicit LaneRig(uint16_t port)
      : lane_({.name = "lane",
               .flows = flows,
               .rules = settings.rules,
               .hash_secret = 1,
               .node = SOCKET_ID_ANY},
              clock_, &settings) {
    lane_.add_queue({.port = port, .queue = 0, .burst = burst, .in_if = 1}, gone_);
  }

  Lane& lane() { return lane_; }

  void turn(const app::LiveSettings& wanted = settings) {
    lane_.turn(Phase::receive, &wanted);
    test::collect(lane_.flows().ring());
  }

  uint64_t watched_turn(const app::LiveSettings& wanted = settings) {
    const uint64_t before = received();
    mark();
    lane_.turn(Phase::receive, &wanted);
    mark();
    test::collect(lane_.flows().ring());
    return received() - before;
  }

 private:
  uint64_t received() { return lane_.flows().worker().counters().received.packets; }

  port::LiveClock clock_;
  std::atomic<bool> gone_ = false;
  Lane lane_;
};

// Turns of each kind that there is while packets come in.
uint64_t watch_ring_port() {
  test::start_eal("quiet_lane");
  rte_mempool& pool = test::packet_pool();
  test::FixedTraffic traffic(test::Traffic::mixed, pool);
  RingPort port(pool);
  LaneRig rig(port.id());
  for (uint64_t turn = 0; turn < turns_before; ++turn) {
    port.put(traffic.next());
    rig.turn();
  }
  uint64_t packets = 0;
  for (uint64_t turn = 0; turn < turns * turns_between; ++turn) {
    port.put(traffic.next());
    turn % turns_between > 0 ? rig.turn() : void(packets += rig.watched_turn());
  }
  // With other settings each time, which the lane knows by their address.
  using Kind = pipeline::Errand::Kind;
  const std::array<app::LiveSettings, 2> others = {settings, settings};
  for (const Kind kind : {Kind::list, Kind::expire}) {
    rig.lane().errand().ask({.kind = kind, .walk = {.before_ms = INT64_MAX}});
    packets += rig.watched_turn(others.at(kind == Kind::list ? 0 : 1));
  }
  must(rig.lane().reports_told() > 0, "the lane has told nothing");
  return packets;
}

// The driver takes its buffers from the pool, and the worker gives them back.
uint64_t watch_null_port() {
  test::start_eal("quiet_lane");
  must(rte_vdev_init("net_null0", "size=60") == 0, "no port of net_null");
  uint16_t id = 0;
  must(rte_eth_dev_get_port_by_name("net_null0", &id) == 0, "net_null has no port");
  RingPort::start(id, test::packet_pool());
  LaneRig rig(id);
  for (uint64_t turn = 0; turn < turns_before; ++turn)
    rig.turn();
  uint64_t packets = 0;
  for (uint64_t turn = 0; turn < turns; ++turn)
    packets += rig.watched_turn();
  return packets;
}

// Buffers that somebody else took from the pool are given back, and none is taken.
uint64_t watch_frees() {
  constexpr unsigned bursts = 24;
  test::start_eal("quiet_lane");
  rte_mempool& pool = test::packet_pool();
  std::array<rte_mbuf*, size_t{bursts} * burst> packets{};
  must(rte_pktmbuf_alloc_bulk(&pool, packets.data(), packets.size()) == 0, "the pool is empty");
  const auto give_back = [&](unsigned which) {
    rte_pktmbuf_free_bulk(packets.data() + size_t{which} * burst, burst);
  };
  for (unsigned which = 0; which < bursts / 2; ++which)
    give_back(which);
  mark();
  for (unsigned which = bursts / 2; which < bursts; ++which)
    give_back(which);
  mark();
  return uint64_t{bursts} / 2 * burst;
}

}  // namespace

TEST_CASE("a worker lcore's turns on a live port: no allocation, no system call, no lock") {
  if (skipped("a quiet turn")) return;
  const Account account = test::step(watch_ring_port);
  INFO(account.text());
  CHECK(account.packets >= turns * 64);
  CHECK(account.findings.empty());
}

TEST_CASE("buffers that the driver takes and the worker gives back stay in the lcore's cache") {
  if (skipped("a quiet turn, and the driver")) return;
  Account account = test::step(watch_null_port);
  INFO(account.text());
  CHECK(account.packets == turns * 64);
  CHECK(account.take("librte_net_null") <= turns);  // it counts packets atomically, once a burst
  CHECK(account.take("librte_mempool") == 0);
  CHECK(account.findings.empty());
}

// The common pool is a ring for many producers: each time that the cache is full of 384 (one and a
// half times its size) it goes there by one compare-and-swap.
TEST_CASE("buffers that are only given back cost a locked instruction for 384 of them") {
  if (skipped("a pool that overflows")) return;
  Account account = test::step(watch_frees);
  INFO(account.text());
  CHECK(account.take("librte_mempool_ring") == account.packets / 384);
  CHECK(account.findings.empty());
}
