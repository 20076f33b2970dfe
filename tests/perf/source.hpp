#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "flow/tally.hpp"
#include "packet/flow_key.hpp"
#include "port/burst.hpp"
#include "port/live_clock.hpp"

struct rte_mempool;

namespace pollflow::perf {

// How the NIC's RSS hash of a flow comes out.
enum class Hashes : uint8_t {
  spread,     // evenly over 32 bits
  equal,      // the same for every flow
  one_queue,  // as one of 8 queues sees them: the three bits that the RETA is indexed by constant
};

// What of a frame differs between flows: bytes 22 to 37, and the RSS hash that comes with it.
struct FlowImage {
  FlowImage(const packet::FlowKey& key, uint32_t rss_hash) noexcept;

  uint64_t low;
  uint64_t high;
  uint32_t rss;
};

// A receive queue without a NIC: prebuilt mbufs that go round, on the lcore of who receives. For
// each packet it writes what differs between flows (addresses, ports, protocol) and the RSS hash,
// as DMA would; the rest of the frame stays. Lengths differ between mbufs.
//
// mbufs come in the order in which they were made, so that each is as cold as it would be behind a
// ring of this many descriptors. Freeing them costs what it costs in DPDK up to the mempool, whose
// "put" only counts.
class Source {
 public:
  static constexpr unsigned mbufs = 8192;

  explicit Source(const std::string& name);
  Source(const Source&) = delete;
  Source& operator=(const Source&) = delete;
  ~Source();

  // From now on packets of these flows, from the first on, and when they are through, again.
  void follow(std::span<const uint32_t> flows, Hashes hashes) noexcept;
  // The same with keys of one's own: `flows` are positions in `images`.
  void follow(std::span<const uint32_t> flows, std::span<const FlowImage> images) noexcept {
    follow(flows, Hashes::spread);
    images_ = images;
  }

  // The next packets; the receiver frees them.
  port::Burst receive() noexcept;
  // No packet, only the time.
  port::Burst nothing() noexcept;

  // Frames and their octets, or IPv4 octets, in so many packets: whole rounds of the mbufs.
  [[nodiscard]] flow::Tally frames(uint64_t packets) const noexcept;
  [[nodiscard]] flow::Tally ip(uint64_t packets) const noexcept;
  // Every mbuf handed out has come back.
  [[nodiscard]] bool all_freed() const noexcept;

 private:
  void tell_time() noexcept;

  rte_mempool* pool_;
  std::vector<rte_mbuf*> mbufs_;
  port::LiveClock clock_;
  std::span<const uint32_t> flows_;
  size_t next_flow_ = 0;
  size_t next_mbuf_ = 0;
  std::span<const FlowImage> images_;  // empty: made of the flow's number
  uint32_t hash_and_ = ~0U;
  uint32_t hash_or_ = 0;
  uint64_t packets_ = 0;
  int64_t now_ms_ = 0;
  std::array<rte_mbuf*, port::burst_packets_max> burst_{};
  std::array<int64_t, port::burst_packets_max> arrival_ms_{};
};

}  // namespace pollflow::perf
