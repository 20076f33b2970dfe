#include "netflow/assembler.hpp"

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstring>
#include <utility>

namespace pollflow::netflow {
namespace {

// 16 bytes at once, in the byte order of x86-64 and arm64; the compiler makes SSE or NEON of them.
using Bytes = uint8_t __attribute__((vector_size(16)));
using Words = uint32_t __attribute__((vector_size(16)));
using Longs = uint64_t __attribute__((vector_size(16)));
static_assert(std::endian::native == std::endian::little);

template <typename Vector>
Vector load(const flow::Record& record, size_t offset) noexcept {
  Vector vector;
  std::memcpy(&vector, reinterpret_cast<const uint8_t*>(&record) + offset, sizeof(vector));
  return vector;
}

Bytes load(const flow::Routing& routing) noexcept {
  uint64_t front = 0;
  uint32_t back = 0;
  const auto* bytes = reinterpret_cast<const uint8_t*>(&routing);
  std::memcpy(&front, bytes, sizeof(front));
  std::memcpy(&back, bytes + sizeof(front), sizeof(back));
  return std::bit_cast<Bytes>(Longs{front, back});
}

void store(Bytes bytes, uint8_t* to) noexcept {
  std::memcpy(to, &bytes, sizeof(bytes));
}

// Where load() puts what the shuffles below name by number.
using flow::Record;
using flow::Routing;
using packet::FlowKey;
static_assert(offsetof(Record, key) == 0 && offsetof(FlowKey, src) == 0);
static_assert(offsetof(FlowKey, dst) == 4 && offsetof(FlowKey, src_port) == 8);
static_assert(offsetof(FlowKey, dst_port) == 10 && offsetof(FlowKey, in_if) == 12);
static_assert(offsetof(FlowKey, protocol) == 14 && offsetof(FlowKey, tos) == 15);
static_assert(offsetof(Record, octets) == offsetof(Record, packets) + 4);
static_assert(offsetof(Record, last_ms) == offsetof(Record, first_ms) + 8);
static_assert(offsetof(Routing, next_hop) == 0 && offsetof(Routing, out_if) == 4);
static_assert(offsetof(Routing, src_mask) == 6 && offsetof(Routing, dst_mask) == 7);
static_assert(offsetof(Routing, src_as) == 8 && offsetof(Routing, dst_as) == 10);
static_assert(sizeof(Routing) == 12, "bytes 12 to 15 are zeros, as pads want them");

}  // namespace

flow::Tally Assembler::add(std::span<const Record> more, const Routing* routings) noexcept {
  auto* out = reinterpret_cast<uint8_t*>(records() + count_);
  const auto boot_ms = static_cast<uint64_t>(boot_ms_);
  Longs carried{};
  for (const Record& record : more) {
    const auto key = load<Bytes>(record, offsetof(Record, key));
    const Bytes route = load(*routings++);
    const auto counts = load<Words>(record, offsetof(Record, packets));
    const Longs uptimes = load<Longs>(record, offsetof(Record, first_ms)) - Longs{boot_ms, boot_ms};
    carried += Longs{record.packets, record.octets};
    // Source, destination, next hop, input, output. Bytes of the second operand count from 16.
    const Bytes way =
        __builtin_shufflevector(key, route, 3, 2, 1, 0, 7, 6, 5, 4, 19, 18, 17, 16, 13, 12, 21, 20);
    // Packets, octets, first, last.
    const auto numbers = std::bit_cast<Bytes>(
        __builtin_shufflevector(counts, std::bit_cast<Words>(uptimes), 0, 1, 4, 6));
    const Bytes sums = __builtin_shufflevector(numbers, numbers, 3, 2, 1, 0, 7, 6, 5, 4, 11, 10, 9,
                                               8, 15, 14, 13, 12);
    // Ports, pad, TCP flags, protocol, TOS, ASs, masks, pad.
    Bytes rest = __builtin_shufflevector(key, route, 9, 8, 11, 10, 28, 28, 14, 15, 25, 24, 27, 26,
                                         22, 23, 28, 28);
    rest[5] = record.tcp_flags;
    store(way, out);
    store(sums, out + 16);
    store(rest, out + 32);
    out += sizeof(V5Record);
  }
  count_ += static_cast<unsigned>(more.size());
  return {carried[0], carried[1]};
}

void Assembler::stamp(V5Header& header, int64_t now_ms) const noexcept {
  const int64_t wall_ms = now_ms + wall_offset_ms_;
  int64_t secs = wall_ms / 1000;
  int64_t ms = wall_ms % 1000;
  if (ms < 0) {  // before 1970, which a damaged time stamp can be
    ms += 1000;
    --secs;
  }
  header.sys_uptime = Be32{uptime(now_ms)};
  header.unix_secs = Be32{static_cast<uint32_t>(secs)};
  header.unix_nsecs = Be32{static_cast<uint32_t>(ms * 1'000'000)};
}

std::span<const uint8_t> Assembler::seal(int64_t now_ms) noexcept {
  V5Header& header = header_at(end_);
  header = V5Header{.version = Be16{v5_version},
                    .count = Be16{static_cast<uint16_t>(count_)},
                    .sys_uptime = {},
                    .unix_secs = {},
                    .unix_nsecs = {},
                    .flow_sequence = Be32{flow_sequence_},
                    .engine_type = options_.engine_type,
                    .engine_id = options_.engine_id,
                    .sampling = {}};
  stamp(header, now_ms);
  sealed_ms_ = now_ms;
  return {&bytes_[end_], sizeof(V5Header) + count_ * sizeof(V5Record)};
}

void Assembler::keep() noexcept {
  stamps_ms_[kept_++] = sealed_ms_;
  end_ += sizeof(V5Header) + count_ * sizeof(V5Record);
  kept_records_ += count_;
  flow_sequence_ += count_ + skipped_;
  skipped_ = 0;
  count_ = 0;
}

void Assembler::next() noexcept {
  flow_sequence_ += count_ + skipped_;
  skipped_ = 0;
  count_ = 0;
  release();
}

void Assembler::stamp_kept(int64_t now_ms) noexcept {
  const bool all = std::exchange(wall_moved_, false);
  for (size_t i = 0; i < kept_; ++i) {
    if (stamps_ms_[i] >= now_ms && !all) continue;
    stamps_ms_[i] = std::max(stamps_ms_[i], now_ms);
    stamp(header_at(i * datagram_bytes()), stamps_ms_[i]);
  }
}

void Assembler::release() noexcept {
  if (count_ > 0 && end_ > 0) {
    const V5Record* begun = records();
    end_ = 0;
    std::copy_n(begun, count_, records());
  }
  end_ = 0;
  kept_ = 0;
  kept_records_ = 0;
}

}  // namespace pollflow::netflow
