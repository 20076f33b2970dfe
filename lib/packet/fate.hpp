#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace pollflow::packet {

// What became of a frame. Every frame received ends in exactly one of these; whoever calls the
// decoder counts it. docs/reference/flows.md says what each one means.
enum class Fate : uint8_t {
  accounted,
  frame_too_short,
  vlan_depth,
  mpls_depth,
  arp,
  ipv6,
  llc,
  pppoe_control,
  mpls_payload,
  other_ethertype,
  ip_version,
  ip_header_length,
  ip_total_length,
  own_export,  // the decoder does not know it: who knows the collectors does
};

inline constexpr std::array<std::string_view, 14> fate_names = {"accounted",
                                                                "frame_too_short",
                                                                "vlan_depth",
                                                                "mpls_depth",
                                                                "arp",
                                                                "ipv6",
                                                                "llc",
                                                                "pppoe_control",
                                                                "mpls_payload",
                                                                "other_ethertype",
                                                                "ip_version",
                                                                "ip_header_length",
                                                                "ip_total_length",
                                                                "own_export"};

inline constexpr size_t fate_count = fate_names.size();
static_assert(fate_count == static_cast<size_t>(Fate::own_export) + 1);

constexpr size_t index_of(Fate fate) {
  return static_cast<size_t>(fate);
}

}  // namespace pollflow::packet
