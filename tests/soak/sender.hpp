#pragma once

#include <sys/socket.h>
#include <sys/uio.h>

#include <array>
#include <cstdint>
#include <string>

#include "mix.hpp"
#include "packet/fate.hpp"

namespace pollflow::soak {

struct Count {
  uint64_t packets = 0;
  uint64_t octets = 0;
};

// What the kernel took, by what pollflow must make of it.
struct Sent {
  uint64_t frames = 0;
  std::array<Count, packet::fate_count> seen{};  // as pollflow sees it: octets of frames
  uint64_t ipv4_octets = 0;                      // of accounted ones
  uint64_t refused = 0;                          // times the kernel took none: tried again

  uint64_t packets() const noexcept;
};

// Hands frames to a kernel interface, in rows. Each frame that was made is sent, once.
class Sender {
 public:
  Sender(const std::string& interface, uint64_t seed);
  ~Sender();
  Sender(const Sender&) = delete;
  Sender& operator=(const Sender&) = delete;

  // About so many, in whole rows; fewer when the kernel takes no more.
  void send(uint64_t frames);

  const Sent& sent() const noexcept { return sent_; }

 private:
  static constexpr size_t row = 32;

  void fill() noexcept;
  void count(const Frame& frame) noexcept;

  int socket_ = -1;
  Mix mix_;
  Sent sent_;
  std::array<Frame, row> frames_{};
  std::array<iovec, row> parts_{};
  std::array<mmsghdr, row> messages_{};
  size_t next_ = row;  // of the row, the first that was not sent yet
};

}  // namespace pollflow::soak
