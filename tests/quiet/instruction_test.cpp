#include "quiet/instruction.hpp"

#include <string>
#include <vector>

#include "support/catch.hpp"

using pollflow::test::Deed;
using pollflow::test::deed_of;

namespace {

struct Known {
  const char* text;  // as GNU as writes it
  std::vector<uint8_t> bytes;
};

}  // namespace

TEST_CASE("system calls are told by their opcode") {
  const auto known =
      GENERATE(Known{"syscall", {0x0f, 0x05}}, Known{"sysenter", {0x0f, 0x34}},
               Known{"int $0x80", {0xcd, 0x80}}, Known{"rex.W syscall", {0x48, 0x0f, 0x05}});
  CAPTURE(known.text);
  CHECK(deed_of(known.bytes) == Deed::system_call);
}

TEST_CASE("locked instructions are told by the prefix, wherever among the prefixes it stands") {
  const auto known =
      GENERATE(Known{"lock cmpxchg %ebx,0x80(%r9)", {0xf0, 0x41, 0x0f, 0xb1, 0x99, 0x80, 0, 0, 0}},
               Known{"lock xadd %eax,(%rdi)", {0xf0, 0x0f, 0xc1, 0x07}},
               Known{"lock incw (%rax)", {0x66, 0xf0, 0xff, 0x00}},
               Known{"lock incw (%rax), the other way round", {0xf0, 0x66, 0xff, 0x00}},
               Known{"lock addq $1,%fs:0", {0x64, 0xf0, 0x48, 0x83, 0x04, 0x25, 0, 0, 0, 0, 1}},
               Known{"lock cmpxchg16b (%rdi)", {0xf0, 0x48, 0x0f, 0xc7, 0x0f}},
               Known{"xacquire lock xadd %eax,(%rdi)", {0xf2, 0xf0, 0x0f, 0xc1, 0x07}});
  CAPTURE(known.text);
  CHECK(deed_of(known.bytes) == Deed::locked);
}

TEST_CASE("xchg locks with memory only") {
  CHECK(deed_of(std::vector<uint8_t>{0x87, 0x07}) == Deed::locked);        // xchg %eax,(%rdi)
  CHECK(deed_of(std::vector<uint8_t>{0x86, 0x47, 0x01}) == Deed::locked);  // xchg %al,1(%rdi)
  CHECK(deed_of(std::vector<uint8_t>{0x4c, 0x87, 0x05, 0, 0, 0, 0}) ==
        Deed::locked);                                              // %r8,0(%rip)
  CHECK(deed_of(std::vector<uint8_t>{0x87, 0xc3}) == Deed::plain);  // xchg %eax,%ebx
  CHECK(deed_of(std::vector<uint8_t>{0x66, 0x90}) == Deed::plain);  // xchg %ax,%ax
  CHECK(deed_of(std::vector<uint8_t>{0x48, 0x93}) == Deed::plain);  // xchg %rax,%rbx
}

TEST_CASE("bytes that only look like it, in operands or behind another opcode, are plain") {
  const auto known =
      GENERATE(Known{"mov $0x050f,%eax", {0xb8, 0x0f, 0x05, 0, 0}},
               Known{"mov $0xf0f0f0f0,%eax", {0xb8, 0xf0, 0xf0, 0xf0, 0xf0}},
               Known{"mov %esi,%eax", {0x89, 0xf0}}, Known{"int $0x81", {0xcd, 0x81}},
               Known{"cmpxchg %ecx,(%rdi)", {0x0f, 0xb1, 0x0f}}, Known{"rdtsc", {0x0f, 0x31}},
               Known{"vpaddd %xmm0,%xmm1,%xmm2", {0xc5, 0xf1, 0xfe, 0xd0}},
               Known{"vpxord with EVEX's 0x87 behind", {0x62, 0xf1, 0x7d, 0x48, 0xef, 0x87}},
               Known{"endbr64", {0xf3, 0x0f, 0x1e, 0xfa}}, Known{"ja", {0x0f, 0x87, 0, 0, 0, 0}},
               Known{"rep movsq", {0xf3, 0x48, 0xa5}}, Known{"no byte", {}});
  CAPTURE(known.text);
  CHECK(deed_of(known.bytes) == Deed::plain);
}

TEST_CASE("calls are told by their opcode, and by its extension") {
  const auto known = GENERATE(Known{"call", {0xe8, 0, 0, 0, 0}}, Known{"call *%rax", {0xff, 0xd0}},
                              Known{"call *%r9", {0x41, 0xff, 0xd1}},
                              Known{"call *8(%rip)", {0xff, 0x15, 8, 0, 0, 0}});
  CAPTURE(known.text);
  CHECK(deed_of(known.bytes) == Deed::call);
  CHECK(deed_of(std::vector<uint8_t>{0xff, 0x25, 8, 0, 0, 0}) == Deed::plain);  // jmp *8(%rip)
  CHECK(deed_of(std::vector<uint8_t>{0xff, 0xc0}) == Deed::plain);              // inc %eax
}

TEST_CASE("int3 is the mark") {
  CHECK(deed_of(std::vector<uint8_t>{0xcc}) == Deed::mark);
  CHECK(deed_of(std::vector<uint8_t>{0xb0, 0xcc}) == Deed::plain);
}
