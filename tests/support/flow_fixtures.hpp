#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <new>
#include <tuple>
#include <vector>

#include "flow/flow_table.hpp"

namespace pollflow::test {

// One packet's way to its flow, all three steps at once.
inline void update(flow::FlowTable& table, const packet::Packet& packet, uint64_t hash,
                   int64_t now_ms, flow::RecordBatch& out) {
  flow::Arrival arrival{.packet = packet, .first = 0, .at_ms = now_ms, .rest = 0, .slot = 0};
  table.locate(arrival, hash);
  table.look({&arrival, 1});
  table.update({&arrival, 1}, out);
}

// A flow table with memory of its own, and a batch that keeps everything it is given.
class TableFixture {
 public:
  explicit TableFixture(const flow::FlowTable::Options& options)
      : bytes_(flow::FlowTable::bytes_needed(options.flows_max)),
        memory_(static_cast<std::byte*>(std::aligned_alloc(64, (bytes_ + 63) / 64 * 64))),
        table_(options, zeroed()) {}

  flow::FlowTable& table() { return table_; }
  std::vector<flow::Record>& records() { return records_; }

  // One packet through the table with room for `room` records.
  void update(const packet::Packet& packet, int64_t now_ms, size_t room = 1) {
    update_hashed(packet, table_.hash(packet.key), now_ms, room);
  }
  void update_hashed(const packet::Packet& packet, uint64_t hash, int64_t now_ms, size_t room = 1) {
    batch_.reset(room);
    test::update(table_, packet, hash, now_ms, batch_);
    collect();
  }
  // Sweeps what is due, however many records that gives.
  void sweep(int64_t now_ms) {
    bool done = false;
    while (!done) {
      batch_.reset(flow::RecordBatch::records_max);
      done = table_.sweep(now_ms, batch_);
      collect();
    }
  }
  void flush(int64_t now_ms) {
    bool done = false;
    while (!done) {
      batch_.reset(7);
      done = table_.flush(now_ms, batch_);
      collect();
    }
  }

 private:
  struct Free {
    void operator()(std::byte* memory) const { std::free(memory); }
  };

  std::span<std::byte> zeroed() {
    std::memset(memory_.get(), 0, bytes_);
    return {memory_.get(), bytes_};
  }
  size_t collect() {
    const auto fresh = batch_.records();
    records_.insert(records_.end(), fresh.begin(), fresh.end());
    return fresh.size();
  }

  size_t bytes_;
  std::unique_ptr<std::byte, Free> memory_;
  flow::FlowTable table_;
  flow::RecordBatch batch_;
  std::vector<flow::Record> records_;
};

inline packet::FlowKey key_number(uint32_t number) {
  return {.src = 0x0a000000 + number,
          .dst = 0xc0a80001,
          .src_port = static_cast<uint16_t>(1024 + number % 50000),
          .dst_port = 53,
          .in_if = 1,
          .protocol = 17,
          .tos = 0};
}

inline packet::Packet packet_of(uint32_t number, uint16_t octets = 100, uint8_t tcp_flags = 0) {
  return {.key = key_number(number), .octets = octets, .tcp_flags = tcp_flags};
}

// Everything of a record but when it left: what two accounts of the same traffic must agree on.
inline auto facts(const flow::Record& r) {
  return std::tuple(r.key.src, r.key.dst, r.key.src_port, r.key.dst_port, r.key.in_if,
                    r.key.protocol, r.key.tos, r.first_ms, r.last_ms, r.packets, r.octets,
                    r.tcp_flags, r.reason);
}

}  // namespace pollflow::test
