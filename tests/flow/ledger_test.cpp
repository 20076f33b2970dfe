#include "flow/ledger.hpp"

#include <functional>

#include "support/catch.hpp"

using namespace pollflow;
using flow::Ledger;

namespace {

// 10 frames of 100 octets: 7 accounted (80 IPv4 octets each), 3 skipped; 1 packet live, 6 in
// records.
Ledger balanced() {
  Ledger ledger;
  ledger.ports = {
      {.port = 0, .driver = "net_pcap", .received = 10, .missed = 2, .errored = 1, .rx_nombuf = 2}};
  ledger.workers.received = {10, 1000};
  ledger.workers.fates[index_of(packet::Fate::accounted)] = {7, 700};
  ledger.workers.fates[index_of(packet::Fate::arp)] = {3, 300};
  ledger.workers.accounted = {7, 560};
  ledger.workers.expired[index_of(flow::EndReason::idle)] = {3, {4, 320}};
  ledger.workers.expired[index_of(flow::EndReason::end)] = {1, {1, 80}};
  ledger.workers.lost[index_of(flow::EndReason::evicted)] = {1, {1, 80}};
  ledger.in_tables = {1, {1, 80}};
  ledger.exported.taken = {4, {5, 400}};
  ledger.exported.sent = {3, {4, 320}};
  ledger.exported.lost_send_failed = {1, {1, 80}};
  ledger.exported.flow_sequence = 5;
  return ledger;
}

}  // namespace

TEST_CASE("a ledger that adds up has nothing to say") {
  CHECK(balanced().broken_equations().empty());
}

TEST_CASE("sums follow from the counters") {
  const Ledger ledger = balanced();
  CHECK(ledger.ports.front().offered() == 13);
  CHECK(ledger.skipped() == flow::Tally{3, 300});
  CHECK(ledger.created() == flow::RecordTally{5, {6, 480}});
  CHECK(ledger.lost() == flow::RecordTally{2, {2, 160}});
  CHECK(ledger.in_rings() == flow::RecordTally{});
}

TEST_CASE("whatever counter is off by one, an equation says so") {
  const std::function<void(Ledger&)> faults[] = {
      [](Ledger& l) { ++l.ports.front().received; },
      [](Ledger& l) { ++l.ports.front().overdelivered; },
      [](Ledger& l) { ++l.workers.received.packets; },
      [](Ledger& l) { ++l.workers.received.octets; },
      [](Ledger& l) { ++l.workers.fates[index_of(packet::Fate::accounted)].packets; },
      [](Ledger& l) { ++l.workers.fates[index_of(packet::Fate::arp)].octets; },
      [](Ledger& l) { ++l.workers.fates[index_of(packet::Fate::ipv6)].packets; },
      [](Ledger& l) { ++l.workers.accounted.packets; },
      [](Ledger& l) { ++l.workers.accounted.octets; },
      [](Ledger& l) { ++l.workers.expired[0].records; },
      [](Ledger& l) { ++l.workers.expired[0].carried.packets; },
      [](Ledger& l) { ++l.workers.expired[0].carried.octets; },
      [](Ledger& l) { ++l.workers.lost[5].records; },
      [](Ledger& l) { ++l.workers.lost[5].carried.octets; },
      [](Ledger& l) { ++l.in_tables.carried.packets; },
      [](Ledger& l) { ++l.ring_records; },
      [](Ledger& l) { ++l.exported.taken.records; },
      [](Ledger& l) { ++l.exported.in_datagram.records; },
      [](Ledger& l) { ++l.exported.sent.carried.octets; },
      [](Ledger& l) { ++l.exported.lost_write_failed.records; },
      [](Ledger& l) { ++l.exported.flow_sequence; },
  };
  for (size_t i = 0; i < std::size(faults); ++i) {
    CAPTURE(i);
    Ledger ledger = balanced();
    faults[i](ledger);
    CHECK_FALSE(ledger.broken_equations().empty());
  }
}

TEST_CASE("a broken equation is a sentence with both numbers") {
  Ledger ledger = balanced();
  ledger.workers.accounted.octets = 561;
  REQUIRE(ledger.broken_equations() ==
          std::vector<std::string>{
              "accounted (octets) is 561, but in tables + records created is 560"});
}

TEST_CASE("records under way are no loss") {
  Ledger ledger = balanced();
  ledger.exported.taken = {3, {4, 320}};
  ledger.exported.lost_send_failed = {};
  ledger.exported.sent = {2, {3, 240}};
  ledger.exported.in_datagram = {1, {1, 80}};
  ledger.ring_records = 1;
  CHECK(ledger.broken_equations().empty());
}
