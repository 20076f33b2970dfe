#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <utility>
#include <vector>

#include "flow/tally.hpp"
#include "fuzz/expect.hpp"
#include "support/v5_reader.hpp"

namespace pollflow::test {

// What a collector makes of the datagrams that reach it: how much came, and by the sequence how
// much is missing.
class DatagramStream {
 public:
  // `times`: whether times are near enough for 32 bits of milliseconds to be compared.
  void receive(std::span<const uint8_t> bytes, bool times) {
    const V5Datagram datagram = read_v5(bytes);
    miss_up_to(datagram.flow_sequence);
    next_ = datagram.flow_sequence + datagram.count;
    for (const V5Flow& flow : datagram.flows) {
      got_ += {1, {flow.packets, flow.octets}};
      expect(flow.packets > 0, "a flow has a packet");
      expect(
          !times || (not_after(flow.first, flow.last) && not_after(flow.last, datagram.sys_uptime)),
          "First is not after Last, nor Last after SysUptime");
    }
    std::vector<uint8_t> copy(bytes.begin(), bytes.end());
    expect(datagrams_.emplace(datagram.flow_sequence, std::move(copy)).second,
           "no datagram comes twice");
  }
  // The stream has ended here.
  void miss_up_to(uint32_t sequence) {
    const uint32_t gap = sequence - next_;
    expect(gap < UINT32_MAX / 2, "the sequence goes on");
    missed_ += gap;
    next_ = sequence;
  }

  [[nodiscard]] const flow::RecordTally& got() const { return got_; }
  [[nodiscard]] uint64_t missed() const { return missed_; }

  // Collectors of one stream get the same datagrams, as far as they get them.
  void expect_same_as(const DatagramStream& other) const {
    for (const auto& [sequence, bytes] : datagrams_) {
      const auto at = other.datagrams_.find(sequence);
      expect(at == other.datagrams_.end() || at->second == bytes, "both get the same datagram");
    }
  }

 private:
  static bool not_after(uint32_t a, uint32_t b) { return b - a <= INT32_MAX; }

  uint32_t next_ = 0;
  uint64_t missed_ = 0;
  flow::RecordTally got_;
  std::map<uint32_t, std::vector<uint8_t>> datagrams_;
};

}  // namespace pollflow::test
