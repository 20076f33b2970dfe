#pragma once

#include <cstdint>
#include <span>
#include <string>

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

// One destination of NetFlow datagrams: a connected, non-blocking UDP socket.
class Collector {
 public:
  struct Counters {
    uint64_t datagrams_sent = 0;
    uint64_t datagrams_failed = 0;
    uint64_t records_sent = 0;
    uint64_t records_failed = 0;
    uint64_t refused = 0;          // times that ICMP told that nobody listens there
    uint64_t records_refused = 0;  // in datagrams sent just before: lost, if each was told of
  };

  enum class Outcome : uint8_t { sent, would_block, failed };

  // Resolves and connects; throws Failure when the name does not resolve or no socket can be had.
  explicit Collector(const CollectorAddress& address);
  Collector(Collector&& other) noexcept;
  Collector& operator=(Collector&&) = delete;
  ~Collector();

  // Hands one datagram to the kernel. Counts it as sent, or, when the kernel will never take it, as
  // failed; would_block counts nothing: offer the same datagram again, or give_up() on it.
  Outcome send(std::span<const uint8_t> datagram, unsigned records) noexcept;
  void give_up(unsigned records) noexcept;
  // Takes in what the network has answered since the last send.
  void hear() noexcept;

  // True from giving up until a datagram is taken again: meanwhile nobody should wait for it.
  [[nodiscard]] bool stalled() const noexcept { return stalled_; }
  [[nodiscard]] const std::string& name() const noexcept { return name_; }
  [[nodiscard]] const Counters& counters() const noexcept { return counters_; }
  // errno of the latest failure, 0 when there was none.
  [[nodiscard]] int last_errno() const noexcept { return last_errno_; }

 private:
  void note_refused() noexcept;

  std::string name_;
  int socket_ = -1;
  int last_errno_ = 0;
  bool stalled_ = false;
  unsigned latest_records_ = 0;  // of the datagram sent last
  Counters counters_;
};

}  // namespace pollflow::exporter
