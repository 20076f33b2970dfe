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

// The NetFlow v5 datagrams under construction of a stream, and the stream's flow_sequence.
//
//   | kept | kept | kept | header, record, record ... |         one buffer, without gaps
//     wait to be sent      the one that is filled
//
//   add() add() ... seal(now) -> its bytes -> keep()      ... kept_bytes() -> release()
//
// Records are written once, where they are sent from; release() moves the records of a datagram
// that is partly filled. The kept ones are equally long, but for the last: when it is shorter
// nothing can follow it.
//
// The sequence counts records assembled, whether or not a send then succeeds, so that what a
// collector finds missing is what was lost. Boot time is one constant: unix time minus SysUptime
// never moves while nobody sets the wall clock.
class Assembler {
 public:
  // What one sendmsg(2) can take as segments (udp(7), UDP_SEGMENT), and the bytes of a UDP datagram
  // over IPv4.
  static constexpr size_t kept_max = 64;
  static constexpr size_t kept_bytes_max = 65'507;

  Assembler(const AssemblerOptions& options, int64_t boot_ms) noexcept
      : options_(options), boot_ms_(boot_ms) {}

  // The datagram under construction.
  [[nodiscard]] bool empty() const noexcept { return count_ == 0; }
  [[nodiscard]] bool full() const noexcept { return count_ == options_.records_max; }
  [[nodiscard]] unsigned count() const noexcept { return count_; }
  // Records before it.
  [[nodiscard]] uint32_t flow_sequence() const noexcept { return flow_sequence_; }

  // There must be room for them, and not all_kept(). `routings` are as many; answers the packets
  // and octets of all of them.
  flow::Tally add(std::span<const flow::Record> more, const flow::Routing* routings) noexcept;
  void add(const flow::Record& record, const flow::Routing& routing) noexcept {
    add({&record, 1}, &routing);
  }

  // Counts records that left a table and were lost before they got here: the collector shall see a
  // gap. They come after those already in this datagram.
  void skip(uint64_t records) noexcept { skipped_ += static_cast<uint32_t>(records); }

  // For when somebody set the wall clock: added to the header's Unix time, while SysUptime runs on.
  // Datagrams that are kept follow at the next stamp_kept().
  void set_wall_offset(int64_t ms) noexcept {
    wall_moved_ |= ms != wall_offset_ms_;
    wall_offset_ms_ = ms;
  }

  // Stamps the header with the time of sending, Unix ms, and returns the datagram. It may be sealed
  // again with a later time.
  std::span<const uint8_t> seal(int64_t now_ms) noexcept;
  // Keeps the datagram, sealed and not empty, for sending, and begins the next.
  void keep() noexcept;
  // Begins the next datagram in place of this one and those that are kept.
  void next() noexcept;

  // The datagrams kept.
  [[nodiscard]] size_t kept() const noexcept { return kept_; }
  [[nodiscard]] uint64_t kept_records() const noexcept { return kept_records_; }
  [[nodiscard]] std::span<const uint8_t> kept_bytes() const noexcept {
    return {bytes_.data(), end_};
  }
  // Of each but the last.
  [[nodiscard]] size_t datagram_bytes() const noexcept {
    return sizeof(V5Header) + options_.records_max * sizeof(V5Record);
  }
  // True when they are as many as go in one call.
  [[nodiscard]] bool row_full() const noexcept {
    return kept_ == kept_max || end_ + datagram_bytes() > kept_bytes_max;
  }
  // True when no other can be kept before these are released.
  [[nodiscard]] bool all_kept() const noexcept {
    return row_full() || end_ < kept_ * datagram_bytes();
  }
  // Stamps those anew that are stamped earlier, and all of them when the wall clock was set: one
  // row has one Unix time of SysUptime 0.
  void stamp_kept(int64_t now_ms) noexcept;
  // They are done with.
  void release() noexcept;

 private:
  // Milliseconds of SysUptime modulo 2^32, as v5 has it.
  [[nodiscard]] uint32_t uptime(int64_t unix_ms) const noexcept {
    return static_cast<uint32_t>(unix_ms - boot_ms_);
  }
  void stamp(V5Header& header, int64_t now_ms) const noexcept;
  [[nodiscard]] V5Header& header_at(size_t byte) noexcept {
    return reinterpret_cast<V5Header&>(bytes_[byte]);
  }
  [[nodiscard]] V5Record* records() noexcept {
    return reinterpret_cast<V5Record*>(&bytes_[end_ + sizeof(V5Header)]);
  }

  AssemblerOptions options_;
  int64_t boot_ms_;
  int64_t wall_offset_ms_ = 0;
  bool wall_moved_ = false;  // since datagrams that are kept were stamped
  unsigned count_ = 0;
  uint32_t flow_sequence_ = 0;
  uint32_t skipped_ = 0;
  size_t kept_ = 0;
  uint64_t kept_records_ = 0;
  size_t end_ = 0;  // of those kept, in bytes_
  std::array<int64_t, kept_max> stamps_ms_{};
  int64_t sealed_ms_ = 0;
  std::array<uint8_t, kept_bytes_max> bytes_{};
};

}  // namespace pollflow::netflow
