#pragma once

#include <netinet/in.h>
#include <netinet/udp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <vector>

namespace pollflow::perf {

// What an exporter is measured against: a loop that hands the kernel datagrams made beforehand.
class BareSender {
 public:
  static constexpr size_t batch_max = 44;  // datagrams of 1464 bytes in the 65507 that UDP takes

  BareSender(const sockaddr_in& to, size_t datagram_bytes)
      : socket_(::socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)),
        datagram_bytes_(datagram_bytes),
        datagrams_(batch_max * datagram_bytes, 5) {
    connect(socket_, reinterpret_cast<const sockaddr*>(&to), sizeof(to));
  }
  BareSender(const BareSender&) = delete;
  BareSender& operator=(const BareSender&) = delete;
  ~BareSender() { close(socket_); }

  // Each answers how many of `count` datagrams the kernel took.
  uint64_t send_each(uint64_t count) noexcept {
    uint64_t taken = 0;
    for (uint64_t i = 0; i < count; ++i) {
      const uint8_t* datagram = &datagrams_[i % batch_max * datagram_bytes_];
      if (::send(socket_, datagram, datagram_bytes_, 0) > 0) ++taken;
    }
    return taken;
  }
  uint64_t send_segmented(uint64_t count) noexcept {
    uint64_t taken = 0;
    for (uint64_t left = count; left > 0;) {
      const uint64_t batch = std::min<uint64_t>(left, batch_max);
      if (send_batch(batch)) taken += batch;
      left -= batch;
    }
    return taken;
  }

 private:
  bool send_batch(uint64_t count) noexcept {
    const auto segment = static_cast<uint16_t>(datagram_bytes_);
    alignas(cmsghdr) std::array<uint8_t, CMSG_SPACE(sizeof(segment))> control{};
    iovec bytes = {.iov_base = datagrams_.data(), .iov_len = count * datagram_bytes_};
    msghdr message{};
    message.msg_iov = &bytes;
    message.msg_iovlen = 1;
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_UDP;
    header->cmsg_type = UDP_SEGMENT;
    header->cmsg_len = CMSG_LEN(sizeof(segment));
    std::memcpy(CMSG_DATA(header), &segment, sizeof(segment));
    return sendmsg(socket_, &message, 0) > 0;
  }

  int socket_;
  size_t datagram_bytes_;
  std::vector<uint8_t> datagrams_;
};

}  // namespace pollflow::perf
