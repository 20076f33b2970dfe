// The decoder beside the slow one, on frames in memory that ends where they end.
//
//   input: link type, frame

#include <cstdio>
#include <cstring>
#include <memory>

#include "fuzz/expect.hpp"
#include "fuzz/input.hpp"
#include "packet/decode.hpp"
#include "packet/plain.hpp"
#include "support/slow_decoder.hpp"

using namespace pollflow;
using namespace pollflow::test;
using packet::LinkType;

namespace {

constexpr uint16_t in_if = 0xfe07;

packet::Packet litter() {
  packet::Packet packet;
  std::memset(static_cast<void*>(&packet), 0xa5, sizeof(packet));
  return packet;
}

void expect_same(const Verdict& ours, const Verdict& slow, const char* who) {
  if (agree(ours, slow)) return;
  std::fprintf(stderr, "%s: %s\nslowly: %s\n", who, describe(ours).c_str(), describe(slow).c_str());
  expect(false, "both say the same");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  Input input(data, size);
  const auto link = static_cast<LinkType>(input.below(4));
  const auto bytes = input.all();
  const auto memory = std::make_unique<uint8_t[]>(bytes.size());
  std::ranges::copy(bytes, memory.get());
  const std::span<const uint8_t> frame{memory.get(), bytes.size()};

  const Verdict slow = slow_decode(frame, link, in_if);
  Verdict ours{.fate = packet::Fate::accounted, .packet = litter()};
  ours.fate = packet::decode(frame, link, in_if, ours.packet);
  expect_same(ours, slow, "decode()");

  // The worker looks at no more than this of a frame in several segments.
  Verdict front{.fate = packet::Fate::accounted, .packet = litter()};
  const size_t header_bytes = std::min(frame.size(), packet::header_bytes_max);
  front.fate = packet::decode(frame.first(header_bytes), link, in_if, front.packet);
  expect_same(front, slow, "decode() of the first header_bytes_max");

  if (link != LinkType::ethernet || frame.size() < packet::plain_frame_bytes) return 0;
  Verdict plain{.fate = packet::Fate::accounted, .packet = litter()};
  if (packet::read_plain_frame(frame.data(), in_if, plain.packet))
    expect_same(plain, slow, "read_plain_frame()");
  return 0;
}
