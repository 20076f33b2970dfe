#pragma once

#include <array>
#include <cstdio>
#include <string>

#include "packet/decode.hpp"

namespace pollflow::test {

// What a decoder says of a frame.
struct Verdict {
  packet::Fate fate;
  packet::Packet packet{};  // of an accounted frame
};

// Field by field, so that nothing of the key's own comparison is trusted.
inline bool agree(const Verdict& a, const Verdict& b) {
  if (a.fate != b.fate) return false;
  if (a.fate != packet::Fate::accounted) return true;
  const packet::FlowKey& k = a.packet.key;
  const packet::FlowKey& l = b.packet.key;
  return k.src == l.src && k.dst == l.dst && k.src_port == l.src_port && k.dst_port == l.dst_port &&
         k.in_if == l.in_if && k.protocol == l.protocol && k.tos == l.tos &&
         a.packet.octets == b.packet.octets && a.packet.tcp_flags == b.packet.tcp_flags;
}

inline std::string describe(const Verdict& verdict) {
  const std::string name{packet::fate_names.at(index_of(verdict.fate))};
  if (verdict.fate != packet::Fate::accounted) return name;
  const packet::FlowKey& key = verdict.packet.key;
  std::array<char, 160> text{};
  std::snprintf(text.data(), text.size(),
                ": %08x:%u > %08x:%u protocol %u tos %u in %u, %u octets, flags %02x", key.src,
                key.src_port, key.dst, key.dst_port, key.protocol, key.tos, key.in_if,
                verdict.packet.octets, verdict.packet.tcp_flags);
  return name + text.data();
}

}  // namespace pollflow::test
