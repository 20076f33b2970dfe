#pragma once

#include <cstdint>
#include <span>

namespace pollflow::test {

// What an x86-64 instruction is, to who counts those that a worker must not execute.
enum class Deed : uint8_t {
  plain,
  system_call,  // syscall, sysenter, int 0x80
  locked,       // a LOCK prefix, or xchg with memory, which locks without one
  call,
  mark  // int3
};

// Of the instruction that `code` begins with. Sees prefixes and opcode, never the operands: those
// may hold any bytes. (Intel SDM volume 2, 2.1 "Instruction format", and XCHG.)
Deed deed_of(std::span<const uint8_t> code) noexcept;

}  // namespace pollflow::test
