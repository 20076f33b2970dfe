#pragma once

#include <cstdint>

namespace pollflow::flow {

// Packets and their octets; which octets (frame or IPv4) is said where one is declared.
struct Tally {
  uint64_t packets = 0;
  uint64_t octets = 0;

  void add(uint64_t more_octets) noexcept {
    ++packets;
    octets += more_octets;
  }
  Tally& operator+=(const Tally& other) noexcept {
    packets += other.packets;
    octets += other.octets;
    return *this;
  }
  friend Tally operator+(Tally a, const Tally& b) noexcept { return a += b; }
  friend Tally operator-(const Tally& a, const Tally& b) noexcept {
    return {a.packets - b.packets, a.octets - b.octets};
  }
  bool operator==(const Tally&) const = default;
};

// Flow records, and the packets and IPv4 octets that they carry.
struct RecordTally {
  uint64_t records = 0;
  Tally carried;

  void add(const Tally& record) noexcept {
    ++records;
    carried += record;
  }
  RecordTally& operator+=(const RecordTally& other) noexcept {
    records += other.records;
    carried += other.carried;
    return *this;
  }
  friend RecordTally operator+(RecordTally a, const RecordTally& b) noexcept { return a += b; }
  friend RecordTally operator-(const RecordTally& a, const RecordTally& b) noexcept {
    return {a.records - b.records, a.carried - b.carried};
  }
  bool operator==(const RecordTally&) const = default;
};

}  // namespace pollflow::flow
