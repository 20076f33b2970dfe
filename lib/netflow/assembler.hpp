#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "flow/record.hpp"
#include "flow/routing.hpp"
#include "netflow/wire.hpp"

namespace pollflow::netflow {

struct AssemblerOptions {
  uint8_t engine_type = 0;
  uint8_t engine_id = 0;
  unsigned records_max = v5_records_max;  // per datagram, 1 to 30
};

// The one NetFlow v5 datagram under construction of a stream, and the stream's flow_sequence.
//
//   add() add() ... seal(now) -> bytes to send -> next()
//
// The sequence counts records assembled, whether or not a send then succeeds, so that what a
// collector finds missing is what was lost. Boot time is one constant: unix time minus SysUptime
// never moves while nobody sets the wall clock.
class Assembler {
 public:
  Assembler(const AssemblerOptions& options, int64_t boot_ms) noexcept
      : options_(options), boot_ms_(boot_ms) {}

  [[nodiscard]] bool empty() const noexcept { return count_ == 0; }
  [[nodiscard]] bool full() const noexcept { return count_ == options_.records_max; }
  [[nodiscard]] unsigned count() const noexcept { return count_; }
  [[nodiscard]] uint32_t flow_sequence() const noexcept { return flow_sequence_; }

  // The datagram must not be full.
  void add(const flow::Record& record, const flow::Routing& routing) noexcept;

  // Counts records that left a table and were lost before they got here: the collector shall see a
  // gap. They come after those already in this datagram.
  void skip(uint64_t records) noexcept { skipped_ += static_cast<uint32_t>(records); }

  // For when somebody set the wall clock: added to the header's Unix time, while SysUptime runs on.
  void set_wall_offset(int64_t ms) noexcept { wall_offset_ms_ = ms; }

  // Stamps the header with the time of sending, Unix ms, and returns the datagram. It may be sealed
  // again with a later time if it could not be sent.
  std::span<const uint8_t> seal(int64_t now_ms) noexcept;

  // Begins the next datagram.
  void next() noexcept;

 private:
  // Milliseconds of SysUptime modulo 2^32, as v5 has it.
  [[nodiscard]] uint32_t uptime(int64_t unix_ms) const noexcept {
    return static_cast<uint32_t>(unix_ms - boot_ms_);
  }

  struct Datagram {
    V5Header header;
    std::array<V5Record, v5_records_max> records;
  };
  static_assert(sizeof(Datagram) == 24 + 48 * v5_records_max && alignof(Datagram) == 1);

  AssemblerOptions options_;
  int64_t boot_ms_;
  int64_t wall_offset_ms_ = 0;
  unsigned count_ = 0;
  uint32_t flow_sequence_ = 0;
  uint32_t skipped_ = 0;
  Datagram datagram_{};
};

}  // namespace pollflow::netflow
