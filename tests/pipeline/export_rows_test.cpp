// Complete datagrams leave in rows: what is in them, when they leave, and what becomes of a row
// that a collector does not take.

#include <fmt/format.h>
#include <rte_memory.h>

#include <array>
#include <cerrno>
#include <optional>
#include <vector>

#include "pipeline/export_loop.hpp"
#include "support/catch.hpp"
#include "support/scripted_kernel.hpp"
#include "support/udp_listener.hpp"
#include "support/v5_reader.hpp"

using namespace pollflow;
using flow::Record;
using pipeline::ExportLoop;
using test::Bytes;
using test::Listener;
using test::rows_passed_on;
using test::scripted_rows;
using test::scripted_sends;
using test::sends_passed_on;

namespace {

constexpr int64_t boot_ms = 1'700'000'000'000;
constexpr int64_t start_ms = boot_ms + 60'000;
constexpr uint64_t second_ns = 1'000'000'000;

Record record_left_at(int64_t left_ms, uint32_t number) {
  return {.key = {.src = number,
                  .dst = 2,
                  .src_port = 3,
                  .dst_port = 4,
                  .in_if = 1,
                  .protocol = 17,
                  .tos = 0},
          .packets = 2,
          .octets = 100 + number,
          .first_ms = left_ms - 20'000,
          .last_ms = left_ms - 16'000,
          .left_ms = left_ms,
          .tcp_flags = 0,
          .reason = flow::EndReason::idle};
}

class RowsFixture {
 public:
  explicit RowsFixture(size_t collectors = 1, ExportLoop::Options with = {})
      : listeners_(collectors), ring_("rows_test", SOCKET_ID_ANY), rings_{&ring_} {
    for (const Listener& listener : listeners_)
      outputs_.collectors.emplace_back(
          exporter::CollectorAddress{"127.0.0.1", fmt::to_string(listener.port())});
    with.boot_ms = boot_ms;
    loop.emplace(with, rings_, outputs_);
    scripted_sends.clear();
    scripted_rows.clear();
    sends_passed_on = rows_passed_on = 0;
  }

  void push(const Record& record) { ring_.push({&record, 1}); }
  void push(unsigned count, int64_t left_ms = start_ms) {
    for (; count > 0; --count)
      push(record_left_at(left_ms, pushed_++));
  }

  // What has come since the last time, as it came.
  std::vector<Bytes> bytes(size_t listener = 0) const {
    std::vector<Bytes> all;
    while (!listeners_[listener].silent())
      all.push_back(listeners_[listener].receive());
    return all;
  }
  // Likewise, read. Fails unless the numbers of records go on from `first` in order, and sequences
  // with them.
  std::vector<test::V5Datagram> in_order(uint32_t first = 0, size_t listener = 0) const {
    std::vector<test::V5Datagram> datagrams;
    for (const Bytes& each : bytes(listener)) {
      datagrams.push_back(test::read_v5(each));
      REQUIRE(datagrams.back().flow_sequence == first);
      for (const auto& flow : datagrams.back().flows)
        REQUIRE(flow.src_addr == first++);
    }
    return datagrams;
  }
  exporter::Collector::Counters collector(size_t number = 0) const {
    return outputs_.collectors[number].counters();
  }
  bool adds_up() const {
    const auto counters = loop->counters();
    return counters.taken == counters.in_datagram + counters.sent + counters.lost_send_failed;
  }

  std::optional<ExportLoop> loop;

 private:
  std::vector<Listener> listeners_;
  pipeline::ExpiryRing ring_;
  std::array<pipeline::ExpiryRing*, 1> rings_;
  pipeline::Outputs outputs_;
  uint32_t pushed_ = 0;
};

}  // namespace

TEST_CASE("what is complete leaves in one call within the turn, the rest stays") {
  RowsFixture fixture;
  fixture.push(7 * 30 + 11);
  fixture.loop->turn(start_ms, 0);
  CHECK(fixture.in_order().size() == 7);
  CHECK(rows_passed_on == 1);
  CHECK(sends_passed_on == 0);
  CHECK(fixture.loop->counters().sent.records == 210);
  CHECK(fixture.loop->counters().in_datagram.records == 11);
  CHECK(fixture.adds_up());
  fixture.push(19);
  fixture.loop->turn(start_ms + 1, 0);
  const auto last = fixture.in_order(210);
  REQUIRE(last.size() == 1);
  CHECK(last[0].flows.size() == 30);
  CHECK(sends_passed_on == 1);
}

