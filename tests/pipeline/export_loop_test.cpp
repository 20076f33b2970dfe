#include "pipeline/export_loop.hpp"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <rte_mbuf.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <filesystem>
#include <string>
#include <vector>

#include "support/catch.hpp"
#include "support/export_records.hpp"
#include "support/udp_listener.hpp"
#include "support/v5_reader.hpp"

using namespace pollflow;
using flow::Record;
using pipeline::ExportLoop;

namespace {

using test::boot_ms;
using test::second_ns;
using test::start_ms;

Record record_left_at(int64_t left_ms, uint32_t number = 1) {
  Record record = test::numbered_record(left_ms, number);
  record.octets = 100;
  return record;
}

exporter::CollectorAddress address_of(const test::Listener& listener) {
  return {"127.0.0.1", fmt::to_string(listener.port())};
}

struct ExportFixture {
  explicit ExportFixture(size_t collectors = 1, ExportLoop::Options with = {})
      : listeners(collectors), ring("export_test", SOCKET_ID_ANY), rings{&ring} {
    for (const test::Listener& listener : listeners)
      outputs.collectors.emplace_back(address_of(listener));
    with.boot_ms = boot_ms;
    loop.emplace(with, rings, outputs);
  }

  void push(const Record& record) { ring.push({&record, 1}); }
  std::vector<test::V5Datagram> received(size_t listener = 0) {
    std::vector<test::V5Datagram> decoded;
    for (const test::Bytes& bytes : listeners[listener].datagrams())
      decoded.push_back(test::read_v5(bytes));
    return decoded;
  }

  std::vector<test::Listener> listeners;
  pipeline::ExpiryRing ring;
  std::array<pipeline::ExpiryRing*, 1> rings;
  pipeline::Outputs outputs;
  std::optional<ExportLoop> loop;
};

}  // namespace

