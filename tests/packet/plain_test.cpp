#include "packet/plain.hpp"

#include <array>
#include <cstring>
#include <memory>
#include <optional>
#include <random>
#include <vector>

#include "support/catch.hpp"

using namespace pollflow::packet;

namespace {

using Bytes = std::vector<uint8_t>;

constexpr uint16_t in_if = 0xfe07;

// docs/reference/flows.md about plain frames, by index into the frame; nothing of any other.
std::optional<Packet> slowly(const Bytes& frame) {
  const auto number = [&](size_t at, size_t count) {
    uint32_t value = 0;
    for (size_t i = at; i < at + count; ++i)
      value = value * 256 + frame.at(i);
    return value;
  };
  const uint32_t total_length = number(16, 2);
  const bool tcp = number(23, 1) == 6;
  const bool udp = number(23, 1) == 17;
  const bool plain = number(12, 2) == 0x0800 && number(14, 1) == 0x45 && (tcp || udp) &&
                     number(20, 2) % 8192 == 0 && total_length >= 34;
  if (!plain) return std::nullopt;
  return Packet{.key = {.src = number(26, 4),
                        .dst = number(30, 4),
                        .src_port = static_cast<uint16_t>(number(34, 2)),
                        .dst_port = static_cast<uint16_t>(number(36, 2)),
                        .in_if = in_if,
                        .protocol = frame.at(23),
                        .tos = frame.at(15)},
                .octets = static_cast<uint16_t>(total_length),
                .tcp_flags = tcp ? frame.at(47) : uint8_t{0}};
}

bool same(const Packet& a, const Packet& b) {
  return a.key == b.key && a.octets == b.octets && a.tcp_flags == b.tcp_flags;
}

// In memory that ends where the frame ends, at any alignment, into a packet full of litter.
std::optional<Packet> quickly(const Bytes& frame, size_t lead) {
  const auto memory = std::make_unique<uint8_t[]>(lead + frame.size());
  std::memcpy(memory.get() + lead, frame.data(), frame.size());
  Packet packet;
  std::memset(static_cast<void*>(&packet), 0xa5, sizeof(packet));
  if (!read_plain_frame(memory.get() + lead, in_if, packet)) return std::nullopt;
  return packet;
}

void append(Bytes& to, const Bytes& more) {
  to.insert(to.end(), more.begin(), more.end());
}

Bytes ipv4(uint8_t protocol, uint8_t words, uint16_t total_length, uint16_t fragment) {
  const auto high = [](uint16_t number) { return static_cast<uint8_t>(number >> 8); };
  const auto low = [](uint16_t number) { return static_cast<uint8_t>(number & 0xff); };
  Bytes bytes = {static_cast<uint8_t>(0x40 | words), 0xb8, high(total_length), low(total_length)};
  append(bytes, {0xbe, 0xef, high(fragment), low(fragment), 64, protocol, 0xca, 0xfe});
  append(bytes, {10, 1, 2, 3, 192, 168, 254, 77});
  bytes.resize(size_t{4} * words, 1);
  append(bytes, {0x12, 0x34, 0xab, 0xcd, 1, 2, 3, 4, 5, 6, 7, 8, 0x50, 0x1b, 9, 10});
  return bytes;
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
  const auto got = quickly(frame, lead);
  const auto wanted = slowly(frame);
  CAPTURE(frame, lead);
  REQUIRE(got.has_value() == wanted.has_value());
  if (got) REQUIRE(same(*got, *wanted));
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
      const auto got = quickly(frame, 0);
      const auto wanted = slowly(frame);
      if (got.has_value() != wanted.has_value() || (got && !same(*got, *wanted)))
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
