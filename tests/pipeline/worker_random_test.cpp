#include <map>
#include <random>

#include "pipeline/worker_fixture.hpp"
#include "support/catch.hpp"
#include "support/flow_model.hpp"

using namespace pollflow;
using namespace pollflow::test;
using flow::EndReason;

namespace {

constexpr int64_t start_ms = 1'700'000'000'000;

// Packets of up to 256 hosts, odd ones TCP, every third with the NIC's hash; between them frames
// that are no IPv4.
class Traffic {
 public:
  Traffic(WorkerFixture& fixture, uint32_t seed, uint32_t hosts)
      : fixture_(fixture), random_(seed), hosts_(hosts) {}

  uint32_t draw(uint32_t below) { return static_cast<uint32_t>(random_() % below); }

  // A frame; `seen` is told of its packet if there is one.
  template <typename Seen>
  rte_mbuf* next(Seen seen) {
    if (draw(20) == 0) return fixture_.mbuf(std::vector<uint8_t>(60, 0));
    const auto host = static_cast<uint8_t>(draw(hosts_));
    const bool tcp = host % 2 == 1;
    const auto flags = static_cast<uint8_t>(draw(20) == 0 ? draw(64) : 0x10);
    const auto octets = static_cast<uint16_t>(28 + draw(1400));
    std::vector<uint8_t> frame = tcp ? tcp_frame(host, flags) : udp_frame(host, octets);
    rte_mbuf* mbuf = fixture_.mbuf(frame, draw(10) == 0 ? 48 : 2048);
    if (host % 3 == 0) mbuf->ol_flags |= RTE_MBUF_F_RX_RSS_HASH;
    if (host % 3 == 0) mbuf->hash.rss = host * 0x9e3779b9U;
    seen(packet::Packet{.key = {.src = host,
                                .dst = 1,
                                .src_port = host,
                                .dst_port = 53,
                                .in_if = 9,
                                .protocol = static_cast<uint8_t>(tcp ? 6 : 17),
                                .tos = 0},
                        .octets = tcp ? uint16_t{40} : octets,
                        .tcp_flags = tcp ? flags : uint8_t{0}});
    return mbuf;
  }

 private:
  WorkerFixture& fixture_;
  std::mt19937 random_;
  uint32_t hosts_;
};

void append(std::vector<flow::Record>& records, const std::vector<flow::Record>& more) {
  records.insert(records.end(), more.begin(), more.end());
}

}  // namespace

TEST_CASE("random bursts give the records of the model, wherever packets are under way") {
  const auto seed = GENERATE(range(1U, 13U));
  CAPTURE(seed);
  const flow::ExpiryRules rules{
      .inactive_timeout_ms = 1500, .active_timeout_ms = 9000, .hold_idle = seed % 3 == 0};
  // So small that flows live in their second buckets, too, yet none is evicted.
  WorkerFixture fixture(rules.hold_idle ? 1024 : 256, rules);
  Model model(rules);
  Traffic traffic(fixture, seed, 1 + 20 * seed);
  std::vector<flow::Record> records;
  int64_t now_ms = start_ms;
  for (int turn = 0; turn < 4000; ++turn) {
    std::vector<rte_mbuf*> packets;
    std::vector<int64_t> arrivals;
    const uint32_t step_ms = traffic.draw(3) == 0 ? 1U << seed % 7 : 1U;
    for (uint32_t left = traffic.draw(3) * traffic.draw(33); left > 0; --left) {
      now_ms += traffic.draw(8) == 0 ? traffic.draw(step_ms) : 0;
      packets.push_back(traffic.next([&](const auto& packet) { model.update(packet, now_ms); }));
      arrivals.push_back(now_ms);
    }
    now_ms += traffic.draw(step_ms);
    fixture.process(packets, arrivals, now_ms);
    if (traffic.draw(5) == 0) {
      fixture.worker().settle();
      const flow::RecordTally live = fixture.table().walk();
      REQUIRE(live == fixture.table().held());
      REQUIRE(fixture.worker().counters().accounted ==
              live.carried + fixture.worker().counters().created().carried);
    }
    append(records, fixture.drain());
  }
  while (!fixture.worker().flush(now_ms))
    append(records, fixture.drain());
  append(records, fixture.drain());
  require_same(records, model.finish(now_ms));
}

