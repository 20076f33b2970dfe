#include <algorithm>
#include <array>
#include <string>
#include <vector>

#include "pipeline/worker_fixture.hpp"
#include "support/mutated_frames.hpp"
#include "support/slow_decoder.hpp"

using namespace pollflow;
using namespace pollflow::test;
using packet::Fate;
using packet::LinkType;

namespace {

constexpr int64_t start_ms = 1'700'000'000'000;

// With sanitizers, or counters for coverage, a frame takes twenty times as long.
#if defined(POLLFLOW_SLOW_BUILD)
constexpr uint64_t frames = 200'000;
#else
constexpr uint64_t frames = 1'000'000;
#endif

// Packets and octets by key in two numbers: equal for any two accounts of the same packets, however
// those were divided into records, and hardly for any others.
struct Fingerprint {
  uint64_t packets = 0;
  uint64_t octets = 0;

  void add(const packet::FlowKey& key, const flow::Tally& carried) {
    const auto words = key.words();
    uint64_t hash = (words[0] ^ 0x9e3779b97f4a7c15) * 0xff51afd7ed558ccd;
    hash = (hash ^ hash >> 29 ^ words[1]) * 0xc4ceb9fe1a85ec53;
    hash ^= hash >> 32;
    packets += hash * carried.packets;
    octets += hash * carried.octets;
  }
  bool operator==(const Fingerprint&) const = default;
};

// Mutated frames in bursts through a worker, beside what the slow decoder says of each.
class MutatedTraffic {
 public:
  void frame(uint64_t number) {
    const auto [bytes, link] = mutated_frame(number);
    expect(slow_decode(bytes, link, 9), bytes.size());
    // Contiguous, or cut at one or two places.
    std::vector<size_t> cuts;
    for (uint64_t cut = number % 3; cut > 0; --cut)
      cuts.push_back(number / 3 / cut % (bytes.size() + 1));
    std::ranges::sort(cuts);
    std::vector<rte_mbuf*>& burst = bursts_.at(static_cast<size_t>(link));
    rte_mbuf* mbuf = worker_.mbuf_cut(bytes, cuts);
    if (number % 5 == 0) mbuf->ol_flags |= RTE_MBUF_F_RX_RSS_HASH;
    mbuf->hash.rss = static_cast<uint32_t>(number);
    burst.push_back(mbuf);
    if (burst.size() == 1 + number % port::burst_packets_max || burst.size() == 64) process(link);
  }

  void process_all() {
    for (const LinkType link : {LinkType::ethernet, LinkType::raw_ip, LinkType::linux_cooked_v1,
                                LinkType::linux_cooked_v2})
      process(link);
    worker_.worker().settle();
    take();
  }

  // Now that no frame waits: what is counted is what came, and it adds up.
  void require_exact() {
    const flow::WorkerCounters& counters = worker_.worker().counters();
    REQUIRE(counters.received == received_);
    for (size_t fate = 0; fate < packet::fate_count; ++fate) {
      INFO(packet::fate_names.at(fate));
      REQUIRE(counters.fates.at(fate) == fates_.at(fate));
    }
    REQUIRE(counters.accounted == accounted_);
    REQUIRE(ledger().broken_equations() == std::vector<std::string>{});
  }

  void require_all_left() {
    while (!worker_.worker().flush(now_ms_))
      take();
    take();
    REQUIRE(ledger().in_tables == flow::RecordTally{});
    REQUIRE(taken_.carried + worker_.worker().counters().lost_sum().carried == accounted_);
    REQUIRE(carried_ == offered_);
  }

  [[nodiscard]] uint64_t received_as(Fate fate) const { return fates_.at(index_of(fate)).packets; }

 private:
  void expect(const Verdict& verdict, size_t frame_octets) {
    received_.add(frame_octets);
    fates_.at(index_of(verdict.fate)).add(frame_octets);
    if (verdict.fate != Fate::accounted) return;
    accounted_.add(verdict.packet.octets);
    offered_.add(verdict.packet.key, {1, verdict.packet.octets});
  }

  void process(LinkType link) {
    std::vector<rte_mbuf*>& burst = bursts_.at(static_cast<size_t>(link));
    ++now_ms_;
    worker_.process(burst, std::vector<int64_t>(burst.size(), now_ms_), now_ms_, link);
    burst.clear();
    if (!worker_.worker().has_room()) take();
  }

  // As the export lcore would.
  void take() {
    for (const flow::Record& record : worker_.drain()) {
      taken_.add(record.carried());
      carried_.add(record.key, record.carried());
    }
  }

  flow::Ledger ledger() {
    flow::Ledger ledger;
    ledger.ports.push_back({.port = 0, .received = received_.packets});
    ledger.workers = worker_.worker().counters();
    ledger.in_tables = worker_.table().walk();
    ledger.ring_records = worker_.ring().count();
    ledger.exported.taken = taken_;
    ledger.exported.sent = taken_;
    ledger.exported.flow_sequence = taken_.records + ledger.workers.lost_sum().records;
    return ledger;
  }

  WorkerFixture worker_{256, {.inactive_timeout_ms = 1000, .active_timeout_ms = 60'000}};
  std::array<std::vector<rte_mbuf*>, 4> bursts_;  // that are filled, by link type
  int64_t now_ms_ = start_ms;
  // What should be counted, and what came out.
  flow::Tally received_;
  std::array<flow::Tally, packet::fate_count> fates_{};
  flow::Tally accounted_;
  Fingerprint offered_;
  flow::RecordTally taken_;
  Fingerprint carried_;
};

}  // namespace

TEST_CASE("mutated frames through a worker: one fate each, and the ledger is exact all the while") {
  const MutationRange range = mutation_range(frames);
  MutatedTraffic traffic;
  constexpr uint64_t block = 1000;
  for (uint64_t done = 0; done < range.count; done += block) {
    const uint64_t count = std::min(block, range.count - done);
    INFO(how_to_replay(range.first + done, count));
    for (uint64_t i = 0; i < count; ++i)
      traffic.frame(range.first + done + i);
    traffic.process_all();
    traffic.require_exact();
  }
  traffic.require_all_left();
  if (range.count >= 100'000) CHECK(traffic.received_as(Fate::accounted) > range.count / 3);
}
