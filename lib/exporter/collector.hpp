#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "packet/flow_key.hpp"

namespace pollflow::exporter {

// HOST:PORT as the operator wrote it; an IPv6 address stands in brackets.
struct CollectorAddress {
  std::string host;
  std::string port;

  bool operator==(const CollectorAddress&) const = default;

  [[nodiscard]] std::string name() const {
    return (host.find(':') == std::string::npos ? host : "[" + host + "]") + ":" + port;
  }
};

// Datagrams in a row, equally long but for the last, which may be shorter.
struct DatagramRow {
  std::span<const uint8_t> bytes;
  size_t datagram_bytes;      // of each but the last
  unsigned datagram_records;  // in each but the last
  uint64_t records;           // in all

  [[nodiscard]] size_t count() const noexcept {
    return (bytes.size() + datagram_bytes - 1) / datagram_bytes;
  }
};

// One destination of NetFlow datagrams: a connected, non-blocking UDP socket.
//
// A row of datagrams goes to the kernel in one call, which cuts it (UDP_SEGMENT, udp(7)) and takes
// all of it or nothing. Where it will not (a kernel before 4.18, a device or a tunnel without
// checksums, an MTU less than a datagram) each goes by a call of its own from then on, and may be
// fragmented.
class Collector {
 public:
  struct Counters {
    uint64_t datagrams_sent = 0;
    uint64_t datagrams_failed = 0;
    uint64_t records_sent = 0;
    uint64_t records_failed = 0;
    uint64_t refused = 0;          // times that ICMP told that a datagram did not arrive
    uint64_t records_refused = 0;  // in what was sent just before: lost, if each was told of
  };

  enum class Outcome : uint8_t { sent, would_block, failed };

  // Resolves and connects; throws Failure when the name does not resolve or no socket can be had.
  explicit Collector(const CollectorAddress& address);
  Collector(Collector&& other) noexcept;
  Collector& operator=(Collector&&) = delete;
  ~Collector();

  // What became of how many datagrams from the front of a row.
  struct Attempt {
    Outcome outcome;
    size_t datagrams;
    uint64_t records;
  };

  // Hands datagrams from the front of a row to the kernel, all of them or one (or as many as it
  // took, should it ever take some), and counts them as send() of one does. Go on with those
  // behind.
  Attempt send(const DatagramRow& row) noexcept;
  // Hands one datagram to the kernel. Counts it as sent, or, when the kernel will never take it, as
  // failed; would_block counts nothing: offer the same datagram again, or give_up() on it.
  Outcome send(std::span<const uint8_t> datagram, uint64_t records) noexcept;
  void give_up(uint64_t records, size_t datagrams = 1) noexcept;
  // Takes in what the network has answered since the last send.
  void hear() noexcept;

  // The flow that datagrams of this socket make; nullopt over IPv6.
  [[nodiscard]] std::optional<packet::FlowKey> flow() const noexcept;

  // True while rows go in one call.
  [[nodiscard]] bool takes_rows() const noexcept { return takes_rows_; }
  // True from giving up until a datagram is taken again: meanwhile nobody should wait for it.
  [[nodiscard]] bool stalled() const noexcept { return stalled_; }
  [[nodiscard]] const std::string& name() const noexcept { return name_; }
  [[nodiscard]] const Counters& counters() const noexcept { return counters_; }
  // errno of the latest failure, 0 when there was none.
  [[nodiscard]] int last_errno() const noexcept { return last_errno_; }
  // errno of what ICMP told last, likewise.
  [[nodiscard]] int last_answer() const noexcept { return last_answer_; }

 private:
  template <typename Offer>
  size_t heard_out(Offer offer) noexcept;
  size_t offer_one(std::span<const uint8_t> datagram) noexcept;
  size_t offer_row(const DatagramRow& row) noexcept;
  void note_sent(size_t datagrams, uint64_t records) noexcept;
  void note_refused(int answer) noexcept;

  std::string name_;
  int socket_ = -1;
  int last_errno_ = 0;
  int last_answer_ = 0;
  bool stalled_ = false;
  bool takes_rows_ = true;
  uint64_t latest_records_ = 0;  // of the call that sent last
  Counters counters_;
};

}  // namespace pollflow::exporter