TEST_CASE("a full datagram leaves at once, a partial one within the export delay") {
  ExportFixture fixture;
  for (uint32_t i = 0; i < 31; ++i)
    fixture.push(record_left_at(start_ms, i));
  fixture.loop->turn(start_ms, 0);
  auto received = fixture.received();
  REQUIRE(received.size() == 1);
  CHECK(received[0].flows.size() == 30);
  CHECK(received[0].flow_sequence == 0);

  fixture.loop->turn(start_ms + 999, second_ns - 1);
  CHECK(fixture.received().empty());
  fixture.loop->turn(start_ms + 1000, second_ns);
  received = fixture.received();
  REQUIRE(received.size() == 1);
  CHECK(received[0].flows.size() == 1);
  CHECK(received[0].flow_sequence == 30);
  CHECK(received[0].sys_uptime == 61'000);
}

TEST_CASE(
    "where only records tell the time, they decide when a datagram leaves and what its header "
    "says") {
  ExportFixture fixture;
  fixture.push(record_left_at(start_ms, 1));
  fixture.push(record_left_at(start_ms + 400, 2));
  fixture.push(record_left_at(start_ms + 86'400'000, 3));
  fixture.loop->turn(ExportLoop::no_clock, 0);
  auto received = fixture.received();
  REQUIRE(received.size() == 1);
  CHECK(received[0].flows.size() == 2);
  CHECK(received[0].sys_uptime == 61'000);
  REQUIRE(fixture.loop->finish(ExportLoop::no_clock, 0));
  received = fixture.received();
  REQUIRE(received.size() == 1);
  CHECK(received[0].sys_uptime == 60'000 + 86'400'000);
}

TEST_CASE("on a live port a record of the future neither waits for its time nor ends a datagram") {
  ExportFixture fixture;
  fixture.push(record_left_at(start_ms + 5000, 1));  // the clock of a worker's turn was ahead
  fixture.push(record_left_at(start_ms + 9000, 2));
  fixture.loop->turn(start_ms, 0);
  fixture.loop->turn(start_ms + 999, second_ns - 1);
  CHECK(fixture.received().empty());
  fixture.loop->turn(start_ms + 1000, second_ns);
  const auto received = fixture.received();
  REQUIRE(received.size() == 1);
  CHECK(received[0].flows.size() == 2);
  CHECK(received[0].sys_uptime == 69'000);
}

TEST_CASE(
    "on a live port, too, a datagram has no records that SysUptime cannot hold side by side") {
  for (const int64_t ahead_ms : {int64_t{INT32_MAX} + 1, -int64_t{INT32_MAX} - 1}) {
    ExportFixture fixture;
    fixture.push(record_left_at(start_ms));
    fixture.push(record_left_at(start_ms + ahead_ms));
    REQUIRE(fixture.loop->finish(start_ms, 0));
    const auto received = fixture.received();
    REQUIRE(received.size() == 2);
    CHECK(received[0].sys_uptime == 60'000);
  }
}

TEST_CASE("the export delay is a second also while the live clock is corrected") {
  for (const int64_t step_ms : {-169, 5000}) {
    ExportFixture fixture;
    fixture.push(record_left_at(start_ms));
    fixture.loop->turn(start_ms, 7 * second_ns);
    fixture.loop->turn(start_ms + 999 + step_ms, 8 * second_ns - 1);
    CHECK(fixture.received().empty());
    fixture.loop->turn(start_ms + 1000 + step_ms, 8 * second_ns);
    CHECK(fixture.received().size() == 1);
  }
}

TEST_CASE("a header is never before its records, even when time stepped back") {
  ExportFixture fixture;
  fixture.push(record_left_at(start_ms + 500, 1));
  fixture.push(record_left_at(start_ms, 2));
  fixture.push(record_left_at(start_ms - 5'000'000'000, 3));  // 58 days: SysUptime cannot hold both
  REQUIRE(fixture.loop->finish(ExportLoop::no_clock, 0));
  const auto received = fixture.received();
  REQUIRE(received.size() == 2);
  CHECK(received[0].sys_uptime == 61'500);  // due when opened + 1000
  CHECK(received[1].flows.size() == 1);
  CHECK(received[1].sys_uptime == static_cast<uint32_t>(60'000 - 5'000'000'000));
}

TEST_CASE("after a hole in time records leave in any order, but uptime does not fall") {
  ExportFixture fixture(1, {.assembler = {.records_max = 1}});
  for (const int64_t ms : {9000, 1000, 5000, 12'000})
    fixture.push(record_left_at(start_ms + ms));
  REQUIRE(fixture.loop->finish(ExportLoop::no_clock, 0));
  const auto received = fixture.received();
  REQUIRE(received.size() == 4);
  CHECK(received[0].sys_uptime == 69'000);
  CHECK(received[1].sys_uptime == 69'000);
  CHECK(received[2].sys_uptime == 69'000);
  CHECK(received[3].sys_uptime == 72'000);
}

TEST_CASE("two collectors get the same stream; one that fails does not stop the other") {
  ExportFixture fixture(2);
  for (uint32_t i = 0; i < 45; ++i)
    fixture.push(record_left_at(start_ms, i));
  REQUIRE(fixture.loop->finish(start_ms, 0));
  const auto first = fixture.listeners[0].datagrams();
  CHECK(first.size() == 2);
  CHECK(first == fixture.listeners[1].datagrams());
  const auto counters = fixture.loop->counters();
  CHECK(counters.sent.records == 45);
  CHECK(counters.flow_sequence == 45);
}

TEST_CASE("the export rate holds records back and loses none") {
  ExportFixture fixture(1, {.export_rate = 300});
  for (uint32_t i = 0; i < 300; ++i)
    fixture.push(record_left_at(start_ms, i));
  constexpr uint64_t began_ns = 1000 * second_ns;
  uint64_t elapsed_ns = 0;
  size_t sent = 0;
  for (; sent < 300 && elapsed_ns < 10 * second_ns; elapsed_ns += second_ns / 1000) {
    fixture.loop->turn(start_ms, began_ns + elapsed_ns);
    for (const auto& datagram : fixture.received())
      sent += datagram.flows.size();
    REQUIRE(sent <= 30 + elapsed_ns * 300 / second_ns);
  }
  CHECK(sent == 300);
  CHECK(elapsed_ns > 890'000'000);
  CHECK(elapsed_ns < 910'000'000);
}

TEST_CASE("records lost before the ring make a gap behind the datagram under construction") {
  ExportFixture fixture;
  fixture.push(record_left_at(start_ms, 1));
  fixture.loop->turn(start_ms, 0);
  fixture.loop->note_lost(7);
  fixture.loop->turn(start_ms + 1000, second_ns);
  fixture.push(record_left_at(start_ms + 1000, 2));
  REQUIRE(fixture.loop->finish(start_ms + 1000, second_ns));
  const auto received = fixture.received();
  REQUIRE(received.size() == 2);
  CHECK(received[0].flow_sequence == 0);
  CHECK(received[1].flow_sequence == 8);
  CHECK(fixture.loop->counters().flow_sequence == 9);
}

TEST_CASE("a new pace is kept from the next datagram on") {
  ExportFixture fixture(1, {.assembler = {.records_max = 10}, .export_rate = 10});
  for (uint32_t i = 0; i < 40; ++i)
    fixture.push(record_left_at(start_ms, i));
  fixture.loop->turn(start_ms, 0);
  CHECK(fixture.received().size() == 1);
  fixture.loop->set_pace(50, 0);
  fixture.loop->turn(start_ms, 0);
  CHECK(fixture.received().size() == 3);
  fixture.push(record_left_at(start_ms, 41));
  fixture.loop->turn(start_ms, 0);
  fixture.loop->turn(start_ms + 49, 49'999'999);
  CHECK(fixture.received().empty());
  fixture.loop->turn(start_ms + 50, 50'000'000);
  CHECK(fixture.received().size() == 1);
}

TEST_CASE("when the wall clock was set, Unix time follows and SysUptime does not") {
  ExportFixture fixture;
  fixture.loop->set_wall_offset(3'600'000);
  fixture.push(record_left_at(start_ms, 1));
  REQUIRE(fixture.loop->finish(start_ms + 250, 0));
  const auto received = fixture.received();
  REQUIRE(received.size() == 1);
  CHECK(received[0].sys_uptime == 60'250);
  CHECK(received[0].unix_secs == start_ms / 1000 + 3600);
  CHECK(received[0].unix_nsecs == 250'000'000);
  CHECK(received[0].flows.at(0).first == 40'000);
}

TEST_CASE("each record leaves with its routes, or else with its port's partner") {
  const std::vector<route::Route> routes = {
      {.prefix = 0, .length = 30, .next_hop = 0x0a0b0c0d, .out_if = 9, .as = 700}};
  const route::RouteTable table(routes, SOCKET_ID_ANY);
  ExportLoop::Options options;
  options.pairs.add(1, 17);
  ExportFixture fixture(1, options);
  fixture.push(record_left_at(start_ms, 50));
  fixture.loop->turn(start_ms, 0);
  fixture.loop->set_routes(&table);
  fixture.push(record_left_at(start_ms, 50));
  fixture.push(record_left_at(start_ms, 3));
  fixture.loop->turn(start_ms, 0);
  fixture.loop->set_routes(nullptr);
  fixture.push(record_left_at(start_ms, 3));
  REQUIRE(fixture.loop->finish(start_ms, 0));
  const auto received = fixture.received();
  REQUIRE(received.size() == 1);
  const auto& flows = received[0].flows;
  REQUIRE(flows.size() == 4);
  const auto routing = [](const test::V5Flow& f) {
    return flow::Routing{f.next_hop, f.output, f.src_mask, f.dst_mask, f.src_as, f.dst_as};
  };
  CHECK(routing(flows[0]) == flow::Routing{.out_if = 17});
  CHECK(routing(flows[1]) == flow::Routing{0x0a0b0c0d, 9, 0, 30, 0, 700});
  CHECK(routing(flows[2]) == flow::Routing{0x0a0b0c0d, 9, 30, 30, 700, 700});
  CHECK(routing(flows[3]) == flow::Routing{.out_if = 17});
}

TEST_CASE("records that wait keep the routes they were resolved by when the table is exchanged") {
  const std::vector<route::Route> old_routes = {{.prefix = 0, .length = 1, .out_if = 1}};
  const std::vector<route::Route> new_routes = {{.prefix = 0, .length = 1, .out_if = 2}};
  std::optional<route::RouteTable> old_table(std::in_place, old_routes, SOCKET_ID_ANY);
  const route::RouteTable new_table(new_routes, SOCKET_ID_ANY);
  ExportFixture fixture(1, {.export_rate = 1});
  for (uint32_t i = 0; i < 65; ++i)
    fixture.push(record_left_at(start_ms, i));
  fixture.loop->set_routes(&*old_table);
  fixture.loop->turn(start_ms, second_ns);
  REQUIRE(fixture.loop->waiting() == 4);  // 30 sent, 30 in a datagram that may not go yet
  fixture.loop->set_routes(&new_table);
  old_table.reset();
  uint64_t now_ns = second_ns;
  while (!fixture.loop->finish(start_ms, now_ns))
    now_ns += 30 * second_ns;
  std::vector<uint16_t> out_ifs;
  for (const auto& datagram : fixture.received()) {
    for (const test::V5Flow& flow : datagram.flows)
      out_ifs.push_back(flow.output);
  }
  std::vector<uint16_t> expected(64, 1);
  expected.push_back(2);
  CHECK(out_ifs == expected);
}

TEST_CASE("without a collector the CSV file is where records go, and what it cannot take is lost") {
  pipeline::Outputs outputs;
  outputs.csv.emplace("/dev/full");
  pipeline::ExpiryRing ring("csv_test", SOCKET_ID_ANY);
  std::array<pipeline::ExpiryRing*, 1> rings = {&ring};
  ExportLoop loop({}, rings, outputs);
  for (uint32_t i = 0; i < 4000; ++i) {
    const Record record = record_left_at(start_ms, i);
    ring.push({&record, 1});
  }
  while (!loop.finish(start_ms, 0)) {
  }
  const auto counters = loop.counters();
  CHECK(counters.taken.records == 4000);
  CHECK(counters.sent == flow::RecordTally{});
  CHECK(counters.lost_write_failed == counters.taken);
}

TEST_CASE("what a file loses of a datagram under construction is in one place, at each moment") {
  const std::string path =
      (std::filesystem::temp_directory_path() / fmt::format("short_{}.csv", getpid())).string();
  pipeline::Outputs outputs;
  outputs.csv.emplace(path);
  pipeline::ExpiryRing ring("short_test", SOCKET_ID_ANY);
  std::array<pipeline::ExpiryRing*, 1> rings = {&ring};
  ExportLoop loop({.boot_ms = boot_ms, .export_delay_ms = 1000}, rings, outputs);
  const auto adds_up = [&] {
    const auto counters = loop.counters();
    return counters.taken == counters.in_datagram + counters.sent + counters.lost_write_failed &&
           counters.sent.records <= counters.taken.records;
  };
  loop.turn(start_ms, 0);  // writes the heading
  for (uint32_t i = 0; i < 20; ++i) {
    const Record record = record_left_at(start_ms, i);
    ring.push({&record, 1});
  }
  loop.turn(start_ms, 0);
  CHECK(loop.counters().in_datagram.records == 20);
  // The file takes some of the lines that wait, and then no more.
  rlimit before{};
  REQUIRE(getrlimit(RLIMIT_FSIZE, &before) == 0);
  const auto ignore = signal(SIGXFSZ, SIG_IGN);
  const rlimit shorter{std::filesystem::file_size(path) + 500, before.rlim_max};
  REQUIRE(setrlimit(RLIMIT_FSIZE, &shorter) == 0);
  loop.turn(start_ms + 1000, second_ns);  // the file's turn, and the datagram's
  REQUIRE(setrlimit(RLIMIT_FSIZE, &before) == 0);
  signal(SIGXFSZ, ignore);
  CHECK(adds_up());
  const auto counters = loop.counters();
  CHECK(counters.sent.records > 0);
  CHECK(counters.sent.records + counters.lost_write_failed.records == 20);
  // From now on each record is lost at once, with the datagram that it came into.
  for (uint32_t i = 0; i < 5; ++i) {
    const Record record = record_left_at(start_ms + 1100, i);
    ring.push({&record, 1});
    loop.turn(start_ms + 1100, second_ns);
    CHECK(adds_up());
  }
  while (!loop.finish(start_ms + 1200, second_ns)) {
  }
  CHECK(adds_up());
  CHECK(loop.counters().sent == counters.sent);
  std::filesystem::remove(path);
}
