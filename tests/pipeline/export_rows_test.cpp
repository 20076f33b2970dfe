// Complete datagrams leave in rows: what is in them, and when they leave.

#include <vector>

#include "pipeline/rows_fixture.hpp"

using namespace pollflow;
using pipeline::ExportLoop;
using test::Bytes;
using test::numbered_record;
using test::rows_passed_on;
using test::RowsFixture;
using test::second_ns;
using test::sends_passed_on;
using test::start_ms;

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
  fixture.finish(start_ms);
  CHECK(fixture.in_order(seen).size() == 3);
  CHECK(fixture.loop->counters().sent.records == 3 * 44 * 30 + 65);
  CHECK(fixture.adds_up());
}

TEST_CASE("a partial datagram that is due leaves before what must not join it") {
  RowsFixture fixture;
  fixture.push(12);
  fixture.loop->turn(ExportLoop::no_clock, 0);
  fixture.push(60, start_ms + 1000);  // of which the first must not join the twelve
  fixture.push(10, start_ms + 2000);
  fixture.loop->turn(ExportLoop::no_clock, 0);
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
      fixture.push(numbered_record(left_ms, number++));
      if (number % chunk == 0) {
        fixture.loop->turn(ExportLoop::no_clock, 0);
        collect();
      }
    }
    int turns = 0;
    while (!fixture.loop->finish(ExportLoop::no_clock, 0) && ++turns < 10'000)
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
  RowsFixture fixture(1, {.assembler = {.records_max = 10}, .export_rate = 3000});
  fixture.push(35, start_ms);  // thirty take all tokens, five must wait
  fixture.push(40, start_ms + 5000);
  fixture.loop->turn(ExportLoop::no_clock, 1000 * second_ns);
  CHECK(fixture.in_order().size() == 3);
  fixture.loop->turn(ExportLoop::no_clock, 1001 * second_ns);
  auto received = fixture.in_order(30);
  REQUIRE(received.size() == 3);
  CHECK(received[0].flows.size() == 5);
  CHECK(received[1].flows.size() == 10);
  fixture.finish(ExportLoop::no_clock, 1002 * second_ns);
  CHECK(fixture.in_order(55).size() == 2);
}

TEST_CASE("in a row, too, a header is stamped with the latest of its own records") {
  RowsFixture fixture(1, {.assembler = {.records_max = 3}});
  for (uint32_t number = 0; number < 9; ++number)
    fixture.push(numbered_record(start_ms + 10 * number, number));
  fixture.loop->turn(ExportLoop::no_clock, 0);
  const auto received = fixture.in_order();
  REQUIRE(received.size() == 3);
  CHECK(rows_passed_on == 1);
  for (uint32_t i = 0; i < 3; ++i)
    CHECK(received[i].sys_uptime == 60'020 + 30 * i);
}

TEST_CASE("records are read from the ring in order where it begins anew") {
  RowsFixture fixture;
  uint32_t seen = 0;
  for (unsigned round = 0; round < 20; ++round) {
    fixture.push(999);
    fixture.loop->turn(start_ms, 0);
    for (const auto& datagram : fixture.in_order(seen))
      seen += static_cast<uint32_t>(datagram.flows.size());
  }
  CHECK(seen == 20 * 999 / 30 * 30);
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
