#include "port/rss_key.hpp"

#include <rte_thash.h>

#include <algorithm>
#include <array>
#include <random>
#include <set>

#include "support/catch.hpp"

using namespace pollflow::port;

namespace {

RssKey random_key(size_t bytes, unsigned reta_entries, uint32_t seed) {
  std::mt19937 random(seed);
  return draw_rss_key(bytes, reta_entries, [&] { return static_cast<uint32_t>(random()); });
}

RssKey repeated(std::initializer_list<uint8_t> pattern) {
  RssKey key;
  while (key.size() < 40)
    key.insert(key.end(), pattern);
  return key;
}

// Addresses and ports as the NIC hashes them, by DPDK's own Toeplitz.
struct Tuple {
  uint32_t src = 0x0a000000;
  uint32_t dst = 0xc0a80001;
  uint16_t src_port = 40000;
  uint16_t dst_port = 443;
};

uint32_t toeplitz(const RssKey& key, const Tuple& tuple) {
  std::array<uint32_t, 3> input = {tuple.src, tuple.dst,
                                   uint32_t{tuple.src_port} << 16 | tuple.dst_port};
  return rte_softrss(input.data(), input.size(), key.data());
}

// Entries of a RETA that a sequence of tuples comes to, and the share of the busiest of 8 queues
// beside an even one.
struct Spread {
  size_t entries;
  double busiest;
};

template <typename Vary>
Spread spread(const RssKey& key, unsigned reta_entries, unsigned count, Vary vary) {
  std::set<uint32_t> entries;
  std::array<unsigned, 8> queues{};
  for (unsigned i = 0; i < count; ++i) {
    Tuple tuple;
    vary(tuple, i);
    const uint32_t entry = toeplitz(key, tuple) % reta_entries;
    entries.insert(entry);
    ++queues[entry % queues.size()];
  }
  const double even = count / static_cast<double>(queues.size());
  return {entries.size(), *std::ranges::max_element(queues) / even};
}

}  // namespace

TEST_CASE("a drawn key spreads each usual set over all of the RETA that it can reach, evenly") {
  for (const unsigned reta_entries : {64U, 128U, 512U}) {
    for (uint32_t seed = 0; seed < 20; ++seed) {
      CAPTURE(reta_entries, seed);
      const RssKey key = random_key(40, reta_entries, seed);
      const auto check = [&](unsigned count, auto vary) {
        const Spread got = spread(key, reta_entries, count, vary);
        CHECK(got.entries == std::min(count, reta_entries));
        CHECK(got.busiest == 1.0);
      };
      check(256, [](Tuple& t, unsigned i) { t.src += i; });
      check(256, [](Tuple& t, unsigned i) { t.src += i << 8; });
      check(256, [](Tuple& t, unsigned i) { t.dst ^= i; });
      check(256, [](Tuple& t, unsigned i) { t.dst ^= i << 16; });
      check(65536, [](Tuple& t, unsigned i) { t.src_port = static_cast<uint16_t>(i); });
      check(256, [](Tuple& t, unsigned i) { t.dst_port ^= static_cast<uint16_t>(i); });
      check(65536, [](Tuple& t, unsigned i) { t.src += i; });
    }
  }
}

TEST_CASE("public keys of low rank are refused") {
  CHECK_FALSE(has_full_rank(RssKey(40, 0), 128));
  CHECK_FALSE(has_full_rank(RssKey(40, 0xff), 128));
  CHECK_FALSE(has_full_rank(repeated({0x80, 0x00, 0x00, 0x00}), 128));
  CHECK(has_full_rank(random_key(40, 128, 1), 128));
}

TEST_CASE("a key whose rank falls short really leaves entries of the RETA unused") {
  std::mt19937 random(7);
  unsigned short_of_rank = 0;
  for (int draw = 0; draw < 200; ++draw) {
    RssKey key(40);
    std::ranges::generate(key, [&] { return static_cast<uint8_t>(random()); });
    const Spread got = spread(key, 128, 256, [](Tuple& t, unsigned i) { t.src += i; });
    if (got.entries == 128) continue;
    ++short_of_rank;
    CHECK_FALSE(has_full_rank(key, 128));
  }
  CHECK(short_of_rank > 20);  // it is no rare misfortune
}

TEST_CASE("keys of every length that devices have, and RETAs that are not told") {
  for (const size_t bytes : std::initializer_list<size_t>{16, 20, 40, 52, 64})
    CHECK(random_key(bytes, 0, 3).size() == bytes);
  CHECK(random_key(40, 1, 3).size() == 40);
  CHECK(random_key(52, 2048, 3).size() == 52);
  CHECK(random_key(40, 128, 1) != random_key(40, 128, 2));
}

TEST_CASE("a key is written in hexadecimal") {
  CHECK(parse_rss_key("6d5A") == RssKey{0x6d, 0x5a});
  CHECK(parse_rss_key("6d:5a:00") == RssKey{0x6d, 0x5a, 0x00});
  for (const char* wrong : {"", "6", "6d5", "6g", ":6d", "6d:", "6d::5a", "0x6d", "6d 5a"}) {
    CAPTURE(wrong);
    CHECK(parse_rss_key(wrong).empty());
  }
}

TEST_CASE("a RETA gives each queue the same share, or one entry more") {
  for (const unsigned entries : {64U, 128U, 512U}) {
    for (uint16_t queues = 1; queues <= 16; ++queues) {
      std::vector<unsigned> share(queues);
      for (const uint16_t queue : even_reta(entries, queues))
        ++share.at(queue);
      const auto [least, most] = std::ranges::minmax(share);
      CHECK(most - least <= 1);
    }
  }
}
