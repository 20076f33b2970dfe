#include "pipeline/worker.hpp"

#include <rte_mbuf.h>

#include <algorithm>
#include <vector>

#include "pipeline/worker_fixture.hpp"
#include "support/catch.hpp"
#include "support/flow_fixtures.hpp"

using namespace pollflow;
using namespace pollflow::test;
using flow::EndReason;
using packet::Fate;

namespace {

constexpr int64_t start_ms = 1'700'000'000'000;

}  // namespace

TEST_CASE("each packet of a burst has one fate, and accounted ones are in the table") {
  WorkerFixture fixture;
  std::vector<uint8_t> arp(60, 0);
  arp[12] = 0x08;
  arp[13] = 0x06;
  fixture.process({fixture.mbuf(udp_frame(1)), fixture.mbuf(arp), fixture.mbuf(udp_frame(1, 1500)),
                   fixture.mbuf({0x01, 0x02}), fixture.mbuf(udp_frame(2))},
                  start_ms);
  const flow::WorkerCounters& counters = fixture.worker().counters();
  CHECK(counters.received == flow::Tally{5, 42 + 60 + 42 + 2 + 42});
  CHECK(counters.fates[index_of(Fate::accounted)] == flow::Tally{3, 3 * 42});
  CHECK(counters.fates[index_of(Fate::arp)] == flow::Tally{1, 60});
  CHECK(counters.fates[index_of(Fate::frame_too_short)] == flow::Tally{1, 2});
  CHECK(counters.accounted == flow::Tally{3, 28 + 1500 + 28});
  CHECK(fixture.table().walk() == flow::RecordTally{2, {3, 28 + 1500 + 28}});
}

TEST_CASE("a frame split into segments at any place gives the same flow") {
  for (size_t segment_bytes = 1; segment_bytes <= 60; ++segment_bytes) {
    CAPTURE(segment_bytes);
    WorkerFixture fixture;
    fixture.process({fixture.mbuf(tcp_frame(7, 0x12), segment_bytes)}, start_ms);
    REQUIRE(fixture.worker().flush(start_ms));
    const auto records = fixture.drain();
    REQUIRE(records.size() == 1);
    CHECK(records.front().key == packet::FlowKey{.src = 7,
                                                 .dst = 1,
                                                 .src_port = 7,
                                                 .dst_port = 53,
                                                 .in_if = 9,
                                                 .protocol = 6,
                                                 .tos = 0});
    CHECK(records.front().tcp_flags == 0x12);
  }
}

TEST_CASE("segments that hold less than the packet length says are read as far as they go") {
  WorkerFixture fixture;
  rte_mbuf* packet = fixture.mbuf(udp_frame(1), 20);
  packet->pkt_len = 3000;
  fixture.process({packet}, start_ms);
  rte_mbuf* cut = fixture.mbuf(std::vector<uint8_t>(30, 0x08), 10);
  cut->pkt_len = 3000;
  fixture.process({cut}, start_ms);
  CHECK(fixture.worker().counters().fates[index_of(Fate::accounted)].packets == 1);
  CHECK(fixture.worker().counters().received.packets == 2);
}

TEST_CASE("the hash of a packet that the NIC hashed is made from the NIC's, else in software") {
  WorkerFixture fixture;
  const auto hashed = [&](uint8_t host, uint32_t rss) {
    rte_mbuf* packet = fixture.mbuf(udp_frame(host));
    packet->ol_flags |= RTE_MBUF_F_RX_RSS_HASH;
    packet->hash.rss = rss;
    return packet;
  };
  std::vector<uint8_t> arp(60, 0);
  arp[12] = 0x08;
  arp[13] = 0x06;
  rte_mbuf* not_ipv4 = fixture.mbuf(arp);
  not_ipv4->ol_flags |= RTE_MBUF_F_RX_RSS_HASH;
  fixture.process({hashed(1, 5), hashed(1, 5), hashed(2, 5), fixture.mbuf(udp_frame(3)), not_ipv4},
                  start_ms);
  CHECK(fixture.worker().counters().nic_hashed == 3);
  CHECK(fixture.worker().counters().accounted.packets == 4);
  // One hash for two flows, as RSS may give: the key tells them apart.
  CHECK(fixture.table().walk() == flow::RecordTally{3, {4, 4 * 28}});
}

