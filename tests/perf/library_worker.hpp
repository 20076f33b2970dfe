#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "flow/ledger.hpp"
#include "memory.hpp"
#include "packet/decode.hpp"
#include "port/burst.hpp"

struct rte_hash;

namespace pollflow::perf {

// What a worker would cost with DPDK's own hash table in the place of ours: the same decoder, then
// rte_hash's bulk lookup, which finds the position of an entry, and the entry's update.
class LibraryWorker {
 public:
  explicit LibraryWorker(uint32_t flows_max);
  LibraryWorker(const LibraryWorker&) = delete;
  LibraryWorker& operator=(const LibraryWorker&) = delete;
  ~LibraryWorker();

  void process(const port::Burst& burst) noexcept;

  // Packets and IPv4 octets put to a flow.
  [[nodiscard]] flow::Tally accounted() const noexcept { return accounted_; }

 private:
  struct alignas(64) Entry {
    int64_t first_ms;
    int64_t last_ms;
    uint32_t packets;
    uint32_t octets;
    uint8_t tcp_flags;
  };

  static size_t entry_bytes(uint32_t flows_max) noexcept;
  unsigned decode(const port::Burst& burst) noexcept;
  void insert(unsigned at) noexcept;

  rte_hash* hash_;
  Memory memory_;
  std::span<Entry> entries_;
  flow::Tally accounted_;
  std::array<packet::Packet, port::burst_packets_max> packets_;
  std::array<const void*, port::burst_packets_max> keys_;
  std::array<uint32_t, port::burst_packets_max> signatures_;
  std::array<int32_t, port::burst_packets_max> positions_;
};

}  // namespace pollflow::perf
