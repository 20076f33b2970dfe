#include "support/chosen_flows.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <bitset>
#include <functional>
#include <random>
#include <utility>

#include "flow/flow_hash.hpp"
#include "support/toeplitz.hpp"

namespace pollflow::test {
namespace {

using packet::FlowKey;
using Hash = std::function<uint32_t(const FlowKey&)>;

constexpr unsigned chosen_bits = 96;  // addresses and ports, all that a sender of UDP can choose
using Bits = std::bitset<chosen_bits>;

FlowKey udp(uint32_t src, uint32_t dst, uint32_t src_port, uint32_t dst_port) {
  return {.src = src,
          .dst = dst,
          .src_port = static_cast<uint16_t>(src_port),
          .dst_port = static_cast<uint16_t>(dst_port),
          .in_if = 1,
          .protocol = 17,
          .tos = 0};
}

const FlowKey base = udp(0x0a000001, 0xc0a80001, 40000, 443);

// The base with these bits turned.
FlowKey with(const Bits& bits) {
  const auto word = [&](unsigned at) {
    return static_cast<uint32_t>((bits >> at & Bits(0xffffffff)).to_ulong());
  };
  return udp(base.src ^ word(0), base.dst ^ word(32), base.src_port ^ (word(64) & 0xffff),
             base.dst_port ^ word(64) >> 16);
}

template <typename Make>
ChosenFlows made(std::string name, Make make) {
  ChosenFlows set{std::move(name), {}};
  set.flows.reserve(chosen_flows);
  for (uint32_t i = 0; i < chosen_flows; ++i)
    set.flows.push_back(make(i));
  return set;
}

// What may be turned in the base without a change of a hash that is linear over GF(2), up to a
// constant: a basis of it, by elimination.
std::vector<Bits> turns_that_leave(const Hash& hash) {
  struct Row {
    uint32_t effect = 0;
    Bits turned;
  };
  std::array<Row, 32> pivots{};
  std::vector<Bits> basis;
  for (unsigned bit = 0; bit < chosen_bits; ++bit) {
    Row row;
    row.turned.set(bit);
    row.effect = hash(with(row.turned)) ^ hash(base);
    while (row.effect != 0) {
      Row& pivot = pivots[static_cast<size_t>(std::countl_zero(row.effect))];
      if (pivot.effect == 0) {
        pivot = row;
        break;
      }
      row.effect ^= pivot.effect;
      row.turned ^= pivot.turned;
    }
    if (row.effect == 0) basis.push_back(row.turned);
  }
  return basis;
}

// Member number `number` of what the basis spans.
FlowKey member(const std::vector<Bits>& basis, uint64_t number) {
  Bits turned;
  for (size_t i = 0; i < std::min<size_t>(basis.size(), 64); ++i) {
    if ((number >> i & 1) != 0) turned ^= basis[i];
  }
  return with(turned);
}

ChosenFlows any_that_collide(std::string name, const Hash& linear) {
  const std::vector<Bits> basis = turns_that_leave(linear);
  std::mt19937_64 random(1);
  return made(std::move(name), [&](uint32_t) { return member(basis, random()); });
}

ChosenFlows narrow_that_collide(std::string name, const Hash& linear) {
  const std::vector<Bits> basis = turns_that_leave(linear);
  return made(std::move(name), [&](uint32_t i) { return member(basis, i); });
}

FlowKey any_udp(std::mt19937_64& random) {
  const uint64_t addresses = random();
  const uint64_t ports = random();
  return udp(static_cast<uint32_t>(addresses), static_cast<uint32_t>(addresses >> 32),
             static_cast<uint32_t>(ports), static_cast<uint32_t>(ports >> 16));
}

// Tries flows until there are enough that a hash puts into the one part of 64 that is wanted.
ChosenFlows found_by_trying(std::string name, const std::function<bool(const FlowKey&)>& wanted) {
  std::mt19937_64 random(3);
  return made(std::move(name), [&](uint32_t) {
    for (;;) {
      const FlowKey key = any_udp(random);
      if (wanted(key)) return key;
    }
  });
}

std::vector<uint8_t> repeated(std::initializer_list<uint8_t> pattern) {
  std::vector<uint8_t> key;
  while (key.size() < 40)
    key.insert(key.end(), pattern);
  return key;
}

}  // namespace

std::vector<PublicKey> public_rss_keys() {
  return {
      {"microsoft",
       {0x6d, 0x5a, 0x56, 0xda, 0x25, 0x5b, 0x0e, 0xc2, 0x41, 0x67, 0x25, 0x3d, 0x43, 0xa3,
        0x8f, 0xb0, 0xd0, 0xca, 0x2b, 0xcb, 0xae, 0x7b, 0x30, 0xb4, 0x77, 0xcb, 0x2d, 0xa3,
        0x80, 0x30, 0xf2, 0x0c, 0x6a, 0x42, 0xb7, 0x3b, 0xbe, 0xac, 0x01, 0xfa}},
      {"symmetric", repeated({0x6d, 0x5a})},
      {"mlx5", {0x2c, 0xc6, 0x81, 0xd1, 0x5b, 0xdb, 0xf4, 0xf7, 0xfc, 0xa2, 0x83, 0x19, 0xdb, 0x1a,
                0x3e, 0x94, 0x6b, 0x9e, 0x38, 0xd9, 0x2c, 0x9c, 0x03, 0xd1, 0xad, 0x99, 0x44, 0xa7,
                0xd9, 0x56, 0x3d, 0x59, 0x06, 0x3c, 0x25, 0xf3, 0xfc, 0x1f, 0xdc, 0x2a}},
      {"i40e", {0x44, 0x39, 0x79, 0x6b, 0xb5, 0x4c, 0x50, 0x23, 0xb6, 0x75, 0xea, 0x5b, 0x12, 0x4f,
                0x9f, 0x30, 0xb8, 0xa2, 0xc0, 0x3d, 0xdf, 0xdc, 0x4d, 0x02, 0x8c, 0x8b, 0x9b, 0x33,
                0x4a, 0xf6, 0x4a, 0x4c, 0x05, 0xc6, 0xfa, 0x34, 0x39, 0x58, 0xd8, 0x55}}};
}

std::vector<ChosenFlows> against_rss_keys() {
  std::vector<ChosenFlows> sets;
  for (const PublicKey& key : public_rss_keys())
    sets.push_back(any_that_collide("one hash under the key of " + key.name, Toeplitz(key.bytes)));
  return sets;
}

std::vector<ChosenFlows> against_rss_keys_narrow() {
  std::vector<ChosenFlows> sets;
  for (const PublicKey& key : public_rss_keys())
    sets.push_back(narrow_that_collide("one hash under the key of " + key.name + ", narrow",
                                       Toeplitz(key.bytes)));
  return sets;
}

std::vector<ChosenFlows> plain_patterns() {
  return {
      made("ports alike", [](uint32_t i) { return udp(base.src, base.dst + (i >> 16), i, i); }),
      made("ports apart by one difference",
           [](uint32_t i) { return udp(base.src, base.dst + (i >> 16), i, i ^ 0x5a5a); }),
      made("one /24",
           [](uint32_t i) {
             return udp(0xc6336400 + (i & 255), base.dst, 1024 + (i >> 8), base.dst_port);
           }),
      made("source address",
           [](uint32_t i) { return udp(0x0a000000 + i, base.dst, base.src_port, base.dst_port); }),
      made("destination address",
           [](uint32_t i) { return udp(base.src, 0xac100000 + i, base.src_port, base.dst_port); }),
      made("source port",
           [](uint32_t i) { return udp(base.src, base.dst + (i >> 16), i, base.dst_port); }),
      made("destination port",
           [](uint32_t i) { return udp(base.src + (i >> 16), base.dst, base.src_port, i); })};
}

std::vector<ChosenFlows> unseen_by_rss() {
  return {made("TOS and protocol",
               [](uint32_t i) {
                 FlowKey key = udp(base.src, base.dst, 0, i >> 15);
                 key.protocol = static_cast<uint8_t>(100 + (i >> 8 & 127));
                 key.tos = static_cast<uint8_t>(i);
                 return key;
               }),
          made("ICMP type and code", [](uint32_t i) {
            FlowKey key = udp(base.src, base.dst, 0, i);
            key.protocol = 1;
            key.tos = static_cast<uint8_t>(i >> 16);
            return key;
          })};
}

std::vector<ChosenFlows> against_table_hashes() {
  const flow::FlowHash ours(0);
  return {any_that_collide("CRC32C", [](const FlowKey& key) { return crc32c(key, 0); }),
          any_that_collide("exclusive or", exclusive_or),
          found_by_trying("FNV-1a", [](const FlowKey& key) { return fnv1a(key) % 64 == 7; }),
          found_by_trying("jhash", [](const FlowKey& key) { return jenkins(key) % 64 == 7; }),
          found_by_trying("our own with the secret 0",
                          [&](const FlowKey& key) { return ours(key) >> 58 == 7; })};
}

std::vector<ChosenFlows> against_table_hashes_narrow() {
  return {narrow_that_collide("CRC32C, narrow", [](const FlowKey& key) { return crc32c(key, 0); }),
          narrow_that_collide("exclusive or, narrow", exclusive_or)};
}

ChosenFlows against_zero_secret_and_rss() {
  constexpr uint64_t first_word = 0xe220a8397b1dcdaf;  // SplitMix64's first of the seed 0
  return made("our own with the secret 0 and no RSS hash", [](uint32_t i) {
    return udp(first_word & 0xffffffff, first_word >> 32, 1024 + (i >> 14), i & 0x3fff);
  });
}

ChosenFlows random_flows(uint64_t seed) {
  std::mt19937_64 random(seed);
  return made("random", [&](uint32_t) { return any_udp(random); });
}

uint32_t crc32c(const FlowKey& key, uint32_t initial) {
  uint32_t crc = initial;
  for (const uint8_t byte : std::bit_cast<std::array<uint8_t, sizeof(FlowKey)>>(key)) {
    crc ^= byte;
    for (int bit = 0; bit < 8; ++bit)
      crc = crc >> 1 ^ (crc & 1) * 0x82f63b78;
  }
  return crc;
}

uint32_t exclusive_or(const FlowKey& key) {
  const auto words = std::bit_cast<std::array<uint32_t, 4>>(key);
  return words[0] ^ words[1] ^ words[2] ^ words[3];
}

uint32_t fnv1a(const FlowKey& key) {
  uint32_t hash = 0x811c9dc5;
  for (const uint8_t byte : std::bit_cast<std::array<uint8_t, sizeof(FlowKey)>>(key))
    hash = (hash ^ byte) * 0x01000193;
  return hash;
}

// Bob Jenkins' lookup3 of the key's four words.
uint32_t jenkins(const FlowKey& key) {
  const auto words = std::bit_cast<std::array<uint32_t, 4>>(key);
  uint32_t a = 0xdeadbeef + sizeof(key);
  uint32_t b = a;
  uint32_t c = a;
  const auto step = [](uint32_t& to, uint32_t& from, uint32_t& other, int turn) {
    to -= from;
    to ^= std::rotl(from, turn);
    from += other;
  };
  a += words[0];
  b += words[1];
  c += words[2];
  step(a, c, b, 4);
  step(b, a, c, 6);
  step(c, b, a, 8);
  step(a, c, b, 16);
  step(b, a, c, 19);
  step(c, b, a, 4);
  a += words[3];
  const auto last = [](uint32_t& to, uint32_t from, int turn) {
    to ^= from;
    to -= std::rotl(from, turn);
  };
  last(c, b, 14);
  last(a, c, 11);
  last(b, a, 25);
  last(c, b, 16);
  last(a, c, 4);
  last(b, a, 14);
  last(c, b, 24);
  return c;
}

}  // namespace pollflow::test
