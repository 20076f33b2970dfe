#include <algorithm>
#include <array>
#include <vector>

#include "pipeline/worker_fixture.hpp"
#include "support/header_stacks.hpp"
#include "support/slow_decoder.hpp"

using namespace pollflow;
using namespace pollflow::test;
using packet::Fate;
using packet::LinkType;

namespace {

constexpr int64_t now_ms = 1'700'000'000'000;

// What became of one frame: everything that the worker counted of it, and its records.
struct Outcome {
  flow::WorkerCounters counters;
  std::vector<flow::Record> records;
};

bool same_record(const flow::Record& a, const flow::Record& b) {
  return facts(a) == facts(b);
}

bool same(const Outcome& a, const Outcome& b) {
  return a.counters.received == b.counters.received && a.counters.fates == b.counters.fates &&
         a.counters.accounted == b.counters.accounted && a.counters.expired == b.counters.expired &&
         a.counters.lost == b.counters.lost && a.counters.nic_hashed == b.counters.nic_hashed &&
         std::ranges::equal(a.records, b.records, same_record);
}

// A worker that is shown the same frame again and again, cut differently.
class Segments {
 public:
  void show(const Frame& frame) {
    frame_ = &frame;
    whole_ = outcome({});
    // One frame, one fate: what was counted is that, and nothing else.
    const flow::Tally octets{1, frame.bytes().size()};
    std::array<flow::Tally, packet::fate_count> fates{};
    fates.at(index_of(slow_decode(frame.bytes(), frame.link(), 9).fate)) = octets;
    REQUIRE(whole_.counters.fates == fates);
    REQUIRE(whole_.counters.received == octets);
    REQUIRE(whole_.records.size() == whole_.counters.accounted.packets);
  }

  [[nodiscard]] const Outcome& whole() const { return whole_; }

  void require_same_cut_at(const std::vector<size_t>& cuts) {
    ++shown_;
    if (same(outcome(cuts), whole_)) return;
    CAPTURE(cuts);
    FAIL("not as the contiguous frame");
  }

  [[nodiscard]] size_t shown() const { return shown_; }

 private:
  Outcome outcome(const std::vector<size_t>& cuts) {
    WorkerFixture& f = fixture_;
    const flow::WorkerCounters before = f.worker().counters();
    f.process({f.mbuf_cut(frame_->bytes(), cuts)}, {now_ms}, now_ms, frame_->link());
    while (!f.worker().flush(now_ms)) {
    }
    return {since(before), f.drain()};
  }

  flow::WorkerCounters since(const flow::WorkerCounters& before) {
    flow::WorkerCounters now = fixture_.worker().counters();
    now.received = now.received - before.received;
    now.accounted = now.accounted - before.accounted;
    now.nic_hashed -= before.nic_hashed;
    for (size_t i = 0; i < now.fates.size(); ++i)
      now.fates[i] = now.fates[i] - before.fates[i];
    for (size_t i = 0; i < now.expired.size(); ++i) {
      now.expired[i] = now.expired[i] - before.expired[i];
      now.lost[i] = now.lost[i] - before.lost[i];
    }
    return now;
  }

  WorkerFixture fixture_{4};
  const Frame* frame_ = nullptr;
  Outcome whole_{};
  size_t shown_ = 0;
};

}  // namespace

