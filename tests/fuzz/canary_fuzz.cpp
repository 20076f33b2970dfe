// A decoder with a fault, planted: scripts/fuzz fails when it does not find this within a minute.
//
//   input: a frame
//
// It reads the flags of a TCP header behind two VLAN tags with a bound that is one byte too low;
// and, as the decoders under test are, is given memory that ends where the frame ends.

#include <algorithm>
#include <memory>
#include <span>

#include "fuzz/input.hpp"
#include "packet/cursor.hpp"

using namespace pollflow;

namespace {

volatile uint8_t flags_read;

void read_tagged_tcp(packet::Cursor cursor) {
  for (int tags = 0; tags < 2; ++tags) {
    const uint8_t* tag = cursor.take(4);
    if (tag == nullptr || packet::be16(tag) != 0x8100) return;
  }
  const uint8_t* ip = cursor.take(2 + 20);
  if (ip == nullptr || packet::be16(ip) != 0x0800 || ip[2] != 0x45 || ip[2 + 9] != 6) return;
  const uint8_t* tcp = cursor.take(13);  // planted: should be 14
  if (tcp != nullptr) flags_read = tcp[13];
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto memory = std::make_unique<uint8_t[]>(size);
  std::copy_n(data, size, memory.get());
  packet::Cursor cursor({memory.get(), size});
  if (cursor.take(12) != nullptr) read_tagged_tcp(cursor);
  return 0;
}