TEST_CASE("a full row ends a turn, and no record is lost between rows") {
  RowsFixture fixture;
  fixture.push(3 * 44 * 30 + 65);
  uint32_t seen = 0;
  for (int turn = 0; turn < 3; ++turn) {
    fixture.loop->turn(start_ms, 0);
    CHECK(fixture.in_order(seen).size() == 44);
    seen += 44 * 30;
    CHECK(rows_passed_on == static_cast<size_t>(turn) + 1);
  }
  while (!fixture.loop->finish(start_ms, 0)) {
  }
  CHECK(fixture.in_order(seen).size() == 3);
  CHECK(fixture.loop->counters().sent.records == 3 * 44 * 30 + 65);
  CHECK(fixture.adds_up());
}

TEST_CASE("a partial datagram that is due leaves last in its row") {
  RowsFixture fixture;
  fixture.push(12);
  fixture.loop->turn(start_ms, 0);
  fixture.push(60, start_ms + 1000);  // of which the first must not join the twelve
  fixture.push(10, start_ms + 2000);
  fixture.loop->turn(start_ms + 3000, 0);
  const auto received = fixture.in_order();
  REQUIRE(received.size() == 3);
  CHECK(received[0].flows.size() == 12);
  CHECK(received[1].flows.size() == 30);
  CHECK(received[2].flows.size() == 30);
}

TEST_CASE("with no export delay the partial datagram closes the row") {
  RowsFixture fixture(1, {.export_delay_ms = 0});
  for (uint32_t turn = 0; turn < 3; ++turn) {
    fixture.push(70, start_ms - 1);
    fixture.loop->turn(start_ms, 0);
    const auto received = fixture.in_order(70 * turn);
    REQUIRE(received.size() == 3);
    CHECK(received[2].flows.size() == 10);
    CHECK(fixture.loop->counters().in_datagram.records == 0);
  }
  CHECK(rows_passed_on == 3);
}

// Packets alone tell the time: no matter how records come to the loop, the bytes are the same.
TEST_CASE("rows change no byte of any datagram of a capture") {
  const auto stream_of = [](unsigned chunk) {
    RowsFixture fixture;
    std::vector<Bytes> all;
    const auto collect = [&] {
      for (Bytes& each : fixture.bytes())
        all.push_back(std::move(each));
    };
    uint32_t number = 0;
    int64_t left_ms = start_ms;
    for (unsigned record = 0; record < 3000; ++record) {
      // Bursts of many within a millisecond, pauses, holes, and steps back.
      left_ms += record % 700 < 400 ? 0 : record % 97 == 0 ? 5000 : record % 31 == 0 ? -40 : 3;
      fixture.push(record_left_at(left_ms, number++));
      if (number % chunk == 0) {
        fixture.loop->turn(ExportLoop::no_clock, 0);
        collect();
      }
    }
    while (!fixture.loop->finish(ExportLoop::no_clock, 0))
      collect();
    collect();
    CHECK(fixture.loop->counters().sent.records == 3000);
    return all;
  };
  const auto one_by_one = stream_of(1);
  REQUIRE(one_by_one.size() > 100);
  for (const unsigned chunk : {29U, 64U, 500U, 2999U, 4000U}) {
    CAPTURE(chunk);
    CHECK(stream_of(chunk) == one_by_one);
  }
}

TEST_CASE("without segmentation the same datagrams go one by one") {
  RowsFixture fixture;
  scripted_rows = {EIO};
  fixture.push(60 * 30 + 5);
  while (!fixture.loop->finish(start_ms, 0)) {
  }
  CHECK(fixture.in_order().size() == 61);
  CHECK(rows_passed_on == 0);
  CHECK(sends_passed_on == 61);
  CHECK(fixture.collector().datagrams_sent == 61);
  CHECK(fixture.collector().records_sent == 1805);
  CHECK(fixture.loop->counters().sent.records == 1805);
  CHECK(fixture.adds_up());
}

