#include "netflow/assembler.hpp"

#include <algorithm>
#include <array>
#include <limits>
#include <random>
#include <vector>

#include "support/catch.hpp"
#include "support/v5_reader.hpp"

using namespace pollflow;
using netflow::Assembler;
using test::read_v5;
using test::V5Datagram;
using test::V5Flow;

namespace {

constexpr int64_t boot_ms = 1'700'000'000'250;
constexpr int64_t wrap_ms = int64_t{1} << 32;  // of SysUptime: 49.7 days

constexpr flow::Record record_a = {.key = {.src = 0x0a000001,
                                           .dst = 0xc0a8fe02,
                                           .src_port = 0x1234,
                                           .dst_port = 0xabcd,
                                           .in_if = 0x0102,
                                           .protocol = 6,
                                           .tos = 0xb8},
                                   .packets = 0x00010203,
                                   .octets = 0x04050607,
                                   .first_ms = boot_ms + 0x11223344,
                                   .last_ms = boot_ms + 0x22334455,
                                   .left_ms = boot_ms + 0x22334455,
                                   .tcp_flags = 0x1b,
                                   .reason = flow::EndReason::end};

constexpr flow::Routing routing_a = {.next_hop = 0xc6336407,
                                     .out_if = 0x0506,
                                     .src_mask = 24,
                                     .dst_mask = 9,
                                     .src_as = 0x5ba0,
                                     .dst_as = 0xfde8};

flow::Record record_at(int64_t first_ms, int64_t last_ms) {
  flow::Record record = record_a;
  record.first_ms = first_ms;
  record.last_ms = last_ms;
  return record;
}

void add_records(Assembler& assembler, unsigned count) {
  for (unsigned i = 0; i < count; ++i)
    assembler.add(record_a, {});
}

// A datagram of `count` records: assembled, sealed, read, done with.
V5Datagram pass(Assembler& assembler, unsigned count, int64_t now_ms = boot_ms) {
  add_records(assembler, count);
  V5Datagram datagram = read_v5(assembler.seal(now_ms));
  assembler.next();
  return datagram;
}

using Random = std::mt19937_64;

// Numbers of which small and extreme ones are frequent.
template <typename Number>
Number any(Random& random) {
  const auto number = static_cast<Number>(random());
  switch (random() % 4) {
    case 0:
      return std::numeric_limits<Number>::max();
    case 1:
      return static_cast<Number>(number % 3);
    default:
      return number;
  }
}

flow::Record any_record(Random& random, int64_t now_ms) {
  const int64_t last_ms = now_ms - static_cast<int64_t>(random() % 100'000);
  return {.key = {.src = any<uint32_t>(random),
                  .dst = any<uint32_t>(random),
                  .src_port = any<uint16_t>(random),
                  .dst_port = any<uint16_t>(random),
                  .in_if = any<uint16_t>(random),
                  .protocol = any<uint8_t>(random),
                  .tos = any<uint8_t>(random)},
          .packets = any<uint32_t>(random),
          .octets = any<uint32_t>(random),
          .first_ms = last_ms - static_cast<int64_t>(random() % 2'000'000),
          .last_ms = last_ms,
          .left_ms = now_ms,
          .tcp_flags = any<uint8_t>(random),
          .reason = flow::EndReason::idle};
}

flow::Routing random_routing(Random& random) {
  return {.next_hop = any<uint32_t>(random),
          .out_if = any<uint16_t>(random),
          .src_mask = any<uint8_t>(random),
          .dst_mask = any<uint8_t>(random),
          .src_as = any<uint16_t>(random),
          .dst_as = any<uint16_t>(random)};
}

// What of a record goes on the wire; all else there is zero.
V5Flow on_the_wire(const flow::Record& record, const flow::Routing& routing) {
  V5Flow flow{};
  flow.src_addr = record.key.src;
  flow.dst_addr = record.key.dst;
  flow.input = record.key.in_if;
  flow.packets = record.packets;
  flow.octets = record.octets;
  flow.first = static_cast<uint32_t>(record.first_ms - boot_ms);
  flow.last = static_cast<uint32_t>(record.last_ms - boot_ms);
  flow.src_port = record.key.src_port;
  flow.dst_port = record.key.dst_port;
  flow.tcp_flags = record.tcp_flags;
  flow.protocol = record.key.protocol;
  flow.tos = record.key.tos;
  flow.next_hop = routing.next_hop;
  flow.output = routing.out_if;
  flow.src_mask = routing.src_mask;
  flow.dst_mask = routing.dst_mask;
  flow.src_as = routing.src_as;
  flow.dst_as = routing.dst_as;
  return flow;
}

}  // namespace

TEST_CASE("a datagram of one record is these bytes") {
  Assembler assembler({.engine_type = 0x21, .engine_id = 0x43}, boot_ms);
  assembler.skip(0x0badcafe);
  assembler.next();
  assembler.add(record_a, routing_a);
  const auto sealed = assembler.seal(1'985'229'328'987);
  const std::vector<uint8_t> expected = {
      // version, count, SysUptime 0x68fe2961, 1985229328 s, 987000000 ns
      0, 5, 0, 1, 0x68, 0xfe, 0x29, 0x61, 0x76, 0x54, 0x32, 0x10, 0x3a, 0xd4, 0x6c, 0xc0,
      // sequence, engine type, engine id, sampling
      0x0b, 0xad, 0xca, 0xfe, 0x21, 0x43, 0, 0,
      // source, destination, next hop, input, output
      10, 0, 0, 1, 192, 168, 254, 2, 198, 51, 100, 7, 1, 2, 5, 6,
      // packets, octets, first, last
      0, 1, 2, 3, 4, 5, 6, 7, 0x11, 0x22, 0x33, 0x44, 0x22, 0x33, 0x44, 0x55,
      // ports; pad, TCP flags, protocol, TOS; AS numbers; masks, pad
      0x12, 0x34, 0xab, 0xcd, 0, 0x1b, 6, 0xb8, 0x5b, 0xa0, 0xfd, 0xe8, 24, 9, 0, 0};
  CHECK(std::vector<uint8_t>(sealed.begin(), sealed.end()) == expected);
}

TEST_CASE("records are read back as they were added") {
  Random random(5);
  Assembler assembler({}, boot_ms);
  for (int round = 0; round < 500; ++round) {
    const int64_t now_ms = boot_ms + 3'000'000 + static_cast<int64_t>(random() % 4'000'000'000);
    std::vector<V5Flow> expected;
    for (auto count = 1 + random() % 30; count > 0; --count) {
      const flow::Record record = any_record(random, now_ms);
      const flow::Routing routing = random_routing(random);
      assembler.add(record, routing);
      expected.push_back(on_the_wire(record, routing));
    }
    const V5Datagram datagram = read_v5(assembler.seal(now_ms));
    assembler.next();
    REQUIRE(datagram.flows.size() == expected.size());
    REQUIRE(std::ranges::equal(datagram.flows, expected));
    REQUIRE(std::ranges::all_of(datagram.flows, [&](const V5Flow& flow) {
      return flow.first <= flow.last && flow.last <= datagram.sys_uptime;
    }));
  }
}

TEST_CASE("the length is exactly 24 bytes and 48 for each of 1 to 30 records") {
  Assembler assembler({}, boot_ms);
  for (unsigned count = 30; count >= 1; --count) {
    add_records(assembler, count);
    const auto sealed = assembler.seal(boot_ms);
    CHECK(sealed.size() == 24 + 48 * count);
    CHECK(read_v5(sealed).count == count);
    assembler.next();
  }
}

TEST_CASE("a datagram is full at the records asked for, and empty after the next() one began") {
  for (unsigned records_max = 1; records_max <= 30; ++records_max) {
    CAPTURE(records_max);
    Assembler assembler({.records_max = records_max}, boot_ms);
    for (unsigned count = 0; count < records_max; ++count) {
      CHECK(assembler.empty() == (count == 0));
      CHECK_FALSE(assembler.full());
      CHECK(assembler.count() == count);
      assembler.add(record_a, {});
    }
    CHECK(assembler.full());
    CHECK(assembler.count() == records_max);
    assembler.seal(boot_ms);
    CHECK(assembler.full());
    assembler.next();
    CHECK(assembler.empty());
    CHECK_FALSE(assembler.full());
  }
}

TEST_CASE("every datagram's header says version 5, its engine, and that nothing was sampled") {
  Assembler assembler({.engine_type = 17, .engine_id = 255}, boot_ms);
  for (const unsigned count : {1U, 30U, 2U}) {
    const V5Datagram datagram = pass(assembler, count);
    CHECK(datagram.version == 5);
    CHECK(datagram.engine_type == 17);
    CHECK(datagram.engine_id == 255);
    CHECK(datagram.sampling == 0);
  }
}

TEST_CASE("the sequence is the number of records before the datagram") {
  Random random(6);
  Assembler assembler({}, boot_ms);
  uint32_t before = 0;
  for (int round = 0; round < 1000; ++round) {
    const auto count = static_cast<unsigned>(1 + random() % 30);
    REQUIRE(pass(assembler, count).flow_sequence == before);
    before += count;
    REQUIRE(assembler.flow_sequence() == before);
  }
}

TEST_CASE("the sequence wraps at 2^32") {
  Assembler assembler({}, boot_ms);
  assembler.skip(0xffff'fff0);
  assembler.next();
  CHECK(pass(assembler, 10).flow_sequence == 0xffff'fff0);
  CHECK(pass(assembler, 30).flow_sequence == 0xffff'fffa);
  CHECK(pass(assembler, 1).flow_sequence == 24);
}

TEST_CASE("skipped records make a gap behind the datagram under construction") {
  Assembler assembler({}, boot_ms);
  pass(assembler, 5);

  SECTION("skipped while it is filled") {
    add_records(assembler, 2);
    assembler.skip(100);
    CHECK(assembler.flow_sequence() == 5);
    CHECK(pass(assembler, 1).flow_sequence == 5);
    CHECK(pass(assembler, 1).flow_sequence == 5 + 3 + 100);
  }
  SECTION("skipped while it waits, sealed, to be sent again") {
    add_records(assembler, 2);
    assembler.seal(boot_ms);
    assembler.skip(7);
    CHECK(read_v5(assembler.seal(boot_ms + 1)).flow_sequence == 5);
    assembler.next();
    CHECK(pass(assembler, 1).flow_sequence == 5 + 2 + 7);
  }
  SECTION("several times, added up, and counted once") {
    add_records(assembler, 2);
    assembler.skip(3);
    assembler.skip(4);
    assembler.next();
    CHECK(pass(assembler, 1).flow_sequence == 5 + 2 + 3 + 4);
    CHECK(pass(assembler, 1).flow_sequence == 5 + 2 + 3 + 4 + 1);
  }
  SECTION("with nothing under construction") {
    assembler.skip(9);
    assembler.next();
    CHECK(assembler.flow_sequence() == 5 + 9);
    CHECK(assembler.empty());
  }
  SECTION("more than 2^32 of them") {
    assembler.skip((uint64_t{1} << 32) + 6);
    assembler.next();
    CHECK(assembler.flow_sequence() == 5 + 6);
  }
}

TEST_CASE("SysUptime, first and last are milliseconds since boot, modulo 2^32") {
  Assembler assembler({}, boot_ms);
  for (const int64_t wraps : {0, 1, 2, 100}) {
    for (const int64_t since_boot_ms : {-1001, -1000, -1, 0, 1, 999, 1000, 86'400'000}) {
      CAPTURE(wraps, since_boot_ms);
      const int64_t now_ms = boot_ms + wraps * wrap_ms + since_boot_ms;
      assembler.add(record_at(now_ms - 2500, now_ms - 20), {});
      const V5Datagram datagram = read_v5(assembler.seal(now_ms));
      assembler.next();
      CHECK(datagram.sys_uptime == static_cast<uint32_t>(since_boot_ms));
      CHECK(datagram.flows.front().first == static_cast<uint32_t>(since_boot_ms - 2500));
      CHECK(datagram.flows.front().last == static_cast<uint32_t>(since_boot_ms - 20));
    }
  }
}

TEST_CASE("unix_nsecs are nanoseconds, below one second") {
  Assembler assembler({}, boot_ms);
  for (uint32_t ms = 0; ms < 1000; ++ms) {
    const V5Datagram datagram = pass(assembler, 1, 1'800'000'000'000 + ms);
    REQUIRE(datagram.unix_secs == 1'800'000'000);
    REQUIRE(datagram.unix_nsecs == ms * 1'000'000);
  }
}

TEST_CASE("a time before 1970 has whole seconds below it and nanoseconds above them") {
  Assembler assembler({}, boot_ms);
  const V5Datagram shortly_before = pass(assembler, 1, -1);
  CHECK(shortly_before.unix_secs == 0xffff'ffff);
  CHECK(shortly_before.unix_nsecs == 999'000'000);
  const V5Datagram whole = pass(assembler, 1, -2000);
  CHECK(whole.unix_secs == 0xffff'fffe);
  CHECK(whole.unix_nsecs == 0);
}

TEST_CASE("unix time minus SysUptime is the boot time, always") {
  Random random(7);
  const auto check = [](int64_t boot, int64_t now_ms) {
    Assembler assembler({}, boot);
    const V5Datagram datagram = pass(assembler, 1, now_ms);
    const auto unix_ms =
        static_cast<uint32_t>(datagram.unix_secs * 1000 + datagram.unix_nsecs / 1'000'000);
    CAPTURE(boot, now_ms);
    REQUIRE(unix_ms - datagram.sys_uptime == static_cast<uint32_t>(boot));
    REQUIRE(datagram.unix_nsecs % 1'000'000 == 0);
    REQUIRE(datagram.unix_nsecs < 1'000'000'000);
  };
  for (int64_t ms = -3000; ms <= 3000; ++ms) {
    check(0, ms);
    check(boot_ms, boot_ms + ms);
    check(-boot_ms, wrap_ms + ms);
  }
  for (int round = 0; round < 5000; ++round) {
    const auto boot = static_cast<int64_t>(random() % 10'000'000'000'000) - 5'000'000'000'000;
    check(boot, boot + static_cast<int64_t>(random() % 1'000'000'000'000));
  }
}

TEST_CASE("sealed again later, a datagram differs in its time stamp only") {
  Assembler assembler({}, boot_ms);
  pass(assembler, 3);
  add_records(assembler, 4);
  const auto copy = [&](int64_t now_ms) {
    const auto sealed = assembler.seal(now_ms);
    return std::vector<uint8_t>(sealed.begin(), sealed.end());
  };
  const auto early = copy(boot_ms + 1000);
  const auto late = copy(boot_ms + 2750);
  CHECK(read_v5(early).sys_uptime == 1000);
  CHECK(read_v5(late).sys_uptime == 2750);
  CHECK(read_v5(late).unix_secs == 1'700'000'003);
  CHECK(read_v5(late).unix_nsecs == 0);
  REQUIRE(early.size() == late.size());
  CHECK(std::equal(early.begin(), early.begin() + 4, late.begin()));
  CHECK(std::equal(early.begin() + 16, early.end(), late.begin() + 16));
  CHECK(copy(boot_ms + 1000) == early);
}

TEST_CASE("records may still be added to a sealed datagram") {
  Assembler assembler({}, boot_ms);
  add_records(assembler, 1);
  assembler.seal(boot_ms);
  add_records(assembler, 1);
  const V5Datagram datagram = read_v5(assembler.seal(boot_ms));
  CHECK(datagram.count == 2);
  CHECK(datagram.flow_sequence == 0);
  assembler.next();
  CHECK(assembler.flow_sequence() == 2);
}

TEST_CASE("the reader refuses what is no v5 datagram") {
  Assembler assembler({}, boot_ms);
  add_records(assembler, 2);
  const auto sealed = assembler.seal(boot_ms);
  std::vector<uint8_t> bytes(sealed.begin(), sealed.end());
  CHECK_THROWS_AS(read_v5(sealed.first(sealed.size() - 1)), std::runtime_error);
  CHECK_THROWS_AS(read_v5(sealed.first(23)), std::runtime_error);
  SECTION("another version") {
    bytes[1] = 9;
  }
  SECTION("another count") {
    bytes[3] = 3;
  }
  SECTION("no record") {
    bytes[3] = 0;
    bytes.resize(24);
  }
  SECTION("31 records") {
    bytes[3] = 31;
    bytes.resize(24 + 31 * 48);
  }
  CHECK_THROWS_AS(read_v5(bytes), std::runtime_error);
}
