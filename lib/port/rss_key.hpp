#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string_view>
#include <vector>

namespace pollflow::port {

// A Toeplitz key. Bit i of a packet's hash input, when set, adds the 32 key bits from bit i on to
// the hash; the low bits of the hash index the RETA. So which queue a packet gets is a linear map
// over GF(2) of the input bits, and where the traffic varies in few bits the map may send all of it
// to a few queues: an unlucky random key spreads a /24 over 16 entries of 128.
using RssKey = std::vector<uint8_t>;

// True when the key's map from each set of input bits that usually varies (a byte of the source or
// destination network, the ports, both ports alike, and any aligned 16 bits, as devices differ in
// how they order the input) onto a RETA of so many entries has the full rank that those bits allow,
// and so has its map onto up to 32 queues.
bool has_full_rank(const RssKey& key, unsigned reta_entries);

// Draws keys of `bytes` (at least 16) until one has full rank. `random` gives 32 random bits.
RssKey draw_rss_key(size_t bytes, unsigned reta_entries, const std::function<uint32_t()>& random);

// A key from hexadecimal digits, which may be grouped by ':'; empty when `text` is none.
RssKey parse_rss_key(std::string_view text);

// Entries 0, 1, 2, ... of a RETA get queues 0, 1, ... in turn: each queue the same share, or one
// entry more.
std::vector<uint16_t> even_reta(unsigned entries, uint16_t queues);

}  // namespace pollflow::port
