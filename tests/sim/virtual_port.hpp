#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <vector>

#include "sim/traffic.hpp"

struct rte_mbuf;
struct rte_mempool;
struct rte_ring;

namespace pollflow::test {

// A NIC that does not exist, with real packet buffers: a port of net_ring, whose queues are filled
// here and polled by the program. One in a process; EAL must be up.
//
//   offer() ── no buffer, or queue full ──> missed
//          └─> queue ── polled ──> collect(): what the program has taken
class VirtualPort {
 public:
  static constexpr size_t queues_max = 6;
  static constexpr unsigned queue_frames = 127;

  VirtualPort();

  [[nodiscard]] uint16_t id() const noexcept { return id_; }

  // Frames that arrive at the port, chained in segments of `segment_bytes`.
  void offer(size_t queue, Frame frame, size_t segment_bytes);
  // The frames that were polled since the last time.
  std::vector<Frame> collect(size_t queue);

  // Somebody keeps all packet buffers but `free` to himself, until it is called with buffers_max.
  void keep_buffers(unsigned free);
  static constexpr unsigned buffers_max = 2047;
  // All of them are where they belong.
  [[nodiscard]] bool buffers_are_back() const;

  // Since the last reset().
  [[nodiscard]] uint64_t offered() const noexcept { return offered_; }
  [[nodiscard]] uint64_t missed() const noexcept { return missed_; }
  [[nodiscard]] uint64_t without_buffer() const noexcept { return without_buffer_; }
  [[nodiscard]] uint64_t waiting() const;  // in the queues

  // Takes back what waits in the queues, for the next run; answers how many.
  uint64_t reset();

 private:
  rte_mbuf* fill(const Frame& frame, size_t segment_bytes);

  rte_mempool* pool_;
  uint16_t id_ = 0;
  std::array<rte_ring*, queues_max> queues_{};
  std::array<std::deque<Frame>, queues_max> frames_;  // what each queue holds, or held
  std::vector<rte_mbuf*> kept_;
  uint64_t offered_ = 0;
  uint64_t missed_ = 0;
  uint64_t without_buffer_ = 0;
};

}  // namespace pollflow::test