TEST_CASE("the same flow twice in a burst, closed and begun again") {
  WorkerFixture fixture;
  fixture.process({fixture.mbuf(tcp_frame(1, 0x02)), fixture.mbuf(tcp_frame(1, 0x10)),
                   fixture.mbuf(tcp_frame(1, 0x11)), fixture.mbuf(tcp_frame(1, 0x10))},
                  start_ms);
  const auto records = fixture.drain();
  REQUIRE(records.size() == 1);
  CHECK(records.front().packets == 3);
  CHECK(records.front().tcp_flags == 0x13);
  CHECK(records.front().reason == EndReason::end);
  CHECK(fixture.table().walk().carried.packets == 1);
}

TEST_CASE("a burst without packets still tells the time, and idle flows leave") {
  WorkerFixture fixture(1024, {.inactive_timeout_ms = 1000, .active_timeout_ms = 60'000});
  fixture.process({fixture.mbuf(udp_frame(1))}, start_ms);
  for (int64_t now_ms = start_ms; now_ms <= start_ms + 2000; now_ms += 10)
    fixture.process({}, now_ms);
  const auto records = fixture.drain();
  REQUIRE(records.size() == 1);
  CHECK(records.front().reason == EndReason::idle);
  CHECK(fixture.worker().counters().expired[index_of(EndReason::idle)] ==
        flow::RecordTally{1, {1, 28}});
}

TEST_CASE(
    "a full ring keeps flows in the table; only what has no place at all is lost, and counted") {
  WorkerFixture fixture(4, {.inactive_timeout_ms = 1000, .active_timeout_ms = 60'000});
  std::vector<flow::Record> filler(fixture.ring().room());
  fixture.ring().push(filler);
  CHECK_FALSE(fixture.worker().has_room());
  for (uint8_t host = 0; host < 4; ++host)
    fixture.process({fixture.mbuf(udp_frame(host))}, start_ms);
  for (int64_t now_ms = start_ms; now_ms <= start_ms + 5000; now_ms += 100)
    fixture.process({}, now_ms);
  CHECK(fixture.table().flows() == 4);
  CHECK(fixture.worker().counters().lost_sum() == flow::RecordTally{});

  fixture.process({fixture.mbuf(udp_frame(200))}, start_ms + 5000);
  CHECK(fixture.table().flows() == 4);
  CHECK(fixture.worker().counters().lost_sum() == flow::RecordTally{1, {1, 28}});

  CHECK(fixture.drain().size() == filler.size());
  fixture.process({}, start_ms + 6000);
  fixture.process({}, start_ms + 7000);
  CHECK(fixture.drain().size() == 3 + 1);
  CHECK(fixture.table().flows() == 0);
}

TEST_CASE("flush goes on where a full ring stopped it, until the table is empty") {
  WorkerFixture fixture(10'000);
  for (uint32_t key = 0; key < 10'000; ++key) {
    flow::RecordBatch none;
    none.reset(0);
    const auto packet = test::packet_of(key);
    test::update(fixture.table(), packet, fixture.table().hash(packet.key), start_ms, none);
  }
  size_t records = 0;
  bool done = false;
  for (int turn = 0; turn < 1000 && !done; ++turn) {
    done = fixture.worker().flush(start_ms);
    if (fixture.ring().room() < 100) records += fixture.drain().size();
  }
  REQUIRE(done);
  records += fixture.drain().size();
  CHECK(records == 10'000);
  CHECK(fixture.worker().counters().expired[index_of(EndReason::forced)].records == 10'000);
}
