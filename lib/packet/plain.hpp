#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "packet/decode.hpp"
#if defined(__SSSE3__)
#include <tmmintrin.h>
#endif

namespace pollflow::packet {

// What most packets on a wire are, decoded with a few loads and compares: decode() answers the same
// about them, and answers about all others.

// An IPv4 header without options is so long, and behind it TCP up to its flags.
inline constexpr size_t plain_bytes = 20 + 14;

namespace detail {

inline uint16_t load_be16(const uint8_t* at) noexcept {
  uint16_t value = 0;
  std::memcpy(&value, at, sizeof(value));
  return std::endian::native == std::endian::little ? __builtin_bswap16(value) : value;
}

// The key from an IPv4 header at `ip` and the ports behind it.
inline void read_plain_key(const uint8_t* ip, uint16_t in_if, FlowKey& key) noexcept {
#if defined(__SSSE3__)
  // Bytes 8 to 23 of the packet: TTL, protocol, checksum, addresses, ports. The NIC's order of
  // bytes becomes ours and the protocol finds its place by one shuffle (-1: zero).
  const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(ip + 8));
  const __m128i order = _mm_setr_epi8(7, 6, 5, 4, 11, 10, 9, 8, 13, 12, 15, 14, -1, -1, 1, -1);
  const auto rest = static_cast<int>(in_if | uint32_t{ip[1]} << 24);
  _mm_storeu_si128(
      reinterpret_cast<__m128i*>(&key),
      _mm_or_si128(_mm_shuffle_epi8(bytes, order), _mm_slli_si128(_mm_cvtsi32_si128(rest), 12)));
#else
  key = {.src = uint32_t{load_be16(ip + 12)} << 16 | load_be16(ip + 14),
         .dst = uint32_t{load_be16(ip + 16)} << 16 | load_be16(ip + 18),
         .src_port = load_be16(ip + 20),
         .dst_port = load_be16(ip + 22),
         .in_if = in_if,
         .protocol = ip[9],
         .tos = ip[1]};
#endif
}

}  // namespace detail

// An IPv4 packet of TCP or UDP: 20 octets of header, not a later fragment, at least plain_bytes by
// its total length. False: ask the decoder. `ip` must have plain_bytes bytes.
inline bool read_plain_ipv4(const uint8_t* ip, uint16_t in_if, Packet& packet) noexcept {
  constexpr unsigned tcp = 6;
  constexpr unsigned udp = 17;
  constexpr unsigned either = 1U << tcp | 1U << udp;
  const unsigned protocol = ip[9];
  const unsigned total_length = detail::load_be16(ip + 2);
  const unsigned fragment_offset = detail::load_be16(ip + 6) & 0x1fffU;
  if (ip[0] != 0x45 || fragment_offset != 0 || total_length < plain_bytes) return false;
  // No branch on TCP or UDP: nobody can predict which of them comes next.
  if (protocol > 31 || (either >> protocol & 1) == 0) return false;
  detail::read_plain_key(ip, in_if, packet.key);
  packet.octets = static_cast<uint16_t>(total_length);
  packet.tcp_flags = static_cast<uint8_t>(ip[20 + 13] & -unsigned{protocol == tcp});
  return true;
}

// The same in an untagged Ethernet frame of at least plain_frame_bytes.
inline constexpr size_t plain_frame_bytes = 14 + plain_bytes;
inline bool read_plain_frame(const uint8_t* frame, uint16_t in_if, Packet& packet) noexcept {
  constexpr uint16_t ipv4 = 0x0800;
  return detail::load_be16(frame + 12) == ipv4 && read_plain_ipv4(frame + 14, in_if, packet);
}

}  // namespace pollflow::packet
