#include <algorithm>
#include <vector>

#include "netflow/assembler.hpp"
#include "support/catch.hpp"
#include "support/v5_reader.hpp"

using namespace pollflow;
using netflow::Assembler;
using test::read_v5;
using test::V5Datagram;

namespace {

constexpr int64_t boot_ms = 1'700'000'000'000;

void add_numbered(Assembler& assembler, uint32_t& number, unsigned count) {
  for (; count > 0; --count) {
    flow::Record record{};
    record.key.src = number++;
    record.first_ms = record.last_ms = boot_ms;
    assembler.add(record, {});
  }
}

void keep_sealed(Assembler& assembler, int64_t now_ms) {
  assembler.seal(now_ms);
  assembler.keep();
}

// What a sendmsg with UDP_SEGMENT makes of the kept ones.
std::vector<V5Datagram> cut(const Assembler& assembler) {
  std::vector<V5Datagram> datagrams;
  auto rest = assembler.kept_bytes();
  while (!rest.empty()) {
    const size_t bytes = std::min(rest.size(), assembler.datagram_bytes());
    datagrams.push_back(read_v5(rest.first(bytes)));
    rest = rest.subspan(bytes);
  }
  return datagrams;
}

}  // namespace

TEST_CASE("kept datagrams lie one behind another, each with its sequence and its time") {
  Assembler assembler({}, boot_ms);
  uint32_t number = 0;
  for (unsigned i = 0; i < 5; ++i) {
    add_numbered(assembler, number, i < 4 ? 30 : 7);
    keep_sealed(assembler, boot_ms + 100 * i);
  }
  CHECK(assembler.kept() == 5);
  CHECK(assembler.kept_records() == 127);
  CHECK(assembler.all_kept());  // nothing can follow the short one
  CHECK_FALSE(assembler.row_full());
  const auto datagrams = cut(assembler);
  REQUIRE(datagrams.size() == 5);
  uint32_t expected = 0;
  for (size_t i = 0; i < 5; ++i) {
    CHECK(datagrams[i].flow_sequence == 30 * i);
    CHECK(datagrams[i].sys_uptime == 100 * i);
    for (const auto& flow : datagrams[i].flows)
      REQUIRE(flow.src_addr == expected++);
  }
  CHECK(expected == 127);
  assembler.release();
  CHECK(assembler.kept() == 0);
  CHECK(assembler.kept_bytes().empty());
  CHECK_FALSE(assembler.all_kept());
  CHECK(assembler.flow_sequence() == 127);
}

TEST_CASE("a row is as many as a call takes, for each number of records in a datagram") {
  for (unsigned records_max = 1; records_max <= 30; ++records_max) {
    CAPTURE(records_max);
    Assembler assembler({.records_max = records_max}, boot_ms);
    uint32_t number = 0;
    while (!assembler.row_full()) {
      REQUIRE_FALSE(assembler.all_kept());
      add_numbered(assembler, number, records_max);
      REQUIRE(assembler.full());
      keep_sealed(assembler, boot_ms);
    }
    CHECK(assembler.all_kept());
    CHECK(assembler.kept_bytes().size() <= 65'507);
    CHECK(assembler.kept() <= 64);
    // One more would be too many.
    CHECK((assembler.kept() == 64 ||
           assembler.kept_bytes().size() + 24 + size_t{48} * records_max > 65'507));
    CHECK(cut(assembler).size() == assembler.kept());
  }
}

TEST_CASE("released, those kept are gone and the one under construction goes on") {
  for (unsigned begun = 0; begun <= 30; ++begun) {
    CAPTURE(begun);
    Assembler assembler({}, boot_ms);
    uint32_t number = 0;
    for (int i = 0; i < 3; ++i) {
      add_numbered(assembler, number, 30);
      keep_sealed(assembler, boot_ms);
    }
    add_numbered(assembler, number, begun);
    assembler.release();
    CHECK(assembler.count() == begun);
    add_numbered(assembler, number, 30 - begun);
    keep_sealed(assembler, boot_ms);
    const auto datagrams = cut(assembler);
    REQUIRE(datagrams.size() == 1);
    CHECK(datagrams[0].flow_sequence == 90);
    uint32_t expected = 90;
    for (const auto& flow : datagrams[0].flows)
      REQUIRE(flow.src_addr == expected++);
  }
}

TEST_CASE("released with none kept, the one under construction stays as it is") {
  Assembler assembler({}, boot_ms);
  uint32_t number = 0;
  add_numbered(assembler, number, 7);
  assembler.skip(5);
  assembler.release();
  assembler.release();
  CHECK(assembler.count() == 7);
  CHECK(assembler.flow_sequence() == 0);
  keep_sealed(assembler, boot_ms);
  const auto datagrams = cut(assembler);
  REQUIRE(datagrams.size() == 1);
  REQUIRE(datagrams[0].flows.size() == 7);
  for (uint32_t i = 0; i < 7; ++i)
    CHECK(datagrams[0].flows[i].src_addr == i);
  CHECK(assembler.flow_sequence() == 7 + 5);
}

TEST_CASE("skipped records make their gap between two that are kept") {
  Assembler assembler({.records_max = 2}, boot_ms);
  uint32_t number = 0;
  add_numbered(assembler, number, 2);
  keep_sealed(assembler, boot_ms);
  add_numbered(assembler, number, 1);
  assembler.skip(10);
  add_numbered(assembler, number, 1);
  keep_sealed(assembler, boot_ms);
  add_numbered(assembler, number, 2);
  keep_sealed(assembler, boot_ms);
  const auto datagrams = cut(assembler);
  REQUIRE(datagrams.size() == 3);
  CHECK(datagrams[0].flow_sequence == 0);
  CHECK(datagrams[1].flow_sequence == 2);
  CHECK(datagrams[2].flow_sequence == 14);
}

TEST_CASE("stamped anew, those of an earlier time get the later one and nothing else changes") {
  Assembler assembler({.records_max = 3}, boot_ms);
  assembler.set_wall_offset(5000);
  uint32_t number = 0;
  for (const int64_t ms : {1000, 2500, 4000}) {
    add_numbered(assembler, number, 3);
    keep_sealed(assembler, boot_ms + ms);
  }
  const auto before = cut(assembler);
  assembler.stamp_kept(boot_ms + 2600);
  const auto after = cut(assembler);
  REQUIRE(after.size() == 3);
  CHECK(after[0].sys_uptime == 2600);
  CHECK(after[0].unix_secs == 1'700'000'007);
  CHECK(after[0].unix_nsecs == 600'000'000);
  CHECK(after[1].sys_uptime == 2600);
  CHECK(after[2].sys_uptime == 4000);
  for (size_t i = 0; i < 3; ++i) {
    CHECK(after[i].flow_sequence == before[i].flow_sequence);
    CHECK(after[i].flows == before[i].flows);
  }
}

TEST_CASE("when the wall clock was set, those of a later time follow, too") {
  Assembler assembler({.records_max = 3}, boot_ms);
  uint32_t number = 0;
  for (const int64_t ms : {1000, 4000}) {
    add_numbered(assembler, number, 3);
    keep_sealed(assembler, boot_ms + ms);
  }
  assembler.set_wall_offset(60'000);
  assembler.stamp_kept(boot_ms + 2000);
  const auto datagrams = cut(assembler);
  REQUIRE(datagrams.size() == 2);
  CHECK(datagrams[0].sys_uptime == 2000);
  CHECK(datagrams[0].unix_secs == 1'700'000'062);
  CHECK(datagrams[1].sys_uptime == 4000);
  CHECK(datagrams[1].unix_secs == 1'700'000'064);
}
