#include "sender.hpp"

#include <linux/if_packet.h>
#include <net/if.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>

namespace pollflow::soak {
namespace {

[[noreturn]] void fail(const std::string& what) {
  throw std::system_error(errno, std::generic_category(), what);
}

bool is_passing(int error) {
  return error == ENOBUFS || error == EAGAIN || error == EINTR;
}

}  // namespace

uint64_t Sent::packets() const noexcept {
  uint64_t sum = 0;
  for (const Count& count : seen)
    sum += count.packets;
  return sum;
}

Sender::Sender(const std::string& interface, uint64_t seed) : mix_(seed) {
  // Protocol 0: it receives nothing.
  socket_ = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
  if (socket_ < 0) fail("a packet socket");
  sockaddr_ll address{};
  address.sll_family = AF_PACKET;
  address.sll_ifindex = static_cast<int>(if_nametoindex(interface.c_str()));
  if (address.sll_ifindex == 0 ||
      bind(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    fail(interface);
  const int on = 1;
  if (setsockopt(socket_, SOL_PACKET, PACKET_QDISC_BYPASS, &on, sizeof on) != 0)
    fail("PACKET_QDISC_BYPASS");
  for (size_t i = 0; i < row; ++i)
    messages_[i].msg_hdr = {.msg_iov = &parts_[i], .msg_iovlen = 1};
}

Sender::~Sender() {
  close(socket_);
}

void Sender::fill() noexcept {
  for (size_t i = 0; i < row; ++i) {
    mix_.next(frames_[i]);
    parts_[i] = {frames_[i].data(), frames_[i].size()};
  }
}

void Sender::count(const Frame& frame) noexcept {
  ++sent_.frames;
  if (frame.gathered) return;
  Count& seen = sent_.seen[packet::index_of(frame.fate)];
  ++seen.packets;
  seen.octets += frame.size() + frame.gathered_octets;
  sent_.ipv4_octets += frame.ipv4_octets;
}

void Sender::send(uint64_t frames) {
  while (frames > 0) {
    if (next_ == row) {
      fill();
      next_ = 0;
    }
    const auto wanted = static_cast<unsigned>(std::min<uint64_t>(frames, row - next_));
    const int taken = sendmmsg(socket_, &messages_[next_], wanted, 0);
    if (taken <= 0) {
      if (!is_passing(errno)) fail("sending");
      ++sent_.refused;
      return;
    }
    for (size_t i = next_; i < next_ + static_cast<size_t>(taken); ++i)
      count(frames_[i]);
    next_ += static_cast<size_t>(taken);
    frames -= static_cast<uint64_t>(taken);
  }
}

}  // namespace pollflow::soak