TEST_CASE("no packet is lost nor counted twice in a small table, whatever happens between bursts") {
  const auto seed = GENERATE(range(1U, 25U));
  const bool waits = seed % 2 == 0;  // for room in the ring, as a capture does
  CAPTURE(seed, waits);
  const flow::ExpiryRules rules{
      .inactive_timeout_ms = 1000, .active_timeout_ms = 5000, .hold_idle = seed % 3 == 0};
  WorkerFixture fixture(size_t{1} << seed % 8, rules);
  Traffic traffic(fixture, seed, 256);
  Sums offered;
  std::vector<flow::Record> records;
  pipeline::Errand errand;
  int64_t now_ms = start_ms;
  const auto random_event = [&] {
    const uint32_t event = traffic.draw(400);
    if (event < 100) now_ms += traffic.draw(20);
    if (event < 20) now_ms -= traffic.draw(3000);
    if (event == 20) now_ms += traffic.draw(2) == 0 ? 86'400'000 : -86'400'000;
    if (event == 21)
      fixture.table().set_rules({.inactive_timeout_ms = 1000 + traffic.draw(3000)}, now_ms);
    if (event > 380) fixture.worker().settle();
    if (event < 5 && !errand.pending()) {
      errand.ask(
          {.kind = event == 0 ? pipeline::Errand::Kind::expire : pipeline::Errand::Kind::list,
           .walk = {.filter = {}, .before_ms = now_ms}});
    }
    fixture.worker().serve(errand, now_ms);
    if (event > 395) fixture.worker().flush(now_ms);
    if (event > 350 || (waits && !fixture.worker().has_room())) append(records, fixture.drain());
  };
  for (int turn = 0; turn < 4000; ++turn) {
    std::vector<rte_mbuf*> packets;
    std::vector<int64_t> arrivals;
    for (uint32_t left = traffic.draw(3) * traffic.draw(33); left > 0; --left) {
      packets.push_back(traffic.next([&](const auto& packet) {
        offered[packet.key.src].first += 1;
        offered[packet.key.src].second += packet.octets;
      }));
      arrivals.push_back(now_ms - traffic.draw(4));
    }
    fixture.process(packets, arrivals, now_ms);
    random_event();
  }
  while (!fixture.worker().flush(now_ms))
    append(records, fixture.drain());
  append(records, fixture.drain());
  const flow::WorkerCounters& counters = fixture.worker().counters();
  CHECK(fixture.table().held() == flow::RecordTally{});
  CHECK(fixture.table().walk() == flow::RecordTally{});
  CHECK(counters.created().carried == counters.accounted);
  flow::Tally in_records = counters.lost_sum().carried;
  for (const flow::Record& record : records)
    in_records += record.carried();
  CHECK(in_records == counters.accounted);
  if (!waits) return;
  CHECK(counters.lost_sum() == flow::RecordTally{});
  CHECK(sums_of(records) == offered);
}

TEST_CASE("packets under way at the end wait for room in the ring: none of their records is lost") {
  WorkerFixture fixture(4);
  for (uint8_t host = 0; host < 4; ++host)
    fixture.process({fixture.mbuf(tcp_frame(host, 0x10))}, start_ms);
  // No time passes: these stay under way. One flow ends, one comes, one more has to go.
  fixture.process({fixture.mbuf(tcp_frame(1, 0x11)), fixture.mbuf(tcp_frame(200, 0x10)),
                   fixture.mbuf(tcp_frame(201, 0x10))},
                  start_ms);
  const std::vector<flow::Record> filler(fixture.ring().room());
  fixture.ring().push(filler);
  CHECK_FALSE(fixture.worker().flush(start_ms));
  CHECK(fixture.drain().size() == filler.size());
  CHECK(fixture.worker().flush(start_ms));
  const flow::WorkerCounters& counters = fixture.worker().counters();
  CHECK(counters.lost_sum() == flow::RecordTally{});
  CHECK(counters.expired[index_of(EndReason::end)].records == 1);
  CHECK(counters.expired[index_of(EndReason::evicted)].records == 1);
  CHECK(counters.expired[index_of(EndReason::forced)].records == 4);
}

TEST_CASE("an errand meets the packets that are under way") {
  WorkerFixture fixture;
  fixture.process({fixture.mbuf(udp_frame(1))}, start_ms);
  fixture.process({fixture.mbuf(udp_frame(1)), fixture.mbuf(udp_frame(2))}, start_ms);
  pipeline::Errand errand;
  errand.ask({.walk = {.filter = {}, .before_ms = start_ms + 1}});
  while (errand.pending())
    fixture.worker().serve(errand, start_ms);
  REQUIRE(errand.flows().size() == 2);
  CHECK(errand.flows()[0].packets + errand.flows()[1].packets == 3);
}
