#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <vector>

#include "flow/tally.hpp"
#include "sim/accounts.hpp"
#include "support/v5_reader.hpp"

namespace pollflow::test {

// What one collector can tell of its stream from the datagrams alone, and what it was kept from
// seeing. Throws std::runtime_error with a sentence when a datagram is not as it should be.
class CollectorView {
 public:
  explicit CollectorView(unsigned records_max) : records_max_(records_max) {}

  // The kernel took a datagram, which arrives.
  void take(std::span<const uint8_t> datagram);
  // The kernel took it, and the network lost it.
  void lose(std::span<const uint8_t> datagram);
  // The kernel refused it. It may come again.
  void refuse(std::span<const uint8_t> datagram);

  // Records that the sequence says came before what is to come next, and those among them that did
  // not: as a collector reckons its losses.
  [[nodiscard]] uint64_t next_sequence() const noexcept { return next_; }
  [[nodiscard]] uint64_t gaps() const noexcept { return gaps_; }
  // Times that unix time minus SysUptime was another than before.
  [[nodiscard]] uint64_t base_changes() const noexcept { return base_changes_; }

  // Of the latest record.
  [[nodiscard]] uint32_t next_hop() const noexcept { return next_hop_; }

  [[nodiscard]] uint64_t datagrams() const noexcept { return datagrams_; }
  [[nodiscard]] const flow::RecordTally& received() const noexcept { return received_; }
  [[nodiscard]] const flow::RecordTally& lost_on_the_way() const noexcept { return lost_; }
  [[nodiscard]] uint64_t datagrams_lost() const noexcept { return datagrams_lost_; }
  // By sequence; of those that never came.
  [[nodiscard]] const std::map<uint32_t, std::vector<V5Flow>>& refused() const noexcept {
    return refused_;
  }
  // Packets and octets by key, of all that was received, lost on the way or refused for good.
  [[nodiscard]] Sums sums() const;

 private:
  void check_header(const V5Datagram& datagram);
  void check_flow(const V5Datagram& datagram, const V5Flow& flow);
  flow::RecordTally enter(const V5Datagram& datagram);

  unsigned records_max_;
  uint64_t datagrams_ = 0;
  uint64_t datagrams_lost_ = 0;
  uint32_t next_ = 0;
  uint64_t gaps_ = 0;
  uint64_t base_changes_ = 0;
  std::optional<uint32_t> base_ms_;
  std::optional<uint32_t> uptime_ms_;
  uint32_t next_hop_ = 0;
  flow::RecordTally received_;
  flow::RecordTally lost_;
  Sums sums_;
  std::map<uint32_t, std::vector<V5Flow>> refused_;
};

// What records of a datagram carry.
flow::RecordTally tally_of(const std::vector<V5Flow>& flows);

}  // namespace pollflow::test