TEST_CASE("every stack in two segments cut at every offset is as the contiguous frame") {
  Segments segments;
  for (const ValidFrame& valid : valid_frames()) {
    INFO(valid.name());
    segments.show(valid.frame);
    REQUIRE(segments.whole().counters.accounted == flow::Tally{1, valid.content.ip.total()});
    for (size_t cut = 0; cut <= valid.frame.bytes().size(); ++cut)
      segments.require_same_cut_at({cut});
  }
  CHECK(segments.shown() > 150'000);
}

TEST_CASE("short frames in three segments cut at every pair of offsets, empty ones among them") {
  Segments segments;
  for (const ValidFrame& valid : valid_frames()) {
    const size_t bytes = valid.frame.bytes().size();
    if (bytes > 50) continue;
    INFO(valid.name());
    segments.show(valid.frame);
    for (size_t a = 0; a <= bytes; ++a) {
      for (size_t b = a; b <= bytes; ++b)
        segments.require_same_cut_at({a, b});
    }
  }
  CHECK(segments.shown() > 30'000);
}

TEST_CASE("every stack in segments of one byte, with an empty one before, between and behind") {
  Segments segments;
  for (const ValidFrame& valid : valid_frames()) {
    INFO(valid.name());
    segments.show(valid.frame);
    std::vector<size_t> each;
    std::vector<size_t> each_twice = {0};
    for (size_t at = 1; at < valid.frame.bytes().size(); ++at) {
      each.push_back(at);
      each_twice.insert(each_twice.end(), {at, at});
    }
    each_twice.push_back(valid.frame.bytes().size());
    segments.require_same_cut_at(each);
    segments.require_same_cut_at(each_twice);
  }
}

TEST_CASE("a frame longer than all headers is cut anywhere, in the headers and behind them") {
  const HeaderStack& longest = *std::ranges::max_element(header_stacks(), {}, &HeaderStack::length);
  Bytes payload = tcp(0x12);
  payload.resize(400, 0x99);
  Segments segments;
  const Frame frame =
      Frame(longest.frame).ipv4(Ip{.protocol = 6, .payload = payload, .words = 15}.bytes());
  segments.show(frame);
  REQUIRE(segments.whole().records.front().tcp_flags == 0x12);
  for (size_t cut = 0; cut <= frame.bytes().size(); ++cut) {
    segments.require_same_cut_at({cut});
    segments.require_same_cut_at({cut, frame.bytes().size()});
    if (cut > 0) segments.require_same_cut_at({cut / 2, cut});
  }
}

TEST_CASE("what is skipped is skipped alike however it is cut") {
  Segments segments;
  const std::vector<Frame> frames = {tagged(5).ipv4(Ip{.payload = udp}.bytes()),
                                     ethernet().mpls(17).ipv4(Ip{.payload = udp}.bytes()),
                                     ethernet().mpls(2).holds(0, Bytes(40, 0x60)),
                                     ethernet().pppoe(0xc021).holds(0, Bytes(40, 0)),
                                     ethernet().vlan().holds(0x0806, Bytes(28, 0)),
                                     ethernet().ipv4(Ip{.payload = udp, .words = 4}.bytes()),
                                     ethernet().ipv4(Ip{.total_length = 19}.bytes()),
                                     ethernet().ipv4(Bytes(19, 0x45)),
                                     Frame(LinkType::linux_cooked_v2).ipv4(Bytes(1, 0x45)),
                                     Frame(LinkType::raw_ip)};
  for (const Frame& frame : frames) {
    segments.show(frame);
    CHECK(segments.whole().counters.accounted == flow::Tally{});
    const size_t bytes = frame.bytes().size();
    for (size_t a = 0; a <= bytes; ++a) {
      for (size_t b = a; b <= bytes; ++b)
        segments.require_same_cut_at({a, b});
    }
  }
}

TEST_CASE("segment counts and packet lengths that lie change what is counted, not what is read") {
  const Bytes frame = tcp_frame(7, 0x12);
  for (const size_t cut : {size_t{1}, size_t{20}, size_t{40}, frame.size()}) {
    for (const uint32_t pkt_len : {0U, 1U, 10U, 9000U, UINT32_MAX}) {
      CAPTURE(cut, pkt_len);
      WorkerFixture fixture;
      rte_mbuf* packet = fixture.mbuf_cut(frame, std::array{cut});
      packet->pkt_len = pkt_len;
      packet->nb_segs = 17;
      fixture.process({packet}, now_ms);
      REQUIRE(fixture.worker().flush(now_ms));
      const auto records = fixture.drain();
      REQUIRE(records.size() == 1);
      CHECK(records.front().key.src_port == 7);
      CHECK(records.front().tcp_flags == 0x12);
      const flow::WorkerCounters& counters = fixture.worker().counters();
      CHECK(counters.received == flow::Tally{1, pkt_len});
      CHECK(counters.fates[index_of(Fate::accounted)] == flow::Tally{1, pkt_len});
      CHECK(counters.accounted == flow::Tally{1, 40});
    }
  }
}
