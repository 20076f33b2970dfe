// What becomes of a row that a collector does not take, or not yet.

#include <array>
#include <cerrno>
#include <deque>

#include "pipeline/rows_fixture.hpp"

using namespace pollflow;
using pipeline::ExportLoop;
using test::boot_ms;
using test::Listener;
using test::numbered_record;
using test::rows_passed_on;
using test::RowsFixture;
using test::scripted_rows;
using test::scripted_sends;
using test::second_ns;
using test::sends_passed_on;
using test::start_ms;

TEST_CASE("without segmentation the same datagrams go one by one") {
  RowsFixture fixture;
  scripted_rows = {EIO};
  fixture.push(60 * 30 + 5);
  fixture.finish(start_ms);
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
  // The next time it blocks it has a second again.
  scripted_rows = {EAGAIN, EAGAIN};
  fixture.push(2 * 30);
  fixture.loop->turn(start_ms, 7 * second_ns);
  fixture.loop->turn(start_ms, 8 * second_ns - 1);
  CHECK(fixture.loop->counters().in_datagram.records == 60);
  fixture.loop->turn(start_ms, 8 * second_ns - 1);
  CHECK(fixture.in_order(270).size() == 2);
  // And what it takes none of is lost, though it took the row before.
  scripted_rows = {EPERM, EPERM};
  scripted_sends = {EPERM, EPERM};
  fixture.push(2 * 30);
  fixture.loop->turn(start_ms, 9 * second_ns);
  CHECK(fixture.loop->counters().sent.records == 120);
  CHECK(fixture.loop->counters().lost_send_failed.records == 270);
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
  for (const size_t number : std::initializer_list<size_t>{0, 1}) {
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
    lost.add(numbered_record(start_ms, number).carried());
  CHECK(fixture.loop->counters().lost_send_failed == lost);
  CHECK(fixture.loop->counters().sent.records == 60);
  CHECK(fixture.adds_up());
  CHECK(fixture.collector(0).datagrams_failed == 3);
  CHECK(fixture.collector(1).datagrams_failed == 2);
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
    const flow::Record record = numbered_record(start_ms, i);
    ring.push({&record, 1});
  }
  while (!loop.finish(start_ms, 0)) {
  }
  CHECK(loop.counters().sent.records == 300);
  CHECK(outputs.collectors[0].counters().refused == 1);
  CHECK(outputs.collectors[0].counters().records_refused == 300);
}
