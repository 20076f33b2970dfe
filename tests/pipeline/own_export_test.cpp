#include "pipeline/own_export.hpp"

#include <vector>

#include "pipeline/worker_fixture.hpp"
#include "support/catch.hpp"

using namespace pollflow;
using namespace pollflow::test;
using packet::Fate;
using packet::FlowKey;
using pipeline::OwnExport;

namespace {

constexpr int64_t start_ms = 1'700'000'000'000;

// As udp_frame(host) makes it.
FlowKey flow_of(uint8_t host) {
  return {.src = host,
          .dst = 1,
          .src_port = host,
          .dst_port = 53,
          .in_if = 0,
          .protocol = 17,
          .tos = 0};
}

OwnExport own(std::initializer_list<uint8_t> hosts) {
  OwnExport all;
  for (const uint8_t host : hosts)
    all.add(flow_of(host));
  return all;
}

}  // namespace

TEST_CASE("a flow is pollflow's own by addresses, ports and protocol, and by nothing else") {
  const OwnExport all = own({7, 8});
  FlowKey key = flow_of(7);
  CHECK(all.has(key));
  key.in_if = 3;
  key.tos = 0xb8;
  CHECK(all.has(key));
  CHECK(all.has(flow_of(8)));

  const auto differs = [&](auto change) {
    FlowKey other = flow_of(7);
    change(other);
    return !all.has(other);
  };
  CHECK(differs([](FlowKey& k) { k.src = 9; }));
  CHECK(differs([](FlowKey& k) { k.dst = 2; }));
  CHECK(differs([](FlowKey& k) { k.src_port = 8; }));
  CHECK(differs([](FlowKey& k) { k.dst_port = 54; }));
  CHECK(differs([](FlowKey& k) { k.protocol = 6; }));
  CHECK_FALSE(OwnExport().has(FlowKey{}));
}

TEST_CASE("of an own datagram in fragments the first is skipped, the others have no ports") {
  WorkerFixture fixture(1024, {}, own({7}));
  constexpr size_t fragment_at = 14 + 6;
  std::vector<uint8_t> first = udp_frame(7);
  std::vector<uint8_t> later = first;
  first[fragment_at] = 0x20;     // more fragments
  later[fragment_at + 1] = 185;  // in units of 8 octets
  fixture.process({fixture.mbuf(first), fixture.mbuf(later)}, start_ms);
  const flow::WorkerCounters& counters = fixture.worker().counters();
  CHECK(counters.fates[index_of(Fate::own_export)] == flow::Tally{1, 42});
  CHECK(counters.accounted == flow::Tally{1, 28});
}

TEST_CASE("a worker skips pollflow's own packets by name, and meters all others") {
  WorkerFixture fixture(1024, {}, own({7}));
  std::vector<uint8_t> tagged = udp_frame(7);
  const std::vector<uint8_t> vlan = {0x81, 0x00, 0x00, 0x05};
  tagged.insert(tagged.begin() + 12, vlan.begin(), vlan.end());
  fixture.process({fixture.mbuf(udp_frame(7, 1492)), fixture.mbuf(udp_frame(8)),
                   fixture.mbuf(tagged), fixture.mbuf(tcp_frame(7, 2)), fixture.mbuf({1, 2})},
                  start_ms);
  const flow::WorkerCounters& counters = fixture.worker().counters();
  CHECK(counters.received == flow::Tally{5, 42 + 42 + 46 + 54 + 2});
  CHECK(counters.fates[index_of(Fate::own_export)] == flow::Tally{2, 42 + 46});
  CHECK(counters.fates[index_of(Fate::frame_too_short)] == flow::Tally{1, 2});
  CHECK(counters.fates[index_of(Fate::accounted)] == flow::Tally{2, 42 + 54});
  CHECK(counters.accounted == flow::Tally{2, 28 + 40});
  CHECK(counters.nic_hashed == 0);
  CHECK(fixture.table().walk() == flow::RecordTally{2, {2, 28 + 40}});
}
