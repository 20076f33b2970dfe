#include "packet/plain.hpp"

#include <algorithm>
#include <cstring>
#include <memory>
#include <optional>
#include <random>
#include <vector>

#include "support/catch.hpp"
#include "support/frame_builder.hpp"
#include "support/slow_decoder.hpp"

using namespace pollflow::packet;
using namespace pollflow::test;

namespace {

// What the slow decoder says of plain frames; nothing of any other.
std::optional<Packet> slowly(const Bytes& frame) {
  const auto number = [&](size_t at) { return frame.at(at) * 256U + frame.at(at + 1); };
  const bool tcp_or_udp = frame.at(23) == 6 || frame.at(23) == 17;
  const bool plain = number(12) == 0x0800 && frame.at(14) == 0x45 && tcp_or_udp &&
                     number(20) % 8192 == 0 && number(16) >= 34;
  if (!plain) return std::nullopt;
  return slow_decode(frame, LinkType::ethernet, in_if).packet;
}

// In memory that ends where the frame ends, at any alignment, into a packet full of litter.
std::optional<Packet> quickly(const Bytes& frame, size_t lead) {
  const auto memory = std::make_unique<uint8_t[]>(lead + frame.size());
  std::ranges::copy(frame, memory.get() + lead);
  Packet packet;
  std::memset(static_cast<void*>(&packet), 0xa5, sizeof(packet));
  if (!read_plain_frame(memory.get() + lead, in_if, packet)) return std::nullopt;
  return packet;
}

Bytes ipv4(uint8_t protocol, size_t words, size_t total_length, uint16_t fragment) {
  return Ip{.protocol = protocol,
            .payload = tcp(0x1b),
            .words = words,
            .total_length = total_length,
            .fragment = fragment,
            .tos = 0xb8}
      .bytes();
}

// Everything between the addresses and IPv4: nothing, tags, labels, PPPoE, and what is no IPv4.
std::vector<Bytes> seeds() {
  const std::vector<Bytes> between = {{0x08, 0x00},
                                      {0x81, 0x00, 0x00, 0x05, 0x08, 0x00},
                                      {0x88, 0xa8, 0x00, 0x05, 0x81, 0x00, 0x08, 0x00, 0x08, 0x00},
                                      {0x88, 0x47, 0x00, 0x01, 0x01, 0x40},
                                      {0x88, 0x64, 0x11, 0x00, 0x12, 0x34, 0x00, 0x40, 0x00, 0x21},
                                      {0x86, 0xdd},
                                      {0x00, 0x40}};
  const std::vector<Bytes> packets = {
      ipv4(6, 5, 36, 0x4000),  ipv4(17, 5, 36, 0),       ipv4(17, 5, 1500, 0x2000),
      ipv4(6, 5, 34, 0),       ipv4(6, 5, 33, 0),        ipv4(17, 5, 28, 0),
      ipv4(6, 6, 40, 0x4000),  ipv4(6, 15, 76, 0x4000),  ipv4(1, 5, 36, 0x4000),
      ipv4(17, 5, 36, 0x2001), ipv4(132, 5, 36, 0x4000), ipv4(6, 5, 0xffff, 0x4000)};
  std::vector<Bytes> all;
  for (const Bytes& types : between) {
    for (const Bytes& packet : packets) {
      Bytes frame(12, 0xee);
      append(frame, types);
      append(frame, packet);
      all.push_back(frame);
    }
  }
  return all;
}

void require_same(const Bytes& frame, size_t lead) {
  const std::optional<Packet> got = quickly(frame, lead);
  const std::optional<Packet> wanted = slowly(frame);
  const auto verdict = [](const Packet& packet) { return Verdict{Fate::accounted, packet}; };
  const bool same = got && wanted && agree(verdict(*got), verdict(*wanted));
  if (same || (!got && !wanted)) return;
  CAPTURE(frame, lead);
  REQUIRE(got.has_value() == wanted.has_value());
  REQUIRE(describe(verdict(*got)) == describe(verdict(*wanted)));
}

}  // namespace

TEST_CASE("a plain frame is told from others and read alike, however mutated") {
  const std::vector<Bytes> all = seeds();
  std::mt19937 random(20250611);
  size_t plain = 0;
  for (int run = 0; run < 150'000; ++run) {
    Bytes frame = all[random() % (run % 2 == 0 ? 12 : all.size())];
    for (auto changes = random() % 4; changes > 0; --changes) {
      const size_t at = random() % 3 == 0 ? 12 + random() % 12 : random() % frame.size();
      frame[at] = random() % 2 == 0 ? static_cast<uint8_t>(random() & 0xff)
                                    : static_cast<uint8_t>(frame[at] ^ 1U << random() % 8);
    }
    if (random() % 2 == 0)
      frame.resize(plain_frame_bytes + random() % (frame.size() - plain_frame_bytes + 1));
    require_same(frame, random() % 16);
    plain += slowly(frame).has_value() ? 1 : 0;
  }
  CHECK(plain > 20'000);
  CHECK(plain < 100'000);
}

TEST_CASE("each field alone, in all its values: type, version and length, protocol, fragment") {
  const std::vector<Bytes> all = seeds();
  const auto every_value = [&](Bytes frame, size_t at) {
    for (unsigned value = 0; value <= 0xffff; ++value) {
      frame[at] = static_cast<uint8_t>(value >> 8);
      frame[at + 1] = static_cast<uint8_t>(value & 0xff);
      require_same(frame, 0);
    }
  };
  for (const size_t seed : {0U, 1U}) {
    for (const size_t at : {12U, 14U, 16U, 20U, 22U})
      every_value(all[seed], at);
    every_value(all[seed], plain_frame_bytes - 2);  // TCP's flags
  }
  SUCCEED();
}
