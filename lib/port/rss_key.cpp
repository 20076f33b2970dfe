#include "port/rss_key.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>

namespace pollflow::port {
namespace {

constexpr unsigned hash_bits = 32;
constexpr unsigned usual_reta_entries = 128;  // where the device does not tell
constexpr unsigned queue_bits = 5;            // of the index, which tell up to 32 queues apart

// Input bits that vary together. IPv4 hash input: source, destination, ports.
struct BitSet {
  unsigned first;
  unsigned count;
  unsigned twin = 0;  // so many bits further on there is one to each that varies with it
};
constexpr std::array usual_sets = {
    BitSet{8, 8},   BitSet{16, 8},     BitSet{24, 8},   // one byte of the source address varies
    BitSet{40, 8},  BitSet{48, 8},     BitSet{56, 8},   // of the destination
    BitSet{72, 8},  BitSet{88, 8},     BitSet{64, 16},  // low byte of a port, all of one
    BitSet{80, 16}, BitSet{64, 16, 16}};                // both ports alike

// The 32 key bits from `bit` on: what input bit `bit` adds to the hash.
uint32_t window(const RssKey& key, unsigned bit) {
  uint64_t bits = 0;
  for (unsigned byte = 0; byte < 5; ++byte) {
    const size_t at = bit / 8 + byte;
    bits = bits << 8 | (at < key.size() ? key[at] : 0);
  }
  return static_cast<uint32_t>(bits >> (8 - bit % 8));
}

// Rank over GF(2) of the map from these input bits to the low bits of the hash, by elimination.
unsigned rank_on(const RssKey& key, const BitSet& set, unsigned low_bits) {
  std::array<uint32_t, hash_bits> basis{};
  unsigned rank = 0;
  for (unsigned bit = set.first; bit < set.first + set.count; ++bit) {
    uint32_t row = window(key, bit);
    if (set.twin != 0) row ^= window(key, bit + set.twin);
    row &= static_cast<uint32_t>((uint64_t{1} << low_bits) - 1);
    while (row != 0) {
      uint32_t& pivot = basis[static_cast<size_t>(std::countl_zero(row))];
      if (pivot == 0) {
        pivot = row;
        ++rank;
        break;
      }
      row ^= pivot;
    }
  }
  return rank;
}

}  // namespace

bool has_full_rank(const RssKey& key, unsigned reta_entries) {
  const unsigned entries = reta_entries == 0 ? usual_reta_entries : reta_entries;
  const auto index_bits = static_cast<unsigned>(std::bit_width(entries) - 1);
  const auto key_bits = static_cast<unsigned>(key.size() * 8);
  // On the whole index, and on the bits of it that tell queues apart: a map that reaches as many
  // entries as it can may still reach those of some queues only, where it cannot reach all.
  const auto full = [&](const BitSet& set) {
    if (set.first + set.count + set.twin + hash_bits - 1 > key_bits) return true;
    return std::ranges::all_of(
        std::array{std::min(index_bits, queue_bits), index_bits}, [&](unsigned low_bits) {
          return rank_on(key, set, low_bits) == std::min(set.count, low_bits);
        });
  };
  if (!std::ranges::all_of(usual_sets, full)) return false;
  for (unsigned first = 0; first < key_bits; first += 16) {
    if (!full({first, 16})) return false;
  }
  return true;
}

RssKey draw_rss_key(size_t bytes, unsigned reta_entries, const std::function<uint32_t()>& random) {
  RssKey key(bytes);
  do {
    for (size_t at = 0; at < bytes; at += sizeof(uint32_t)) {
      const uint32_t bits = random();
      std::memcpy(&key[at], &bits, std::min(bytes - at, sizeof(bits)));
    }
  } while (!has_full_rank(key, reta_entries));
  return key;
}

RssKey parse_rss_key(std::string_view text) {
  const auto digit = [](char c) {
    constexpr std::string_view digits = "0123456789abcdef";
    return digits.find(static_cast<char>(c >= 'A' && c <= 'F' ? c - 'A' + 'a' : c));
  };
  RssKey key;
  for (size_t at = 0; at < text.size(); at += 2) {
    if (!key.empty() && text[at] == ':') ++at;
    if (at + 1 >= text.size()) return {};
    const size_t high = digit(text[at]);
    const size_t low = digit(text[at + 1]);
    if (high == std::string_view::npos || low == std::string_view::npos) return {};
    key.push_back(static_cast<uint8_t>(high << 4 | low));
  }
  return key;
}

std::vector<uint16_t> even_reta(unsigned entries, uint16_t queues) {
  std::vector<uint16_t> reta(entries);
  for (unsigned i = 0; i < entries; ++i)
    reta[i] = static_cast<uint16_t>(i % queues);
  return reta;
}

}  // namespace pollflow::port