TEST_CASE("a row that a collector does not take yet waits, whole, and is stamped when it is sent") {
  RowsFixture fixture;
  fixture.push(5 * 30 + 2);
  scripted_rows = {EAGAIN, EAGAIN};
  fixture.loop->turn(start_ms, second_ns);
  fixture.loop->turn(start_ms + 300, second_ns + 300'000'000);
  CHECK(fixture.bytes().empty());
  CHECK(fixture.loop->counters().in_datagram.records == 152);
  CHECK(fixture.adds_up());
  fixture.push(40);
  fixture.loop->turn(start_ms + 700, second_ns + 700'000'000);
  const auto received = fixture.in_order();
  REQUIRE(received.size() == 6);
  for (const auto& datagram : received)
    CHECK(datagram.sys_uptime == 60'700);
  CHECK(fixture.collector().datagrams_failed == 0);
}

TEST_CASE("a row is given up on after a second, each of its datagrams and records counted") {
  RowsFixture fixture;
  fixture.push(5 * 30);
  scripted_rows = std::deque<int>(3, EAGAIN);
  fixture.loop->turn(start_ms, second_ns);
  fixture.loop->turn(start_ms, 2 * second_ns - 1);
  CHECK(fixture.loop->counters().lost_send_failed.records == 0);
  fixture.loop->turn(start_ms, 2 * second_ns);
  const auto counters = fixture.loop->counters();
  CHECK(counters.lost_send_failed == counters.taken);
  CHECK(counters.lost_send_failed.records == 150);
  CHECK(counters.sent == flow::RecordTally{});
  CHECK(counters.flow_sequence == 150);
  CHECK(fixture.collector().datagrams_failed == 5);
  CHECK(fixture.collector().records_failed == 150);
  // Nobody waits for it now, until it takes something.
  scripted_rows = {EAGAIN};
  fixture.push(2 * 30);
  fixture.loop->turn(start_ms, 2 * second_ns + 1);
  CHECK(fixture.loop->counters().lost_send_failed.records == 210);
  fixture.push(2 * 30);
  fixture.loop->turn(start_ms, 2 * second_ns + 2);
  CHECK(fixture.in_order(210).size() == 2);
  CHECK(fixture.loop->counters().sent.records == 60);
  CHECK(fixture.adds_up());
}

TEST_CASE("of two collectors one blocks: both get the same, once, and the end waits for it") {
  RowsFixture fixture(2);
  fixture.push(10 * 30 + 8);
  scripted_rows = {0, EAGAIN, EAGAIN, EAGAIN};
  fixture.loop->turn(start_ms, second_ns);
  CHECK_FALSE(fixture.loop->finish(start_ms + 1, second_ns + 1));
  CHECK_FALSE(fixture.loop->finish(start_ms + 2, second_ns + 2));
  REQUIRE(fixture.loop->finish(start_ms + 3, second_ns + 3));
  const auto first = fixture.bytes(0);
  CHECK(first.size() == 11);
  CHECK(first == fixture.bytes(1));
  for (const size_t number : {0, 1}) {
    CHECK(fixture.collector(number).datagrams_sent == 11);
    CHECK(fixture.collector(number).records_sent == 308);
  }
  CHECK(fixture.loop->counters().sent.records == 308);
  CHECK(fixture.adds_up());
}

TEST_CASE("of two collectors one takes no row in time: the records count as sent") {
  RowsFixture fixture(2);
  fixture.push(10 * 30);
  scripted_rows = {EAGAIN, EAGAIN};
  fixture.loop->turn(start_ms, second_ns);
  fixture.loop->turn(start_ms, 2 * second_ns);
  CHECK(fixture.bytes(0).empty());
  CHECK(fixture.in_order(0, 1).size() == 10);
  CHECK(fixture.collector(0).datagrams_failed == 10);
  CHECK(fixture.loop->counters().sent.records == 300);
  CHECK(fixture.loop->counters().lost_send_failed.records == 0);
}

TEST_CASE("blocked amid datagrams that go one by one, it goes on where it was, byte for byte") {
  RowsFixture fixture(2);
  fixture.push(10 * 30);
  scripted_rows = {EINVAL, EINVAL};
  scripted_sends = {0, 0, 0, EAGAIN, EAGAIN, 0, 0, 0, 0, 0, 0, 0, 0, EAGAIN};
  for (int turn = 0; turn < 4; ++turn)
    fixture.loop->turn(start_ms + 50 * turn, second_ns + static_cast<uint64_t>(turn));
  const auto first = fixture.bytes(0);
  CHECK(first.size() == 10);
  CHECK(first == fixture.bytes(1));
  CHECK(fixture.loop->counters().sent.records == 300);
  CHECK(sends_passed_on == 20);
}

TEST_CASE("of a row's datagrams those are lost that no collector took") {
  RowsFixture fixture(2);
  fixture.push(4 * 30);
  scripted_rows = {EPERM, EPERM, EPERM, EINVAL};
  scripted_sends = {EPERM, 0, EPERM, EPERM, /* the other */ 0, 0, EPERM, EPERM};
  fixture.loop->turn(start_ms, second_ns);
  flow::RecordTally lost;
  for (uint32_t number = 60; number < 120; ++number)
    lost.add(record_left_at(start_ms, number).carried());
  CHECK(fixture.loop->counters().lost_send_failed == lost);
  CHECK(fixture.loop->counters().sent.records == 60);
  CHECK(fixture.adds_up());
  CHECK(fixture.collector(0).datagrams_failed == 3);
  CHECK(fixture.collector(1).datagrams_failed == 2);
}

TEST_CASE("a row holds no more than the export rate lets go at once") {
  RowsFixture fixture(1, {.export_rate = 30'000});  // 300 records in a hundredth of a second
  fixture.push(40 * 30);
  constexpr uint64_t began_ns = 1000 * second_ns;
  size_t records = 0;
  uint64_t elapsed_ns = 0;
  for (; records < 1200 && elapsed_ns < second_ns; elapsed_ns += 500'000) {
    fixture.loop->turn(start_ms, began_ns + elapsed_ns);
    for (const auto& datagram : fixture.in_order(static_cast<uint32_t>(records)))
      records += datagram.flows.size();
    REQUIRE(records <= 300 + elapsed_ns * 30'000 / second_ns);
    CHECK(fixture.adds_up());
  }
  CHECK(records == 1200);
  CHECK(elapsed_ns >= 30'000'000);
  CHECK(elapsed_ns < 32'000'000);
  CHECK(rows_passed_on >= 1);
}

TEST_CASE("a paced partial datagram is not followed in its row") {
  RowsFixture fixture(1, {.export_rate = 100});
  uint64_t now_ns = 1000 * second_ns;
  fixture.push(30 + 10, start_ms);
  fixture.push(60, start_ms + 5000);
  for (; !fixture.loop->finish(ExportLoop::no_clock, now_ns); now_ns += second_ns / 10) {
  }
  const auto received = fixture.in_order();
  REQUIRE(received.size() == 4);
  CHECK(received[1].flows.size() == 10);
}

TEST_CASE("records lost before the ring make their gap in the middle of what is sent") {
  RowsFixture fixture;
  fixture.push(10);
  fixture.loop->turn(start_ms, 0);
  fixture.loop->note_lost(7);
  fixture.push(80);
  fixture.loop->turn(start_ms, 0);
  std::vector<uint32_t> sequences;
  for (const Bytes& each : fixture.bytes())
    sequences.push_back(test::read_v5(each).flow_sequence);
  CHECK(sequences == std::vector<uint32_t>{0, 37, 67});
  CHECK(rows_passed_on == 1);
}

TEST_CASE("nobody listens: a row is sent, and the answer counts what it held") {
  RowsFixture fixture;
  pipeline::Outputs outputs;
  outputs.collectors.emplace_back(
      exporter::CollectorAddress{"127.0.0.1", fmt::to_string(Listener().port())});
  pipeline::ExpiryRing ring("refused_test", SOCKET_ID_ANY);
  std::array<pipeline::ExpiryRing*, 1> rings = {&ring};
  ExportLoop loop({.boot_ms = boot_ms}, rings, outputs);
  for (uint32_t i = 0; i < 300; ++i) {
    const Record record = record_left_at(start_ms, i);
    ring.push({&record, 1});
  }
  while (!loop.finish(start_ms, 0)) {
  }
  CHECK(loop.counters().sent.records == 300);
  CHECK(outputs.collectors[0].counters().refused == 1);
  CHECK(outputs.collectors[0].counters().records_refused == 300);
}

TEST_CASE("once the last route is gone no record leaves with one") {
  const std::vector<route::Route> routes = {{.prefix = 0, .length = 1, .out_if = 9}};
  const route::RouteTable table(routes, SOCKET_ID_ANY);
  RowsFixture fixture;
  fixture.loop->set_routes(&table);
  fixture.push(60);
  fixture.loop->turn(start_ms, 0);
  for (const auto& datagram : fixture.in_order()) {
    for (const auto& flow : datagram.flows)
      REQUIRE(flow.output == 9);
  }
  fixture.loop->set_routes(nullptr);
  fixture.push(1);  // few at first, then as many as there were
  fixture.loop->turn(start_ms, 0);
  fixture.push(59);
  fixture.loop->turn(start_ms, 0);
  for (const auto& datagram : fixture.in_order(60)) {
    for (const auto& flow : datagram.flows)
      REQUIRE(flow.output == 0);
  }
  CHECK(fixture.loop->counters().sent.records == 120);
}
