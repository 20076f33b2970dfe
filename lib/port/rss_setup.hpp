#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "port/rss_key.hpp"

namespace pollflow::port {

// What came back when the device was asked for the key that was set.
enum class KeyReadBack : uint8_t { same, differs, not_told };

// How a port spreads packets over its queues, as far as the device grants and tells.
struct RssGrant {
  uint64_t types = 0;           // RTE_ETH_RSS_* bits; 0: no RSS
  bool hash_delivered = false;  // packets carry the hash (the RSS_HASH offload)
  size_t key_bytes = 0;         // 0: the device takes no key
  KeyReadBack key = KeyReadBack::not_told;
  unsigned reta_entries = 0;  // 0: none, or none that is ours to write
  bool reta_even = false;     // read back as written: each queue the same share
};

// Writes a RETA that spreads over `queues` evenly and reads it back. True when it is there as
// written.
bool write_even_reta(uint16_t port, unsigned entries, uint16_t queues);

// Asks for the key and the types that the device uses, and corrects what `grant` says of them.
void read_back(uint16_t port, const RssKey& key, RssGrant& grant);

// "RSS on ipv4 ipv4-tcp, key of 40 bytes (read back: the same), RETA of 128 entries, ..."
std::string describe(const RssGrant& grant);

// What an operator should know, in words; empty when RSS is all that it should be. `queues` are in
// use; `spread_elsewhere` when it is not RSS that spreads (net_af_packet's fanout, for one).
std::vector<std::string> warnings(const RssGrant& grant, uint16_t queues, bool spread_elsewhere);

}  // namespace pollflow::port
