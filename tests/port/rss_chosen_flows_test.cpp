#include <rte_hash_crc.h>
#include <rte_jhash.h>
#include <rte_thash.h>

#include <algorithm>
#include <array>
#include <random>
#include <vector>

#include "port/rss_key.hpp"
#include "support/catch.hpp"
#include "support/chosen_flows.hpp"
#include "support/toeplitz.hpp"

// Whoever knows all but the key of this start cannot aim at a queue. Keys are drawn as pollflow
// draws them, from the operating system's randomness: another thousand each time.

using namespace pollflow;
using namespace pollflow::port;
using test::ChosenFlows;
using test::Toeplitz;

namespace {

#if defined(POLLFLOW_SLOW_BUILD)
constexpr unsigned starts = 10;  // each takes twenty times as long
#else
constexpr unsigned starts = 1000;
#endif

constexpr uint16_t queues = 8;

RssKey key_of_a_start(unsigned reta_entries) {
  std::random_device random("/dev/urandom");
  return draw_rss_key(40, reta_entries, std::ref(random));
}

// Packets of the busiest queue beside the mean.
double busiest(const Toeplitz& toeplitz, const std::vector<uint16_t>& reta,
               std::span<const packet::FlowKey> flows) {
  std::array<unsigned, queues> share{};
  for (const packet::FlowKey& flow : flows)
    ++share[reta[toeplitz(flow) & (reta.size() - 1)]];
  return *std::ranges::max_element(share) * double{queues} / static_cast<double>(flows.size());
}

// Of each set, the busiest queue in each of so many starts, with RETAs of both usual sizes in turn.
std::vector<std::vector<double>> busiest_in_starts(const std::vector<ChosenFlows>& sets) {
  std::vector<std::vector<double>> of_sets(sets.size());
  for (unsigned start = 0; start < starts; ++start) {
    const unsigned entries = start % 2 == 0 ? 128 : 512;
    const std::vector<uint16_t> reta = even_reta(entries, queues);
    const Toeplitz toeplitz(key_of_a_start(entries));
    for (size_t i = 0; i < sets.size(); ++i)
      of_sets[i].push_back(busiest(toeplitz, reta, sets[i].flows));
  }
  return of_sets;
}

}  // namespace

TEST_CASE("the public hashes of these tests are DPDK's") {
  const RssKey key = key_of_a_start(128);
  const Toeplitz ours(key);
  for (const packet::FlowKey& flow : test::random_flows(1).flows) {
    std::array<uint32_t, 3> input = {flow.src, flow.dst,
                                     uint32_t{flow.src_port} << 16 | flow.dst_port};
    const bool same = ours(flow) == rte_softrss(input.data(), input.size(), key.data()) &&
                      test::crc32c(flow, 5) == rte_hash_crc(&flow, sizeof(flow), 5) &&
                      test::jenkins(flow) == rte_jhash(&flow, sizeof(flow), 0);
    if (!same) FAIL("they differ");
  }
}

TEST_CASE("sets chosen against public keys have one hash under them, and so one queue") {
  const std::vector<uint16_t> reta = even_reta(128, queues);
  const auto keys = test::public_rss_keys();
  for (const auto& sets : {test::against_rss_keys(), test::against_rss_keys_narrow()}) {
    REQUIRE(sets.size() == keys.size());
    for (size_t i = 0; i < sets.size(); ++i)
      CHECK(busiest(Toeplitz(keys[i].bytes), reta, sets[i].flows) == queues);
  }
}

// Members at random of a large set spread as random flows do: a queue's share has a standard
// deviation of 0.7 % of the mean, so 25 % are 35 of them.
TEST_CASE("flows chosen against public keys or table hashes come to all queues") {
  auto sets = test::against_rss_keys();
  for (ChosenFlows& set : test::against_table_hashes())
    sets.push_back(std::move(set));
  const auto of_sets = busiest_in_starts(sets);
  for (size_t i = 0; i < sets.size(); ++i) {
    CAPTURE(sets[i].name);
    CHECK(*std::ranges::max_element(of_sets[i]) <= 1.25);
  }
}

// These are exact: the bits that vary have full rank, or the key would not have been drawn.
TEST_CASE("flows of a network, of one field that varies, and of ports alike come to all evenly") {
  const auto sets = test::plain_patterns();
  const auto of_sets = busiest_in_starts(sets);
  for (size_t i = 0; i < sets.size(); ++i) {
    CAPTURE(sets[i].name);
    CHECK(*std::ranges::max_element(of_sets[i]) == 1.0);
  }
}

TEST_CASE("256 flows of one byte of an address or port come to all queues evenly") {
  const packet::FlowKey base = test::random_flows(1).flows[0];
  std::vector<ChosenFlows> sets;
  for (const unsigned bit : {0U, 8U, 16U, 32U, 40U, 48U, 64U, 80U}) {
    ChosenFlows set{"from bit " + std::to_string(bit), {}};
    for (uint64_t i = 0; i < 256; ++i) {
      packet::FlowKey flow = base;
      if (bit < 32)
        flow.src ^= static_cast<uint32_t>(i << bit);
      else if (bit < 64)
        flow.dst ^= static_cast<uint32_t>(i << (bit - 32));
      else if (bit < 80)
        flow.src_port ^= static_cast<uint16_t>(i);
      else
        flow.dst_port ^= static_cast<uint16_t>(i);
      set.flows.push_back(flow);
    }
    sets.push_back(std::move(set));
  }
  const auto of_sets = busiest_in_starts(sets);
  for (size_t i = 0; i < sets.size(); ++i) {
    CAPTURE(sets[i].name);
    CHECK(*std::ranges::max_element(of_sets[i]) == 1.0);
  }
}

// What nobody can prevent: the hash is linear, so 2^17 flows that 17 bits span leave some queues
// out when one of the 7 sums of the three bits that tell 8 queues apart is the same for all of
// them, once in 2^17 keys each. A thousand starts for each of 6 sets: 0.3 in the mean. More than 7
// come once in a hundred million runs.
TEST_CASE(
    "even the narrowest sets chosen against public keys meet their key only by a rare chance") {
  auto sets = test::against_rss_keys_narrow();
  for (ChosenFlows& set : test::against_table_hashes_narrow())
    sets.push_back(std::move(set));
  size_t uneven = 0;
  for (const auto& of_set : busiest_in_starts(sets))
    uneven += static_cast<size_t>(std::ranges::count_if(of_set, [](double b) { return b > 1.25; }));
  CHECK(uneven <= 7);
}

TEST_CASE("a key is drawn after a few tries") {
  std::mt19937 random(1);
  for (const unsigned entries : {64U, 128U, 256U, 512U, 2048U}) {
    CAPTURE(entries);
    uint64_t numbers = 0;
    for (int draw = 0; draw < 20; ++draw)
      draw_rss_key(40, entries, [&] { return ++numbers, static_cast<uint32_t>(random()); });
    CHECK(numbers / 20 < 6000);  // 600 keys of ten numbers, of which none takes a microsecond
  }
}
