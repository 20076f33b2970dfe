#include "flow/flow_hash.hpp"

#include <algorithm>
#include <array>
#include <functional>
#include <random>
#include <vector>

#include "support/catch.hpp"
#include "support/flow_fixtures.hpp"

using namespace pollflow;
using flow::FlowHash;
using packet::FlowKey;

namespace {

// The NIC's Toeplitz hash of the 4-tuple for TCP and UDP, of the addresses otherwise: bit by bit.
uint32_t toeplitz(const std::vector<uint8_t>& key, const FlowKey& flow) {
  const bool ports = flow.protocol == 6 || flow.protocol == 17;
  const std::array<uint32_t, 3> input = {flow.src, flow.dst,
                                         uint32_t{flow.src_port} << 16 | flow.dst_port};
  uint32_t hash = 0;
  for (size_t bit = 0; bit < (ports ? 96 : 64); ++bit) {
    if ((input[bit / 32] >> (31 - bit % 32) & 1) == 0) continue;
    uint64_t window = 0;
    for (size_t byte = 0; byte < 5; ++byte)
      window = window << 8 | key[bit / 8 + byte];
    hash ^= static_cast<uint32_t>(window >> (8 - bit % 8));
  }
  return hash;
}

std::vector<uint8_t> random_key() {
  std::mt19937 random(5);
  std::vector<uint8_t> key(40);
  std::ranges::generate(key, [&] { return static_cast<uint8_t>(random()); });
  return key;
}

std::vector<uint8_t> symmetric_key() {
  std::vector<uint8_t> key;
  while (key.size() < 40)
    key.insert(key.end(), {0x6d, 0x5a});
  return key;
}

FlowKey udp(uint32_t src, uint32_t dst, uint16_t src_port, uint16_t dst_port) {
  return {.src = src,
          .dst = dst,
          .src_port = src_port,
          .dst_port = dst_port,
          .in_if = 1,
          .protocol = 17,
          .tos = 0};
}

constexpr size_t buckets = 4096;
constexpr size_t flows_wanted = buckets * 16;

// Sum over buckets of (flows - mean)^2 / mean, beside what chance gives: 1 for even hashing.
double unevenness(const std::vector<uint64_t>& hashes, int shift) {
  std::vector<double> load(buckets);
  for (const uint64_t hash : hashes)
    ++load[(hash >> shift & 0xffffffff) * buckets >> 32];
  const double mean = static_cast<double>(hashes.size()) / buckets;
  double sum = 0;
  for (const double flows : load)
    sum += (flows - mean) * (flows - mean) / mean;
  return sum / (buckets - 1);
}

// Even in the bits that choose the first bucket, and in those that choose the second.
void check_even(const std::vector<uint64_t>& hashes) {
  REQUIRE(hashes.size() == flows_wanted);
  CHECK(unevenness(hashes, 32) < 1.2);
  CHECK(unevenness(hashes, 0) < 1.2);
}

std::vector<uint64_t> hashes_of(const std::function<FlowKey(uint32_t)>& flow,
                                const std::vector<uint8_t>& rss_key, uint32_t queues,
                                uint64_t secret) {
  const FlowHash hash(secret);
  std::vector<uint64_t> hashes;
  for (uint32_t i = 0; hashes.size() < flows_wanted; ++i) {
    const FlowKey key = flow(i);
    const uint32_t rss = toeplitz(rss_key, key);
    // The queue is made of the low bits of the hash, by way of a RETA filled in turn.
    if (rss % queues == queues - 1) hashes.push_back(hash(key, rss));
  }
  return hashes;
}

}  // namespace

TEST_CASE("buckets fill evenly with what one queue of eight gets") {
  const auto client_ports = [](uint32_t i) {
    return udp(0x0a000000 + (i >> 14), 0xc0a80001, static_cast<uint16_t>(i), 443);
  };
  const auto clients = [](uint32_t i) { return udp(0x0a000000 + i, 0xc0a80001, 5000, 53); };
  for (const uint64_t secret : {0ULL, 1ULL, 0x123456789abcdefULL}) {
    CAPTURE(secret);
    for (const uint32_t queues : {1U, 8U}) {
      CAPTURE(queues);
      check_even(hashes_of(client_ports, random_key(), queues, secret));
      check_even(hashes_of(clients, random_key(), queues, secret));
    }
  }
}

TEST_CASE("buckets fill evenly under a symmetric RSS key, whose hash takes few values") {
  const auto clients = [](uint32_t i) { return udp(0x0a000000 + i, 0xc0a80001, 5000, 53); };
  const auto mirrored = [](uint32_t i) {  // every one of them has the same RSS hash
    return udp(0x0a000001, 0xc0a80001, static_cast<uint16_t>(i), static_cast<uint16_t>(i));
  };
  check_even(hashes_of(clients, symmetric_key(), 8, 3));
  std::vector<uint64_t> same_rss;
  const FlowHash hash(3);
  for (uint32_t i = 0; i < flows_wanted; ++i) {
    CHECK(toeplitz(symmetric_key(), mirrored(i)) == toeplitz(symmetric_key(), mirrored(0)));
    same_rss.push_back(hash(mirrored(i), toeplitz(symmetric_key(), mirrored(i))));
  }
  check_even(same_rss);
}

TEST_CASE("what the RSS hash leaves out still tells flows apart") {
  const FlowHash hash(3);
  std::vector<uint64_t> hashes;
  for (uint32_t i = 0; i < flows_wanted; ++i) {  // ICMP: type, code and TOS
    FlowKey key = udp(0x0a000001, 0xc0a80001, 0, static_cast<uint16_t>(i >> 8));
    key.protocol = 1;
    key.tos = static_cast<uint8_t>(i);
    hashes.push_back(hash(key, 0x12345678));
  }
  check_even(hashes);
}

TEST_CASE("the measure itself tells even from uneven") {
  std::mt19937_64 random(1);
  std::vector<uint64_t> hashes(flows_wanted);
  std::ranges::generate(hashes, std::ref(random));
  check_even(hashes);
  for (uint64_t& hash : hashes)
    hash &= ~(uint64_t{7} << 52);  // one bucket in eight
  CHECK(unevenness(hashes, 32) > 5);
}

TEST_CASE("a table fed by one queue's RSS hashes holds all that it should without evicting") {
  constexpr size_t flows = 20'000;
  test::TableFixture fixture({.flows_max = flows, .rules = {}, .hash_secret = 9});
  const auto rss_key = random_key();
  size_t fed = 0;
  for (uint32_t i = 0; fed < flows; ++i) {
    const packet::Packet packet = test::packet_of(i);
    const uint32_t rss = toeplitz(rss_key, packet.key);
    if (rss % 8 != 3) continue;
    fixture.update_hashed(packet, fixture.table().hash(packet.key, rss), 1'700'000'000'000);
    ++fed;
  }
  CHECK(fixture.table().flows() == flows);
  CHECK(fixture.records().empty());
}
