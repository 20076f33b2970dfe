#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <random>
#include <string_view>
#include <vector>

#include "flow/expiry.hpp"
#include "port/burst.hpp"

struct rte_mempool;

namespace pollflow::test {

enum class Traffic : uint8_t {
  hits,       // 4096 flows that are all known, drawn evenly
  new_flows,  // each packet is a flow of its own, which is idle a second later
  mixed       // mostly known flows; new ones, FINs, and a few of all that is not plain
};

// nullopt for a name that is none: hits, new or mixed.
std::optional<Traffic> traffic_named(std::string_view name);

// Bursts that are the same in each run, on each machine: seeded, with a clock of their own.
//
//   bursts  0 .. 63        each known flow once (but for new_flows)
//           64 .. settled  until expiry and sweeps are what they will go on being
//
// Frames are 60 bytes in one mbuf, but for one a burst of mixed, which is a chain of two. The mbufs
// are taken from the pool a burst at a time, as a driver does, by the lcore that will free them.
class FixedTraffic {
 public:
  static constexpr uint32_t known_flows = 4096;
  static constexpr size_t settled_bursts = 600;
  static constexpr size_t flows_max = 16'384;  // a table for so many is neither full nor empty

  // The pool outlives this.
  FixedTraffic(Traffic kind, rte_mempool& pool);

  // Rules under which flows are over within the time that this traffic takes.
  [[nodiscard]] flow::ExpiryRules rules() const noexcept;

  // The next burst; whoever gets it frees the mbufs. Valid until the next call. Throws
  // std::runtime_error when the pool is empty.
  port::Burst next();

 private:
  enum class Frame : uint8_t { known, fresh, fin, arp, ipv6, fragment, vlan };

  [[nodiscard]] size_t packets_now() const noexcept;
  [[nodiscard]] Frame draw_frame();
  void write(rte_mbuf& mbuf, Frame frame);

  Traffic kind_;
  rte_mempool& pool_;
  std::minstd_rand random_{20240101};  // specified to the bit, unlike the distributions
  size_t bursts_ = 0;
  uint32_t fresh_flows_ = 0;
  uint32_t toured_flows_ = 0;
  int64_t now_ms_ = 1'700'000'000'000;
  std::array<rte_mbuf*, port::burst_packets_max> packets_{};
  std::array<int64_t, port::burst_packets_max> arrival_ms_{};
};

}  // namespace pollflow::test
