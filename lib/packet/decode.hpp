#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "packet/fate.hpp"
#include "packet/flow_key.hpp"

namespace pollflow::packet {

// What the first bytes of a frame are (libpcap's link-layer header types).
enum class LinkType : uint8_t { ethernet, raw_ip, linux_cooked_v1, linux_cooked_v2 };

inline constexpr size_t vlan_tags_max = 4;
inline constexpr size_t mpls_labels_max = 16;

// No header that the decoder reads lies beyond this many bytes of a frame: the longest link header
// (cooked v2), every tag and label allowed, PPPoE, IPv4 with options, and TCP up to its flags.
inline constexpr size_t header_bytes_max =
    20 + 4 * vlan_tags_max + 4 * mpls_labels_max + 8 + 60 + 14;

// What a flow needs to know of one packet.
struct Packet {
  FlowKey key;
  uint16_t octets;    // IPv4 total length as the header states it
  uint8_t tcp_flags;  // byte 13 of the TCP header; 0 when there is none
};

// Decodes the captured bytes of one frame, at least its first header_bytes_max when it has as many.
// `in_if` becomes the key's input ifindex. `packet` is filled when the answer is Fate::accounted
// and unspecified otherwise. Never reads outside `frame`; never fails.
Fate decode(std::span<const uint8_t> frame, LinkType link, uint16_t in_if, Packet& packet) noexcept;

}  // namespace pollflow::packet
