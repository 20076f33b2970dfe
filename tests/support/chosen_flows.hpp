#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "packet/flow_key.hpp"

namespace pollflow::test {

// Sets of flows as somebody chooses them who knows the code but not the secrets of this start: if
// the key were the public one, or the hash had no secret, each set would have one value.

struct ChosenFlows {
  std::string name;
  std::vector<packet::FlowKey> flows;  // chosen_flows of them, no two equal
};

inline constexpr size_t chosen_flows = 1U << 17;

struct PublicKey {
  std::string name;
  std::vector<uint8_t> bytes;
};

// Toeplitz keys that anybody can read: Microsoft's, which most drivers have as their own, the
// symmetric one, and those of mlx5 and i40e.
std::vector<PublicKey> public_rss_keys();

// Against each public key, UDP flows that it gives one hash. "any": members of that set at random,
// as a search finds them. "narrow": all that 17 of its dimensions span, so that there are the
// fewest chances for another key to tell them apart.
std::vector<ChosenFlows> against_rss_keys();
std::vector<ChosenFlows> against_rss_keys_narrow();

// What scans and simple generators make: one network, one field that varies, source port and
// destination port that vary together. The RSS hash sees all that varies.
std::vector<ChosenFlows> plain_patterns();

// The same of what the RSS hash does not see: TOS and protocol, type and code of ICMP.
std::vector<ChosenFlows> unseen_by_rss();

// Against hashes without a secret that a flow table may have: CRC32C as rte_hash has it, exclusive
// or of the key's words, FNV-1a, rte_jhash, and our own with the secret 0.
std::vector<ChosenFlows> against_table_hashes();
std::vector<ChosenFlows> against_table_hashes_narrow();

// Between the two hosts for which our own hash with the secret 0 multiplies by zero where the RSS
// hash is 0: one hash for all.
ChosenFlows against_zero_secret_and_rss();

// No choice at all: what the others are held against. Another set for each seed.
ChosenFlows random_flows(uint64_t seed);

// The hashes that sets are chosen against, for a test to see that they are.
uint32_t crc32c(const packet::FlowKey& key, uint32_t initial);
uint32_t exclusive_or(const packet::FlowKey& key);
uint32_t fnv1a(const packet::FlowKey& key);
uint32_t jenkins(const packet::FlowKey& key);

}  // namespace pollflow::test
