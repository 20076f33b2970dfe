#include "quiet/instruction.hpp"

#include <algorithm>
#include <array>

namespace pollflow::test {
namespace {

constexpr uint8_t lock_prefix = 0xf0;
// LOCK, REPNE, REP; six segments; operand size, address size.
constexpr std::array<uint8_t, 11> prefixes = {lock_prefix, 0xf2, 0xf3, 0x26, 0x2e, 0x36,
                                              0x3e,        0x64, 0x65, 0x66, 0x67};

bool is_prefix(uint8_t byte) {
  return std::ranges::find(prefixes, byte) != prefixes.end();
}

bool is_rex(uint8_t byte) {
  return (byte & 0xf0) == 0x40;
}

}  // namespace

Deed deed_of(std::span<const uint8_t> code) noexcept {
  const auto byte = [&](size_t at) { return at < code.size() ? code[at] : uint8_t{0}; };
  size_t at = 0;
  bool locked = false;
  for (; is_prefix(byte(at)); ++at)
    locked |= byte(at) == lock_prefix;
  if (is_rex(byte(at))) ++at;
  const uint8_t opcode = byte(at);
  const uint8_t next = byte(at + 1);
  if (locked) return Deed::locked;
  if (opcode == 0xcc) return Deed::mark;
  if (opcode == 0xcd && next == 0x80) return Deed::system_call;
  if (opcode == 0x0f && (next == 0x05 || next == 0x34)) return Deed::system_call;
  const bool calls = opcode == 0xe8 || (opcode == 0xff && (next & 0x38) == 0x10);
  if (calls) return Deed::call;
  const bool memory = (next & 0xc0) != 0xc0;  // by ModRM
  return (opcode == 0x86 || opcode == 0x87) && memory ? Deed::locked : Deed::plain;
}

}  // namespace pollflow::test
